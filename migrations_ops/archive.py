"""The file format of checkpoints and of parked rows.

A ZIP with one `tables/<table>.jsonl` per table and `manifest.json` as the last member. A line is the
JSON array of one row's values in the order of the manifest's columns; rows stand in the order of
their primary keys. The same rows give the same bytes on every database, so the sha256 of a table
proves its rows wherever they are.

Values: UUID, date and decimal as text; times as ISO 8601 in UTC with microseconds; bytes in base64;
JSON columns as JSON. JSON null and SQL NULL are one in columns that allow NULL.
"""

from __future__ import annotations

import base64
import datetime as dt
import errno
import hashlib
import io
import json
import os
import shutil
import uuid
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.db import connections, models
from django.db.models import Model

from migrations_ops.errors import CheckpointCorruptError, DiskFullError

FORMAT = 1
ROWS_PER_FETCH = 2_000
#: Longest line that is read back, in bytes; an entry has at most some 80,000 characters.
LINE_BYTES_MAX = 8 * 1024 * 1024

Manifest = dict[str, Any]
Heartbeat = Callable[[], None]


@dataclass(frozen=True)
class ArchiveFile:
    """A finished archive."""

    path: Path
    sha256: str
    size_bytes: int
    manifest: Manifest


def columns_of(model: type[Model]) -> list[str]:
    """Attribute names of a model's columns, in order."""
    return [field.attname for field in model._meta.concrete_fields]


def foreign_keys(model: type[Model]) -> list[models.ForeignKey[Any, Any]]:
    """The foreign key columns of a model."""
    return [field for field in model._meta.concrete_fields if isinstance(field, models.ForeignKey)]


def line_of(values: Iterable[Any]) -> bytes:
    """One row as a line of the archive."""
    text = json.dumps(
        list(values), default=_plain, ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False
    )
    return text.encode("utf-8", "surrogatepass") + b"\n"


def _plain(value: Any) -> str:
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat(timespec="microseconds")
    if isinstance(value, (dt.date, dt.time, Decimal, uuid.UUID, dt.timedelta)):
        return str(value)
    if isinstance(value, (bytes, memoryview)):
        return base64.b64encode(bytes(value)).decode("ascii")
    raise TypeError(f"{type(value).__name__} has no form in an archive")


def value_of(field: models.Field[Any, Any], plain: Any) -> Any:
    """The Python value of a column from its form in the archive."""
    if isinstance(field, models.JSONField):
        return models.Value(None, field) if plain is None and not field.null else plain
    if plain is None:
        return None
    if isinstance(field, models.BinaryField):
        return base64.b64decode(plain)
    return field.to_python(plain)


def lines_of(model: type[Model], using: str) -> Iterator[bytes]:
    """Every row of a table as lines, in the order of the primary key, a fetch at a time."""
    rows = model._base_manager.using(using).order_by("pk").values_list(*columns_of(model))
    for row in rows.iterator(chunk_size=ROWS_PER_FETCH):
        yield line_of(row)


def table_digest(model: type[Model], using: str = "default") -> dict[str, Any]:
    """`{"rows": count, "sha256": hex}` of a table."""
    return _consume(lines_of(model, using), lambda line: None, lambda: None)


def _consume(lines: Iterable[bytes], write: Callable[[bytes], object], heartbeat: Heartbeat) -> dict[str, Any]:
    digest, rows = hashlib.sha256(), 0
    for line in lines:
        digest.update(line)
        write(line)
        rows += 1
        if rows % ROWS_PER_FETCH == 0:
            heartbeat()
    return {"rows": rows, "sha256": digest.hexdigest()}


def tables_manifest(tables: Iterable[type[Model]], using: str = "default") -> dict[str, Any]:
    """Digest of each table by name, for comparing a database with an archive."""
    return {model._meta.db_table: table_digest(model, using) for model in tables}


