"""The console's first page: where the site is and how it feels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext as _

from migrations_ops import queue
from migrations_ops.checkpoints import checkpoints_space_needed, database_size, disk_free
from migrations_ops.console.present.checkpoints import proof_badge
from migrations_ops.console.present.quantities import age_text, duration_text, size_text
from migrations_ops.models import Checkpoint, CheckpointKind, CheckpointState, PlanKind, Run, RunState
from migrations_ops.phase import phases
from migrations_ops.risk import CHECKPOINT_FRESH


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One figure of the site's health."""

    label: str
    value: str
    hint: str
    tone: str = ""
    url_name: str = ""


def ladder(level: int) -> list[dict[str, Any]]:
    """Every level of this release: open, next, or later."""
    return [
        {
            "phase": phase,
            "is_open": phase.level <= level,
            "is_here": phase.level == level,
            "is_next": phase.level == level + 1,
        }
        for phase in phases()
    ]


def tiles() -> list[Tile]:
    """The health of the site in five figures."""
    return [database_tile(), worker_tile(), disk_tile(), checkpoint_tile(), rehearsal_tile()]


def database_tile() -> Tile:
    """Which database, and how large."""
    return Tile(label=_("Database"), value=size_text(database_size()), hint=connection.display_name, tone="ok")


def worker_tile() -> Tile:
    """Whether somebody takes work from the queue."""
    alive = [worker for worker in queue.workers() if worker.alive]
    waiting = _("%(n)d task(s) waiting") % {"n": queue.waiting_tasks()}
    if not alive:
        hint = _("Nothing runs in the background. %(waiting)s") % {"waiting": waiting}
        return Tile(label=_("Worker"), value=_("none"), hint=hint, tone="fail", url_name="console:workers")
    newest = min(worker.age for worker in alive)
    hint = _("heartbeat %(age)s ago, %(waiting)s") % {
        "age": duration_text(max(1, round(newest.total_seconds()))),
        "waiting": waiting,
    }
    return Tile(
        label=_("Worker"), value=_("%(n)d alive") % {"n": len(alive)}, hint=hint, tone="ok", url_name="console:workers"
    )


def disk_tile() -> Tile:
    """Free space against what the next run needs."""
    free, needed = disk_free(), checkpoints_space_needed()
    hint = _("a checkpoint takes up to %(size)s") % {"size": size_text(needed)}
    tone = "ok" if free > needed * 4 else "warn" if free > needed * 2 else "fail"
    return Tile(label=_("Disk free"), value=size_text(free), hint=hint, tone=tone)


def checkpoint_tile() -> Tile:
    """The newest whole checkpoint and its proof."""
    latest = Checkpoint.objects.filter(kind=CheckpointKind.FULL, state=CheckpointState.COMPLETE).first()
    label, url = _("Last checkpoint"), "console:checkpoints"
    if latest is None:
        return Tile(label=label, value=_("none"), hint=_("Make one, or rehearse a plan"), tone="warn", url_name=url)
    fresh = timezone.now() - latest.created_at < CHECKPOINT_FRESH
    tone = "ok" if fresh and latest.verified_at else "warn"
    return Tile(
        label=label, value=age_text(latest.created_at), hint=str(proof_badge(latest).label), tone=tone, url_name=url
    )


def rehearsal_tile() -> Tile:
    """The newest rehearsal and how it ended."""
    last = Run.objects.filter(plan__kind=PlanKind.REHEARSAL).select_related("plan").first()
    if last is None:
        return Tile(label=_("Last rehearsal"), value=_("none"), hint=_("Rehearse a plan before you start it"))
    tones = {RunState.SUCCEEDED: "ok", RunState.FAILED: "fail"}
    hint = _("run %(run)d, MVP%(from)d to MVP%(to)d, %(age)s")
    if last.plan.options.get("target"):
        hint = _("run %(run)d, of a database move, %(age)s")
    hint %= {
        "run": last.pk,
        "from": last.plan.from_level,
        "to": last.plan.to_level,
        "age": age_text(last.created_at),
    }
    tone = tones.get(RunState(last.state), "")
    return Tile(label=_("Last rehearsal"), value=last.get_state_display(), hint=hint, tone=tone)
