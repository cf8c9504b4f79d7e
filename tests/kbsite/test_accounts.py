"""Accounts: the groups of a new site, and one's own password."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse

from kbsite.groups import AUTHORS, GROUPS, OPERATORS, REVIEWERS, groups_create, permissions

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
