"""The starter knowledge base: its data files are sound, and loading them spoils nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import OperationalError

from knowledge.entries import entry_update
from knowledge.errors import StarterInvalidError
from knowledge.models import CodeAlias, Entry, EntryOrigin, EntryStatus, ErrorCode
from knowledge.search import entry_search, index_check
from knowledge.starter import starter_load, starter_read

HEADINGS = ["Likely causes", "Diagnose", "Fix", "Prevent"]

#: What a person types -> the code that the first result must be about.
SITUATIONS = {
    "soc7": "S0C7",
    "IEF450I PAYJOB STEP020 - ABEND=S0C4 U0000 REASON=00000004": "S0C4",
    "system completion code=0CB": "S0CB",
    "b37": "SB37",
    "program not found": "S806",
    "time limit exceeded loop": "S322",
    "-803": "SQLCODE -803",
    "SQLCODE = -805 DBRM not found": "SQLCODE -805",
    "SQL0911N": "SQLCODE -911",
    "timestamp mismatch": "SQLCODE -818",
    "resource unavailable 00C90081": "SQLCODE -904",
    "more than one row select into": "SQLCODE -811",
    "file status 35": "FS 35",
    "status 39 lrecl": "FS 39",
    "FS 22": "FS 22",
    "2035": "MQRC 2035",
    "MQRC_Q_FULL": "MQRC 2053",
    "asra": "ASRA",
    "AEI0": "AEI0",
    "AEIO": "AEIO",
    "runaway task": "AICA",
    "PCB status 'GE'": "IMS GE",
    "subscript out of range": "IGZ0006S",
    "data set not found": "IEF212I",
    "ICH408I": "ICH408I",
    "IEF450I PAYJOB STEP020 - ABEND=S0C7 U0000 REASON=00000007": "S0C7",
    "IEF472I PAYJOB STEP020 - COMPLETION CODE - SYSTEM=0C7 USER=0000 REASON=00000007": "S0C7",
}


def test_there_are_at_least_200_entries_each_with_the_four_sections() -> None:
    entries = starter_read().entries
    assert len(entries) >= 200
    wrong = [e["title"] for e in entries if re.findall(r"^## (.+)$", e["solution"], re.MULTILINE) != HEADINGS]
    assert wrong == []


def test_every_code_of_an_entry_leads_to_its_meaning_where_the_starter_has_one() -> None:
    data = starter_read()
    own = {entry["codes"][0] for entry in data.entries if entry["codes"]}
    explained = {record["code"] for record in data.codes}
    assert len(own & explained) >= 0.9 * len(own)


@pytest.mark.django_db
def test_loading_twice_changes_nothing_the_second_time() -> None:
    first = starter_load()
    assert first.entries_added == Entry.objects.count() >= 200
    assert index_check().ok
    entry = Entry.objects.filter(origin=EntryOrigin.STARTER, status=EntryStatus.PUBLISHED).order_by("pk")[0]
    assert entry.solution_html
    second = starter_load()
    assert (second.entries_added, second.codes_added, second.aliases_added) == (0, 0, 0)
    assert second.entries_kept == first.entries_added


@pytest.mark.django_db
def test_the_edits_of_people_are_never_overwritten(tmp_path: Path) -> None:
    folder = starter_folder(tmp_path)
    starter_load(folder)
    entry = Entry.objects.get()
    entry_update(entry=entry, expected_version=1, author=None, title="Our own title", tags=["ours"])
    ErrorCode.objects.filter(code="S0C7").update(meaning="Our own words.")
    starter_load(folder)
    entry.refresh_from_db()
    assert (entry.title, entry.version) == ("Our own title", 2)
    assert ErrorCode.objects.get(code="S0C7").meaning == "Our own words."
    assert CodeAlias.objects.get(alias="data exception").error_code.code == "S0C7"


@pytest.mark.django_db
def test_real_situations_find_the_right_entry_first() -> None:
    starter_load()
    missed = {}
    for text, code in SITUATIONS.items():
        hits = entry_search(text, page_size=3).hits
        first = hits[0].entry.code_links[0].error_code.code if hits else None
        if first != code:
            missed[text] = [hit.entry.title for hit in hits]
    assert missed == {}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"id": "x"}, "no UUID"),
        ({"title": "x"}, "title"),
        ({"category": "Cobolt"}, "category"),
        ({"codes": ["SOC7"]}, "canonical"),
        ({"extra": 1}, "exactly the keys"),
    ],
)
def test_a_broken_file_is_refused_whole_and_says_what_is_wrong(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(StarterInvalidError, match=message):
        starter_load(starter_folder(tmp_path, **changes))
    assert not ErrorCode.objects.exists()


@pytest.mark.django_db
def test_a_file_that_is_no_json_and_a_record_that_comes_twice_are_named(tmp_path: Path) -> None:
    folder = starter_folder(tmp_path)
    (folder / "entries" / "copy.json").write_text((folder / "entries" / "one.json").read_text())
    (folder / "codes" / "bad.json").write_text("[{")
    with pytest.raises(StarterInvalidError) as caught:
        starter_load(folder)
    assert "bad.json" in str(caught.value)
    assert "is also in copy.json" in str(caught.value)


@pytest.mark.django_db
def test_the_command_loads_rebuilds_and_checks(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("kb", "starter", "--json")
    assert json.loads(capsys.readouterr().out)["entries_added"] >= 200
    call_command("kb", "index", "rebuild", "--json")
    assert json.loads(capsys.readouterr().out)["indexed"] >= 200
    call_command("kb", "index", "check", "--json")
    assert json.loads(capsys.readouterr().out)["ok"] is True
    Entry.objects.order_by("pk")[0].search_doc.delete()
    with pytest.raises(SystemExit) as caught:
        call_command("kb", "index", "check")
    assert caught.value.code == 1
    assert "missing: 1" in capsys.readouterr().out


def test_the_command_says_that_the_database_is_away(capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    def away() -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr("knowledge.management.commands.kb.starter_load", away)
    with pytest.raises(SystemExit):
        call_command("kb", "starter", "--json")
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["code"] == "database_gone" and "connection refused" in error["message"]


def starter_folder(path: Path, **changes: Any) -> Path:
    """A starter knowledge base of one entry and one code."""
    entry = {
        "id": "5f0c1c1e-6a3b-5d7e-9b61-6f4f8c1d2a10",
        "title": "S0C7: data exception",
        "problem": "The step ends with S0C7.",
        "solution": "## Fix\nInitialise the field.",
        "category": "COBOL",
        "severity": "high",
        "tags": ["abend"],
        "codes": ["S0C7"],
        **changes,
    }
    code = {"code": "S0C7", "kind": "system_abend", "meaning": "Bad digits.", "aliases": ["SOC7", "Data exception"]}
    for folder, record in (("entries", entry), ("codes", code)):
        (path / folder).mkdir()
        (path / folder / "one.json").write_text(json.dumps([record]))
    return path
