"""Tells people when a part of the site turns red, and when it is well again: once for each change.

By mail to those who may be told (permission `receive_alerts`) where a mail server is set, and by POST to
a webhook. What is told names the part and its colour, no host, account or error text.
"""

from __future__ import annotations

import json
import logging
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from datetime import timedelta
from http.client import HTTPException, HTTPMessage
from smtplib import SMTPException
from typing import IO, Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from migrations_ops.integrity.check import HealthFact
from migrations_ops.integrity.checking import checks_run
from migrations_ops.integrity.cleaning import cleanups_tidy
from migrations_ops.integrity.health import health
from migrations_ops.models import HealthState
from migrations_ops.queue import schedule_ensure

logger = logging.getLogger(__name__)

WATCH, NIGHTLY = "ops-health-watch", "ops-integrity-checks"
WATCH_EVERY, CHECK_EVERY = timedelta(minutes=5), timedelta(days=1)
WEBHOOK_SECONDS = 10
PERSON = "schedule"


def integrity_schedule() -> None:
    """Have the worker look at the site's health every few minutes, and at the data every day."""
    schedule_ensure(name=WATCH, function="migrations_ops.integrity.alerts.health_watch", every=WATCH_EVERY)
    schedule_ensure(name=NIGHTLY, function="migrations_ops.integrity.alerts.checks_scheduled", every=CHECK_EVERY)


def checks_scheduled() -> str:
    """Ask every check, forget what is over, and tell who is to be told; the verdict."""
    check_run = checks_run(actor=PERSON)
    cleanups_tidy()
    health_watch()
    return str(check_run.status)


def health_watch() -> int:
    """Note the colour of every part and tell of those that turned red or are red no longer; how many."""
    facts = {fact.name: fact for fact in health()}
    for fact in facts.values():
        _note(fact)
    changed = [(facts[state.name], state) for state in _untold() if state.name in facts]
    claimed = [(fact, state) for fact, state in changed if _claimed(state)]
    if claimed and not _told([fact for fact, _state in claimed]):
        for _fact, state in claimed:  # nobody heard it: the next look tries again
            HealthState.objects.filter(name=state.name, told=state.tone).update(told=state.told)
    return len(claimed)


def _note(fact: HealthFact) -> None:
    state, made = HealthState.objects.get_or_create(name=fact.name, defaults={"tone": fact.tone, "told": "ok"})
    if not made and state.tone != fact.tone:
        HealthState.objects.filter(name=fact.name, tone=state.tone).update(tone=fact.tone, since=timezone.now())


def _untold() -> Iterator[HealthState]:
    """Parts that are red and nobody was told, or that people believe to be red and are not."""
    for state in HealthState.objects.exclude(tone=F("told")).order_by("name"):
        if "fail" in {state.tone, state.told}:
            yield state


def _claimed(state: HealthState) -> bool:
    """Whether this process tells of it; another one may look at the same moment."""
    with transaction.atomic():
        mine = HealthState.objects.filter(name=state.name, tone=state.tone, told=state.told)
        return mine.update(told=state.tone) == 1


def _told(facts: list[HealthFact]) -> bool:
    """Whether anybody was reached; True where nobody is to be told."""
    ways = [way for way in (_mailed(facts), _posted(facts)) if way is not None]
    return any(ways) or not ways


def people_told() -> list[str]:
    """Addresses of the active people who may be told."""
    users = get_user_model().objects.filter(is_active=True).exclude(email="")
    return [user.email for user in users if user.has_perm("migrations_ops.receive_alerts")]


def _mailed(facts: list[HealthFact]) -> bool | None:
    people = people_told() if settings.MAIL_FROM else []
    if not people:
        return None
    red = [fact for fact in facts if fact.tone == "fail"]
    names = ", ".join(str(fact.title) for fact in red or facts)
    subject = _("Knowledge base: %(parts)s needs attention") if red else _("Knowledge base: %(parts)s is well again")
    lines = [f"{fact.title}: {fact.value}. {fact.remedy}".strip() for fact in facts]
    body = "\n".join([*lines, "", f"{settings.SITE_URL}/console/health/"])
    mail = EmailMessage(subject % {"parts": names}, body, settings.MAIL_FROM, bcc=people)
    try:
        return mail.send() == 1
    except (SMTPException, OSError, ValueError) as error:
        logger.warning("The alert was not mailed: %s", error)
        return False


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """An alert goes where the operator said, and nowhere else."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        return None


def _posted(facts: Iterable[HealthFact]) -> bool | None:
    if not settings.OPS_ALERT_WEBHOOK:
        return None
    document: dict[str, Any] = {
        "site": settings.SITE_URL,
        "parts": [{"name": fact.name, "title": str(fact.title), "tone": fact.tone} for fact in facts],
        "text": "; ".join(f"{fact.title}: {'red' if fact.tone == 'fail' else 'no longer red'}" for fact in facts),
    }
    request = urllib.request.Request(  # noqa: S310 - the settings take https, or http on this machine, only
        settings.OPS_ALERT_WEBHOOK, json.dumps(document).encode(), {"Content-Type": "application/json"}
    )
    opener = urllib.request.build_opener(_NoRedirect)
    try:
        with opener.open(request, timeout=WEBHOOK_SECONDS) as answer:
            return bool(200 <= answer.status < 300)
    except (urllib.error.URLError, HTTPException, OSError, ValueError) as error:
        logger.warning("The alert was not posted: %s", type(error).__name__)
        return False
