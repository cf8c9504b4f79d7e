"""manage.py kb: load the starter knowledge base, rebuild and check the search index."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from knowledge.errors import KnowledgeError
from knowledge.search import index_check, index_rebuild_resume
from knowledge.starter import starter_load


class Command(BaseCommand):
    help = "Loads the starter knowledge base; rebuilds or checks the search index."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="starter|index")
        starter = actions.add_parser("starter", help="Load the entries that are not there yet; edits are kept.")
        index = actions.add_parser("index", help="The search index: rebuild it, or compare it with the entries.")
        index.add_argument("operation", choices=["rebuild", "check"])
        for one in (starter, index):
            one.add_argument("--json", action="store_true", help="Print JSON.")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        work: Callable[[], dict[str, Any]] = _starter if action == "starter" else _INDEX[options["operation"]]
        try:
            facts = work()
        except KnowledgeError as error:
            if options["json"]:
                self.stdout.write(json.dumps({"error": error.code, "message": str(error)}))
                sys.exit(1)
            raise CommandError(str(error)) from error
        self._print(facts, as_json=options["json"])
        if facts.get("ok") is False:
            sys.exit(1)

    def _print(self, facts: dict[str, Any], *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(facts))
            return
        for name, value in facts.items():
            self.stdout.write(f"{name.replace('_', ' ')}: {value}")


def _starter() -> dict[str, Any]:
    return starter_load().as_dict()


def _rebuild() -> dict[str, Any]:
    return {"indexed": index_rebuild_resume()}


def _check() -> dict[str, Any]:
    return index_check().as_dict()


_INDEX: dict[str, Callable[[], dict[str, Any]]] = {"rebuild": _rebuild, "check": _check}
