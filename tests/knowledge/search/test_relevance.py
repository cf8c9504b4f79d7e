"""How well searches find the entries that help, measured on a judged set over the starter entries."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from knowledge.search import entry_search
from knowledge.starter import starter_load

JUDGED = Path(__file__).with_name("judged.tsv")
FIRST = 10
#: Floors by kind of search: mean reciprocal rank of the first right entry, and the share of right codes among the
#: first ten. They are raised when search gets better and never lowered.
FLOORS = {"code": (1.0, 1.0), "line": (0.98, 0.98), "typo": (0.88, 0.95), "words": (0.90, 0.93)}


@dataclass(frozen=True)
class Judged:
    """A search and the codes whose entries help."""

    kind: str
    text: str
    codes: tuple[str, ...]

    def measured(self) -> tuple[float, float]:
        """Reciprocal rank of the first right entry, and recall of the right codes in the first ten."""
        hits = entry_search(self.text, page_size=FIRST).hits
        found = [hit.entry.code_links[0].error_code.code if hit.entry.code_links else "" for hit in hits]
        places = [place for place, code in enumerate(found, 1) if code in self.codes]
        return (1 / places[0] if places else 0.0), len(set(found) & set(self.codes)) / len(self.codes)


def judged() -> list[Judged]:
    lines = [line.split("\t") for line in JUDGED.read_text().splitlines() if line and not line.startswith("#")]
    return [Judged(kind, text, tuple(codes.split(","))) for kind, text, codes in lines]


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


@pytest.mark.django_db
def test_the_judged_searches_find_what_helps() -> None:
    starter_load()
    results = [(one, *one.measured()) for one in judged()]
    assert len(results) >= 150
    below = []
    for kind, (least_mrr, least_recall) in FLOORS.items():
        mrr = mean([rank for one, rank, _ in results if one.kind == kind])
        recall = mean([share for one, _, share in results if one.kind == kind])
        if mrr < least_mrr or recall < least_recall:
            below.append(f"{kind}: MRR {mrr:.3f}, recall {recall:.3f}")
    missed = [one.text for one, rank, _ in results if rank < 0.2]
    assert below == [], missed
