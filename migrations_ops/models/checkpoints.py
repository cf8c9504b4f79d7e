"""What can be restored."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from migrations_ops.models.runs import Run


class CheckpointKind(models.TextChoices):
    """What a checkpoint holds."""

    FULL = "full", _("Whole site")
    PARKED = "parked", _("Rows parked by a rollback")


class CheckpointState(models.TextChoices):
    """Whether the file of a checkpoint can be used."""

    COMPLETE = "complete", _("Complete")
    CORRUPT = "corrupt", _("Damaged")
    DELETED = "deleted", _("Deleted")


class Checkpoint(models.Model):
    """A consistent copy of the site's rows in one file, with a manifest to prove it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(_("kind"), max_length=8, choices=CheckpointKind, default=CheckpointKind.FULL)
    label = models.CharField(_("label"), max_length=200)
    level = models.PositiveSmallIntegerField(_("level"))
    #: For parked rows: the level whose tables they came from.
    phase_level = models.PositiveSmallIntegerField(null=True)
    state = models.CharField(_("state"), max_length=16, choices=CheckpointState, default=CheckpointState.COMPLETE)
    file_name = models.CharField(max_length=200, unique=True)
    sha256 = models.CharField(max_length=64)
    size_bytes = models.PositiveBigIntegerField(_("size"))
    manifest = models.JSONField()
    protected = models.BooleanField(_("protected"), default=False)
    run = models.ForeignKey(Run, models.SET_NULL, null=True, related_name="checkpoints")
    created_by = models.CharField(_("created by"), max_length=150)
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    verified_at = models.DateTimeField(null=True)
    #: Last time its restore into an empty database gave back every row (a rehearsal does that).
    restore_tested_at = models.DateTimeField(null=True)
    restored_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "ops_checkpoints"
        ordering = ["-created_at", "id"]
        verbose_name = _("checkpoint")
        verbose_name_plural = _("checkpoints")
        default_permissions = ("view",)
        permissions = [
            ("create_checkpoint", _("Can create a checkpoint")),
            ("verify_checkpoint", _("Can verify a checkpoint")),
            ("download_checkpoint", _("Can download a checkpoint")),
            ("restore_checkpoint", _("Can restore a checkpoint")),
            ("delete_checkpoint", _("Can delete a checkpoint")),
        ]

    def __str__(self) -> str:
        return self.label
