"""The lease of a run: who may move it. Every write of a worker is fenced by its token."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

from django.db.models import Case, Q, Value, When
from django.utils import timezone

from migrations_ops import queue
from migrations_ops.errors import LeaseLostError
from migrations_ops.models import Direction, Run, RunState

#: How long a worker may be silent before another one may take its run.
LEASE = timedelta(seconds=45)

CLAIMABLE = (RunState.QUEUED, RunState.RUNNING, RunState.PAUSING, RunState.ROLLING_BACK)


@dataclass(frozen=True)
class Lease:
    """The right to move one run, until another worker takes it."""

    run_id: int
    token: UUID
    worker: str


def worker_name() -> str:
    """Host and process that works."""
    return f"{socket.gethostname()}:{os.getpid()}"


def run_claim(run_id: int, *, worker: str | None = None) -> Lease | None:
    """A lease on the run, or None when it is not to be moved or another worker holds it."""
    lease = Lease(run_id, uuid4(), worker or worker_name())
    now = timezone.now()
    free = Q(lease_token__isnull=True) | Q(lease_until__lt=now)
    claimed = Run.objects.filter(free, pk=run_id, state__in=CLAIMABLE).update(
        lease_token=lease.token,
        lease_until=now + LEASE,
        heartbeat_at=now,
        worker=lease.worker,
        waiting_for="",
        state=Case(
            When(state=RunState.QUEUED, direction=Direction.BACK, then=Value(RunState.ROLLING_BACK)),
            When(state=RunState.QUEUED, then=Value(RunState.RUNNING)),
            default="state",
        ),
        state_since=Case(When(state=RunState.QUEUED, then=Value(now)), default="state_since"),
    )
    return lease if claimed else None


def lease_extend(lease: Lease, **changes: object) -> None:
    """Keep the lease and write `changes` to the run. Raises LeaseLostError.

    As the first statement of a batch's transaction it holds the run's row until the commit, so two
    workers can never both commit.
    """
    now = timezone.now()
    held = Run.objects.filter(pk=lease.run_id, lease_token=lease.token).update(
        lease_until=now + LEASE, heartbeat_at=now, **changes
    )
    if not held:
        raise LeaseLostError(worker=lease.worker, run=lease.run_id)


def lease_release(lease: Lease, **changes: object) -> None:
    """Give the run back and write `changes` to it. Raises LeaseLostError."""
    held = Run.objects.filter(pk=lease.run_id, lease_token=lease.token).update(
        lease_token=None, lease_until=None, heartbeat_at=timezone.now(), **changes
    )
    if not held:
        raise LeaseLostError(worker=lease.worker, run=lease.run_id)


def runs_watch() -> int:
    """Queue every run that should move and that nobody moves; returns how many. Runs every minute."""
    now = timezone.now()
    silent = Q(lease_until__lt=now) | Q(lease_token__isnull=True, heartbeat_at__lt=now - LEASE)
    silent |= Q(lease_token__isnull=True, heartbeat_at__isnull=True, state_since__lt=now - LEASE)
    left = list(Run.objects.filter(silent, state__in=CLAIMABLE).values_list("pk", flat=True))
    for run_id in left:
        queue.kick(run_id)
    return len(left)
