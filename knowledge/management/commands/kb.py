"""manage.py kb: files in and out, the starter knowledge base, the search index, checks and cleanups."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandError
from django.db import InterfaceError, OperationalError

from knowledge.errors import KnowledgeError
from knowledge.management.exports import export_arguments, exported
from knowledge.management.imports import import_arguments, imported, undo_arguments, undone
from knowledge.management.integrity import (
    check_arguments,
    checked,
    cleaned,
    cleanup_arguments,
    cleanup_undone,
)
from knowledge.search import index_check, index_rebuild_resume
from knowledge.starter import starter_load
from migrations_ops.errors import DatabaseGoneError, OpsError
from migrations_ops.management.following import RunProgress
from migrations_ops.outages import database_away

#: Facts of one thing that are printed; a file can have hundreds of unknown words.
FACTS_TOLD = 12


class Command(BaseCommand):
    help = "The entries: starter, search index, imports, exports, integrity checks and cleanups."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(
            dest="action", required=True, metavar="starter|index|import|undo|export|check|cleanup"
        )
        starter = actions.add_parser("starter", help="Load the entries that are not there yet; edits are kept.")
        index = actions.add_parser("index", help="The search index: rebuild it, or compare it with the entries.")
        index.add_argument("operation", choices=["rebuild", "check"])
        bring = actions.add_parser("import", help="Bring a file of entries, or see what it would do.")
        import_arguments(bring)
        undo = actions.add_parser("undo", help="Take an import or a cleanup back; what people changed since stays.")
        undo_arguments(undo)
        take = actions.add_parser("export", help="Write the knowledge base, or a part of it, to a file.")
        export_arguments(take)
        check = actions.add_parser("check", help="Ask whether the data are sound, and keep the answers.")
        check_arguments(check)
        cleanup = actions.add_parser("cleanup", help="Say what a cleanup or repair would do, or do it.")
        cleanup_arguments(cleanup)
        for one in (starter, index, bring, undo, take, check, cleanup):
            one.add_argument("--json", action="store_true", help="Print JSON.")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        try:
            facts = self._work(action, options)
        except (KnowledgeError, OpsError) as error:
            self._refuse(error, as_json=options["json"])
        except (OperationalError, InterfaceError) as error:
            if not database_away(error):
                raise
            self._refuse(DatabaseGoneError(reason=str(error).strip()), as_json=options["json"])
        code = facts.pop("exit_code", 1 if facts.get("ok") is False else 0)
        self._print(facts, as_json=options["json"])
        if code:
            sys.exit(code)

    def _refuse(self, error: KnowledgeError | OpsError, *, as_json: bool) -> NoReturn:
        if as_json:
            self.stdout.write(json.dumps({"error": {"code": error.code, "message": str(error)}}))
            sys.exit(1)
        raise CommandError(str(error)) from error

    def _work(self, action: str, options: dict[str, Any]) -> dict[str, Any]:
        if action == "starter":
            return _starter()
        if action == "index":
            return _INDEX[options["operation"]]()
        name = "undo --cleanup" if options.get("cleanup") else action
        return _WORK[name](options, RunProgress(self.stderr, quiet=options["json"]))

    def _print(self, facts: dict[str, Any], *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(facts))
            return
        for name, value in facts.items():
            label = name.replace("_", " ")
            if not isinstance(value, dict | list):
                self.stdout.write(f"{label}: {value}")
            elif value:
                self.stdout.write(f"{label}:")
                for line in _lines(value):
                    self.stdout.write(f"  {line}")


def _lines(value: dict[str, Any] | list[Any]) -> Iterator[str]:
    """Several things, a line each."""
    if isinstance(value, list):
        yield from map(str, value)
        return
    for name, one in value.items():
        yield f"{name}: {_counted(one) if isinstance(one, dict) else one}"


def _counted(facts: dict[str, Any]) -> str:
    """Facts of one thing; numbers with what they count."""
    told = [_fact(name, fact) for name, fact in facts.items() if fact]
    more = len(told) - FACTS_TOLD
    return ", ".join([*told[:FACTS_TOLD], f"{more} more"] if more > 0 else told)


def _fact(name: str, fact: Any) -> str:
    if isinstance(fact, int):
        return f"{fact:,} {'found' if name == 'count' else name}"
    return "; ".join(map(str, fact)) if isinstance(fact, list) else str(fact)


def _starter() -> dict[str, Any]:
    return starter_load().as_dict()


def _rebuild() -> dict[str, Any]:
    return {"indexed": index_rebuild_resume()}


def _check() -> dict[str, Any]:
    return index_check().as_dict()


_WORK: dict[str, Callable[[dict[str, Any], RunProgress], dict[str, Any]]] = {
    "import": imported,
    "undo": undone,
    "undo --cleanup": cleanup_undone,
    "export": exported,
    "check": checked,
    "cleanup": cleaned,
}
_INDEX: dict[str, Callable[[], dict[str, Any]]] = {"rebuild": _rebuild, "check": _check}
