"""The move of the site's database to another place: where to, how far it is, who said go."""

from __future__ import annotations

import datetime as dt

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from migrations_ops.models.plans import Plan
from migrations_ops.models.runs import Run


class GoMode(models.TextChoices):
    """When a move that is copied and verified cuts over."""

    MANUAL = "manual", _("When someone says go")
    AT = "at", _("At a set time")
    AUTO = "auto", _("By itself, as soon as every row is verified")


class MoveState(models.TextChoices):
    """Where a move is."""

    PLANNED = "planned", _("Planned")
    COPYING = "copying", _("Copying")
    VERIFYING = "verifying", _("Verifying")
    READY = "ready", _("Ready for the go")
    MOVED = "moved", _("Moved, the way back is open")
    CLOSED = "closed", _("Moved, the way back is closed")
    RETURNED = "returned", _("Went back")
    WITHDRAWN = "withdrawn", _("Withdrawn, nothing is left of it")


class Move(models.Model):
    """What a plan of a database move has beside its steps.

    Addresses are without passwords; a secret is empty, `env:<variable>` or sealed with the site's key.
    """

    plan = models.OneToOneField(Plan, models.CASCADE, related_name="move")
    #: The newest run of the plan.
    run = models.OneToOneField(Run, models.SET_NULL, null=True, related_name="move")
    #: Identifies the site in its databases and in the pointer.
    site = models.CharField(max_length=32)
    source_url = models.CharField(_("from"), max_length=1000, blank=True)
    source_secret = models.TextField(blank=True)
    target_url = models.CharField(_("to"), max_length=1000)
    target_secret = models.TextField(blank=True)
    state = models.CharField(_("state"), max_length=16, choices=MoveState, default=MoveState.PLANNED)
    state_since = models.DateTimeField(default=timezone.now)
    #: True from the first trigger on either database until both are without, else NULL; unique, so two never are.
    is_open = models.BooleanField(null=True, default=None, unique=True)
    #: Epoch of the site before the cut-over; the target's is one more.
    epoch = models.PositiveIntegerField()
    go_mode = models.CharField(_("cut-over"), max_length=8, choices=GoMode, default=GoMode.MANUAL)
    go_at = models.DateTimeField(_("cut-over at"), null=True, blank=True)
    go_asked_by = models.CharField(max_length=150, blank=True)
    go_asked_at = models.DateTimeField(null=True)
    rows_per_second = models.PositiveIntegerField(_("speed"), default=0)  # 0: as fast as it can
    quiet_from = models.TimeField(_("quiet hours from"), null=True, blank=True)
    quiet_until = models.TimeField(_("quiet hours until"), null=True, blank=True)
    workers = models.PositiveSmallIntegerField(_("copying processes"), default=2)
    #: Why it does not copy or verify just now; empty while it does.
    held_back = models.CharField(max_length=300, blank=True)
    assessment = models.JSONField(default=dict)
    #: Rows, bytes and seconds of the copy, by table; how long writers were held.
    figures = models.JSONField(default=dict)
    #: Summary of the verification; the whole ledger is a file.
    ledger = models.JSONField(default=dict)
    lag_changes = models.PositiveBigIntegerField(null=True)
    lag_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "ops_moves"
        ordering = ["-id"]
        verbose_name = _("database move")
        verbose_name_plural = _("database moves")
        default_permissions = ("view",)
        permissions = [
            ("move_database", _("Can plan and start a move of the database")),
            ("go_move", _("Can let a move of the database cut over")),
            ("speed_move", _("Can change the speed of a move of the database")),
            ("repair_move", _("Can repair values that a move cannot carry")),
            ("close_return_path", _("Can close the way back of a move of the database")),
        ]

    def __str__(self) -> str:
        return f"{self.source_url} to {self.target_url}"

    def is_quiet(self, moment: dt.datetime) -> bool:
        """Whether the move may copy and verify at this local time; always without quiet hours."""
        if self.quiet_from is None or self.quiet_until is None:
            return True
        now = moment.time()
        if self.quiet_from <= self.quiet_until:
            return self.quiet_from <= now < self.quiet_until
        return now >= self.quiet_from or now < self.quiet_until

    def go_given(self, moment: dt.datetime) -> bool:
        """Whether it may cut over at this moment."""
        if self.go_asked_at is not None or self.go_mode == GoMode.AUTO:
            return True
        return self.go_mode == GoMode.AT and self.go_at is not None and moment >= self.go_at
