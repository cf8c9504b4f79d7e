"""Readers and writers for a site that runs: `python -m tests.load http://127.0.0.1:8000 --seconds 60`.

Each reader calls the pages that people use; each writer is a new visitor for every vote. At the end
it prints what it asked for, every error, how many votes the site has confirmed, and how many more
votes the entry has than before. The two must be equal, unless other people vote at the same time.
"""

from __future__ import annotations

import argparse
import json
import re
import time
import urllib.request

from tests.engine.live import Crowd

ENTRY = re.compile(r'href="/entries/([0-9a-f-]{36})/')
PAGES = ("/", "/search/?q=s0c7", "/browse/", "/codes/", "/healthz")
ERRORS_SHOWN = 20


def entry_to_vote_for(address: str) -> str:
    """The id of the first entry that the home page links to. Raises SystemExit."""
    found = ENTRY.search(get(f"{address}/"))
    if found is None:
        raise SystemExit(f"{address} shows no entry; load the starter entries first: manage.py kb starter")
    return found.group(1)


def votes_of(address: str, entry: str) -> int:
    """How many votes the site says that an entry has."""
    return int(json.loads(get(f"{address}/api/v1/entries/{entry}"))["success"]["votes"])


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30) as response:
        return str(response.read().decode())


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("address", help="such as http://127.0.0.1:8000")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long (60)")
    options = parser.parse_args()
    address = options.address.rstrip("/")
    entry = entry_to_vote_for(address)
    before = votes_of(address, entry)
    crowd = Crowd(address, f"/entries/{entry}/", PAGES, rest_seconds=0)
    began = time.monotonic()
    crowd.start()
    try:
        while time.monotonic() - began < options.seconds:
            time.sleep(1)
            print(
                f"\r{time.monotonic() - began:5.0f} s  {crowd.reads} reads, {crowd.votes} votes, {len(crowd.errors)} errors",
                end="",
                flush=True,
            )
    except KeyboardInterrupt:
        pass
    crowd.stop()
    return report(crowd, votes_of(address, entry) - before, time.monotonic() - began)


def report(crowd: Crowd, counted: int, seconds: float) -> int:
    """Print the result; 0 when nobody met an error and every confirmed vote is there once."""
    requests = crowd.reads + 2 * crowd.votes
    lost = counted - crowd.votes
    print(f"\nRequests {requests} in {seconds:.0f} s, errors {len(crowd.errors)}")
    for line in crowd.errors[:ERRORS_SHOWN]:
        print(f"  {line}")
    verdict = "every confirmed vote is there once" if not lost else f"{abs(lost)} {'too many' if lost > 0 else 'LOST'}"
    print(f"Votes confirmed {crowd.votes}, votes that the site counts {counted}: {verdict}")
    return 1 if crowd.errors or lost else 0


if __name__ == "__main__":
    raise SystemExit(main())
