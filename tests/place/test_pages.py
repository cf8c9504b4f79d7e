"""The pages that write, one after the other: no raw statement writes outside a transaction.

Such a statement could not follow the database; what the ORM writes and every transaction does.
"""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from knowledge.models import Entry, EntryFlag, Feedback, SearchQuery
from migrations_ops.models import Plan
from migrations_ops.place import following
from migrations_ops.place.statements import writes

pytestmark = pytest.mark.django_db(transaction=True)

TYPED = {
    "title": "FS 35: file not found",
    "category": "VSAM",
    "severity": "medium",
    "problem": "OPEN INPUT ends with file status 35.",
    "solution": "Check the DD statement and the catalog.",
    "tags": "open, missing-dd",
    "codes": "FS 35",
}


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Raw statements that wrote outside a transaction."""
    found: list[str] = []

    def noted(sql: object) -> bool:
        if writes(sql):
            found.append(str(sql))
        return writes(sql)

    monkeypatch.setattr(following, "writes", noted)
    return found


def test_what_pages_write_can_follow_the_database(bare: list[str], client: Client) -> None:
    User.objects.create_superuser("ada", "ada@example.org", "pw-of-ada-1")

    def post(page: str, /, *args: object, **data: object) -> None:
        answer = client.post(reverse(page, args=args), data)
        assert answer.status_code < 400, f"{page}: {answer.content.decode()[:500]}"

    post("login", username="ada", password="pw-of-ada-1")
    post("entry_create", **TYPED, publish="")
    entry = Entry.objects.get()
    post("entry_edit", entry.pk, **{**TYPED, "title": "FS 35", "version": entry.version})
    assert client.get(reverse("entry", args=[entry.pk]), follow=True).status_code == 200
    assert client.get(reverse("search"), {"q": "file not found"}).status_code == 200
    post("entry_vote", entry.pk, worked="yes", rating="5", comment="Yes.")
    post("entry_mark", entry.pk, action="watch")
    post("entry_flag", entry.pk, reason="wrong", comment="See there.", note="See there.")
    post("entry_status", entry.pk, action="archive")
    post("tokens", name="script", days="30")
    post("admin:knowledge_tag_add", name="by-hand")
    post("console:plan_new", to_level=2)
    post("entry_delete", entry.pk)
    post("logout")

    assert (Feedback.objects.count(), SearchQuery.objects.count(), Plan.objects.count()) == (0, 1, 1)
    assert EntryFlag.objects.count() == 0
    assert bare == []


@pytest.mark.parametrize(
    ("sql", "changes"),
    [
        ("SELECT 1", False),
        ("  select 1", False),
        ("-- a note\n(SELECT 1) UNION SELECT 2", False),
        ("/* a note */ VALUES (1)", False),
        ("PRAGMA foreign_keys", False),
        ("SET CONSTRAINTS ALL DEFERRED", False),
        ("WITH one AS (SELECT 1) SELECT * FROM one", False),
        ("WITH gone AS (DELETE FROM kb_tags RETURNING id) SELECT * FROM gone", True),
        ("INSERT INTO kb_tags VALUES (1)", True),
        ("\n  update kb_tags SET name = ''", True),
        ("DELETE FROM kb_tags", True),
        ("REPLACE INTO kb_tags VALUES (1)", True),
        ("CREATE TABLE x (y integer)", True),
        ("SELECTED", True),
        (b"SELECT 1", True),
    ],
)
def test_which_statements_count_as_writes(sql: object, changes: bool) -> None:
    assert writes(sql) is changes
