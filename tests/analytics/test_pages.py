"""The pages of analytics: who sees them, what they show, what their buttons do."""

from __future__ import annotations

import datetime as dt

import pytest
from django.contrib.auth.models import Permission, User
from django.urls import reverse
from django.utils import timezone

from knowledge.entries import entry_create
from knowledge.models import CodeAlias, ErrorCode
from knowledge.phases.mvp2_analytics import reports
from knowledge.phases.mvp2_analytics.models import IgnoredQuery, PatternState, UsagePattern
from knowledge.phases.mvp2_analytics.tasks import patterns_detect
from migrations_ops.gate import site_level_set
from tests.analytics import builders

DASHBOARD = "/analytics/"
PATTERNS = "/analytics/patterns/"
POSTS = ["/analytics/queries/ignore/", "/analytics/queries/unignore/", "/analytics/queries/alias/"]


@pytest.fixture
def pattern(plugins) -> UsagePattern:
    for number in range(4):
        builders.search("<b>kaputt</b>", result_count=0, ago=dt.timedelta(hours=number + 1))
    patterns_detect()
    return UsagePattern.objects.get(type="zero_result")


@pytest.mark.parametrize("address", [DASHBOARD, PATTERNS, "/analytics/csv/top-queries/", "/analytics/patterns/1/"])
def test_a_closed_phase_says_what_opens_it(client, analyst, address):
    site_level_set(1)
    client.force_login(analyst)
    response = client.get(address)
    assert response.status_code == 403
    assert "MVP2" in response.content.decode() or "MVP 2" in response.content.decode()


@pytest.mark.parametrize("address", [*POSTS, "/analytics/patterns/1/resolve/"])
def test_a_closed_phase_changes_nothing(client, analyst, address):
    site_level_set(1)
    client.force_login(analyst)
    assert client.post(address, {"query": "x"}).status_code == 403
    assert not IgnoredQuery.objects.exists()


@pytest.mark.parametrize("address", [DASHBOARD, PATTERNS, "/analytics/csv/top-queries/"])
def test_only_those_who_may_see_analytics(client, reader, address):
    assert client.get(address).status_code == 302
    client.force_login(reader)
    assert client.get(address).status_code == 403
    reader.is_staff = True
    reader.save()
    assert client.get(address).status_code == 200


@pytest.mark.parametrize("address", POSTS)
def test_staff_without_the_permission_changes_nothing(client, level_2, address):
    client.force_login(User.objects.create_user("staff", is_staff=True))
    assert client.post(address, {"query": "x", "alias": "x", "code": "S0C7"}).status_code == 403
    assert client.get(address).status_code == 405
    assert not IgnoredQuery.objects.exists()


@pytest.mark.parametrize("action", ["acknowledge", "resolve", "reopen"])
def test_a_pattern_is_changed_only_by_those_who_may(client, pattern, reader, action):
    client.force_login(reader)
    assert client.post(f"/analytics/patterns/{pattern.pk}/{action}/").status_code == 403
    assert client.get(f"/analytics/patterns/{pattern.pk}/{action}/").status_code == 405


@pytest.mark.parametrize("days", ["7", "30", "90", "", "0", "-1", "x" * 500, "9" * 400])
def test_any_range_gives_a_page(client, analyst, days):
    client.force_login(analyst)
    assert client.get(DASHBOARD, {"days": days}).status_code == 200


def test_an_empty_dashboard_says_what_will_appear(client, analyst):
    client.force_login(analyst)
    page = client.get(DASHBOARD).content.decode()
    assert page.count('class="empty') >= 7
    assert "No searches in this period" in page


