"""Versions and reports of entries. To read; the entry's pages restore and settle."""

from __future__ import annotations

from django.contrib import admin

from knowledge.admin.journal import ReadOnlyAdmin
from knowledge.models import EntryFlag, EntryRevision


@admin.register(EntryRevision)
class EntryRevisionAdmin(ReadOnlyAdmin):
    """Every saved version."""

    list_display = ("title", "version", "status", "note", "saved_by", "saved_at")
    list_filter = ("saved_at", "status", "category")
    search_fields = ("title", "note")
    list_select_related = ("saved_by",)
    ordering = ("-id",)


@admin.register(EntryFlag)
class EntryFlagAdmin(ReadOnlyAdmin):
    """What readers reported; the page "Reports" settles them."""

    list_display = ("entry", "reason", "comment", "user", "created_at", "settled_at", "settled_by")
    list_filter = ("reason", "created_at", "settled_at")
    search_fields = ("comment", "answer", "entry__title")
    list_select_related = ("entry", "user", "settled_by")
    exclude = ("reporter",)
