"""The site's health as a whole: each part green, amber or red, with what to do."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta

from django.db import connection
from django.utils import timezone
from django.utils.timesince import timesince
from django.utils.translation import gettext as _

from migrations_ops import queue
from migrations_ops.checkpoints import checkpoints_space_needed, database_size, disk_free
from migrations_ops.gate import site_level
from migrations_ops.integrity.check import HealthFact
from migrations_ops.integrity.checking import checks_known, latest_results
from migrations_ops.models import Checkpoint, CheckpointKind, CheckpointState, CheckResult, CheckStatus
from migrations_ops.phase import phases_open

logger = logging.getLogger(__name__)

MEGABYTE = 1024**2
#: A checkpoint or a check that is older than this is worth a thought.
CHECKPOINT_FRESH = timedelta(days=7)
CHECK_FRESH = timedelta(days=3)
#: Tasks that may wait before somebody should look.
TASKS_WAITING = 50
#: Failed tasks are counted over this time.
FAILED_RECENT = timedelta(days=1)
RED = {CheckStatus.ERROR, CheckStatus.FAILED}
#: From green to red.
TONES = ("ok", "warn", "fail")


def health() -> list[HealthFact]:
    """Every part of the site; one that cannot be judged is red and stops no other."""
    parts: list[Callable[[], Iterable[HealthFact]]] = [
        database_health,
        worker_health,
        queue_health,
        disk_health,
        checkpoint_health,
        integrity_health,
    ]
    parts += [part for phase in phases_open(site_level()) for part in phase.health]
    return [fact for part in parts for fact in _guarded(part)]


def health_tone(facts: Iterable[HealthFact]) -> str:
    """The colour of the whole: that of its worst part."""
    return max((fact.tone for fact in facts), key=TONES.index, default="ok")


def _guarded(part: Callable[[], Iterable[HealthFact]]) -> list[HealthFact]:
    try:
        return list(part())
    except Exception as error:  # a part may fail in any way; the page says how
        logger.exception("A part of the health could not be judged")
        name = getattr(part, "__name__", "part").removesuffix("_health")
        remedy = _("The log of the site says more.")
        value = _("cannot be judged")
        return [HealthFact(name=name, title=name, tone="fail", value=value, hint=type(error).__name__, remedy=remedy)]


def database_health() -> Iterator[HealthFact]:
    """The database answers, and how large it is."""
    size = f"{database_size() / MEGABYTE:,.1f} MB"
    yield HealthFact(name="database", title=_("Database"), tone="ok", value=size, hint=connection.display_name)


def worker_health() -> Iterator[HealthFact]:
    """Somebody takes work from the queue."""
    alive = [worker for worker in queue.workers() if worker.alive]
    hint = ""
    if alive:
        seconds = max(0, round(min(worker.age for worker in alive).total_seconds()))
        hint = _("heartbeat %(n)d s ago") % {"n": seconds}
    yield HealthFact(
        name="worker",
        title=_("Worker"),
        tone="ok" if alive else "fail",
        value=_("%(n)d alive") % {"n": len(alive)} if alive else _("none"),
        hint=hint,
        remedy="" if alive else _("Start one: `python -m kbsite.worker`. Runs and scheduled work wait for it."),
        url_name="console:workers",
    )


def queue_health() -> Iterator[HealthFact]:
    """What waits, and what failed lately."""
    waiting = queue.waiting_tasks()
    since = timezone.now() - FAILED_RECENT
    failed = sum(task.stopped_at >= since for task in queue.failed_tasks(100))
    yield HealthFact(
        name="queue",
        title=_("Queue"),
        tone="warn" if failed or waiting > TASKS_WAITING else "ok",
        value=_("%(n)d waiting") % {"n": waiting},
        hint=_("%(n)d failed in the last day") % {"n": failed},
        remedy=_("Read what failed on the page of the workers.") if failed else "",
        url_name="console:workers",
    )


def disk_health() -> Iterator[HealthFact]:
    """Free space against what the next checkpoint needs."""
    free, needed = disk_free(), checkpoints_space_needed()
    tone = "ok" if free > needed * 4 else "warn" if free > needed * 2 else "fail"
    yield HealthFact(
        name="disk",
        title=_("Disk free"),
        tone=tone,
        value=f"{free / MEGABYTE:,.0f} MB",
        hint=_("a checkpoint takes up to %(size)s MB") % {"size": f"{needed / MEGABYTE:,.0f}"},
        remedy="" if tone == "ok" else _("Free some space, or trim old checkpoints."),
        url_name="console:checkpoints",
    )


def checkpoint_health() -> Iterator[HealthFact]:
    """The newest whole checkpoint, and whether a restore of one was tried."""
    title, url = _("Last checkpoint"), "console:checkpoints"
    latest = Checkpoint.objects.filter(kind=CheckpointKind.FULL, state=CheckpointState.COMPLETE).first()
    if latest is None:
        remedy = _("Make one, or rehearse a plan: that makes one and proves that it restores.")
        yield HealthFact(name="checkpoint", title=title, tone="warn", value=_("none"), remedy=remedy, url_name=url)
        return
    fresh = timezone.now() - latest.created_at < CHECKPOINT_FRESH
    tested, verified = latest.restore_tested_at is not None, latest.verified_at is not None
    remedy = ""
    if not fresh:
        remedy = _("Make a new one: everything since would be lost with the database.")
    elif not tested:
        remedy = _("Rehearse a plan: that restores a checkpoint into an empty database and compares every row.")
    yield HealthFact(
        name="checkpoint",
        title=title,
        tone="ok" if fresh and (verified or tested) else "warn",
        value=_("%(age)s ago") % {"age": timesince(latest.created_at, depth=1)},
        hint=_("restore tested")
        if tested
        else _("read back, restore not tested")
        if verified
        else _("never read back"),
        remedy=remedy,
        url_name=url,
    )


def integrity_health() -> Iterator[HealthFact]:
    """What every check has found when it was last asked."""
    title, url = _("Integrity"), "console:checks"
    latest = latest_results()
    if len(latest) < len(checks_known()):
        remedy = _("Check all now; the worker does it once a day.")
        value = _("not everything was checked") if latest else _("never checked")
        tone = "fail" if _worst(latest) in RED else "warn"
        yield HealthFact(name="integrity", title=title, tone=tone, value=value, remedy=remedy, url_name=url)
        return
    status, oldest = _worst(latest), min(result.check_run.started_at for result in latest.values())
    old = timezone.now() - oldest > CHECK_FRESH
    remedy = ""
    if status in {*RED, CheckStatus.WARNING}:
        remedy = _("Look at what was found; most of it can be repaired there.")
    yield HealthFact(
        name="integrity",
        title=title,
        tone="fail" if status in RED else "warn" if old or status == CheckStatus.WARNING else "ok",
        value=str(status.label),
        hint=_("checked %(age)s ago") % {"age": timesince(oldest, depth=1)},
        remedy=_("Check again: the last time is long ago.") if old else remedy,
        url_name=url,
    )


def _worst(results: dict[str, CheckResult]) -> CheckStatus:
    found = (CheckStatus(result.status) for result in results.values())
    return max(found, key=list(CheckStatus).index, default=CheckStatus.OK)
