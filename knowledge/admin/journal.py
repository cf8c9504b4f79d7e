"""What the site wrote itself: searches and votes. To read, not to change."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from knowledge.models import Entry, Feedback, SearchQuery, Setting


class ReadOnlyAdmin(ModelAdmin):
    """A journal: nobody adds, changes or deletes its rows by hand."""

    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(SearchQuery)
class SearchQueryAdmin(ReadOnlyAdmin):
    """The search history."""

    list_display = ("query", "result_count", "elapsed_ms", "user", "opened_entry", "created_at")
    list_filter = ("created_at",)
    search_fields = ("query", "normalized")
    list_select_related = ("user", "opened_entry")


@admin.register(Feedback)
class FeedbackAdmin(ReadOnlyAdmin):
    """Votes and comments of readers; the counters of the entries follow them."""

    list_display = ("entry", "worked", "rating", "comment", "user", "created_at")
    list_filter = ("worked", "rating", "created_at")
    search_fields = ("comment", "entry__title")
    list_select_related = ("user",)
    exclude = ("voter",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Feedback]:
        """With the titles of the entries, and not by a join: SQLite would begin with the entries and sort all votes."""
        votes: QuerySet[Feedback] = super().get_queryset(request)
        return votes.prefetch_related(Prefetch("entry", Entry.objects.only("title")))


@admin.register(Setting)
class SettingAdmin(ModelAdmin):
    """Values that staff change while the site runs."""

    list_display = ("key", "value", "description", "updated_by", "updated_at")
    search_fields = ("key", "description")
    readonly_fields = ("updated_by", "updated_at")

    def save_model(self, request: HttpRequest, obj: Setting, form: Any, change: bool) -> None:
        from django.utils import timezone

        obj.updated_by_id = request.user.pk
        obj.updated_at = timezone.now()
        super().save_model(request, obj, form, change)
