"""The journal of imports: what each file was, what became of its rows, and what they were before."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class ImportState(models.TextChoices):
    """Where an import has got to."""

    READY = "ready", _("Ready: nothing is written")
    RUNNING = "running", _("Being imported")
    DONE = "done", _("Imported")
    FAILED = "failed", _("Failed")
    UNDOING = "undoing", _("Being taken back")
    UNDONE = "undone", _("Taken back")


class Import(models.Model):
    """One file that somebody brought, with what was asked and what was done."""

    file_name = models.CharField(_("file"), max_length=255)
    #: Of the kept copy, below the folder of transfers.
    path = models.CharField(max_length=300, blank=True)
    kind = models.CharField(_("format"), max_length=16)
    size_bytes = models.BigIntegerField(_("size"), default=0)
    sha256 = models.CharField(max_length=64, blank=True)
    rows_total = models.PositiveIntegerField(_("rows"), default=0)
    #: Names of the columns, in the order of the file; equal ones get the mapping of the last time.
    columns = models.JSONField(default=list, blank=True)
    options = models.JSONField(_("options"), default=dict, blank=True)
    state = models.CharField(_("state"), max_length=16, choices=ImportState, default=ImportState.READY)
    #: Of the generator that works on it; empty before and after.
    cursor = models.JSONField(null=True, blank=True)
    #: Numbers of rows by section and verdict, and what was met.
    report = models.JSONField(_("report"), default=dict, blank=True)
    preview = models.JSONField(_("preview"), default=dict, blank=True)
    error = models.TextField(_("error"), blank=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("user")
    )
    #: Whether it has the rights of an account; when that is removed it has none, and not those of the command line.
    for_account = models.BooleanField(default=True)
    created_by = models.CharField(_("by"), max_length=150)
    created_at = models.DateTimeField(_("brought"), default=timezone.now)
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    undone_at = models.DateTimeField(_("taken back"), null=True, blank=True)

    class Meta:
        db_table = "kb_imports"
        ordering = ["-id"]
        verbose_name = _("import")
        verbose_name_plural = _("imports")
        default_permissions = ("view",)
        permissions = [
            ("run_import", _("Can import files")),
            ("undo_import", _("Can take imports back")),
            ("run_export", _("Can export the knowledge base")),
        ]
        constraints = [
            models.CheckConstraint(name="kb_imports_state", condition=models.Q(state__in=ImportState.values))
        ]

    def __str__(self) -> str:
        return f"{self.pk}: {self.file_name}"


class ImportedRow(models.Model):
    """What one row of a file did, so that it can be taken back."""

    imported = models.ForeignKey(Import, models.CASCADE, related_name="rows", db_index=False)
    #: The table that the row is in, and its key there as text.
    table = models.CharField(max_length=64)
    key = models.CharField(max_length=64)
    #: Where in the file it stands.
    number = models.PositiveIntegerField(default=0)
    #: `version` of an entry when the import had written it.
    version = models.PositiveIntegerField(null=True)
    #: Rows of the entry and of its tables as they were; empty for what the import has added.
    before = models.JSONField(null=True)
    #: Why an undo left it.
    kept = models.CharField(max_length=300, blank=True)

    class Meta:
        db_table = "kb_imported_rows"
        ordering = ["id"]
        default_permissions = ()
        indexes = [models.Index(fields=["imported", "id"], name="kb_imported_rows_order")]

    def __str__(self) -> str:
        return f"{self.table} {self.key}"
