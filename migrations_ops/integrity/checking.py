"""Runs integrity checks and keeps what they find."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from contextlib import nullcontext

from django.db import connection, transaction
from django.utils import timezone

from migrations_ops import queue
from migrations_ops.errors import CheckUnknownError
from migrations_ops.gate import site_level
from migrations_ops.integrity.check import EXAMPLES, Check
from migrations_ops.integrity.own import CHECKS
from migrations_ops.models import CheckResult, CheckRun, CheckStatus
from migrations_ops.phase import phases_open

logger = logging.getLogger(__name__)

#: Past checks that are kept; the newest ones.
RUNS_KEPT = 100
#: Verdicts from the mildest on.
ORDER = list(CheckStatus)


def checks_known() -> dict[str, Check]:
    """Every check of the open levels by name, the engine's own first."""
    of_phases = [check for phase in phases_open(site_level()) for check in phase.integrity_checks]
    return {check.name: check for check in (*CHECKS, *of_phases)}


def checks_named(names: Iterable[str]) -> list[Check]:
    """The checks of these names, all for none. Raises CheckUnknownError."""
    known = checks_known()
    chosen = list(names)
    if unknown := [name for name in chosen if name not in known]:
        raise CheckUnknownError(check=unknown[0], known=", ".join(known))
    return [known[name] for name in chosen or known]


def checks_run(*, actor: str, names: Iterable[str] = ()) -> CheckRun:
    """Ask these questions, or all, and keep the answers; one that fails stops no other.

    Raises CheckUnknownError.
    """
    checks = checks_named(names)
    check_run = CheckRun.objects.create(started_by=actor)
    worst = CheckStatus.OK
    for check in checks:
        result = check_find(check)
        result.check_run = check_run
        result.save(force_insert=True)
        worst = max(worst, CheckStatus(result.status), key=ORDER.index)
    check_run.status, check_run.finished_at = worst, timezone.now()
    check_run.save(update_fields=["status", "finished_at"])
    _forget()
    return check_run


def checks_ask(*, actor: str, names: Iterable[str] = ()) -> None:
    """Have the worker ask these checks, or all. Raises CheckUnknownError."""
    chosen = list(names)
    checks_named(chosen)
    queue.task_add("migrations_ops.integrity.checking.checks_asked", actor, chosen, name="integrity-checks")


def checks_asked(actor: str, names: list[str]) -> str:
    """The worker's part of `checks_ask`; the verdict."""
    return str(checks_run(actor=actor, names=names).status)


def check_find(check: Check) -> CheckResult:
    """What one check finds now, not saved."""
    result = CheckResult(name=check.name, title=str(check.title)[:200], status=CheckStatus.OK)
    began = time.monotonic()
    try:
        # Never a transaction of its own: on SQLite that would keep writers out for as long as the check reads.
        with transaction.atomic() if connection.in_atomic_block else nullcontext():
            found = check.find(EXAMPLES)
    except Exception as error:  # a check may fail in any way; its result says how
        logger.exception("The integrity check %s failed", check.name)
        result.status, result.evidence = CheckStatus.FAILED, f"{type(error).__name__}: {error}"
        if connection.connection is not None and not connection.is_usable():
            connection.close()
    else:
        result.status = check.severity if found.count else CheckStatus.OK
        result.count, result.evidence = found.count, found.evidence
        result.examples = [example.as_json() for example in found.examples]
    result.seconds = round(time.monotonic() - began, 3)
    return result


def latest_results() -> dict[str, CheckResult]:
    """The newest answer of each check of the open levels, by name."""
    known = checks_known()
    found: dict[str, CheckResult] = {}
    for result in (
        CheckResult.objects.filter(name__in=known).select_related("check_run").order_by("-pk")[: len(known) * 20]
    ):
        found.setdefault(result.name, result)
    return found


def _forget() -> None:
    """Keep the newest runs only."""
    surplus = list(CheckRun.objects.order_by("-pk").values_list("pk", flat=True)[RUNS_KEPT : RUNS_KEPT * 2])
    CheckRun.objects.filter(pk__in=surplus).delete()
