"""How fast the site's database moves, beside other ways, on rows shaped like those of the highest level.

`make bench` moves some 1.1 million rows; KB_BENCH_LARGE=1 does it with ten times as many as well.
KB_BENCH_MOVE=copying,verifying names the sections that are wanted. Everything is measured in one run on one
server, so the ratios tell more than the seconds; the load of the machine stands beside them.
"""

from __future__ import annotations

import os
import tempfile
from importlib import import_module
from pathlib import Path

import django

#: In this order; each is a module of tests.bench.moving with a function `measure(world)`.
SECTIONS = ("copying", "verifying")


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kbsite.settings")
    django.setup()
    from tests.bench.moving.world import world_made

    wanted = os.environ.get("KB_BENCH_MOVE", ",".join(SECTIONS)).split(",")
    for times in [1, 10] if os.environ.get("KB_BENCH_LARGE") == "1" else [1]:
        with tempfile.TemporaryDirectory(prefix="kb-bench-") as folder, world_made(Path(folder), times) as world:
            for section in SECTIONS:
                if section in wanted:
                    import_module(f"tests.bench.moving.{section}").measure(world)


if __name__ == "__main__":
    main()
