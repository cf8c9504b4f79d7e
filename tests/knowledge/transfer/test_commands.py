"""`manage.py kb import` and `kb undo`."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from knowledge.models import Entry
from tests.knowledge.transfer.files import csv_file, row, written

pytestmark = pytest.mark.django_db


def kb(*arguments: str, code: int = 0) -> dict[str, Any]:
    out = io.StringIO()
    if code:
        with pytest.raises(SystemExit) as ended:
            call_command("kb", *arguments, "--json", stdout=out)
        assert ended.value.code == code
    else:
        call_command("kb", *arguments, "--json", stdout=out)
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


def test_a_file_is_previewed_imported_and_taken_back(tmp_path: Path) -> None:
    path = str(csv_file(tmp_path, row(), row(2, category="Nowhere")))
    mapped = ["--category", "Nowhere=JCL", "--duplicates", "skip", "--actor", "ada"]
    assert kb("import", path, "--preview", *mapped)["sections"] == {"entries": {"new": 2}}
    assert not Entry.objects.exists()
    job = kb("import", path, *mapped)
    assert (job["state"], Entry.objects.count()) == ("done", 2)
    undone = kb("undo", str(job["import"]))
    assert (undone["import"], undone["state"], undone["kept"]) == (job["import"], "undone", [])
    assert (undone["run"], undone["run_state"]) == (job["run"], "rolled_back")
    assert not Entry.objects.exists()


def test_rows_that_were_not_imported_are_named_with_their_file(tmp_path: Path) -> None:
    found = kb("import", str(csv_file(tmp_path, row(), row(2, problem="x"))), code=3)
    assert "failed.csv" in found["failed_rows"] and Path(found["failed_rows"]).exists()


def test_people_read_what_became_of_how_many_rows(tmp_path: Path) -> None:
    rows = [row(number, category=f"Nowhere {number}") for number in range(20)]
    out = io.StringIO()
    with pytest.raises(SystemExit):
        call_command("kb", "import", str(csv_file(tmp_path, row(100), *rows)), stdout=out)
    lines = out.getvalue().splitlines()
    assert "  entries: 1 new, 20 invalid" in lines
    (words,) = (line for line in lines if line.startswith("  category: 1 Nowhere"))
    assert words.count("Nowhere") == 12 and words.endswith(", 8 more")


def test_what_cannot_be_done_is_refused_with_its_reason(tmp_path: Path) -> None:
    broken = str(written(tmp_path / "a.csv", b"PK\x03\x04"))
    assert kb("import", broken, code=1)["error"]["code"] == "import_unreadable"
    assert kb("import", code=1)["error"]["code"] == "import_option"
    assert kb("import", broken, "--user", "nobody", code=1)["error"]["code"] == "import_option"
    assert kb("undo", "4711", code=1)["error"]["code"] == "import_gone"
    with pytest.raises(CommandError, match="damaged"):
        call_command("kb", "import", broken)
