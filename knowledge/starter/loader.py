"""Loading the starter knowledge base: everything is validated first, then what is missing is written.

An entry that is there already is left as it is, whoever edited it. An entry that staff deleted comes
back with the next load; archive it to keep it away.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction

from knowledge.codes import Code, code_given, code_normalize
from knowledge.entries import entries_refresh
from knowledge.errors import StarterInvalidError
from knowledge.labels import codes_ensure, entry_codes_set, entry_tags_set, tag_names
from knowledge.models import CodeAlias, Entry, EntryOrigin, EntryStatus, ErrorCode
from knowledge.text import text_block, text_line

STARTER_DIR = Path(__file__).resolve().parent
#: Problems that a message names; the rest are counted.
PROBLEMS_NAMED = 20
ALIAS_CHARS = 100

_ENTRY_KEYS = {"id", "title", "problem", "solution", "category", "severity", "tags", "codes"}
_CODE_KEYS = {"code", "kind", "meaning", "aliases"}

Record = dict[str, Any]


@dataclass(frozen=True)
class StarterLoad:
    """What one load did."""

    entries_added: int
    entries_kept: int
    codes_added: int
    aliases_added: int

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


@dataclass(frozen=True)
class StarterData:
    """The records of the data files, as they stand there."""

    entries: list[Record]
    codes: list[Record]


def starter_load(folder: Path = STARTER_DIR) -> StarterLoad:
    """Write every code, alias and entry that is not there yet. Raises StarterInvalidError."""
    data = starter_read(folder)
    with transaction.atomic():
        codes_added, aliases_added = _codes_loaded(data.codes)
        known = set(Entry.objects.filter(pk__in=[record["id"] for record in data.entries]).values_list("pk", flat=True))
        new = [record for record in data.entries if UUID(record["id"]) not in known]
        _entries_loaded(new)
    return StarterLoad(len(new), len(known), codes_added, aliases_added)


def starter_read(folder: Path = STARTER_DIR) -> StarterData:
    """The data files, validated. Raises StarterInvalidError that names what is wrong where."""
    problems: list[str] = []
    entries = list(_records(folder / "entries", _ENTRY_KEYS, problems))
    codes = list(_records(folder / "codes", _CODE_KEYS, problems))
    for where, record in entries:
        problems += [f"{where}: {problem}" for problem in _entry_problems(record)]
    for where, record in codes:
        problems += [f"{where}: {problem}" for problem in _code_problems(record)]
    problems += _repeated("id", ((where, record["id"]) for where, record in entries))
    problems += _repeated("title", ((where, record["title"].lower()) for where, record in entries))
    problems += _repeated("code", ((where, record["code"]) for where, record in codes))
    problems += _repeated("alias", ((where, a.lower()) for where, record in codes for a in record["aliases"]))
    if problems:
        named = "; ".join(problems[:PROBLEMS_NAMED])
        raise StarterInvalidError(count=len(problems), problems=named)
    return StarterData([record for _, record in entries], [record for _, record in codes])


def _records(folder: Path, keys: set[str], problems: list[str]) -> Iterator[tuple[str, Record]]:
    """Each record with where it stands; what is no record goes into `problems`."""
    for path in sorted(folder.glob("*.json")):
        try:
            listed = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            problems.append(f"{path.name}: {error}")
            continue
        for number, record in enumerate(listed if isinstance(listed, list) else [listed], start=1):
            if isinstance(record, dict) and record.keys() == keys:
                yield f"{path.name} {number} ({str(record.get('title') or record.get('code'))[:40]})", record
            else:
                problems.append(f"{path.name} {number}: needs exactly the keys {', '.join(sorted(keys))}")


def _entry_problems(record: Record) -> Iterator[str]:
    if not _is_uuid(record["id"]):
        yield f"{record['id']!r} is no UUID"
        return
    try:
        _entry(record).clean_fields(exclude=["created_by", "updated_by"])
    except ValidationError as error:
        for field, messages in error.message_dict.items():
            yield f"{field}: {' '.join(messages)}"
    for code in record["codes"]:
        found = code_given(code)
        if found is None or found.code != code:
            yield f"{code!r} is not in canonical form ({found.code if found else 'none'})"


def _code_problems(record: Record) -> Iterator[str]:
    found = code_normalize(record["code"])
    if found is None or found.code != record["code"]:
        yield f"{record['code']!r} is not in canonical form"
    elif found.kind != record["kind"]:
        yield f"{record['code']} is a {found.kind}, not a {record['kind']}"
    if not 1 <= len(record["meaning"]) <= 500:
        yield "the meaning has 1 to 500 characters"
    for alias in record["aliases"]:
        if not 1 <= len(alias) <= ALIAS_CHARS:
            yield f"the alias {alias[:40]!r} has more than {ALIAS_CHARS} characters"


def _repeated(what: str, values: Iterable[tuple[str, str]]) -> Iterator[str]:
    seen: dict[str, str] = {}
    for where, value in values:
        if value in seen:
            yield f"{where}: the {what} {value!r} is also in {seen[value]}"
        seen.setdefault(value, where)


def _is_uuid(text: object) -> bool:
    try:
        UUID(str(text))
    except ValueError:
        return False
    return True


def _codes_loaded(records: list[Record]) -> tuple[int, int]:
    """Codes and aliases that were missing are written; how many of each."""
    before = ErrorCode.objects.count()
    rows = codes_ensure(Code(record["code"], record["kind"]) for record in records)
    for record in records:
        if not rows[record["code"]].meaning:
            rows[record["code"]].meaning = record["meaning"]
    ErrorCode.objects.bulk_update(rows.values(), ["meaning"], batch_size=100)
    aliases = {alias.lower(): rows[record["code"]] for record in records for alias in record["aliases"]}
    known = set(CodeAlias.objects.filter(alias__in=aliases).values_list("alias", flat=True))
    CodeAlias.objects.bulk_create(
        CodeAlias(alias=alias, error_code=row) for alias, row in aliases.items() if alias not in known
    )
    return ErrorCode.objects.count() - before, len(aliases) - len(known)


def _entries_loaded(records: list[Record]) -> None:
    entries = [_entry(record) for record in records]
    Entry.objects.bulk_create(entries)
    pairs = list(zip(entries, records, strict=True))
    entry_tags_set({entry: tag_names(record["tags"]) for entry, record in pairs})
    entry_codes_set({entry: [c for c in map(code_given, record["codes"]) if c] for entry, record in pairs})
    entries_refresh(entry.pk for entry in entries)


def _entry(record: Record) -> Entry:
    return Entry(
        pk=UUID(record["id"]),
        title=text_line(record["title"]),
        problem=text_block(record["problem"]),
        solution=text_block(record["solution"]),
        category=record["category"],
        severity=record["severity"],
        status=EntryStatus.PUBLISHED,
        origin=EntryOrigin.STARTER,
    )
