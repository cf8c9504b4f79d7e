"""The task queue in the admin's own style, to read: what waits, what ran, what failed, what comes back.

django-q2's own pages let people put tasks back, and name any function to be called; here runs are repeated
in the console, and schedules belong to the code and the plugins.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.template.defaultfilters import truncatechars
from django.utils.translation import gettext_lazy as _
from django_q.models import Failure, OrmQ, Schedule, Success
from unfold.decorators import display

from knowledge.admin.journal import ReadOnlyAdmin

RESULT_CHARS = 100

for _model in (Failure, OrmQ, Schedule, Success):
    admin.site.unregister(_model)


class TaskAdmin(ReadOnlyAdmin):
    """A task that has ended."""

    search_fields = ("name", "func")
    list_filter = ("stopped",)
    fields = ("name", "func", "args", "kwargs", "result", "group", "started", "stopped", "attempt_count")


@admin.register(Success)
class SuccessAdmin(TaskAdmin):
    """What ran."""

    list_display = ("name", "func", "started", "stopped", "seconds")

    @display(description=_("seconds"))
    def seconds(self, task: Any) -> str:
        return f"{task.time_taken():.2f}"


@admin.register(Failure)
class FailureAdmin(TaskAdmin):
    """What failed, with its error."""

    list_display = ("name", "func", "started", "stopped", "error")

    @display(description=_("error"))
    def error(self, task: Any) -> str:
        return truncatechars(str(task.result or ""), RESULT_CHARS)


@admin.register(Schedule)
class ScheduleAdmin(ReadOnlyAdmin):
    """What comes back on its own."""

    list_display = ("name", "func", "minutes", "next_run")
    search_fields = ("name", "func")
    fields = ("name", "func", "schedule_type", "minutes", "repeats", "next_run")


@admin.register(OrmQ)
class WaitingAdmin(ReadOnlyAdmin):
    """What waits, or runs."""

    list_display = ("name", "func", "lock")
    fields = ("name", "func", "args", "kwargs", "lock")
    readonly_fields = ("name", "func", "args", "kwargs")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # A task's arguments are unpacked to be shown, so this is for those who see the journal of tasks too.
        return request.user.has_perms(["django_q.view_ormq", "django_q.view_success"])