def test_a_full_dashboard_shows_every_part(client, analyst, pattern):
    entry = builders.entry(title="Used one", usage_count=3, last_used_at=timezone.now())
    builders.search("sb37", opened_entry=entry)
    builders.vote(entry, worked=True, voter="a")
    client.force_login(analyst)
    page = client.get(DASHBOARD).content.decode()
    assert "&lt;b&gt;kaputt&lt;/b&gt;" in page and "<b>kaputt" not in page
    assert "Used one" in page and "<rect" in page and "chart__line" in page
    assert "style=" not in page and "onclick" not in page
    for table in reports.TABLES:
        if table != "stale-entries":
            assert reverse("analytics:csv", args=[table]) in page


def test_the_dashboard_asks_a_bounded_number_of_questions(client, analyst, pattern, django_assert_max_num_queries):
    for number in range(40):
        builders.search(f"query {number}", result_count=number % 2, ago=dt.timedelta(hours=number))
        builders.entry(title=f"Entry {number}", usage_count=2, last_used_at=timezone.now())
    client.force_login(analyst)
    with django_assert_max_num_queries(45 + 8 * reports.PAGE_ROWS):  # each missed query is tried again
        client.get(DASHBOARD)


def test_a_missed_query_is_ignored_and_listed_again(client, analyst, pattern):
    client.force_login(analyst)
    form = {"query": pattern.key, "next": "/analytics/?days=7"}
    response = client.post("/analytics/queries/ignore/", form, follow=True)
    assert response.redirect_chain == [("/analytics/?days=7", 302)]
    assert IgnoredQuery.objects.get().ignored_by == "analyst"
    assert response.context["missed_queries"] == []
    response = client.post("/analytics/queries/unignore/", form, follow=True)
    assert len(response.context["missed_queries"]) == 1


def test_a_button_never_leads_to_another_site(client, analyst):
    client.force_login(analyst)
    response = client.post("/analytics/queries/ignore/", {"query": "x", "next": "https://evil.example/"})
    assert response.url == DASHBOARD


@pytest.mark.parametrize("query", ["", "x" * 501, "\x00"])
def test_a_query_that_no_form_sent_is_not_found(client, analyst, query):
    client.force_login(analyst)
    assert client.post("/analytics/queries/ignore/", {"query": query}).status_code == 404


def test_an_alias_is_added_from_the_dashboard(client, analyst):
    ErrorCode.objects.create(code="S0C7", kind="system_abend")
    client.force_login(analyst)
    form = {"alias": "  Data   Exception ", "code": "s0c7"}
    page = client.post("/analytics/queries/alias/", form, follow=True).content.decode()
    assert CodeAlias.objects.get().alias == "data exception"
    assert "now stands for S0C7" in page
    assert client.post("/analytics/queries/alias/", form, follow=True).status_code == 200
    assert CodeAlias.objects.count() == 1


def test_a_missed_query_shows_that_it_finds_something_now(client, analyst, plugins):
    builders.search("data exception in payroll", result_count=0)
    client.force_login(analyst)
    assert client.get(DASHBOARD).context["missed_queries"][0].finds_now == 0
    entry_create(
        title="S0C7 in a payroll step",
        problem="A packed field holds blanks.",
        solution="Look at the field in the dump.",
        category="Batch",
        severity="high",
        tags=[],
        codes=["S0C7"],
        status="published",
        origin="manual",
        author=None,
    )
    ErrorCode.objects.get_or_create(code="S0C7", defaults={"kind": "system_abend"})
    client.post("/analytics/queries/alias/", {"alias": "data exception", "code": "S0C7"})
    assert client.get(DASHBOARD).context["missed_queries"][0].finds_now == 1


@pytest.mark.parametrize(
    ("alias", "code", "reason"),
    [
        ("", "S0C7", "1 to 100 characters"),
        ("x" * 101, "S0C7", "1 to 100 characters"),
        ("word", "S999", "no entry is about the code"),
        ("word", "\x00", "no entry is about the code"),
        ("taken", "S0C7", "it stands for SB37 already"),
    ],
)
def test_an_alias_that_does_not_fit_is_explained(client, analyst, alias, code, reason):
    ErrorCode.objects.create(code="S0C7", kind="system_abend")
    other = ErrorCode.objects.create(code="SB37", kind="system_abend")
    CodeAlias.objects.create(alias="taken", error_code=other)
    client.force_login(analyst)
    page = client.post("/analytics/queries/alias/", {"alias": alias, "code": code}, follow=True).content.decode()
    assert reason in page
    assert CodeAlias.objects.count() == 1


