"""What becomes of each row of a table: the same decision for a preview and for the import itself."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db.models import AutoField, DateTimeField, Field, ForeignKey, JSONField, Model, SlugField
from django.utils.timezone import is_naive, make_aware
from django.utils.translation import gettext as _

from knowledge.models import Entry, EntryAddress, ErrorCode, Plugin
from knowledge.plugins import configuration_problems, plugins
from knowledge.transfer.judging import Verdict, shortened
from knowledge.transfer.options import Existing, ImportOptions
from knowledge.transfer.restoring.tables import KNOWN, Known, models_open
from knowledge.transfer.seen import Seen
from knowledge.transfer.spool import SpooledRow
from migrations_ops.archive import columns_of, line_of, value_of
from migrations_ops.gate import site_level

#: Columns that say who a person is: "user:<id>" or a hash.
_PERSONS = frozenset({"voter", "searcher", "reporter"})
_CODE = ErrorCode._meta.db_table


class _LeftOutError(Exception):
    """The row has no place here, and nothing is wrong with it."""


@dataclass(slots=True)
class TableRow:
    """A row and what becomes of it."""

    spooled: SpooledRow
    model: type[Model]
    verdict: Verdict = Verdict.INVALID
    #: Of its columns, as an archive has them, with the keys of this site.
    plain: dict[str, Any] = field(default_factory=dict)
    #: The same as the database takes them.
    values: dict[str, Any] = field(default_factory=dict)
    #: The row that is there, as an archive has it.
    before: dict[str, Any] | None = None
    #: Whether its entry comes from the same file.
    fresh: bool = False
    entry_id: UUID | None = None
    title: str = ""
    reason: str = ""
    diff: list[tuple[str, str, str]] = field(default_factory=list)


class TableJudge:
    """Decides about rows of one table after the other, a batch at a time."""

    def __init__(self, options: ImportOptions, seen: Seen, *, user: User | None, locking: bool) -> None:
        self.options, self.seen, self.user = options, seen, user
        #: Whether rows that may change, and entries that rows hang on, are held until the transaction ends.
        self.locking = locking
        self.models, self.level = models_open(), site_level()
        self.users = {name.lower(): pk for name, pk in User.objects.values_list("username", "pk")}
        self.user_keys = set(self.users.values())

    def judged(self, table: str, rows: list[SpooledRow]) -> list[TableRow]:
        """The rows of an open table with their verdicts. Remembers which rows of the site they stand for."""
        model, known = self.models[table], KNOWN[table]
        found = [TableRow(one, model, title=f"{table}: {one.row.number}") for one in rows]
        parents = _Parents(self, found)
        usable = []
        for row in found:
            try:
                self._read(row, parents)
                usable.append(row)
            except _LeftOutError as error:
                row.verdict, row.reason = Verdict.DUPLICATE, str(error)
            except (ValueError, TypeError, OverflowError) as error:
                row.reason = str(error)
            except ValidationError as error:
                row.reason = "; ".join(error.messages)
        self._compared(usable, known)
        self._remembered(found)
        return found

    # Reading ----------------------------------------------------------------------------------

    def _read(self, row: TableRow, parents: _Parents) -> None:
        known = KNOWN[row.model._meta.db_table]
        if known.permission and self.user and not self.user.has_perm(known.permission):
            raise _LeftOutError(_("you may not change these here"))
        given = row.spooled.row.values
        for column in row.model._meta.concrete_fields:
            if column.name in given:
                plain = self._plain(column, given[column.name], row, parents)
                row.plain[column.attname] = plain
                row.values[column.attname] = _value(column, plain)
        for name in known.by:
            if name not in row.plain:
                raise ValueError(_("%(field)s: missing") % {"field": name})
        self._fitting(row)

    def _plain(self, column: Any, given: Any, row: TableRow, parents: _Parents) -> Any:
        """The value with the keys of this site."""
        if isinstance(column, ForeignKey):
            return self._key(column, given, row, parents)
        if column.attname in _PERSONS and isinstance(given, str) and given.startswith("user:"):
            return self._person(given, row.spooled.row.values.get("user"))
        if isinstance(given, (dict, list)) and not isinstance(column, JSONField):
            raise TypeError(_("%(field)s: a list or object where a text belongs") % {"field": column.name})
        return given

    def _key(self, column: Any, given: Any, row: TableRow, parents: _Parents) -> Any:
        if given is None:
            return None
        key: Any
        if column.related_model is User:
            key, missing = self._user(given), _("there is no account “%(name)s”")
        elif column.related_model is Entry:
            key, missing = parents.entry(given), _("its entry %(name)s is not here")
            row.fresh = row.fresh or (not column.null and key is not None and UUID(key) in parents.fresh)
        else:
            key, missing = parents.codes.get(str(given)), _("its code %(name)s is not here")
        if key is None and not column.null:
            raise _LeftOutError(missing % {"name": str(given)[:60]})
        return key

    def _user(self, name: Any) -> int | None:
        return self.users.get(self.options.authors.get(str(name), str(name)).lower())

    def _person(self, given: str, name: Any) -> str:
        """The mark of the same person here; never that of another account with the same number."""
        if name is not None and (key := self._user(name)):
            return f"user:{key}"
        number = given.partition(":")[2]
        if number.isdigit() and int(number[:18]) in self.user_keys:
            return "session:" + blake2b(given.encode(), digest_size=16).hexdigest()
        return given

    def _fitting(self, row: TableRow) -> None:
        if row.model is EntryAddress and self._is_entry(row.values["old_id"]):
            raise _LeftOutError(_("an entry has this address here"))
        if row.model is Plugin:
            self._plugin_fitting(row)

    def _plugin_fitting(self, row: TableRow) -> None:
        """A plugin gets what staff could set here; one that this release does not have is a row and nothing runs."""
        spec = plugins().get(str(row.plain["name"]))
        level = spec.level if spec else row.plain.get("phase_level")
        if isinstance(level, int) and level > self.level:
            raise _LeftOutError(_("level %(level)d is not open here") % {"level": level})
        if spec is None or "configuration" not in row.plain:
            return
        given = row.plain["configuration"]
        if isinstance(given, dict):  # without options that a release has dropped
            given = {name: value for name, value in given.items() if name in spec.options}
        if problems := configuration_problems(spec, given):
            raise ValueError("; ".join(problems))
        row.plain["configuration"] = row.values["configuration"] = given

    def _is_entry(self, key: UUID) -> bool:
        """Whether an entry has this id here, or will have it: those of the same file come before."""
        return key.bytes in self.seen.made([key.bytes]) or Entry.objects.filter(pk=key).exists()

    # Comparing --------------------------------------------------------------------------------

    def _compared(self, rows: list[TableRow], known: Known) -> None:
        """Find the rows that are there, and decide."""
        there = self._there(rows, known) if rows else {}
        stood: dict[tuple[str, ...], int] = {}
        for row in rows:
            identity = _identity(row.plain, known)
            number = stood.setdefault(identity, row.spooled.row.number)
            if known.once and number != row.spooled.row.number:
                row.reason = _("the same stands in row %(row)d as well") % {"row": number}
                continue
            row.before = _taken(there.get(identity, []), row)
            if row.before is not None:
                self._differs(row, known)
            elif known.with_entry and not row.fresh:
                row.verdict, row.reason = Verdict.DUPLICATE, _("the entry here has its own history")
            else:
                row.verdict = Verdict.NEW

    def _there(self, rows: list[TableRow], known: Known) -> dict[tuple[str, ...], list[dict[str, Any]]]:
        model = rows[0].model
        wanted = {f"{name}__in": {row.values[name] for row in rows} for name in known.by}
        columns = columns_of(model)
        query = model._base_manager.filter(**wanted).order_by("pk")
        query = query.select_for_update() if self.locking else query
        found: dict[tuple[str, ...], list[dict[str, Any]]] = {}
        for values in query.values_list(*columns):
            plain = dict(zip(columns, json.loads(line_of(values)), strict=True))
            found.setdefault(_identity(plain, known), []).append(plain)
        if known.once:
            return found
        key = model._meta.pk.attname
        marks = {mark_of(model, plain[key]): plain[key] for group in found.values() for plain in group}
        used = {marks[mark] for mark in self.seen.made(marks)}
        return {one: [plain for plain in group if plain[key] not in used] for one, group in found.items()}

    def _differs(self, row: TableRow, known: Known) -> None:
        before = row.before or {}
        key = row.model._meta.pk.attname
        skipped = {key} if isinstance(row.model._meta.pk, AutoField) else set()
        row.diff = [
            (name, *shortened(str(before[name]), str(value)))
            for name, value in row.plain.items()
            if name not in skipped and before[name] != _canonical(row.model, name, value, row.values[name])
        ]
        if not row.diff:
            row.verdict = Verdict.SAME
        elif known.with_entry and not row.fresh:
            row.verdict, row.reason = Verdict.DUPLICATE, _("the entry here has its own history")
        elif self.options.existing == Existing.KEEP:
            row.verdict, row.reason = Verdict.DUPLICATE, _("it is here already, with other values")
        else:
            row.verdict = Verdict.CHANGED

    def _remembered(self, rows: Iterable[TableRow]) -> None:
        marks = []
        for row in rows:
            if row.model is ErrorCode and row.verdict == Verdict.NEW:
                marks.append((f"{_CODE}:{row.plain['code']}".encode(), row.spooled.place))
            elif row.before is not None and not KNOWN[row.model._meta.db_table].once:
                marks.append((mark_of(row.model, row.before[row.model._meta.pk.attname]), row.spooled.place))
        self.seen.make(marks)


class _Parents:
    """Entries and codes that a batch of rows hangs on: here, or new in the same file."""

    def __init__(self, judge: TableJudge, rows: list[TableRow]) -> None:
        columns = [one for one in rows[0].model._meta.concrete_fields if isinstance(one, ForeignKey)] if rows else []
        entries = {
            key
            for column in columns
            if column.related_model is Entry
            for row in rows
            if (key := _uuid(row.spooled.row.values.get(column.name))) is not None
        }
        query = Entry.objects.filter(pk__in=entries).order_by("pk")
        query = query.select_for_update() if judge.locking else query
        self.here = set(query.values_list("pk", flat=True)) if entries else set()
        made = judge.seen.made(key.bytes for key in entries)
        #: Those that the file adds.
        self.fresh = {key for key in entries if key.bytes in made}
        if not judge.locking:
            self.here |= self.fresh
        self.codes = self._codes(judge, columns, rows)

    def entry(self, given: Any) -> str | None:
        key = _uuid(given)
        return str(key) if key in self.here else None

    def _codes(self, judge: TableJudge, columns: list[Any], rows: list[TableRow]) -> dict[str, Any]:
        names = [column.name for column in columns if column.related_model is ErrorCode]
        wanted = {str(row.spooled.row.values.get(name)) for name in names for row in rows}
        if not wanted:
            return {}
        found: dict[str, Any] = dict(ErrorCode.objects.filter(code__in=wanted).values_list("code", "pk"))
        if not judge.locking:
            marks = {f"{_CODE}:{code}".encode(): code for code in wanted - found.keys()}
            # No row has this number: such a code is made before its names are written.
            found |= {marks[mark]: 0 for mark in judge.seen.made(marks)}
        return found


def _uuid(given: Any) -> UUID | None:
    try:
        return UUID(str(given)) if given is not None else None
    except ValueError:
        return None


def mark_of(model: type[Model], key: Any) -> bytes:
    """How a row of the site is remembered, so that no later row of the file is taken for it."""
    return f"{model._meta.db_table}:{key}".encode()


def _identity(plain: dict[str, Any], known: Known) -> tuple[str, ...]:
    return tuple(str(plain[name]) for name in known.by)


def _taken(candidates: list[dict[str, Any]], row: TableRow) -> dict[str, Any] | None:
    """The row that is there: the one with the same number, or the first; it is not given out again."""
    key = row.model._meta.pk.attname
    found = next((one for one in candidates if one[key] == row.plain.get(key)), None)
    found = found or next(iter(candidates), None)
    if found is not None:
        candidates.remove(found)
    return found


def _value(column: Any, plain: Any) -> Any:
    """The value as the database takes it. Raises ValidationError or ValueError when it cannot."""
    name = column.name
    if isinstance(column, JSONField):
        return value_of(column, plain)
    if plain is None:
        if not column.null and not isinstance(column, AutoField):
            raise ValueError(_("%(field)s: missing") % {"field": name})
        return None
    try:
        value = value_of(column, plain)
        if isinstance(column, DateTimeField) and is_naive(value):
            value = make_aware(value)
        _checked(column, value)
    except ValidationError as error:
        raise ValueError(f"{name}: {'; '.join(error.messages)}") from error
    return value


def _checked(column: Field[Any, Any], value: Any) -> None:
    if isinstance(value, str) and ("\0" in value or not _encodes(value)):
        raise ValueError(_("%(field)s: characters that no text has") % {"field": column.name})
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(_("%(field)s: no number") % {"field": column.name})
    if not isinstance(column, (ForeignKey, SlugField)) and value != "":
        column.run_validators(value)
    if column.choices and value not in {key for key, _label in column.flatchoices}:
        raise ValueError(_("%(field)s: “%(word)s” is unknown here") % {"field": column.name, "word": str(value)[:60]})


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _canonical(model: type[Model], name: str, plain: Any, value: Any) -> Any:
    """The value as an archive of this site would have it."""
    if isinstance(model._meta.get_field(name), JSONField) or value is None:
        return plain
    return json.loads(line_of([value]))[0]
