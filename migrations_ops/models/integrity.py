"""What checks have found, what cleanups have changed, and which colours people were told of."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from migrations_ops.models.runs import Run


class CheckStatus(models.TextChoices):
    """The verdict of one integrity check, mildest first."""

    OK = "ok", _("In order")
    NOTICE = "notice", _("Notice")
    WARNING = "warning", _("Warning")
    ERROR = "error", _("Error")
    #: The check itself did not come to its end.
    FAILED = "failed", _("Check failed")


class CheckRun(models.Model):
    """One pass over some or all integrity checks."""

    status = models.CharField(_("verdict"), max_length=8, choices=CheckStatus, default=CheckStatus.OK)
    started_by = models.CharField(_("started by"), max_length=150)
    started_at = models.DateTimeField(_("started"), default=timezone.now)
    #: Empty while it goes on, and for one that was cut off.
    finished_at = models.DateTimeField(_("finished"), null=True)

    class Meta:
        db_table = "ops_check_runs"
        ordering = ["-id"]
        verbose_name = _("integrity check")
        verbose_name_plural = _("integrity checks")
        default_permissions = ("view",)
        permissions = [
            ("run_checks", _("Can run integrity checks")),
            ("receive_alerts", _("Is told by mail when something turns red")),
        ]

    def __str__(self) -> str:
        return f"{self.pk}: {self.get_status_display()}"


class CheckResult(models.Model):
    """What one check has found."""

    check_run = models.ForeignKey(CheckRun, models.CASCADE, related_name="results")
    name = models.CharField(_("check"), max_length=64)
    title = models.CharField(_("title"), max_length=200)
    status = models.CharField(_("verdict"), max_length=8, choices=CheckStatus)
    count = models.PositiveBigIntegerField(_("found"), default=0)
    evidence = models.TextField(_("evidence"), blank=True)
    #: `{"text", "url"}` each, a few of all.
    examples = models.JSONField(default=list, blank=True)
    seconds = models.FloatField(default=0.0)

    class Meta:
        db_table = "ops_check_results"
        ordering = ["id"]
        default_permissions = ("view",)
        constraints = [models.UniqueConstraint(fields=["check_run", "name"], name="ops_check_results_once")]

    def __str__(self) -> str:
        return f"{self.name}: {self.status}"


class HealthState(models.Model):
    """The colour of one part of the site when it was last looked at, and the one that people were told of."""

    name = models.CharField(primary_key=True, max_length=64)
    tone = models.CharField(max_length=8)
    since = models.DateTimeField(default=timezone.now)
    told = models.CharField(max_length=8, blank=True)

    class Meta:
        db_table = "ops_health"
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.name}: {self.tone}"


class CleanupState(models.TextChoices):
    """Where a cleanup has got to."""

    READY = "ready", _("Ready: nothing is changed")
    RUNNING = "running", _("Under way")
    DONE = "done", _("Done")
    FAILED = "failed", _("Failed")
    UNDOING = "undoing", _("Being undone")
    UNDONE = "undone", _("Undone")
    EXPIRED = "expired", _("Done; can no longer be undone")


class CleanupRecord(models.Model):
    """One cleanup or repair: what was asked for, what it changed, and where the rows are that it took away."""

    name = models.CharField(_("cleanup"), max_length=64)
    title = models.CharField(_("title"), max_length=200)
    options = models.JSONField(_("options"), default=dict, blank=True)
    state = models.CharField(_("state"), max_length=8, choices=CleanupState, default=CleanupState.READY)
    #: Of the generator that works on it.
    cursor = models.JSONField(null=True, blank=True)
    #: Things done (entries merged, rows removed), and rows of tables that were written for that.
    done = models.PositiveBigIntegerField(_("done"), default=0)
    units = models.PositiveBigIntegerField(default=0)
    #: Batches committed; a batch counts only for the process that read this number before it.
    batches = models.PositiveBigIntegerField(default=0)
    rows_changed = models.PositiveBigIntegerField(_("rows"), default=0)
    #: What an undo has left as it is: how many, and the first of them with the reason.
    kept_count = models.PositiveBigIntegerField(default=0)
    kept = models.JSONField(default=list, blank=True)
    #: The parked rows, below the folder of cleanups; empty while they are in the database.
    file_name = models.CharField(max_length=200, blank=True)
    sha256 = models.CharField(max_length=64, blank=True)
    size_bytes = models.PositiveBigIntegerField(default=0)
    #: False for what changes no row that an undo could bring back.
    undoable = models.BooleanField(default=True)
    keep_until = models.DateTimeField(_("can be undone until"), null=True)
    error = models.TextField(blank=True)
    created_by = models.CharField(_("by"), max_length=150)
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    finished_at = models.DateTimeField(_("finished"), null=True)
    undone_at = models.DateTimeField(_("undone"), null=True)
    run = models.ForeignKey(Run, models.SET_NULL, null=True, related_name="cleanups")

    class Meta:
        db_table = "ops_cleanups"
        ordering = ["-id"]
        verbose_name = _("cleanup")
        verbose_name_plural = _("cleanups")
        default_permissions = ("view",)
        permissions = [
            ("run_cleanup", _("Can clean up and repair")),
            ("undo_cleanup", _("Can undo cleanups")),
        ]
        constraints = [
            models.CheckConstraint(name="ops_cleanups_state", condition=models.Q(state__in=CleanupState.values))
        ]

    def __str__(self) -> str:
        return f"{self.pk}: {self.title}"


class CleanupRow(models.Model):
    """One row that a cleanup has changed, until it is parked in the cleanup's file.

    `before` and `after` are the values of all columns in order; empty where there was no row.
    """

    cleanup = models.ForeignKey(CleanupRecord, models.CASCADE, related_name="rows", db_index=False)
    #: Rows of one unit are undone together or not at all.
    unit = models.PositiveBigIntegerField()
    table = models.CharField(max_length=64)
    key = models.CharField(max_length=64)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)

    class Meta:
        db_table = "ops_cleanup_rows"
        ordering = ["id"]
        default_permissions = ()
        indexes = [models.Index(fields=["cleanup", "id"], name="ops_cleanup_rows_order")]

    def __str__(self) -> str:
        return f"{self.table} {self.key}"
