"""What goes out: every table is accounted for, no cell runs, and what comes back is the same."""

from __future__ import annotations

import csv
import json
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from django.apps import apps
from django.utils import timezone

from knowledge.entries import entry_update
from knowledge.errors import ExportOptionError
from knowledge.models import Category, Entry, Feedback, ImportState, SearchQuery, Tag
from knowledge.transfer.exporting import ExportFilter, ExportFormat, export_write
from knowledge.transfer.exporting import rows as export_rows
from knowledge.transfer.jobs import import_create
from knowledge.transfer.options import ImportOptions
from knowledge.transfer.reading import source_open
from knowledge.transfer.tables import EXPORTED, LEFT_OUT, WITHIN, Section
from migrations_ops.archive import manifest_differences, tables_manifest
from migrations_ops.phase import phase_at, phase_of_app
from migrations_ops.spreadsheet import cell_unescaped
from tests.knowledge.builders import entry_built
from tests.knowledge.page_builders import a_person
from tests.knowledge.transfer.inline import import_preview, import_run, import_take_back
from tests.knowledge.transfer.test_commands import kb

pytestmark = pytest.mark.django_db

HOSTILE = ["=1+1 is no sum", "+49 is a prefix", "-803 is a code", "@SUM(A1:A9)", "'=already quoted", "plain title"]


def exported(path: Path, file_format: ExportFormat, **chosen: Any) -> Path:
    return export_write(path=path, file_format=file_format, chosen=ExportFilter(**chosen)).path


def entries() -> dict[str, dict[str, Any]]:
    columns = ("title", "problem", "solution", "category", "severity", "status", "usage_count", "success_count")
    found = {}
    for entry in Entry.objects.all():
        codes = list(entry.entrycode_set.order_by("position").values_list("error_code__code", flat=True))
        values = {name: getattr(entry, name) for name in (*columns, "problem_html", "created_at", "updated_at")}
        tags = sorted(entry.tags.values_list("name", flat=True))
        found[str(entry.pk)] = {**values, "tags": tags, "codes": codes, "by": str(entry.created_by)}
    return found


def test_every_table_of_every_phase_is_exported_or_says_why_not() -> None:
    named = [*(table for tables in EXPORTED.values() for table in tables), *WITHIN, *LEFT_OUT]
    ours = {
        model._meta.db_table
        for model in apps.get_models(include_auto_created=True)
        if phase_of_app(model._meta.app_label) and model._meta.managed
    }
    assert sorted(named) == sorted(ours)


@pytest.mark.parametrize("file_format", [ExportFormat.ARCHIVE, ExportFormat.CSV, ExportFormat.XLSX])
def test_what_goes_out_comes_back_as_it_was(
    tmp_path: Path, file_format: ExportFormat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_rows, "BATCH_ROWS", 2)
    author = a_person(name="ada")
    for number, title in enumerate(HOSTILE):
        made = entry_built(
            title=title, solution=f"{title}\n\nline", tags=["b", "a"], codes=["S0C7", "U17"], author=author
        )
        Entry.objects.filter(pk=made.pk).update(usage_count=number, created_at=timezone.now() - timedelta(days=9))
    before = entries()
    path = exported(tmp_path / "out", file_format)
    job = import_create(path=path, options=ImportOptions(), actor="ada")
    import_preview(job)
    assert job.preview["sections"]["entries"] == {"same": len(HOSTILE)}
    Entry.objects.all().delete()
    import_preview(job)
    import_run(job)
    assert job.report["sections"]["entries"] == {"new": len(HOSTILE)}
    assert entries() == before


def test_an_export_that_was_edited_in_a_spreadsheet_is_previewed_imported_and_taken_back(tmp_path: Path) -> None:
    first, _second = entry_built(tags=["a"]), entry_built(title="The other one", problem="Another problem.")
    before = tables_manifest(phase_at(1).models())
    path = exported(tmp_path / "out.xlsx", ExportFormat.XLSX)
    book = openpyxl.load_workbook(path)
    for cells in book.active.iter_rows(min_row=2):
        if cells[0].value == str(first.pk):
            cells[1].value, cells[7].value = "A better title", "a, from the sheet"
    book.active.append([None, "A new one here", "It has a problem.", "And a solution.", "JCL", "low"])
    book.save(path)
    job = import_create(path=path, options=ImportOptions(), actor="ada")
    import_preview(job)
    assert job.preview["sections"]["entries"] == {"changed": 1, "same": 1, "new": 1}
    import_run(job)
    assert Entry.objects.get(pk=first.pk).title == "A better title"
    assert Tag.objects.filter(name="from the sheet").exists()
    import_take_back(job)
    assert job.state == ImportState.UNDONE
    assert manifest_differences(before, tables_manifest(phase_at(1).models())) == []


