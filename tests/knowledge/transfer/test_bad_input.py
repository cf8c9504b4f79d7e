"""Files that are broken, or made to do harm: each gets its message soon, and takes little memory."""

from __future__ import annotations

import io
import os
import resource
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_django import Settings

from knowledge.errors import ImportNotKeptError, KnowledgeError
from knowledge.models import Import
from knowledge.transfer import jobs
from knowledge.transfer.jobs import import_create
from knowledge.transfer.options import ImportOptions
from knowledge.transfer.reading import source_open
from migrations_ops.archive import manifest_differences, tables_manifest
from migrations_ops.checkpoints import tables_open
from migrations_ops.gate import site_level
from tests.knowledge.transfer.files import (
    csv_file,
    csv_text,
    json_file,
    row,
    written,
    xlsx_changed,
    xlsx_file,
    zip_file,
)

SHEET = "xl/worksheets/sheet1.xml"
MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
#: Many times what it takes, also where each line is traced and others compute.
SECONDS = 30.0
MEGABYTES = 80
#: Size of the largest files here; the limits are lowered with it.
LARGE = int(os.environ.get("KB_TEST_LARGE_FILE_MB", "8")) * 1024**2

Maker = Callable[[Path], Path]


def sparse(path: Path, head: bytes, size_bytes: int, filling: bytes = b"x") -> Path:
    with path.open("wb") as file:
        file.write(head)
        for _ in range(size_bytes // 2**20):
            file.write(filling * (2**20 // len(filling)))
    return path


def a_workbook(folder: Path) -> Path:
    return xlsx_file(folder, list(row()), list(row().values()))


def truncated(folder: Path) -> Path:
    path = a_workbook(folder)
    return written(path, path.read_bytes()[:-300])


def damaged_inside(folder: Path) -> Path:
    path = a_workbook(folder)
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo(SHEET).header_offset + 60
    content = bytearray(path.read_bytes())
    content[start : start + 40] = b"\xff" * 40
    return written(path, bytes(content))


def zip_bomb(folder: Path) -> Path:
    path = a_workbook(folder)
    with (
        zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive,
        archive.open("xl/bomb.xml", "w", force_zip64=True) as member,
    ):
        for _ in range(5 * LARGE // 2**20):
            member.write(b"\0" * 2**20)
    return path


def entities(folder: Path) -> Path:
    lines = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "lol"}">' for n in range(10))
    cell = '<row r="1"><c r="A1" t="inlineStr"><is><t>&e9;</t></is></c></row>'
    xml = f'<?xml version="1.0"?><!DOCTYPE worksheet [{lines}]><worksheet {MAIN}><sheetData>{cell}</sheetData></worksheet>'
    return xlsx_changed(a_workbook(folder), SHEET, xml.encode())


def cells(folder: Path, inner: str) -> Path:
    xml = f'<?xml version="1.0"?><worksheet {MAIN}><sheetData>{inner}</sheetData></worksheet>'
    return xlsx_changed(a_workbook(folder), SHEET, xml.encode())


def far_row(folder: Path) -> Path:
    title = '<row r="1"><c r="A1" t="inlineStr"><is><t>title</t></is></c></row>'
    return cells(folder, f'{title}<row r="99999999999"><c r="A99999999999"><v>1</v></c></row>')


def shared_texts(folder: Path) -> Path:
    return xlsx_changed(a_workbook(folder), "xl/sharedStrings.xml", b"<sst>" + b" " * 2 * LARGE)


def shared_texts_elsewhere(folder: Path) -> Path:
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
    types = f"""<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
        <Override PartName="/xl/worksheets/texts.xml" ContentType="{kind}"/></Types>"""
    path = xlsx_changed(a_workbook(folder), "xl/worksheets/texts.xml", b"<sst>" + b" " * 2 * LARGE)
    return xlsx_changed(path, "[Content_Types].xml", types.encode())


def pickled(folder: Path) -> Path:
    return written(folder / "a.json", b"\x80\x04\x95\x00\x00\x00")


def archive_with(folder: Path, manifest: bytes, rows: bytes = b"{}\n") -> Path:
    return zip_file(folder / "a.zip", {"manifest.json": manifest, "tables/kb_entries.jsonl": rows})


def encrypted(folder: Path) -> Path:
    """An archive whose members say that they are."""
    path = archive_with(folder, EXPORT)
    content = bytearray(path.read_bytes())
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = content.find(mark)
        while place >= 0:
            content[place + flags] |= 1
            place = content.find(mark, place + 1)
    return written(path, bytes(content))


EXPORT = b'{"kind": "knowledge-base-export", "schema": 1, "tables": {"kb_entries": {"rows": 1, "sha256": "00"}}}'
CORPUS: dict[str, tuple[Maker, str]] = {
    "nothing": (lambda folder: written(folder / "a.csv", b""), "empty"),
    "blanks": (lambda folder: written(folder / "a.csv", b"\r\n  \r\n"), "empty"),
    "truncated workbook": (truncated, "damaged"),
    "workbook damaged inside": (damaged_inside, "damaged"),
    "truncated zip": (lambda folder: written(folder / "a.zip", b"PK\x03\x04" + b"\0" * 400), "damaged"),
    "zip bomb": (zip_bomb, "bytes unpacked"),
    "XML bomb": (entities, "entities"),
    "workbook with huge texts": (shared_texts, "CSV"),
    "workbook with huge texts elsewhere": (shared_texts_elsewhere, "CSV"),
    "workbook with a row far below": (far_row, "empty rows"),
    "workbook without sheets": (lambda folder: cells(folder, "</sheetData><broken>"), "damaged"),
    "workbook with a wide row": (
        lambda folder: cells(folder, '<row r="1">' + '<c t="n"><v>1</v></c>' * 50_000 + "</row>"),
        "columns",
    ),
    "zip of something else": (lambda folder: zip_file(folder / "a.zip", {"a.csv": b"a,b"}), "Unpack"),
    "old workbook": (lambda folder: written(folder / "a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1"), "old kind"),
    "PDF": (lambda folder: written(folder / "a.csv", b"%PDF-1.7 ..."), "PDF"),
    "page": (lambda folder: written(folder / "a.csv", b"<!doctype html><script>alert(1)</script>"), "page"),
    "one endless line": (lambda folder: sparse(folder / "a.csv", b"title,problem\n", LARGE), "characters in line 2"),
    "one endless header": (lambda folder: sparse(folder / "a.csv", b"title", LARGE), "characters in line 1"),
    "an endless JSON text": (lambda folder: sparse(folder / "a.json", b'[{"title": "', LARGE), "object of more than"),
    "an endless JSON line": (lambda folder: sparse(folder / "a.jsonl", b'{"title": "', LARGE), "line 1"),
    "an endless cell": (lambda folder: sparse(folder / "a.csv", b'a,b\n"', LARGE, b"x\n"), "quote"),
    "a file too large": (lambda folder: sparse(folder / "a.csv", b"a\n", 2 * LARGE, b"x\n"), "bytes"),
    "a hundred thousand columns": (
        lambda folder: written(folder / "a.csv", b",".join(b"c%d" % n for n in range(100_000))),
        "columns",
    ),
    "a million columns": (
        lambda folder: written(folder / "a.csv", b",".join(b"c%d" % n for n in range(1_000_000))),
        "characters in line 1",
    ),
    "too many rows": (lambda folder: written(folder / "a.csv", b"a,b\n" + b"1,2\n" * 100_001), "rows"),
    "two encodings": (
        lambda folder: written(folder / "a.csv", csv_text(row(problem="für über " * 9)).encode() + "für,ü\n".encode("cp1252")),
        "mixes encodings",
    ),
    "NUL bytes": (lambda folder: written(folder / "a.csv", b"title,problem\na,b\0c\n"), "NUL"),
    "NUL bytes far below": (lambda folder: written(folder / "a.csv", b"title,b\n" + b"a,b\n" * 5_000 + b"a,\0\n"), "NUL"),
    "random bytes": (lambda folder: written(folder / "a.csv", bytes(range(256)) * 100), "NUL"),
    "UTF-16 that is cut off": (lambda folder: written(folder / "a.csv", "title,b\n".encode("utf-16")[:-1]), "utf-16"),
    "a pickle": (pickled, "NUL"),
    "columns named twice": (lambda folder: written(folder / "a.csv", b"title,Title\na,b\n"), "two columns"),
    "no column names": (lambda folder: written(folder / "a.csv", b",,\na,b,c\n"), "column names"),
    "a quote in the wrong place": (lambda folder: written(folder / "a.csv", b'a,b\n"x"y,z\n'), "line 2"),
    "column names with a quote in the wrong place": (
        lambda folder: written(folder / "a.csv", b'"a"b,c\n1,2\n'),
        "column names cannot be read",
    ),
    "column names with a quote that never ends": (
        lambda folder: written(folder / "a.csv", b'"a,b\n1,2\n'),
        "column names cannot be read",
    ),
    "encrypted archive": (encrypted, "manifest cannot be read"),
    "JSON cut off": (lambda folder: written(folder / "a.json", b'[{"title": "a"}, {"ti'), "cut off"),
    "JSON with more after it": (lambda folder: written(folder / "a.json", b'[{"title": "a"}] [1]'), "follows"),
    "JSON without commas": (lambda folder: written(folder / "a.json", b'[{"title": "a"} {"title": "b"}]'), "expected"),
    "JSON of other things": (lambda folder: json_file(folder, {"users": [1], "more": 2}), "kbEntries"),
    "JSON with entries that are no list": (lambda folder: json_file(folder, {"kbEntries": {"a": 1}}), "not a list"),
    "JSON with a number that is none": (lambda folder: written(folder / "a.json", b'[{"title": NaN}]'), "NaN"),
    "JSON nested deep": (lambda folder: written(folder / "a.json", b'[{"a":' + b"[" * 100_000), "nested"),
    "JSON of brackets": (lambda folder: written(folder / "a.json", b"[" * 100_000), "nested"),
    "JSONL nested deep": (lambda folder: written(folder / "a.jsonl", b'{"a":1}\n{"a":' + b"[" * 100_000), "line 2"),
    "JSONL with a broken line": (lambda folder: written(folder / "a.jsonl", b'{"a":1}\n{"a":\n'), "line 2"),
    "archive with another format": (lambda folder: archive_with(folder, b'{"format": 1, "tables": {}}'), "checkpoint"),
    "archive without manifest": (lambda folder: archive_with(folder, b"{"), "manifest"),
    "archive of a newer schema": (lambda folder: archive_with(folder, EXPORT.replace(b'1, "t', b'9, "t')), "newer"),
    "archive that was changed": (lambda folder: archive_with(folder, EXPORT), "manifest says"),
    "archive of no objects": (lambda folder: archive_with(folder, EXPORT, b"[1]\n"), "no object"),
    "archive with a missing table": (lambda folder: archive_with(folder, EXPORT.replace(b"kb_entries", b"kb_tags")), "damaged"),
    "archive with a table elsewhere": (
        lambda folder: archive_with(folder, EXPORT.replace(b"kb_entries", b"../../etc/passwd")),
        "damaged",
    ),
}  # fmt: skip


@pytest.fixture
def kept(settings: Settings) -> Path:
    """The folder of what imports keep, with limits that suit the files here."""
    few = {"file_bytes": LARGE * 3 // 2, "unpacked_bytes": 4 * LARGE, "shared_text_bytes": LARGE, "rows": 100_000}
    settings.TRANSFER_LIMITS = settings.TRANSFER_LIMITS | few
    return Path(settings.TRANSFER_DIR)


@pytest.mark.django_db
@pytest.mark.parametrize("name", CORPUS)
def test_a_broken_file_gets_its_message_soon_takes_little_memory_and_leaves_everything_as_it_was(
    kept: Path, tmp_path: Path, name: str
) -> None:
    make, words = CORPUS[name]
    path, site = make(tmp_path), tables_manifest(tables_open(site_level()))
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    with pytest.raises(KnowledgeError) as refused:
        import_create(path=path, options=ImportOptions(), actor="ada")
    assert words in str(refused.value), str(refused.value)
    assert refused.value.code in {"import_unreadable", "import_too_large"}
    assert time.monotonic() - began < SECONDS
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MEGABYTES * 1024
    assert manifest_differences(site, tables_manifest(tables_open(site_level()))) == []
    assert not Import.objects.exists()
    assert not [path for path in kept.rglob("*") if path.is_file()]


@pytest.mark.django_db
def test_a_file_that_finds_no_room_says_so_and_is_forgotten(
    kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = jobs.file_copied
    monkeypatch.setattr(jobs, "file_copied", lambda file, _to, **bounds: copied(file, Path("/dev/full"), **bounds))
    with pytest.raises(ImportNotKeptError, match="No space left on device"):
        import_create(path=csv_file(tmp_path, row()), options=ImportOptions(), actor="ada")
    assert not Import.objects.exists()
    assert not [path for path in kept.rglob("*") if path.is_file()]


def test_a_file_that_is_gone_says_so(tmp_path: Path) -> None:
    with pytest.raises(KnowledgeError, match="No such file"):
        source_open(tmp_path / "gone.csv")


def test_the_memory_of_a_long_file_is_that_of_a_short_one(tmp_path: Path) -> None:
    text = io.StringIO()
    text.write(csv_text(row(solution="x" * 5_000)))
    line = text.getvalue().splitlines()[1] + "\r\n"
    path = written(tmp_path / "a.csv", (text.getvalue() + line * 6_000).encode())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert sum(1 for _ in source_open(path).rows()) == 6_001
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20 * 1024
