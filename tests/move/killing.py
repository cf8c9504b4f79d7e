"""Kills the mover between any two statements: an exception that no handler catches, connections lost.

What was not committed is gone then, files stay as they are. Dying at a commit is dying before the last
statement ahead of it, or before the first one after it, whichever database those go to.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper


class Killed(BaseException):
    """The mover is gone; no handler may see this."""


class Killer:
    """Dies at one of the points that a mover comes to; None: only counts them."""

    def __init__(self, at: int | None) -> None:
        self.at = at
        self.passed = 0
        self.dead = False
        #: The point before each call that `around` watched.
        self.marks: list[int] = []

    def point(self) -> None:
        """Die here, or come past. The dead come past nothing."""
        if self.passed == self.at:
            self.dead = True
            raise Killed
        self.passed += 1

    def statement(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        """A statement of a connection."""
        self.point()
        return execute(sql, params, many, context)

    def around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """The call with a point before and one after it."""

        def killable(*args: Any, **options: Any) -> Any:
            self.marks.append(self.passed)
            self.point()
            done = call(*args, **options)
            self.point()
            return done

        return killable


def points_tried(killer: Killer) -> list[int]:
    """Points of an undisturbed walk at which others die: all from shortly before the first mark on, every fourth
    before that. KB_TEST_KILL_ALL=1: every single one. One more is the walk on which nobody dies."""
    points = range(killer.passed + 1)
    if os.environ.get("KB_TEST_KILL_ALL") == "1":
        return list(points)
    mark = min(killer.marks, default=killer.passed) - 4
    return [point for point in points if point >= mark or point % 4 == 0]


@contextmanager
def killing(at: int | None, *connections: BaseDatabaseWrapper) -> Iterator[Killer]:
    """A process that dies before statement number `at` of all that these connections send."""
    killer = Killer(at)
    try:
        with ExitStack() as wrapped:
            for connection in connections:
                wrapped.enter_context(connection.execute_wrapper(killer.statement))
            yield killer
    except Killed:
        for connection in connections:
            connection.close()
