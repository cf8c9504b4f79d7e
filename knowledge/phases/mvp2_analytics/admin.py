"""Read-only admin of the tables of MVP2; absent while the level is closed."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from knowledge.phases.mvp2_analytics.models import Baseline, IgnoredQuery, SearchAnalytics, UsageMetric, UsagePattern
from migrations_ops.gate import PhaseAdmin


class ReadOnlyAdmin(PhaseAdmin):
    """Rows that only services write."""

    phase_level = 2
    list_per_page = 50
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(SearchAnalytics)
class SearchAnalyticsAdmin(ReadOnlyAdmin):
    list_display = ("search_id", "day", "hour", "normalized", "result_count", "had_results", "opened", "elapsed_ms")
    list_filter = ("had_results", "opened", "day")
    search_fields = ("normalized",)


@admin.register(UsageMetric)
class UsageMetricAdmin(ReadOnlyAdmin):
    list_display = ("entry", "day", "views", "worked", "failed")
    list_filter = ("day",)
    list_select_related = ("entry",)
    search_fields = ("entry__title",)
    ordering = ("-day", "-id")  # one direction, so that the index of the day gives the order


@admin.register(UsagePattern)
class UsagePatternAdmin(ReadOnlyAdmin):
    list_display = ("title", "type", "frequency", "confidence", "state", "first_seen", "last_seen", "came_back_at")
    list_filter = ("type", "state")
    search_fields = ("title",)


@admin.register(IgnoredQuery)
class IgnoredQueryAdmin(ReadOnlyAdmin):
    list_display = ("normalized", "ignored_by", "ignored_at")
    search_fields = ("normalized",)


@admin.register(Baseline)
class BaselineAdmin(ReadOnlyAdmin):
    list_display = ("metric", "value", "window_days", "computed_at")