@pytest.mark.parametrize("state", ["waiting", "acknowledged", "resolved", "all", "odd", ""])
@pytest.mark.parametrize("type_", ["", "zero_result", "odd"])
def test_patterns_are_filtered(client, analyst, pattern, state, type_):
    client.force_login(analyst)
    response = client.get(PATTERNS, {"state": state, "type": type_, "page": "x"})
    assert response.status_code == 200
    shown = pattern in response.context["page"].object_list
    assert shown == (state not in {"acknowledged", "resolved"})


def test_without_patterns_the_page_says_when_they_appear(client, analyst):
    client.force_login(analyst)
    assert "within five minutes" in client.get(PATTERNS).content.decode()


def test_patterns_are_paged_and_exported(client, analyst, pattern):
    UsagePattern.objects.bulk_create(
        UsagePattern(
            type="code_surge", key=f"S{n}", title=f"=S{n}", frequency=3, confidence=0.8,
            first_seen=timezone.now(), last_seen=timezone.now(),
        )
        for n in range(30)
    )  # fmt: skip
    client.force_login(analyst)
    first = client.get(PATTERNS)
    assert len(first.context["page"].object_list) == 25
    assert len(client.get(PATTERNS, {"page": 2}).context["page"].object_list) >= 6
    text = client.get(PATTERNS, {"format": "csv"}).content.decode("utf-8-sig")
    assert text.count("'=S") == 30


def test_a_pattern_is_acknowledged_with_a_note_and_then_resolved(client, analyst, pattern):
    client.force_login(analyst)
    address = f"/analytics/patterns/{pattern.pk}/"
    assert "kaputt" in client.get(address).content.decode()
    client.post(f"{address}acknowledge/", {"note": "asking the team"})
    page = client.get(address).content.decode()
    assert "asking the team" in page and "analyst" in page
    client.post(f"{address}resolve/", {"note": "entry written"})
    pattern.refresh_from_db()
    assert (pattern.state, pattern.note) == (PatternState.RESOLVED, "entry written")
    page = client.post(f"{address}resolve/", follow=True).content.decode()
    assert "is resolved already" in page
    client.post(f"{address}reopen/")
    pattern.refresh_from_db()
    assert pattern.state == PatternState.OPEN


@pytest.mark.parametrize("tail", ["999/", "999/resolve/"])
def test_a_pattern_that_is_not_there_is_not_found(client, analyst, tail):
    client.force_login(analyst)
    address = PATTERNS + tail
    response = client.post(address) if "resolve" in tail else client.get(address)
    assert response.status_code == 404


def test_an_unknown_action_is_not_found(client, analyst, pattern):
    client.force_login(analyst)
    assert client.post(f"/analytics/patterns/{pattern.pk}/explode/").status_code == 404


def test_the_admin_shows_the_tables_read_only_while_open(admin_client, pattern, level_2):
    for name in ("searchanalytics", "usagemetric", "usagepattern", "ignoredquery", "baseline"):
        address = reverse(f"admin:analytics_{name}_changelist")
        assert admin_client.get(address).status_code == 200
        assert admin_client.get(reverse(f"admin:analytics_{name}_add")).status_code == 403
    site_level_set(1)
    assert admin_client.get(address).status_code == 403
    assert admin_client.get("/admin/").status_code == 200


def test_nav_links_are_for_those_who_may(client, analyst, reader):
    client.force_login(reader)
    assert 'href="/analytics/"' not in client.get("/").content.decode()
    client.force_login(analyst)
    assert 'href="/analytics/"' in client.get("/").content.decode()
    assert Permission.objects.filter(codename="ignore_query").exists()
