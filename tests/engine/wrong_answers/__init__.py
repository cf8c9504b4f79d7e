"""An app without models that makes the new database of a move answer wrongly."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.apps import AppConfig


def wrong(*args: Any) -> Iterator[str]:
    yield "kb_entries does not answer."


class WrongAnswersConfig(AppConfig):
    name = "tests.engine.wrong_answers"

    def ready(self) -> None:
        from migrations_ops.steps.move import cutover

        cutover.smoke = wrong
