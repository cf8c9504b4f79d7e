"""From what a person typed to what the index is asked: groups of tokens, phrases, exclusions, filters."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from knowledge.codes import Code, CodeKind, code_given, code_normalize, codes_find
from knowledge.models import Category, Severity
from knowledge.search.analysis import TOKEN_CHARS, Unit, UnitKind, code_token, compound_words, folded, units
from knowledge.search.tokens import tokens
from knowledge.search.types import SearchFilters
from knowledge.text import storable

#: More is a pasted log; codes are read from this much, words from its beginning.
QUERY_CHARS = 10_000
WORDS_CHARS = 1_000
#: Operators (`tag:`, `-word`, quotes) count in a line that a person typed, not in pasted text.
OPERATOR_CHARS = 200
GROUPS = 32
ALIAS_WORDS = 6
#: What parts of a query count, in units of their rarity. Beside a code its message is only the
#: headline, and the names and numbers of a message line say nothing about the problem.
CODE_WEIGHT = 2.0
CARRIER_WEIGHT = 0.4
WORD_WEIGHT = 1.0
WORD_BESIDE_CODE_WEIGHT = 0.4
NAME_BESIDE_CODE_WEIGHT = 0.15
NORMALIZED_CHARS = 500

_FIELD = re.compile(r"(?:^|(?<=\s))(category|severity|tag|code):(?:\"([^\"]{1,100})\"|(\S{1,100}))", re.IGNORECASE)
_PHRASE = re.compile(r'"([^"]{2,200})"')
_EXCLUDED = re.compile(r"(?:^|(?<=\s))-([^\W\d_][\w.$#@/-]{0,60})")


@dataclass(frozen=True, slots=True)
class Alternative:
    """One token that satisfies a group."""

    token: str
    prefix: bool = False
    #: Whether an entry whose own code this is gets its reward.
    code: bool = False
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Group:
    """One thing that was asked for, in any of the ways it may stand in the index."""

    alternatives: tuple[Alternative, ...]
    weight: float = WORD_WEIGHT
    #: A message that only brings the code that was asked for.
    carrier: bool = False

    @property
    def is_code(self) -> bool:
        return self.alternatives[0].code


@dataclass(frozen=True)
class Query:
    """A parsed query."""

    groups: tuple[Group, ...]
    #: Each a run of tokens that must stand together in one field.
    phrases: tuple[str, ...]
    excluded: tuple[str, ...]
    filters: SearchFilters
    codes: tuple[Code, ...]
    normalized: str
    #: Whether nothing but filters was given, so that every entry fits.
    blank: bool
    #: The text without its operators, and its units.
    typed: str
    units: tuple[Unit, ...]
    #: Runs of words that may be another name of a code ("duplicate key") -> where they stand.
    runs: dict[str, tuple[int, int]]


def query_parse(text: str, filters: SearchFilters) -> Query:
    """The query of a text, no database asked. `filters` win over field syntax in the text."""
    typed = storable(text)[:QUERY_CHARS]
    phrases: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    if len(typed) <= OPERATOR_CHARS and "\n" not in typed:
        typed, filters = _fields_taken(typed, filters)
        phrases = tuple(phrase for found in _PHRASE.findall(typed) if (phrase := " ".join(tokens(found))))
        excluded = tuple(unit.token for found in _EXCLUDED.findall(typed) for unit in units(found))
        typed = _EXCLUDED.sub(" ", typed).replace('"', " ")
    found_units = _units_asked(typed)
    codes = _codes_asked(typed)
    return Query(
        groups=_groups(typed, found_units, codes, {}),
        phrases=phrases,
        excluded=excluded,
        filters=filters,
        codes=codes,
        normalized=" ".join(dict.fromkeys(unit.token for unit in found_units))[:NORMALIZED_CHARS],
        blank=not typed.strip(),
        typed=typed,
        units=tuple(found_units),
        runs=_word_runs(typed) if len(typed) <= OPERATOR_CHARS else {},
    )


def query_with_codes(query: Query, aliases: Iterable[tuple[str, str]]) -> Query:
    """The query with the codes that some of its runs of words are another name of, as pairs (run, code)."""
    found: dict[str, set[str]] = {}
    for alias, code in aliases:
        start, end = query.runs[alias]
        for unit in query.units:
            if start <= unit.start and unit.end <= end and unit.kind is not UnitKind.CODE:
                found.setdefault(unit.token, set()).add(code_token(code))
    return replace(query, groups=_groups(query.typed, query.units, query.codes, found)) if found else query


def _fields_taken(typed: str, filters: SearchFilters) -> tuple[str, SearchFilters]:
    """The text without its field syntax, and the filters with it; unknown values stay words."""
    values: dict[str, str] = {}

    def take(found: re.Match[str]) -> str:
        name, value = found[1].lower(), (found[2] or found[3]).strip()
        known = _field_value(name, value)
        if known and not getattr(filters, name):
            values[name] = known
            return " "
        return f" {value} "

    rest = _FIELD.sub(take, typed)
    return rest, replace(filters, **values)


def _field_value(name: str, value: str) -> str:
    """The value as it is stored; empty when the field has no such value."""
    if name == "category":
        return next((known for known in Category.values if known.lower() == value.lower()), "")
    if name == "severity":
        return value.lower() if value.lower() in Severity.values else ""
    if name == "code":
        code = code_given(value)
        return code.code if code else ""
    return value.lower()


def _units_asked(typed: str) -> list[Unit]:
    """The units of the first words, and of the codes anywhere; each token once, at most GROUPS, codes first."""
    words = list(units(typed[:WORDS_CHARS]))
    if len(typed) > WORDS_CHARS:
        words += [unit for unit in units(typed) if unit.kind is UnitKind.CODE and unit.start >= WORDS_CHARS]
    once = list({unit.token: unit for unit in reversed(words)}.values())[::-1]
    kept = sorted(once, key=lambda unit: unit.kind is not UnitKind.CODE)[:GROUPS]
    return sorted(kept, key=lambda unit: unit.start)


def _codes_asked(typed: str) -> tuple[Code, ...]:
    found = dict.fromkeys(Code(match.code, match.kind) for match in codes_find(typed))
    whole = code_normalize(typed)
    return tuple(found) or ((whole,) if whole else ())


def _groups(
    typed: str, asked: Sequence[Unit], codes: tuple[Code, ...], extra: dict[str, set[str]]
) -> tuple[Group, ...]:
    """The groups of a text; `extra` has for tokens of units the codes that they are another name of."""
    if codes and asked and not any(unit.kind is UnitKind.CODE for unit in asked):
        whole = code_token(codes[0].code)
        extra = {unit.token: {*extra.get(unit.token, ()), whole} for unit in asked}
    carriers = _carrier_messages(codes)
    groups: dict[str, Group] = {}
    for unit in asked:
        last = unit.end == len(typed)
        weight = _unit_weight(unit, carriers, beside_code=bool(codes))
        is_code = unit.kind is UnitKind.CODE and unit.token not in carriers
        for alternatives in _unit_alternatives(typed, unit, last=last, is_code=is_code):
            added = tuple(Alternative(code, code=True, weight=0.9) for code in sorted(extra.get(unit.token, ())))
            groups.setdefault(alternatives[0].token, Group((*alternatives, *added), weight, unit.token in carriers))
    return tuple(groups.values())[:GROUPS]


def _carrier_messages(codes: tuple[Code, ...]) -> set[str]:
    """The tokens of messages that stand beside a code of another kind ("IEF450I ... ABEND=S0C7")."""
    messages = {code_token(code.code) for code in codes if code.kind == CodeKind.MESSAGE}
    return messages if len(messages) < len(codes) else set()


def _unit_weight(unit: Unit, carriers: set[str], *, beside_code: bool) -> float:
    if unit.kind is UnitKind.CODE:
        return CARRIER_WEIGHT if unit.token in carriers else CODE_WEIGHT
    if not beside_code:
        return WORD_WEIGHT
    return WORD_BESIDE_CODE_WEIGHT if unit.token.isalpha() else NAME_BESIDE_CODE_WEIGHT


def _unit_alternatives(typed: str, unit: Unit, *, last: bool, is_code: bool) -> Iterator[tuple[Alternative, ...]]:
    """The tokens of each group of a unit; the last word of a text may be unfinished, so it is a prefix as well."""
    raw = unit.token if unit.kind is UnitKind.CODE else folded(typed[unit.start : unit.end])[:TOKEN_CHARS]
    open_end = (Alternative(raw, prefix=True, weight=0.6),) if last and len(raw) > 1 else ()
    if unit.kind is UnitKind.CODE:
        yield (Alternative(unit.token, code=is_code), *open_end)
    elif unit.kind is UnitKind.WORD:
        yield (Alternative(unit.token), *open_end)
    elif words := compound_words(raw):
        yield from ((Alternative(word),) for word in words)
    else:
        yield (Alternative(unit.token), Alternative(unit.parts[-1]), *open_end)


def _word_runs(typed: str) -> dict[str, tuple[int, int]]:
    """Every run of up to ALIAS_WORDS words, lower case and single blanks -> where it stands."""
    words = list(re.finditer(r"[^\s,;!?]+", typed))
    return {
        " ".join(word[0] for word in words[first:last]).lower(): (words[first].start(), words[last - 1].end())
        for first in range(len(words))
        for last in range(first + 1, min(first + ALIAS_WORDS, len(words)) + 1)
    }
