"""What lists show of an entry is kept, and is what the templates say of each."""

from __future__ import annotations

import pytest
from django.template.loader import render_to_string
from django.urls import set_script_prefix
from django.utils.translation import override

from knowledge.search import entry_search
from knowledge.views import fragments
from tests.knowledge.builders import entry_built

pytestmark = pytest.mark.django_db
TEMPLATES = ("knowledge/_entry_badges.html", "knowledge/_entry_codes.html", "knowledge/_success.html")


def shown(text: str) -> str:
    (hit,) = entry_search(text).hits
    whole = "".join(render_to_string(name, {"entry": hit.entry}).strip() for name in TEMPLATES)
    assert fragments.entry_facts(hit.entry) == whole == fragments.entry_facts(hit.entry)
    return whole


def test_entries_that_differ_in_anything_shown_have_their_own_facts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fragments, "_kept", {})
    entry_built(title="Zebra one", problem="S0C7 and S0C4", severity="high")
    entry_built(title="Zebra two", severity="low")
    assert "S0C7" in shown("one")
    assert "S0C7" not in shown("two")


def test_facts_are_kept_by_language_and_by_where_the_site_is() -> None:
    entry_built(title="Zebra one", problem="It ended with S0C7")
    here = shown("zebra")
    try:
        set_script_prefix("/kb/")
        with override("de"):
            assert "/kb/" in shown("zebra")
    finally:
        set_script_prefix("/")
    assert shown("zebra") == here


def test_not_more_pieces_are_kept_than_a_process_should(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fragments, "_kept", {})
    monkeypatch.setattr(fragments, "PIECES_KEPT", 2)
    for number in range(4):
        entry_built(title=f"Zebra number{number}", problem=f"It ended with S0C{number}")
        shown(f"number{number}")
    assert len(fragments._kept) <= 2
