"""Rows of a file as entries to be: cleaned, named in our words, and everything that is wrong with them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from django.contrib.auth.models import User
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from knowledge.categories import category_named
from knowledge.codes import Code, code_given
from knowledge.entries import TAGS_PER_ENTRY
from knowledge.labels import TAG_CHARS, tag_names
from knowledge.models import (
    PROBLEM_CHARS,
    SOLUTION_CHARS,
    TITLE_CHARS,
    Category,
    EntryOrigin,
    EntryStatus,
    Severity,
)
from knowledge.text import storable, text_block, text_line
from knowledge.transfer.moments import moment_read
from knowledge.transfer.naming import FOR_PEOPLE, field_named, severity_named, status_named
from knowledge.transfer.options import ImportOptions, UnknownColumns

#: Ids that are no UUID become one, the same at every import.
_IDS = UUID("6c6f0c1e-2c55-5d0c-9e52-6c1c4b9a7f10")
_ERROR_CELLS = frozenset(
    ["#REF!", "#N/A", "#VALUE!", "#NAME?", "#DIV/0!", "#NULL!", "#NUM!", "#SPILL!", "#CALC!", "#GETTING_DATA"]
)
_WORD_ENDS = re.compile(r"[,;\n]")
_CATEGORIES = {value.lower(): value for value in Category.values}
_BOUNDS = {"title": TITLE_CHARS, "problem": PROBLEM_CHARS, "solution": SOLUTION_CHARS}
_MOST_COUNT = 2**31 - 1
_CLOCKS_DIFFER = timedelta(days=1)


def column_field(column: str, chosen: Mapping[str, str]) -> str:
    """The field of an entry that a column of the file is for, empty for none; `chosen` are those that people chose."""
    return chosen[column] if column in chosen else field_named(column)


def row_texts(values: Mapping[str, Any], chosen: Mapping[str, str]) -> dict[str, str]:
    """Title, problem and solution of a row as its draft will have them; those too long for an entry are left out."""
    fields = ((column_field(column, chosen), value) for column, value in values.items())
    texts = {name: _text_stored(name, value) for name, value in fields if name in _BOUNDS}
    return {name: text for name, text in texts.items() if len(text) <= _BOUNDS[name][1]}


def _text_stored(name: str, value: Any) -> str:
    text = value if isinstance(value, str) else "" if value is None else str(value)
    return text_line(text) if name == "title" else text_block(text)


class Draft:
    """One row as an entry to be. Only the fields in `given` come from the file."""

    __slots__ = (
        *("id", "title", "problem", "solution", "category", "severity", "status", "tags", "codes"),
        *("author_id", "created_at", "updated_at", "counts", "given", "refused", "problems", "exact"),
    )

    def __init__(self) -> None:
        self.id: UUID | None = None
        self.title = self.problem = self.solution = ""
        self.category = self.severity = self.status = ""
        self.tags: list[str] = []
        self.codes: list[Code] = []
        self.author_id: int | None = None
        self.created_at: datetime | None = None
        self.updated_at: datetime | None = None
        #: Views, votes that it worked, votes that it did not.
        self.counts: tuple[int, ...] = (0, 0, 0)
        self.given: set[str] = set()
        #: Fields whose words nothing stands for.
        self.refused: set[str] = set()
        self.problems: list[str] = []
        #: Columns of the entry as the archive of a site has them; None for other files.
        self.exact: dict[str, Any] | None = None


class DraftReader:
    """Makes drafts of the rows of one import."""

    def __init__(self, options: ImportOptions, *, user: User | None, exact: bool = False) -> None:
        self.options, self.user = options, user
        #: Whether new entries become what they were on the site that the file comes from.
        self.exact = exact
        self.may_publish = user is None or user.has_perm("knowledge.publish_entry")
        self.now = timezone.now()
        self.users = {name.lower(): pk for name, pk in User.objects.values_list("username", "pk")}
        self.fields: dict[str, str] = {}
        #: Words that nothing stands for, by field, for the page that maps them.
        self.unknown: dict[str, Counter[str]] = {}
        self.namespace = uuid5(_IDS, options.system)
        self._readers: dict[str, Callable[[Draft, Any], None]] = {
            "id": self._id,
            "category": self._category,
            "severity": self._severity,
            "status": self._status,
            "tags": self._tags,
            "codes": self._codes,
            "created_by": self._author,
            "created_at": self._created,
            "updated_at": self._updated,
        }

    def draft(self, values: dict[str, Any]) -> Draft:
        """The row as a draft; what is wrong with it is in its `problems`."""
        draft = Draft()
        rest: list[tuple[str, Any]] = []
        for column, value in values.items():
            name = self.fields.get(column)
            if name is None:
                name = self.fields[column] = column_field(column, self.options.columns)
            if not name:
                rest.append((column, value))
            elif name in draft.given:
                draft.problems.append(_("%(field)s: two columns are for it") % {"field": name})
            else:
                self._read(draft, name, value)
        if self.exact:
            self._exact(draft, values)
        else:
            self._kept_aside(draft, rest)
        return draft

    def complete(self, draft: Draft) -> None:
        """Give a draft that becomes a new entry what its row has not, and check that nothing is missing."""
        for name, (low, _high) in _BOUNDS.items():
            if name not in draft.given:
                draft.problems.append(
                    _("%(field)s: missing; at least %(low)d characters") % {"field": name, "low": low}
                )
        if not draft.category and "category" not in draft.refused:
            draft.category = self.options.categories.get("", "")
            if not draft.category:
                self._unknown(draft, "category", "")
        if not draft.severity:
            draft.severity = self.options.severities.get("", Severity.MEDIUM)
        if not draft.status:
            draft.status = self.options.status if self.may_publish else EntryStatus.DRAFT
        if draft.author_id is None and self.user and "created_by_id" not in (draft.exact or {}):
            draft.author_id = self.user.pk

    def _read(self, draft: Draft, name: str, value: Any) -> None:
        draft.given.add(name)
        if isinstance(value, str) and value in _ERROR_CELLS:
            draft.problems.append(
                _("%(field)s: an error of the spreadsheet, %(value)s") % {"field": name, "value": value}
            )
        elif name in _BOUNDS:
            self._text(draft, name, value)
        elif reader := self._readers.get(name):
            reader(draft, value)
        else:
            self._count(draft, name, value)

    def _text(self, draft: Draft, name: str, value: Any) -> None:
        if isinstance(value, (dict, list)):
            draft.problems.append(_("%(field)s: a list or object where a text belongs") % {"field": name})
            return
        text = _text_stored(name, value)
        setattr(draft, name, text)
        low, high = _BOUNDS[name]
        if not low <= len(text) <= high:
            facts = {"field": name, "found": len(text), "low": low, "high": high}
            said = ngettext(
                "%(field)s: %(found)d character; %(low)d to %(high)d are allowed",
                "%(field)s: %(found)d characters; %(low)d to %(high)d are allowed",
                len(text),
            )
            draft.problems.append(
                (said if text else _("%(field)s: empty; it needs %(low)d to %(high)d characters")) % facts
            )

    def _id(self, draft: Draft, value: Any) -> None:
        text = _word(value)
        if not text:
            draft.given.discard("id")
            return
        try:
            draft.id = UUID(text)
        except ValueError:
            draft.id = uuid5(self.namespace, storable(text))

    def _category(self, draft: Draft, value: Any) -> None:
        word = _word(value)
        mapped = self.options.categories.get(word) if word else ""
        found = mapped or _CATEGORIES.get(word.lower()) or category_named(word)
        if found:
            draft.category = str(found)
        elif word:
            self._unknown(draft, "category", word)

    def _severity(self, draft: Draft, value: Any) -> None:
        word = _word(value)
        found = self.options.severities.get(word) or (severity_named(word) if word else "")
        if found is None:
            self._unknown(draft, "severity", word)
        else:
            draft.severity = str(found)

    def _status(self, draft: Draft, value: Any) -> None:
        word = _word(value)
        found = status_named(word) if word else ""
        if found is None:
            self._unknown(draft, "status", word)
            return
        draft.status = str(found)
        if found and found != EntryStatus.DRAFT and not self.may_publish:
            draft.problems.append(_("status: you may import drafts only; publishing needs its own permission"))

    def _unknown(self, draft: Draft, name: str, word: str) -> None:
        self.unknown.setdefault(name, Counter())[word[:60]] += 1
        draft.refused.add(name)
        facts = {"field": name, "word": word[:60]}
        text = _("%(field)s: “%(word)s” is unknown; map it or correct it") if word else _("%(field)s: missing")
        draft.problems.append(text % facts)

    def _tags(self, draft: Draft, value: Any) -> None:
        draft.tags = tag_names(storable(word) for word in _words(value))
        if too_long := next((name for name in draft.tags if len(name) > TAG_CHARS), None):
            facts = {"tag": too_long[:80], "most": TAG_CHARS}
            draft.problems.append(_("tags: “%(tag)s” has more than %(most)d characters") % facts)
        if len(draft.tags) > TAGS_PER_ENTRY:
            draft.problems.append(_("tags: an entry has at most %(most)d") % {"most": TAGS_PER_ENTRY})

    def _codes(self, draft: Draft, value: Any) -> None:
        for word in _words(value):
            if code := code_given(storable(word)):
                draft.codes.append(code)
            elif word.strip():
                draft.problems.append(_("codes: “%(word)s” is too long for a code") % {"word": word[:60]})

    def _author(self, draft: Draft, value: Any) -> None:
        word = _word(value)
        if not word:
            return
        draft.author_id = self.users.get(self.options.authors.get(word, word).lower())
        if draft.author_id is None:
            self.unknown.setdefault("created_by", Counter())[word[:60]] += 1

    def _created(self, draft: Draft, value: Any) -> None:
        draft.created_at = self._moment(draft, "created_at", value)

    def _updated(self, draft: Draft, value: Any) -> None:
        draft.updated_at = self._moment(draft, "updated_at", value)

    def _moment(self, draft: Draft, name: str, value: Any) -> datetime | None:
        word = _word(value)
        if not word:
            return None
        try:
            found = moment_read(word, self.options.dates)
        except ValueError as error:
            draft.problems.append(f"{name}: {error}")
            return None
        if found > self.now + _CLOCKS_DIFFER:
            draft.problems.append(_("%(field)s: %(when)s lies in the future") % {"field": name, "when": word[:40]})
        return found

    def _exact(self, draft: Draft, values: dict[str, Any]) -> None:
        """What other files do not have: origin, version, last use, who changed it, and that nobody wrote it."""
        draft.exact = {}
        if (origin := values.get("origin")) in EntryOrigin.values:
            draft.exact["origin"] = str(origin)
        version = values.get("version")
        if isinstance(version, int) and 1 <= version <= _MOST_COUNT:
            draft.exact["version"] = version
        if "last_used_at" in values:
            draft.exact["last_used_at"] = self._moment(draft, "last_used_at", values["last_used_at"])
        if "updated_by" in values:
            name = _word(values["updated_by"])
            draft.exact["updated_by_id"] = self.users.get(self.options.authors.get(name, name).lower())
        if draft.updated_at:
            draft.exact["updated_at"] = draft.updated_at
        if "created_by" in values and values["created_by"] is None:
            draft.exact["created_by_id"] = None

    def _count(self, draft: Draft, name: str, value: Any) -> None:
        word = _word(value) or "0"
        place = ("usage_count", "success_count", "failure_count").index(name)
        if not (word.isascii() and word.isdigit() and int(word[:20]) <= _MOST_COUNT):
            draft.problems.append(_("%(field)s: “%(word)s” is no count") % {"field": name, "word": word[:40]})
            return
        draft.counts = (*draft.counts[:place], int(word), *draft.counts[place + 1 :])

    def _kept_aside(self, draft: Draft, rest: list[tuple[str, Any]]) -> None:
        """Columns that nothing is for, as lines after the solution if the person wants them."""
        if self.options.unknown_columns != UnknownColumns.KEEP or "solution" not in draft.given:
            return
        lines = [
            f"- {column}: {text_line(_cell(value))}"
            for column, value in rest
            if column not in FOR_PEOPLE and self.options.columns.get(column) != "" and _cell(value).strip()
        ]
        if lines:
            self._text(draft, "solution", draft.solution + "\n\n" + "\n".join(lines))


def _cell(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else "" if value is None else str(value)


def _word(value: Any) -> str:
    return " ".join(value.split()) if isinstance(value, str) else "" if value is None else str(value)[:200]


def _words(value: Any) -> list[str]:
    if isinstance(value, (list, tuple)):
        return [str(part) for part in value if part is not None]
    return _WORD_ENDS.split(value) if isinstance(value, str) else [] if value is None else [str(value)]
