"""What an entry was: every version that was saved, and the addresses that lead to it."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from knowledge.models.entry import Entry


class EntryRevision(models.Model):
    """One saved version of an entry, whole, so that any two can be compared and any one restored."""

    entry = models.ForeignKey(Entry, models.CASCADE, related_name="revisions", verbose_name=_("entry"))
    version = models.PositiveIntegerField(_("version"))
    title = models.CharField(_("title"), max_length=255)
    problem = models.TextField(_("problem"))
    solution = models.TextField(_("solution"))
    category = models.CharField(_("category"), max_length=16)
    severity = models.CharField(_("severity"), max_length=16)
    status = models.CharField(_("status"), max_length=16)
    #: Names, sorted.
    tags = models.JSONField(_("tags"), default=list)
    #: Canonical codes, in the entry's order.
    codes = models.JSONField(_("codes"), default=list)
    note = models.CharField(_("what changed"), max_length=300, blank=True)
    saved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("by")
    )
    saved_at = models.DateTimeField(_("at"), default=timezone.now)

    class Meta:
        db_table = "kb_entry_revisions"
        ordering = ["-version"]
        verbose_name = _("revision")
        verbose_name_plural = _("revisions")
        default_permissions = ("view",)
        constraints = [models.UniqueConstraint(fields=["entry", "version"], name="kb_entry_revisions_once")]

    def __str__(self) -> str:
        return f"{self.title} ({self.version})"


class EntryAddress(models.Model):
    """The id of an entry that was merged into another one; its old address leads there."""

    old_id = models.UUIDField(primary_key=True)
    entry = models.ForeignKey(Entry, models.CASCADE, related_name="old_addresses", verbose_name=_("entry"))
    title = models.CharField(_("old title"), max_length=255)
    merged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("by")
    )
    merged_at = models.DateTimeField(_("at"), default=timezone.now)

    class Meta:
        db_table = "kb_entry_addresses"
        ordering = ["-merged_at", "old_id"]
        verbose_name = _("old address")
        verbose_name_plural = _("old addresses")
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.old_id} -> {self.entry_id}"
