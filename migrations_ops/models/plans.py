"""The level of the site, what is planned, and what was checked."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class SiteState(models.Model):
    """The level of the site; one row."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    level = models.PositiveSmallIntegerField(default=1)
    changed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        db_table = "ops_site_state"
        constraints = [models.CheckConstraint(name="ops_site_state_one_row", condition=models.Q(id=1))]

    def __str__(self) -> str:
        return f"MVP{self.level}"


class PlanKind(models.TextChoices):
    """What a plan does."""

    UPGRADE = "upgrade", _("Level upgrade")
    RESTORE = "restore", _("Restore of a checkpoint")
    REHEARSAL = "rehearsal", _("Rehearsal")
    MOVE = "move", _("Move of the database")
    TASK = "task", _("Task")


class Plan(models.Model):
    """What would run, frozen before anything runs.

    `document` holds phases, steps, rollback operations, requirements and what a rollback would
    lose; `assessment` holds risk, recommendations and estimate as of `assessed_at`.
    """

    kind = models.CharField(_("kind"), max_length=16, choices=PlanKind)
    from_level = models.PositiveSmallIntegerField(_("from level"))
    to_level = models.PositiveSmallIntegerField(_("to level"))
    options = models.JSONField(default=dict, blank=True)
    document = models.JSONField(default=dict)
    assessment = models.JSONField(default=dict)
    assessed_at = models.DateTimeField(null=True)
    #: sha256 of the state the plan is for: level, open migrations, steps, release.
    fingerprint = models.CharField(max_length=64)
    created_by = models.CharField(_("planned by"), max_length=150)
    created_at = models.DateTimeField(_("planned"), default=timezone.now)

    class Meta:
        db_table = "ops_plans"
        ordering = ["-id"]
        verbose_name = _("plan")
        verbose_name_plural = _("plans")
        default_permissions = ("view",)
        permissions = [
            ("create_plan", _("Can plan a move")),
            ("check_plan", _("Can repeat the checks of a plan")),
            ("rehearse_plan", _("Can rehearse a plan")),
        ]

    def __str__(self) -> str:
        if self.kind == PlanKind.MOVE:
            return f"{self.pk}: {self.get_kind_display()} to {self.options.get('target')}"
        if self.kind == PlanKind.TASK:
            return f"{self.pk}: {self.options.get('label')}"
        return f"{self.pk}: {self.get_kind_display()} MVP{self.from_level} to MVP{self.to_level}"


class FindingStatus(models.TextChoices):
    """The verdict of one check; a failed one blocks."""

    PASS = "pass", _("Pass")
    WARN = "warn", _("Warning")
    FAIL = "fail", _("Fail")


class Finding(models.Model):
    """One named check with its evidence, of a plan (run empty) or of a run."""

    plan = models.ForeignKey(Plan, models.CASCADE, related_name="findings")
    run = models.ForeignKey("Run", models.CASCADE, null=True, related_name="findings")
    code = models.CharField(max_length=64)
    title = models.CharField(max_length=200)
    status = models.CharField(max_length=8, choices=FindingStatus)
    evidence = models.TextField()
    remedy = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        db_table = "ops_findings"
        ordering = ["id"]
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.code}: {self.status}"
