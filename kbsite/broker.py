"""The queue's broker: django-q2's own on the site's database, wherever that is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django_q.brokers.orm import ORM

from migrations_ops.errors import DatabaseMovedError
from migrations_ops.place.follow import place_follow

_T = TypeVar("_T")


class FollowingBroker(ORM):
    """Asks again where a fence says that the database was moved.

    An error here would stop the worker for ten seconds, or hand a finished task out a second time.
    """

    def dequeue(self) -> Any:
        return again(super().dequeue)

    def enqueue(self, task: str) -> Any:
        return again(lambda: super(FollowingBroker, self).enqueue(task))

    def delete(self, task_id: int) -> Any:
        return again(lambda: super(FollowingBroker, self).delete(task_id))


def again(work: Callable[[], _T]) -> _T:
    """Do it, and once more at the new place where it was refused at the old one."""
    try:
        return work()
    except DatabaseMovedError:
        place_follow()
        return work()
