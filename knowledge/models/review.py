"""Whether somebody has checked an entry, and when it is to be looked at again."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from knowledge.models.entry import Entry


class Validation(models.TextChoices):
    """How far an entry is trusted."""

    WIP = "wip", _("Work in progress")
    NOT_VALIDATED = "not_validated", _("Not validated")
    VALIDATED = "validated", _("Validated")


class EntryReview(models.Model):
    """The state of review of one entry; an entry without a row is not validated."""

    entry = models.OneToOneField(
        Entry, models.CASCADE, primary_key=True, related_name="review", verbose_name=_("entry")
    )
    validation = models.CharField(
        _("validation"), max_length=16, choices=Validation, default=Validation.NOT_VALIDATED, db_index=True
    )
    #: The version that was validated; an edit makes the entry "not validated" again.
    version = models.PositiveIntegerField(null=True, blank=True)
    reviewed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("reviewed by"),
    )
    reviewed_at = models.DateTimeField(_("reviewed"), null=True, blank=True)
    due_on = models.DateField(_("next review"), null=True, blank=True, db_index=True)
    #: When author and reviewer were last told by mail that the day is near or past.
    reminded_on = models.DateField(_("reminded"), null=True, blank=True)

    class Meta:
        db_table = "kb_entry_reviews"
        ordering = ["due_on", "entry"]
        verbose_name = _("review")
        verbose_name_plural = _("reviews")
        permissions = [("validate_entry", _("Can validate entries"))]

    def __str__(self) -> str:
        return f"{self.entry_id}: {self.validation}"
