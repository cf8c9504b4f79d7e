"""Accounts: the groups of a new site, and one's own password."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_q.models import Schedule

from kbsite import sessions
from kbsite.groups import AUTHORS, GROUPS, OPERATORS, REVIEWERS, groups_create, permissions
from tests.rates import rates_clear

pytestmark = pytest.mark.django_db


def test_a_new_site_has_groups_that_fit_the_work() -> None:
    assert groups_create() == [AUTHORS, REVIEWERS, OPERATORS]
    may = {}
    for name in GROUPS:
        person = User.objects.create_user(name)
        person.groups.add(Group.objects.get(name=name))
        may[name] = person.get_all_permissions()
    assert may[AUTHORS] == {"knowledge.add_entry"}
    assert {"knowledge.publish_entry", "knowledge.validate_entry", "knowledge.change_entryflag"} <= may[REVIEWERS]
    assert {"migrations_ops.start_run", "migrations_ops.roll_back_run"} <= may[OPERATORS]
    assert not any(one.startswith("auth.") for one in set().union(*may.values()))


def test_every_permission_of_the_groups_exists() -> None:
    assert [one for granted in GROUPS.values() for one in granted if not permissions((one,))] == []


def test_groups_that_an_administrator_made_or_deleted_stay_as_they_are() -> None:
    Group.objects.create(name="Ours")
    assert groups_create() == []
    assert list(Group.objects.values_list("name", flat=True)) == ["Ours"]


def test_a_person_changes_their_own_password_and_stays_logged_in(client: Client) -> None:
    person = User.objects.create_user("ana", password="pass")
    assert client.get(reverse("password")).status_code == 302
    client.force_login(person)
    wrong = client.post(
        reverse("password"), {"old_password": "no", "new_password1": "k7#mmPq2vv", "new_password2": "k7#mmPq2vv"}
    )
    assert "old password was entered incorrectly" in wrong.content.decode()
    done = client.post(
        reverse("password"),
        {"old_password": "pass", "new_password1": "k7#mmPq2vv", "new_password2": "k7#mmPq2vv"},
        follow=True,
    )
    assert "Your password is changed." in done.content.decode()
    person.refresh_from_db()
    assert person.check_password("k7#mmPq2vv")
    assert reverse("password") in client.get(reverse("mine")).content.decode()


def test_pages_that_name_no_icon_get_one(client: Client) -> None:
    assert client.get("/favicon.ico").headers["Location"] == "/static/knowledge/icon.svg"


def test_an_administrator_adds_a_person_with_a_group_on_one_page(client: Client) -> None:
    groups_create()
    client.force_login(User.objects.create_superuser("root", password="pass"))
    url = reverse("admin:auth_user_add")
    html = client.get(url).content.decode()
    assert html.count('name="groups"') == len(GROUPS) and "Without a group a person reads" in html
    typed = {
        "username": "ana", "usable_password": "true", "password1": "k7#mmPq2vv", "password2": "k7#mmPq2vv", "email": "ana@example.org",
        "groups": [Group.objects.get(name=AUTHORS).pk],
    }  # fmt: skip
    assert client.post(url, typed).status_code == 302
    ana = User.objects.get(username="ana")
    assert ana.check_password("k7#mmPq2vv") and ana.has_perm("knowledge.add_entry") and ana.email and not ana.is_staff
    for person in (
        reverse("admin:auth_user_change", args=[ana.pk]),
        reverse("admin:auth_group_change", args=[ana.groups.get().pk]),
    ):
        assert client.get(person).status_code == 200
    assert client.get(reverse("admin:auth_permission_add")).status_code == 403


def log_in(client: Client, name: str, password: str, url: str = "login") -> str:
    return client.post(reverse(url), {"username": name, "password": password}).content.decode()


@pytest.mark.parametrize("url", ["login", "admin:login"])
def test_after_many_wrong_passwords_none_is_looked_at_for_a_minute(client: Client, url: str, settings: Any) -> None:
    rates_clear()
    settings.LOGIN_FAILURES_PER_MINUTE = {"name_here": 2, "address": 4, "name": 5}
    User.objects.create_superuser("root", password="pass")
    for _attempt in range(2):
        assert "Please enter a correct username" in log_in(client, "root", "wrong", url).replace(
            "the correct", "a correct"
        )
    assert "Too many wrong passwords" in log_in(client, "ROOT", "pass", url)
    assert "Too many" not in log_in(client, "ana", "wrong", url)
    elsewhere = Client(REMOTE_ADDR="192.0.2.7")
    assert elsewhere.post(reverse("login"), {"username": "root", "password": "pass"}).status_code == 302
    assert "Too many" not in log_in(client, "eve", "wrong", url)
    assert "Too many wrong passwords" in log_in(client, "bob", "wrong", url)
    rates_clear()


def test_right_passwords_are_not_counted(client: Client, settings: Any) -> None:
    rates_clear()
    settings.LOGIN_FAILURES_PER_MINUTE = {"name_here": 1, "address": 1, "name": 1}
    User.objects.create_user("ana", password="pass")
    for _attempt in range(3):
        assert client.post(reverse("login"), {"username": "ana", "password": "pass"}).status_code == 302


def a_clerk(*codenames: str) -> User:
    """Staff who look after accounts and may do nothing else."""
    clerk = User.objects.create_user("clerk", password="pass", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return clerk


def test_who_may_edit_people_gives_nobody_rights(client: Client) -> None:
    groups_create()
    clerk = a_clerk("add_user", "change_user", "view_user", "change_group", "view_group")
    client.force_login(clerk)
    ana = User.objects.create_user("ana")
    url = reverse("admin:auth_user_change", args=[ana.pk])
    rights = {
        "is_staff": "on", "is_superuser": "on", "groups": [Group.objects.get(name=OPERATORS).pk],
        "user_permissions": [Permission.objects.first().pk],
    }  # fmt: skip
    dates = {"date_joined_0": "2025-01-01", "date_joined_1": "10:00:00", "is_active": "on"}
    assert client.post(url, {"username": "ana", "email": "ana@example.org", **dates, **rights}).status_code == 302
    ana.refresh_from_db()
    assert ana.email and not (ana.is_staff or ana.is_superuser or ana.groups.exists() or ana.user_permissions.exists())
    typed = {"username": "eve", "usable_password": "true", "password1": "k7#mmPq2vv", "password2": "k7#mmPq2vv"}
    assert client.post(reverse("admin:auth_user_add"), {**typed, **rights}).status_code == 302
    eve = User.objects.get(username="eve")
    assert not (eve.is_staff or eve.groups.exists())
    group = reverse("admin:auth_group_change", args=[Group.objects.get(name=AUTHORS).pk])
    assert client.post(group, {"name": AUTHORS, "permissions": rights["user_permissions"]}).status_code == 403


def test_nobody_takes_over_the_account_of_one_who_may_do_more(client: Client) -> None:
    groups_create()
    clerk = a_clerk("add_user", "change_user", "delete_user", "view_user")
    client.force_login(clerk)
    root = User.objects.create_superuser("root", password="pass")
    reviewer = User.objects.create_user("reviewer", password="pass", is_active=False)
    reviewer.groups.add(Group.objects.get(name=REVIEWERS))
    new = {"password1": "k7#mmPq2vv", "password2": "k7#mmPq2vv", "usable_password": "true"}
    for person in (root, reviewer):
        for page in ("password_change", "delete", "change"):
            url = reverse(f"admin:auth_user_{page}", args=[person.pk])
            assert client.post(url, {**new, "post": "yes"}).status_code == 403, url
        person.refresh_from_db()
        assert person.check_password("pass")
    ana = User.objects.create_user("ana", password="pass")
    assert client.post(reverse("admin:auth_user_password_change", args=[ana.pk]), new).status_code == 302


def test_sessions_that_have_ended_are_removed_and_others_stay(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "BATCH_ROWS", 2)
    now = timezone.now()
    for number in range(5):
        Session.objects.create(session_key=f"old{number}", session_data="", expire_date=now - timedelta(hours=1))
    client.force_login(User.objects.create_user("ana"))
    assert sessions.sessions_clear() == 5
    assert client.get(reverse("mine")).status_code == 200
    sessions.sessions_schedule()
    assert Schedule.objects.get(name=sessions.SCHEDULE).func == "kbsite.sessions.sessions_clear"
