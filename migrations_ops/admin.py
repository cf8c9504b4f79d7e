"""The journal in the admin: to look at, never to change."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from migrations_ops.models import (
    Checkpoint,
    CheckResult,
    CheckRun,
    CleanupRecord,
    Finding,
    Move,
    Plan,
    Run,
    RunEvent,
    SiteState,
    StepRecord,
)


class JournalAdmin(ModelAdmin):
    """Read-only three ways: no permission to change, every field read-only, no actions."""

    actions = None
    list_per_page = 50
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [field.name for field in self.model._meta.fields]


@admin.register(SiteState)
class SiteStateAdmin(JournalAdmin):
    list_display = ["level", "changed_at"]


@admin.register(Plan)
class PlanAdmin(JournalAdmin):
    list_display = ["id", "kind", "from_level", "to_level", "created_by", "created_at", "assessed_at"]
    list_filter = ["kind"]


@admin.register(Run)
class RunAdmin(JournalAdmin):
    list_display = ["id", "plan", "state", "direction", "started_by", "created_at", "finished_at"]
    list_filter = ["state", "direction"]
    list_select_related = ["plan"]


@admin.register(StepRecord)
class StepRecordAdmin(JournalAdmin):
    list_display = ["run", "position", "name", "kind", "state", "rows_done", "rows_total", "busy_seconds"]
    list_filter = ["state", "kind"]
    list_select_related = ["run"]


@admin.register(RunEvent)
class RunEventAdmin(JournalAdmin):
    list_display = ["created_at", "level", "message", "actor", "reason", "run", "plan"]
    list_filter = ["level", "action"]
    list_select_related = ["run", "plan"]
    search_fields = ["message", "actor", "reason"]
    ordering = ["-id"]


@admin.register(Finding)
class FindingAdmin(JournalAdmin):
    list_display = ["created_at", "code", "status", "evidence", "plan", "run"]
    list_filter = ["status"]
    list_select_related = ["plan", "run"]


@admin.register(Checkpoint)
class CheckpointAdmin(JournalAdmin):
    list_display = ["label", "kind", "level", "state", "size_bytes", "protected", "created_by", "created_at"]
    list_filter = ["kind", "state", "protected"]


@admin.register(CheckRun)
class CheckRunAdmin(JournalAdmin):
    list_display = ["id", "status", "started_by", "started_at", "finished_at"]
    list_filter = ["status"]


@admin.register(CheckResult)
class CheckResultAdmin(JournalAdmin):
    list_display = ["name", "status", "count", "evidence", "seconds", "check_run"]
    list_filter = ["status", "name"]
    list_select_related = ["check_run"]


@admin.register(CleanupRecord)
class CleanupRecordAdmin(JournalAdmin):
    list_display = ["id", "title", "state", "done", "rows_changed", "created_by", "created_at", "keep_until"]
    list_filter = ["state", "name"]


@admin.register(Move)
class MoveAdmin(JournalAdmin):
    list_display = ["id", "source_url", "target_url", "state", "go_mode", "go_asked_by", "plan", "run"]
    list_filter = ["state"]
    list_select_related = ["plan", "run"]
    exclude = ["source_secret", "target_secret"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [name for name in super().get_readonly_fields(request, obj) if name not in self.exclude]
