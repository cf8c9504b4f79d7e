"""Import and export of entries in the admin: nothing lost, nothing run, nothing half done."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from knowledge.entries import entry_delete, entry_update
from knowledge.errors import ImportTooLargeError, ImportUnreadableError
from knowledge.formats import (
    EXCHANGE_FORMATS,
    EntriesJSON,
    SpreadsheetCSV,
    SpreadsheetXLSX,
)
from knowledge.models import Entry, EntryOrigin, EntryStatus
from knowledge.resources import EntryResource
from knowledge.search import index_check
from migrations_ops.spreadsheet import cell_escaped, cell_unescaped
from tests.knowledge.page_builders import a_person, an_entry

pytestmark = pytest.mark.django_db

STARTER = Path(__file__).resolve().parents[2] / "knowledge" / "starter" / "entries"
ROW: dict[str, Any] = {
    "title": "S0C7 in the nightly run",
    "problem": "The step ends with S0C7.",
    "solution": "Look at the packed fields first.",
    "category": "COBOL",
    "severity": "high",
    "tags": "abend, packed-decimal",
    "codes": "S0C7",
}


@pytest.fixture
def staff(client: Client) -> User:
    """Someone who may import and export, logged in."""
    person = a_person("view_entry", "add_entry", "change_entry", "publish_entry", is_staff=True)
    client.force_login(person)
    return person


def as_csv(*rows: dict[str, Any]) -> bytes:
    import csv

    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def upload(client: Client, content: bytes, kind: type) -> Any:
    file = SimpleUploadedFile("entries", content)
    data = {"import_file": file, "format": EXCHANGE_FORMATS.index(kind), "resource": "0"}
    return client.post(reverse("admin:knowledge_entry_import"), data)


def confirm(client: Client, preview: Any) -> Any:
    data = preview.context["confirm_form"].initial
    return client.post(reverse("admin:knowledge_entry_process_import"), data, follow=True)


def exported(client: Client, kind: type) -> bytes:
    data = {"format": EXCHANGE_FORMATS.index(kind), "resource": "0"}
    response = client.post(reverse("admin:knowledge_entry_export"), data)
    assert response.status_code == 200
    assert response["Content-Disposition"].startswith("attachment")
    return bytes(response.content)


def facts(entry: Entry) -> tuple[Any, ...]:
    codes = entry.entrycode_set.order_by("position").values_list("error_code__code", flat=True)
    tags = entry.tags.order_by("name").values_list("name", flat=True)
    plain = (entry.title, entry.problem, entry.solution, entry.category, entry.severity, entry.status)
    return (*plain, list(tags), list(codes), entry.created_by, entry.created_at)


@pytest.mark.parametrize("kind", EXCHANGE_FORMATS)
def test_what_was_exported_imports_as_it_was_tags_and_codes_included(client: Client, staff: User, kind: type) -> None:
    author = a_person(name="writer")
    an_entry(title="=cmd() is a title", tags=["sort", "abend"], codes=["S0C7", "CEE3207S"], author=author)
    an_entry(title="'-quoted", problem="- a list\n- of two lines, with a comma", status="draft", author=author)
    before = {entry.pk: facts(entry) for entry in Entry.objects.all()}
    content = exported(client, kind)
    Entry.objects.all().delete()

    confirm(client, upload(client, content, kind))

    assert {entry.pk: facts(entry) for entry in Entry.objects.all()} == before
    assert index_check().ok


@pytest.mark.parametrize("kind", EXCHANGE_FORMATS)
def test_importing_what_is_there_already_changes_nothing(client: Client, staff: User, kind: type) -> None:
    an_entry()
    confirm(client, upload(client, exported(client, kind), kind))
    assert Entry.objects.get().version == 1


@pytest.mark.parametrize("file", sorted(STARTER.glob("*.json")), ids=lambda file: file.stem)
def test_a_starter_file_imports_as_it_is_and_comes_out_the_same(client: Client, staff: User, file: Path) -> None:
    items = json.loads(file.read_text())[:12]
    preview = upload(client, json.dumps(items).encode(), EntriesJSON)
    confirm(client, preview)

    out = {item["id"]: item for item in json.loads(exported(client, EntriesJSON))}

    assert Entry.objects.filter(status=EntryStatus.PUBLISHED).count() == len(items)
    for item in items:
        found = out[item["id"]]
        for name in ("title", "category", "severity"):
            assert found[name] == item[name]
        assert found["solution"] == item["solution"].strip()
        assert set(found["tags"]) == set(item["tags"])
        assert found["codes"][: len(item["codes"])] == item["codes"]


def test_an_import_makes_html_and_index_and_says_where_the_entry_comes_from(client: Client, staff: User) -> None:
    confirm(client, upload(client, as_csv(ROW), SpreadsheetCSV))
    entry = Entry.objects.get()
    assert "<p>" in entry.problem_html
    assert (entry.origin, entry.created_by) == (EntryOrigin.IMPORT, staff)
    assert index_check().ok


def test_the_preview_writes_nothing_and_shows_what_would_change(client: Client, staff: User) -> None:
    entry = an_entry()
    row = {**ROW, "id": str(entry.pk), "title": "A better title"}
    html = upload(client, as_csv(row), SpreadsheetCSV).content.decode()
    assert "<ins>A better title</ins>" in html and f"<del>{entry.title}</del>" in html
    assert Entry.objects.get().title == entry.title


def test_what_people_edit_after_the_preview_is_not_overwritten(client: Client, staff: User) -> None:
    entry, edited, deleted = an_entry(), an_entry(title="Another entry"), an_entry(title="One that goes")
    rows = [{**ROW, "id": str(one.pk), "title": "From the file"} for one in (entry, edited, deleted)]
    preview = upload(client, as_csv(*rows), SpreadsheetCSV)
    entry_update(entry=edited, expected_version=1, author=None, title="Edited meanwhile")
    entry_delete(entry=deleted)
    answer = confirm(client, preview)
    assert {one.pk: one.title for one in Entry.objects.all()} == {
        entry.pk: "From the file",
        edited.pk: "Edited meanwhile",
    }
    assert answer.text.count("edited after the preview") == 2


@pytest.mark.parametrize(
    ("name", "category"), [("Db2", "DB2"), ("database", "DB2"), ("jobs", "Batch"), ("z/OS", "System"), ("ibm mq", "MQ")]
)
def test_categories_of_other_systems_are_mapped(client: Client, staff: User, name: str, category: str) -> None:
    confirm(client, upload(client, as_csv({**ROW, "category": name}), SpreadsheetCSV))
    assert Entry.objects.get().category == category


def test_rows_with_mistakes_are_reported_and_nothing_is_imported(client: Client, staff: User) -> None:
    wrong = [
        {**ROW, "category": "Toaster"},
        {**ROW, "severity": "awful"},
        {**ROW, "title": ""},
        {**ROW, "problem": "short"},
    ]
    preview = upload(client, as_csv(ROW, *wrong), SpreadsheetCSV)
    html = preview.content.decode()
    assert "“Toaster” is unknown" in html and "“awful” is unknown" in html
    assert len(preview.context["result"].invalid_rows) == 4
    assert "confirm_form" not in preview.context
    assert not Entry.objects.exists()


def test_a_wrong_id_is_reported(client: Client, staff: User) -> None:
    preview = upload(client, as_csv({"id": "17", **ROW}), SpreadsheetCSV)
    assert "is no id (UUID)" in preview.content.decode()


def test_without_the_permission_to_publish_only_drafts_are_imported(client: Client) -> None:
    client.force_login(a_person("view_entry", "add_entry", "change_entry", is_staff=True))
    preview = upload(client, as_csv({**ROW, "status": "published"}), SpreadsheetCSV)
    assert "You may import drafts only" in preview.content.decode()
    confirm(client, upload(client, as_csv(ROW), SpreadsheetCSV))
    assert Entry.objects.get().status == EntryStatus.DRAFT


def test_import_takes_the_permissions_to_add_and_to_change(client: Client) -> None:
    client.force_login(a_person("view_entry", "add_entry", is_staff=True))
    assert client.get(reverse("admin:knowledge_entry_import")).status_code == 403


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-803", "@x", "\tx", "'=x", "''-x", "plain", "'plain", "  =1", " '=1", "\n=1", "＝1", ""]
)
def test_escaping_of_formulas_is_reversible(text: str) -> None:
    assert cell_unescaped(cell_escaped(text)) == text
    assert not cell_escaped(text).lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\n", "＝"))


def test_a_spreadsheet_runs_nothing_that_an_entry_holds(client: Client, staff: User) -> None:
    an_entry(title="=HYPERLINK(1)", problem="@SUM(1+1) at night", solution="-2+3 is not a solution", tags=["+tag"])
    sheet = openpyxl.load_workbook(io.BytesIO(exported(client, SpreadsheetXLSX))).active
    assert sheet is not None
    cells = [cell for row in sheet.iter_rows(min_row=2) for cell in row]
    assert all(cell.data_type != "f" for cell in cells)
    assert not [cell.value for cell in cells if str(cell.value).startswith(("=", "+", "-", "@"))]
    assert b",=HYPERLINK" not in exported(client, SpreadsheetCSV)


@pytest.mark.parametrize("kind", EXCHANGE_FORMATS)
@pytest.mark.parametrize("content", [b"", b"\x00\xff\xfe", b"[1, 2]", b"{", b"PK\x03\x04 no zip", b'"', b"[" * 100_000])
def test_a_file_that_is_none_gets_a_message(client: Client, staff: User, kind: type, content: bytes) -> None:
    response = upload(client, content or b" ", kind)
    assert response.status_code == 200
    assert response.context["form"].errors or response.context["result"].has_errors()
    assert not Entry.objects.exists()


def test_a_file_over_the_size_is_refused_before_it_is_read(client: Client, staff: User, settings: Settings) -> None:
    settings.ADMIN_IMPORT_MAX_BYTES = 100
    response = upload(client, as_csv(*[ROW] * 5), SpreadsheetCSV)
    assert "Split the file" in response.content.decode()


@pytest.mark.parametrize("kind", [SpreadsheetCSV, EntriesJSON])
def test_a_file_with_too_many_rows_is_refused(client: Client, staff: User, settings: Settings, kind: type) -> None:
    settings.ADMIN_IMPORT_MAX_ROWS = 3
    content = as_csv(*[ROW] * 4) if kind is SpreadsheetCSV else json.dumps([ROW] * 4).encode()
    assert "more than 3 rows" in upload(client, content, kind).content.decode()


def test_a_workbook_that_unpacks_to_too_much_is_refused(settings: Settings) -> None:
    settings.ADMIN_IMPORT_MAX_BYTES = 1_000
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/sharedStrings.xml", "a" * 1_000_000)
    with pytest.raises(ImportTooLargeError):
        SpreadsheetXLSX().create_dataset(packed.getvalue())


def test_a_file_in_another_encoding_is_refused_with_what_to_do() -> None:
    with pytest.raises(ImportUnreadableError, match="CSV UTF-8"):
        SpreadsheetCSV().create_dataset("title\nRückgabe".encode("cp1252"))


def test_objects_with_other_keys_or_another_order_keep_their_values() -> None:
    dataset = EntriesJSON().create_dataset(
        '[{"title": "a", "tags": ["x"]}, {"tags": [], "title": "b", "codes": ["S0C7"]}]'
    )
    assert dataset.dict[1] == {"title": "b", "tags": [], "codes": ["S0C7"]}


def test_a_row_that_a_service_refuses_is_reported_after_the_import() -> None:
    dataset = EntriesJSON().create_dataset(json.dumps([{**ROW, "tags": ["t" * 65]}, ROW]))
    result = EntryResource().import_data(dataset)
    assert [row.number for row in result.invalid_rows] == [1]
    assert Entry.objects.count() == 1


def test_an_upload_that_has_expired_is_asked_for_again(client: Client, staff: User) -> None:
    data = {"import_file_name": "gone", "original_file_name": "x.csv", "format": "0", "resource": "0"}
    response = client.post(reverse("admin:knowledge_entry_process_import"), data, follow=True)
    assert "Choose it again" in response.content.decode()


def packed(parts: dict[str, str]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return content.getvalue()


def test_a_workbook_that_would_fill_memory_is_refused_before_it_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(*_arguments: Any, **_options: Any) -> None:
        raise AssertionError("it was opened")

    monkeypatch.setattr(openpyxl, "load_workbook", opened)
    many = packed({f"xl/{number}.bin": "" for number in range(1_001)})
    with pytest.raises(ImportTooLargeError, match="parts"):
        SpreadsheetXLSX().create_dataset(many)
    entities = packed({"xl/workbook.xml": '<!DOCTYPE lolz [<!ENTITY lol "lol">]><workbook>&lol;</workbook>'})
    with pytest.raises(ImportUnreadableError, match="entities"):
        SpreadsheetXLSX().create_dataset(entities)


def test_a_workbook_that_claims_more_columns_than_it_has_costs_nothing() -> None:
    book, content = openpyxl.Workbook(), io.BytesIO()
    book.active.append(list(ROW))
    book.active.append(list(ROW.values()))
    book.save(content)
    with zipfile.ZipFile(content) as archive:
        parts = {name: archive.read(name).decode() for name in archive.namelist()}
    sheet = parts["xl/worksheets/sheet1.xml"]
    parts["xl/worksheets/sheet1.xml"] = sheet.replace('ref="A1:G2"', 'ref="A1:XFD1048576"')
    assert parts["xl/worksheets/sheet1.xml"] != sheet
    dataset = SpreadsheetXLSX().create_dataset(packed(parts))
    assert dataset.headers == list(ROW) and len(dataset) == 1