def manifest_differences(expected: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """One line for every table whose rows differ between two `tables` parts of manifests."""
    lines = []
    for table in sorted({*expected, *found}):
        left, right = expected.get(table), found.get(table)
        if left is None or right is None:
            lines.append(f"{table}: only on one side")
        elif left["rows"] != right["rows"]:
            lines.append(f"{table}: {left['rows']} rows expected, {right['rows']} found")
        elif left["sha256"] != right["sha256"]:
            lines.append(f"{table}: same number of rows, other content")
    return lines


@contextmanager
def archive_written(
    path: Path, *, tables: Iterable[type[Model]], using: str, header: Manifest, heartbeat: Heartbeat = lambda: None
) -> Iterator[ArchiveFile]:
    """Write the rows of `tables` beside `path`; the block that it opens puts the file there.

    The block calls `archive_publish`, or the file goes. Raises DiskFullError, having removed the
    unfinished file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")
    try:
        manifest = _zip_write(temporary, tables, using, header, heartbeat)
        yield ArchiveFile(temporary, file_sha256(temporary), temporary.stat().st_size, manifest)
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            raise DiskFullError(path=path.name, free=shutil.disk_usage(path.parent).free) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def archive_publish(file: ArchiveFile, path: Path) -> None:
    """Give a finished archive its name, durably; an existing file is replaced."""
    file.path.replace(path)
    sync_folder(path.parent)


def _zip_write(
    path: Path, tables: Iterable[type[Model]], using: str, header: Manifest, heartbeat: Heartbeat
) -> Manifest:
    digests = {}
    path.touch(mode=0o600)
    with path.open("wb") as raw:
        with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as archive:
            for model in tables:
                name = model._meta.db_table
                with archive.open(f"tables/{name}.jsonl", "w", force_zip64=True) as member:
                    digest = _consume(lines_of(model, using), member.write, heartbeat)
                digests[name] = {**digest, "columns": columns_of(model)}
                heartbeat()
            text = json.dumps({"format": FORMAT, **header, "tables": digests}, indent=1, default=_plain)
            archive.writestr("manifest.json", text)
        raw.flush()
        os.fsync(raw.fileno())
    manifest: Manifest = json.loads(text)
    return manifest


def sync_folder(folder: Path) -> None:
    """Make what was renamed in a folder last through a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def file_sha256(path: Path) -> str:
    """sha256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def archive_manifest(path: Path) -> Manifest:
    """The manifest inside an archive. Raises CheckpointCorruptError."""
    try:
        with zipfile.ZipFile(path) as archive:
            manifest: Manifest = json.loads(archive.read("manifest.json"))
    except (zipfile.BadZipFile, KeyError, ValueError, OSError, EOFError) as error:
        raise CheckpointCorruptError(checkpoint=path.name, damage=f"its manifest cannot be read ({error})") from error
    if manifest.get("format") != FORMAT:
        raise CheckpointCorruptError(checkpoint=path.name, damage=f"unknown format {manifest.get('format')!r}")
    return manifest


def archive_lines(path: Path, table: str, *, skip: int = 0) -> Iterator[list[Any]]:
    """The rows of one table in an archive, after the first `skip`. Raises CheckpointCorruptError."""
    try:
        with zipfile.ZipFile(path) as archive, archive.open(f"tables/{table}.jsonl") as member:
            for number, line in enumerate(_bounded_lines(member)):
                if number >= skip:
                    yield json.loads(line)
    except (zipfile.BadZipFile, KeyError, ValueError, EOFError) as error:
        raise CheckpointCorruptError(checkpoint=path.name, damage=f"{table}: {error}") from error


def _bounded_lines(member: Any) -> Iterator[bytes]:
    reader = io.BufferedReader(member)
    while line := reader.readline(LINE_BYTES_MAX):
        if not line.endswith(b"\n"):
            raise ValueError("a line is cut off or too long")
        yield line


def archive_verify(path: Path, heartbeat: Heartbeat = lambda: None) -> Manifest:
    """Read every row of an archive and compare with its manifest. Raises CheckpointCorruptError."""
    manifest = archive_manifest(path)
    for table, expected in manifest["tables"].items():
        try:
            with zipfile.ZipFile(path) as archive, archive.open(f"tables/{table}.jsonl") as member:
                found = _consume(_bounded_lines(member), lambda line: None, heartbeat)
        except (zipfile.BadZipFile, KeyError, ValueError, EOFError, OSError) as error:
            raise CheckpointCorruptError(checkpoint=path.name, damage=f"{table}: {error}") from error
        if differences := manifest_differences({table: expected}, {table: found}):
            raise CheckpointCorruptError(checkpoint=path.name, damage=differences[0])
    return manifest


def rows_insert(model: type[Model], rows: Iterable[list[Any]], columns: list[str], *, using: str = "default") -> int:
    """Insert rows read from an archive; columns that the archive lacks take the field's default."""
    fields = {field.attname: field for field in model._meta.concrete_fields}
    objects = [
        model(**{name: value_of(fields[name], plain) for name, plain in zip(columns, row, strict=True)}) for row in rows
    ]
    model._base_manager.using(using).bulk_create(objects, batch_size=_insert_batch(model, using))
    return len(objects)


def _insert_batch(model: type[Model], using: str) -> int:
    limit = connections[using].features.max_query_params or 32_000
    return max(1, min(500, limit // len(model._meta.concrete_fields)))


def rows_with_parents(model: type[Model], rows: list[list[Any]], columns: list[str]) -> list[list[Any]]:
    """The rows whose foreign keys hold; a key that may be NULL is emptied instead."""
    kept = [list(row) for row in rows]
    for field in foreign_keys(model):
        if field.attname not in columns:
            continue
        at = columns.index(field.attname)
        parents = present_parents(field, {row[at] for row in kept if row[at] is not None})
        if field.null:
            for row in kept:
                row[at] = row[at] if str(row[at]) in parents else None
        else:
            kept = [row for row in kept if str(row[at]) in parents]
    return kept


def present_parents(field: Any, keys: set[Any]) -> set[str]:
    """Which of these keys exist in the table that a foreign key points to, as text."""
    target = field.target_field
    rows = field.related_model._base_manager.filter(**{f"{target.attname}__in": keys})
    return {str(key) for key in rows.values_list(target.attname, flat=True)}