@pytest.mark.parametrize("file_format", [ExportFormat.CSV, ExportFormat.XLSX])
def test_no_cell_of_a_table_begins_as_a_formula(tmp_path: Path, file_format: ExportFormat) -> None:
    for title in HOSTILE:
        entry_built(title=title, problem=f"\t{title}", solution=title + " and more", tags=["=x"])
    path = exported(tmp_path / "out.xlsx", file_format)
    if file_format is ExportFormat.XLSX:
        cells = [cell for line in openpyxl.load_workbook(path).active.values for cell in line if isinstance(cell, str)]
    else:
        with path.open(encoding="utf-8-sig", newline="") as file:
            cells = [cell for line in csv.reader(file) for cell in line]
    assert [cell for cell in cells if cell[:1] in "=+-@\t\r" and cell] == []
    assert {cell_unescaped(cell) for cell in cells} >= set(HOSTILE)


def test_an_archive_holds_the_tables_of_the_open_levels_with_their_sums(tmp_path: Path) -> None:
    entry = entry_built(author=a_person(name="ada"))
    entry_update(entry=entry, expected_version=1, author=None, title="Edited once")
    Feedback.objects.create(entry=entry, worked=True, voter="user:1")
    path = exported(tmp_path / "out.zip", ExportFormat.ARCHIVE)
    with zipfile.ZipFile(path) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        row = json.loads(archive.read("tables/kb_entries.jsonl"))
    assert set(manifest["tables"]) == {
        t for section, ts in EXPORTED.items() if section != Section.ANALYTICS for t in ts
    }
    assert manifest["tables"]["kb_entry_revisions"]["rows"] == 2
    assert (row["created_by"], row["version"], "problem_html" in row) == ("ada", 2, False)
    sections = [one.section for one in source_open(path).rows()]
    assert sections.count("entries") == 1 and sections.count("kb_feedback") == 1


def test_the_tables_of_a_level_go_out_when_it_is_open(tmp_path: Path, level_2: None) -> None:
    result = export_write(path=tmp_path / "a", file_format=ExportFormat.ARCHIVE, chosen=ExportFilter())
    assert set(EXPORTED[Section.ANALYTICS]) <= set(result.rows)


def test_entries_are_chosen_by_category_status_tag_and_date(tmp_path: Path) -> None:
    old, new = entry_built(category=Category.JCL, tags=["a"]), entry_built(title="A new one", status="draft")
    Entry.objects.filter(pk=old.pk).update(updated_at=timezone.now() - timedelta(days=30))
    Feedback.objects.create(entry=new, worked=True, voter="user:1")
    month_ago = timezone.now() - timedelta(days=15)
    for chosen, entry in (
        ({"categories": ("JCL",)}, old),
        ({"statuses": ("draft",)}, new),
        ({"tags": ("A",)}, old),
        ({"since": month_ago}, new),
        ({"until": month_ago}, old),
        ({"ids": (new.pk,)}, new),
    ):
        result = export_write(path=tmp_path / "a", file_format=ExportFormat.ARCHIVE, chosen=ExportFilter(**chosen))
        found = [one.values["id"] for one in source_open(result.path).rows() if one.section == "entries"]
        assert found == [str(entry.pk)]
        assert result.rows["kb_feedback"] == (entry == new)


def test_markdown_files_stand_in_folders_of_their_categories(tmp_path: Path) -> None:
    entry = entry_built(title="../../etc/passwd & more", category=Category.JCL, tags=["a"])
    with zipfile.ZipFile(exported(tmp_path / "a.zip", ExportFormat.MARKDOWN)) as archive:
        assert archive.namelist() == [f"JCL/etcpasswd-more-{entry.pk.hex[:12]}.md"]
        text = archive.read(archive.namelist()[0]).decode()
    assert entry.problem in text and entry.solution in text


