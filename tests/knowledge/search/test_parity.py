"""The same queries give the same answers, in the same order, on SQLite and on PostgreSQL."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from knowledge.starter import starter_read
from tests.corpus import Corpus
from tests.postgres import PostgresServer
from tests.sites import ROOT, Site, site_drop, site_new

QUERIES = 500
#: With the starter entries there are some 5,000.
MADE = 4_800
FILL = f"from tests.corpus import Corpus; Corpus({MADE}).write(); from knowledge.search import *; index_rebuild()"


def queries() -> list[str]:
    """Codes, aliases, titles, message lines, typed beginnings and random words of the starter entries; searches."""
    data = starter_read()
    chance = random.Random(5)
    found = [record["code"] for record in data.codes]
    found += [alias for record in data.codes for alias in record["aliases"]]
    found += [entry["title"] for entry in data.entries]
    found += [line for entry in data.entries for line in entry["problem"].splitlines() if len(line) > 20]
    words = [word for entry in data.entries for word in entry["solution"].split()]
    found += [" ".join(chance.sample(words, chance.randint(1, 4))) for _ in range(len(found) // 3)]
    found += [text[: chance.randint(2, len(text))] for text in chance.sample(found, len(found) // 4) if len(text) > 2]
    searches = list(dict.fromkeys(Corpus(MADE).searches(300)))[:200]
    return [
        "",
        "tag:vsam",
        "category:DB2 lock",
        '"file status"',
        "abend -cics",
        *searches,
        *chance.sample(found, QUERIES - 5 - len(searches)),
    ]


def answers(site: Site, asked: list[str]) -> list[dict[str, object]]:
    site.manage("migrate", "--verbosity=0")
    site.manage("kb", "starter")
    site.manage("shell", "-c", FILL)
    script = str(Path(__file__).with_name("search_many.py"))
    environment = {**site.env, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, script], input=json.dumps(asked), env=environment, cwd=ROOT, capture_output=True, text=True, check=True
    )  # fmt: skip
    found: list[dict[str, object]] = json.loads(done.stdout)
    return found


@pytest.mark.own_site
def test_500_queries_have_the_same_results_on_both_databases(tmp_path: Path, postgres_server: PostgresServer) -> None:
    asked = queries()
    sites = [site_new(vendor, tmp_path / vendor) for vendor in ("sqlite", "postgresql")]
    try:
        with ThreadPoolExecutor() as pool:
            found = list(pool.map(lambda site: answers(site, asked), sites))
    finally:
        for site in sites:
            site_drop(site)
    assert len(asked) == QUERIES
    different = [one["text"] for one, other in zip(*found, strict=True) if one != other]
    assert different == []
    assert [one["text"] for one in found[0] if not one["counted_alike"]] == []
    assert sum(1 for one in found[0] if one["total"]) > 0.95 * QUERIES
