"""What ran: the run, the journal of its steps, what happened and who did it."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from migrations_ops.models.plans import Plan


class RunState(models.TextChoices):
    """Where a run is. Up to FAILED it holds the site; no other run can start."""

    QUEUED = "queued", _("Queued")
    RUNNING = "running", _("Running")
    PAUSING = "pausing", _("Pausing")
    PAUSED = "paused", _("Paused")
    ROLLING_BACK = "rolling_back", _("Rolling back")
    FAILED = "failed", _("Failed")
    ROLLED_BACK = "rolled_back", _("Rolled back")
    CANCELLED = "cancelled", _("Cancelled")
    SUCCEEDED = "succeeded", _("Succeeded")


ACTIVE_STATES = (
    RunState.QUEUED,
    RunState.RUNNING,
    RunState.PAUSING,
    RunState.PAUSED,
    RunState.ROLLING_BACK,
    RunState.FAILED,
)


#: A run in one of these goes on when a person says so, if at all.
RESTING_STATES = (RunState.PAUSED, RunState.FAILED, RunState.CANCELLED, RunState.SUCCEEDED)


class Direction(models.TextChoices):
    """Whether a run applies its steps or reverts them."""

    FORWARD = "forward", _("Forward")
    BACK = "back", _("Back")


class Intent(models.TextChoices):
    """What a run does at its next safe point, when asked to stop."""

    NONE = "", _("Go on")
    PAUSE = "pause", _("Pause")
    CANCEL = "cancel", _("Cancel and keep what is done")
    ROLL_BACK = "roll_back", _("Roll back")


class Run(models.Model):
    """One execution of a plan.

    Exactly one worker may move it: the one whose token is in `lease_token` before `lease_until`.
    """

    plan = models.ForeignKey(Plan, models.PROTECT, related_name="runs")
    state = models.CharField(_("state"), max_length=16, choices=RunState, default=RunState.QUEUED)
    state_since = models.DateTimeField(default=timezone.now)
    direction = models.CharField(max_length=8, choices=Direction, default=Direction.FORWARD)
    intent = models.CharField(max_length=16, choices=Intent, default=Intent.NONE, blank=True)
    #: True while the run holds the site, else NULL; unique, so two never do.
    active = models.BooleanField(null=True, default=True, unique=True)
    waiting_for = models.CharField(max_length=300, blank=True)
    lease_token = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)
    worker = models.CharField(max_length=120, blank=True)
    heartbeat_at = models.DateTimeField(null=True)
    error = models.TextField(blank=True)
    #: Time in which it was paused, failed or over before it went on: nothing was done then.
    rested_seconds = models.FloatField(default=0.0)
    started_by = models.CharField(_("started by"), max_length=150)
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    started_at = models.DateTimeField(_("started"), null=True)
    finished_at = models.DateTimeField(_("finished"), null=True)

    class Meta:
        db_table = "ops_runs"
        ordering = ["-id"]
        verbose_name = _("run")
        verbose_name_plural = _("runs")
        default_permissions = ("view",)
        permissions = [
            ("start_run", _("Can start a run")),
            ("pause_run", _("Can pause a run")),
            ("resume_run", _("Can resume a run")),
            ("cancel_run", _("Can cancel a run")),
            ("retry_run", _("Can retry a failed run")),
            ("skip_step", _("Can skip a step that is not critical")),
            ("force_stop_run", _("Can take a run away from a stuck worker")),
            ("roll_back_run", _("Can roll a run back")),
        ]
        constraints = [
            models.CheckConstraint(
                name="ops_runs_active_matches_state",
                condition=models.Q(active=True, state__in=ACTIVE_STATES)
                | (models.Q(active__isnull=True) & ~models.Q(state__in=ACTIVE_STATES)),
            )
        ]

    def __str__(self) -> str:
        return f"{self.pk}: {self.get_state_display()}"


class StepState(models.TextChoices):
    """Where one step of a run is."""

    PENDING = "pending", _("Pending")
    RUNNING = "running", _("Running")
    DONE = "done", _("Done")
    WARNING = "warning", _("Failed, not critical")
    FAILED = "failed", _("Failed")
    SKIPPED = "skipped", _("Skipped")
    REVERTING = "reverting", _("Reverting")
    REVERTED = "reverted", _("Reverted")


class StepRecord(models.Model):
    """The journal of one step: how far it is, both ways."""

    run = models.ForeignKey(Run, models.CASCADE, related_name="steps")
    position = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=100)
    title = models.CharField(max_length=200)
    kind = models.CharField(max_length=16)
    critical = models.BooleanField(default=True)
    state = models.CharField(max_length=16, choices=StepState, default=StepState.PENDING)
    cursor = models.JSONField(null=True)
    revert_cursor = models.JSONField(null=True)
    rows_done = models.PositiveBigIntegerField(default=0)
    rows_total = models.PositiveBigIntegerField(null=True)
    #: Seconds spent in batches, forward and back; with rows_done it gives the measured rate.
    busy_seconds = models.FloatField(default=0.0)
    revert_busy_seconds = models.FloatField(default=0.0)
    #: Rows and seconds of the latest batches, older ones counting less and less: the rate at which it goes now.
    recent_rows = models.FloatField(default=0.0)
    recent_seconds = models.FloatField(default=0.0)
    #: Rows that were in the tables to which the step adds; None where a row costs the same however many there are.
    rows_before = models.PositiveBigIntegerField(null=True)
    #: Starts since the last committed batch; too many mean that the step kills its worker.
    attempts = models.PositiveSmallIntegerField(default=0)
    result = models.JSONField(default=dict)
    error = models.TextField(blank=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "ops_steps"
        ordering = ["run", "position"]
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(fields=["run", "name"], name="ops_steps_name_once"),
            models.UniqueConstraint(fields=["run", "position"], name="ops_steps_position_once"),
        ]

    def __str__(self) -> str:
        return f"{self.run_id} {self.name}: {self.state}"


class EventLevel(models.TextChoices):
    """Weight of a journal line; AUDIT is something that a person did."""

    INFO = "info", _("Info")
    WARN = "warn", _("Warning")
    ERROR = "error", _("Error")
    AUDIT = "audit", _("Action")


class RunEvent(models.Model):
    """One line of the journal: what happened, who did it and why."""

    run = models.ForeignKey(Run, models.CASCADE, null=True, related_name="events")
    plan = models.ForeignKey(Plan, models.CASCADE, null=True, related_name="events")
    step = models.CharField(max_length=100, blank=True)
    level = models.CharField(max_length=8, choices=EventLevel, default=EventLevel.INFO)
    action = models.CharField(max_length=32, blank=True)
    actor = models.CharField(max_length=150, blank=True)
    reason = models.CharField(max_length=500, blank=True)
    message = models.TextField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        db_table = "ops_events"
        ordering = ["id"]
        default_permissions = ("view",)

    def __str__(self) -> str:
        return self.message
