"""The queue's broker on a database that moves."""

from __future__ import annotations

import pytest
from django_q.models import OrmQ
from django_q.tasks import async_task

from kbsite.broker import FollowingBroker, again
from migrations_ops.errors import DatabaseMovedError


@pytest.mark.django_db
def test_tasks_go_through_our_broker() -> None:
    async_task("builtins.len", "abc")
    broker = FollowingBroker()
    [(key, _payload)] = broker.dequeue()
    assert OrmQ.objects.get().pk == key
    broker.acknowledge(key)
    assert not OrmQ.objects.exists()


@pytest.mark.django_db
def test_what_a_fence_refused_is_asked_again_once() -> None:
    answers: list[object] = [DatabaseMovedError(), "done"]

    def work() -> object:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert again(work) == "done"
    answers += [DatabaseMovedError(), DatabaseMovedError()]
    with pytest.raises(DatabaseMovedError):
        again(work)
