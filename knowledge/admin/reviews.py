"""Reviews and merges, to read: both are done on the pages of the entries."""

from __future__ import annotations

from django.contrib import admin

from knowledge.admin.journal import ReadOnlyAdmin
from knowledge.models import EntryAddress, EntryReview


@admin.register(EntryReview)
class EntryReviewAdmin(ReadOnlyAdmin):
    """How far each entry is trusted."""

    list_display = ("entry", "validation", "version", "reviewed_by", "reviewed_at", "due_on")
    list_filter = ("validation", "due_on", "reviewed_at")
    search_fields = ("entry__title",)
    list_select_related = ("entry", "reviewed_by")


@admin.register(EntryAddress)
class EntryAddressAdmin(ReadOnlyAdmin):
    """Entries that were merged into others, and where their old address leads."""

    list_display = ("title", "old_id", "entry", "merged_by", "merged_at")
    list_filter = ("merged_at",)
    search_fields = ("title", "old_id", "entry__title")
    list_select_related = ("entry", "merged_by")