def test_sections_go_out_as_a_table_each_and_dates_choose_among_the_searches(tmp_path: Path) -> None:
    entry = entry_built(title="=1+1 is no sum", tags=["loan"])
    Feedback.objects.create(entry=entry, worked=True, voter="session:a", comment="@home")
    for days in (0, 9):
        moment = timezone.now() - timedelta(days=days)
        SearchQuery.objects.create(
            query=f"{days} days", normalized="x", result_count=0, elapsed_ms=1, created_at=moment
        )
    sections = (Section.SEARCHES, Section.ENTRIES)
    since = ExportFilter(since=timezone.now() - timedelta(days=1))

    packed = export_write(path=tmp_path / "a", file_format=ExportFormat.CSV, chosen=since, sections=sections)
    with zipfile.ZipFile(packed.path) as archive:
        files = {
            name: list(csv.DictReader(archive.read(name).decode("utf-8-sig").splitlines()))
            for name in archive.namelist()
        }
    assert [row["query"] for row in files["search_history.csv"]] == ["0 days"]
    assert [row["comment"] for row in files["kb_feedback.csv"]] == ["'@home"]
    assert [(row["title"], row["tags"]) for row in files["kb_entries.csv"]] == [("'=1+1 is no sum", "loan")]
    assert packed.rows == {name.removesuffix(".csv"): len(rows) for name, rows in files.items()}

    book = export_write(path=tmp_path / "b.xlsx", file_format=ExportFormat.XLSX, chosen=since, sections=sections)
    sheets = openpyxl.load_workbook(book.path).worksheets
    assert sheets[0].title == "Entries" and len(sheets) == len(files)
    assert [row.values["title"] for row in source_open(book.path).rows()] == ["=1+1 is no sum"]


def test_what_cannot_be_exported_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportOptionError):
        ExportFilter(categories=("Nonsense",))
    for file_format, section in ((ExportFormat.HTML, Section.SETTINGS), (ExportFormat.ARCHIVE, Section.ANALYTICS)):
        with pytest.raises(ExportOptionError):
            export_write(path=tmp_path / "a", file_format=file_format, chosen=ExportFilter(), sections=[section])
    assert list(tmp_path.glob("a*")) == []


def test_the_command_writes_what_was_chosen(tmp_path: Path) -> None:
    entry_built(title="S0C7 somewhere"), entry_built(title="Something else", problem="Nothing of the kind.")
    path = str(tmp_path / "a.csv")
    assert kb("export", path, "--format", "csv", "--query", "S0C7")["rows"] == {"kb_entries": 1}
    assert kb("export", path, "--since", "2999-01-01")["rows"]["kb_entries"] == 0
    assert kb("export", path, "--since", "soon", code=1)["error"]["code"] == "export_option"
    assert kb("export", str(tmp_path / "none" / "a"), code=1)["error"]["code"] == "export_option"


def test_pages_for_places_without_a_network_are_whole_and_hold_nothing_that_runs(tmp_path: Path) -> None:
    evil = "</script><script>alert(1)</script> & S0C7"
    entry = entry_built(title=evil, problem="The step ends with <b>S0C7</b> | abend.", category="COBOL")
    result = export_write(path=tmp_path / "pages.zip", file_format=ExportFormat.HTML, chosen=ExportFilter())
    assert result.rows == {"kb_entries": 1}
    with zipfile.ZipFile(result.path) as archive:
        names = set(archive.namelist())
        pages = {name: archive.read(name).decode() for name in names}
    (page,) = [name for name in names if name.startswith("entries/")]
    assert names == {"index.html", "index-0.js", "search.js", "bundle.css", "category-cobol.html", page}
    assert entry.pk.hex[:12] in page and page in pages["category-cobol.html"] and page in pages["index-0.js"]
    assert not [name for name in names if "<script>" in pages[name] and name.endswith(".html")]
    assert pages["index.html"].count("<script") == 2
    assert all("Content-Security-Policy" in pages[name] for name in names if name.endswith(".html"))
