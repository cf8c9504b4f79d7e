"""Tasks of a phase as runs: started from its pages, moved by the console, rolled back or refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from knowledge.models import Tag
from migrations_ops.errors import LevelClosedError, RunActiveError
from migrations_ops.models import Plan, RunState
from migrations_ops.phase import phases
from migrations_ops.runner import run_inline
from migrations_ops.runs import actions_legal, rollback_confirmation_expected, run_rollback
from migrations_ops.task_runs import task_enqueue, task_runs
from migrations_ops.tasks import RollbackRefusedError, TaskKind, TaskUnknownError
from tests.engine.builders import TagStep, run_back

pytestmark = pytest.mark.django_db(transaction=True)


@dataclass(frozen=True, kw_only=True)
class OneWayStep(TagStep):
    reversible: ClassVar[bool] = False


def steps(options: Mapping[str, Any]) -> tuple[TagStep, ...]:
    made = OneWayStep if options.get("oneway") else TagStep
    return (made(name="tagging/tags", title="Make tags", count=options["count"]),)


TAGGING = TaskKind(
    name="tagging",
    steps=steps,
    permission="knowledge.run_import",
    permission_back="knowledge.undo_import",
    rollback_refused=lambda options: "it is too long ago." if options.get("old") else "",
)


@pytest.fixture(autouse=True)
def tagging(monkeypatch: pytest.MonkeyPatch) -> None:
    first, *rest = phases()
    changed = (replace(first, tasks=(*first.tasks, TAGGING)), *(replace(one, tasks=()) for one in rest))
    monkeypatch.setattr("migrations_ops.tasks.phases", lambda: changed)


def enqueue(**options: Any) -> Any:
    return task_enqueue(
        task="tagging", label="Three tags", actor="ada", options={"count": 3, **options}, page="/tags/", inline=True
    )


def test_a_task_runs_and_is_rolled_back() -> None:
    run = run_inline(enqueue().pk)
    assert (run.state, Tag.objects.count()) == (RunState.SUCCEEDED, 3)
    assert run_back(run).state == RunState.ROLLED_BACK
    assert not Tag.objects.exists()


def test_an_older_task_can_be_rolled_back_while_newer_ones_stay() -> None:
    first = run_inline(enqueue().pk)
    second = run_inline(enqueue(count=0).pk)
    assert run_back(first).state == RunState.ROLLED_BACK
    assert actions_legal(second) == ["roll_back"]


def test_a_second_task_is_refused_and_leaves_no_plan() -> None:
    enqueue()
    with pytest.raises(RunActiveError):
        enqueue()
    assert Plan.objects.count() == 1


@pytest.mark.parametrize("option", ["old", "oneway"])
def test_what_can_no_longer_be_undone_says_why(option: str) -> None:
    run = run_inline(enqueue(**{option: True}).pk)
    assert actions_legal(run) == []
    with pytest.raises(RollbackRefusedError):
        run_rollback(run=run, actor="ada", confirmation=rollback_confirmation_expected(run))


def test_runs_of_a_task_are_found_by_their_options() -> None:
    run = run_inline(enqueue(number=7).pk)
    assert list(task_runs("tagging", number=7)) == [run]
    assert not task_runs("tagging", number=8).exists()


def test_unknown_tasks_and_closed_levels_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TaskUnknownError):
        task_enqueue(task="sweeping", label="?", actor="ada", options={})
    first, second, *_rest = phases()
    monkeypatch.setattr("migrations_ops.tasks.phases", lambda: (first, replace(second, tasks=(TAGGING,))))
    with pytest.raises(LevelClosedError):
        enqueue()


@pytest.mark.parametrize(("codename", "may"), [("run_import", False), ("undo_import", True)])
def test_who_may_do_a_task_may_move_its_runs(client: Client, codename: str, may: bool) -> None:
    user = User.objects.create_user("eve", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename=codename))
    client.force_login(user)
    run = run_inline(enqueue().pk)
    page = client.get(f"/console/runs/{run.pk}/")
    assert page.status_code == 200
    assert ("act-roll_back" in page.text) is may
    assert client.get(f"/console/runs/{run.pk}/roll_back/").status_code == (200 if may else 403)
    assert client.get(f"/console/plans/{run.plan_id}/").status_code == 200
    assert 'href="/tags/"' in page.text
