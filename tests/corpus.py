"""Many entries and searches that look like ours, made from the starter knowledge base; equal for equal numbers.

Each entry takes the lines of a starter entry and of its neighbours, with names, numbers and codes of its own,
so the words are as skewed as ours and names stay rare. Use follows a power law.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from knowledge.models import Entry, EntryStatus, ErrorCode, Severity, Tag
from knowledge.search.rows import marks, stored
from knowledge.starter import starter_read

BATCH_ROWS = 2_000
_NAME = re.compile(r"\b[A-Z][A-Z0-9]{4,7}\b")
_SYLLABLES = [
    "PAY",
    "INV",
    "ORD",
    "CUS",
    "ACC",
    "LED",
    "GL",
    "TAX",
    "BIL",
    "CLM",
    "POL",
    "SHP",
    "STK",
    "HR",
    "LN",
    "DEP",
    "FX",
    "SEC",
    "RPT",
    "EXT",
    "UPD",
    "MRG",
    "BKP",
    "ARC",
]


@dataclass(frozen=True)
class _Source:
    """One starter entry in pieces."""

    title: str
    problem: list[str]
    solution: list[str]
    category: str
    severity: str
    tags: list[str]
    codes: list[str]


class Corpus:
    """`count` entries and any number of searches."""

    def __init__(self, count: int) -> None:
        self.count = count
        data = starter_read()
        self.sources = [
            _Source(
                entry["title"],
                [line for line in entry["problem"].splitlines() if line.strip()],
                [line for line in entry["solution"].splitlines() if line.strip() and not line.startswith("```")],
                entry["category"],
                entry["severity"],
                entry["tags"],
                entry["codes"],
            )
            for entry in data.entries
        ]
        self.kinds = {record["code"]: record["kind"] for record in data.codes}
        self.codes = [*self.kinds, *self._made_codes()]
        self.aliases = [alias for record in data.codes for alias in record["aliases"]]
        #: Later sources are taken less often.
        self.weights = [1 / (number + 4) for number in range(len(self.sources))]
        self.by_category: dict[str, list[_Source]] = {}
        for source in self.sources:
            self.by_category.setdefault(source.category, []).append(source)

    def _made_codes(self) -> Iterator[str]:
        chance = random.Random(1)
        for _ in range(max(200, min(20_000, self.count // 20))):
            head = chance.choice(["IEF", "IEC", "IGD", "ICH", "IDC", "DFS", "DSNT", "CEE", "WER", "IGZ"])
            yield f"{head}{chance.randint(100, 9999)}{chance.choice('IEAW')}"

    def entry(self, number: int) -> tuple[dict[str, Any], list[str], list[str]]:
        """The values of an entry, its tags and its codes."""
        chance = random.Random(number * 7_919 + 13)
        source = chance.choices(self.sources, self.weights)[0]
        other = chance.choice(self.by_category[source.category])
        name, job = self.name(chance), self.name(chance)
        own = source.codes[0] if source.codes and chance.random() < 0.6 else chance.choice(self.codes)
        title = _NAME.sub(name, source.title)
        if source.codes:
            title = title.replace(source.codes[0], own)
        problem = [f"{job} {chance.choice(['ended with', 'shows', 'stops with', 'abends with'])} {own}."]
        problem += chance.sample(source.problem, min(len(source.problem), 4))
        solution = chance.sample(source.solution, min(len(source.solution), chance.randint(4, 14)))
        solution += chance.sample(other.solution, min(len(other.solution), chance.randint(1, 6)))
        used = int(chance.paretovariate(0.55)) - 1
        values = {
            "id": UUID(int=chance.getrandbits(128), version=4),
            "title": f"{title} in {name}"[:255],
            "problem": _NAME.sub(lambda _: self.name(chance), "\n".join(problem))[:5_000],
            "solution": "\n".join(solution)[:10_000],
            "category": source.category,
            "severity": chance.choices(Severity.values, [1, 3, 5, 2])[0],
            "status": chance.choices([EntryStatus.PUBLISHED, EntryStatus.DRAFT, EntryStatus.ARCHIVED], [97, 2, 1])[0],
            "usage_count": min(used, 10**6),
            "success_count": chance.randint(0, min(used, 400) // 3),
            "failure_count": chance.randint(0, min(used, 400) // 8),
        }
        return values, sorted({*source.tags, *other.tags[:1]}), list(dict.fromkeys([own, *source.codes[1:4]]))

    def name(self, chance: random.Random) -> str:
        """A job, program or data set name; there are many and each is rare."""
        number = int(chance.paretovariate(0.5)) % max(1_000, self.count // 2)
        return f"{chance.choice(_SYLLABLES)}{chance.choice(_SYLLABLES)[:2]}{number % 10_000:03d}"[:8]

    def write(self) -> None:
        """Put the entries into the database, without their index."""
        tags = self._labels(Tag, "name", {tag for source in self.sources for tag in source.tags})
        codes = self._labels(ErrorCode, "code", {*self.codes, *(code for one in self.sources for code in one.codes)})
        usual = {
            field.column: field.get_db_prep_save(field.get_default(), connection)
            for field in Entry._meta.concrete_fields
        }
        for first in range(0, self.count, BATCH_ROWS):
            made = [self.entry(number) for number in range(first, min(first + BATCH_ROWS, self.count))]
            keyed = [(stored(values["id"]), values, names, own) for values, names, own in made]
            with transaction.atomic():
                written(
                    "kb_entries", [*usual], [(*(usual | values | {"id": key}).values(),) for key, values, _, _ in keyed]
                )
                of_tags = [(key, tags[name]) for key, _, names, _ in keyed for name in names]
                written("kb_entry_tags", ["entry_id", "tag_id"], of_tags)
                of_codes = [(key, codes[code], place) for key, _, _, own in keyed for place, code in enumerate(own)]
                written("kb_entry_codes", ["entry_id", "error_code_id", "position"], of_codes)

    def _labels(self, model: type[Tag | ErrorCode], field: str, values: set[str]) -> dict[str, int]:
        more = [{"kind": self.kinds.get(value, "message")} if model is ErrorCode else {} for value in sorted(values)]
        made = [model(**{field: value}, **rest) for value, rest in zip(sorted(values), more, strict=True)]
        model.objects.bulk_create(made, ignore_conflicts=True)
        return dict(model.objects.values_list(field, "pk"))

    def searches(self, count: int, *, seed: int = 3) -> list[str]:
        """What people would type: mostly codes, symptoms and message lines of much used entries."""
        chance = random.Random(seed)
        return [self._search(chance) for _ in range(count)]

    def _search(self, chance: random.Random) -> str:
        source = chance.choices(self.sources, self.weights)[0]
        code = source.codes[0] if source.codes and chance.random() < 0.7 else chance.choice(self.codes)
        words = re.findall(r"[A-Za-z]{3,}", f"{source.title} {' '.join(source.problem)}")
        phrase = " ".join(words[(at := chance.randrange(len(words))) : at + chance.randint(2, 4)])
        common = [
            "abend",
            "job",
            "file",
            "data",
            "dataset",
            "program",
            "error",
            "step",
            "cobol",
            "db2",
            "record",
            "check",
        ]
        kinds = {
            code: 26,
            f"{self.name(chance)} {self.name(chance)} - ABEND={code} U0000 REASON=00000000": 8,
            f"{code} {chance.choice(words)}": 10,
            phrase: 24,
            chance.choice(common): 6,
            " ".join(chance.sample(common, 2)): 5,
            " ".join(chance.sample(common, 3)): 2,
            phrase[: chance.randint(3, max(4, len(phrase)))]: 6,
            self.name(chance): 4,
            chance.choice(self.aliases): 4,
            f"category:{source.category} {chance.choice(words)}": 2,
            f"tag:{chance.choice(source.tags)} {chance.choice(words)}": 1,
            self._mistyped(chance, words): 2,
        }
        return chance.choices([*kinds], [*kinds.values()])[0]

    def _mistyped(self, chance: random.Random, words: list[str]) -> str:
        word = max(chance.sample(words, min(3, len(words))), key=len)
        at = chance.randrange(1, len(word))
        return word[:at] + word[at + 1 :]


def written(table: str, columns: list[str], values: list[tuple[Any, ...]]) -> None:
    """Add rows as fast as the database takes them."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks(len(columns))})", values)
            return
        with cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
            for row in values:
                copy.write_row(row)
