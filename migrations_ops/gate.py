"""What is open at the site's level, and what answers where something is still closed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from typing import TYPE_CHECKING, Any

from django.db import DatabaseError, connections, models
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.functional import SimpleLazyObject
from unfold.admin import ModelAdmin

from migrations_ops.models import SiteState
from migrations_ops.phase import Phase, phase_at, phases_open

if TYPE_CHECKING:
    from django.db.models.deletion import Collector

HttpView = Callable[..., HttpResponseBase]


def site_level(using: str = "default") -> int:
    """The level of the site as committed; 1 before the first migration."""
    try:
        with connections[using].cursor() as cursor:  # every page asks
            cursor.execute("SELECT level FROM ops_site_state WHERE id = 1")
            row = cursor.fetchone()
    except DatabaseError:
        if table_exists(SiteState._meta.db_table, using):
            raise
        return 1
    return int(row[0]) if row else 1


def site_level_set(level: int) -> None:
    """Record the level; inside the transaction of the step that opens or closes it."""
    from django.utils import timezone

    SiteState.objects.update_or_create(pk=1, defaults={"level": level, "changed_at": timezone.now()})


def table_exists(table: str, using: str = "default") -> bool:
    """Whether the database has this table, from its catalog, in one cheap query."""
    database = connections[using]
    if database.vendor == "postgresql":
        query = "SELECT to_regclass(quote_ident(%s)) IS NOT NULL"
    else:
        query = "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = %s)"
    with database.cursor() as cursor:
        cursor.execute(query, [table])
        row = cursor.fetchone()
    return bool(row and row[0])


def phase_cascade(collector: Collector, field: Any, sub_objs: Any, using: str) -> None:
    """`on_delete` of a foreign key from a phase to a lower one: CASCADE where the table exists.

    It asks the catalog and not the level: between "tables made" and "level raised" rows exist.
    """
    if table_exists(field.model._meta.db_table, using):
        models.CASCADE(collector, field, sub_objs, using)


# Django evaluates `sub_objs` before the call unless this is set, and would query a missing table.
phase_cascade.lazy_sub_objs = True  # type: ignore[attr-defined]


def requires_mvp(level: int) -> Callable[[HttpView], HttpView]:
    """Decorator of a view: below `level` a page says what opens it, with status 403."""

    def decorate(view: HttpView) -> HttpView:
        @wraps(view)
        def gated(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if site_level() < level:
                return closed_page(request, phase_at(level))
            request.level_required = level  # type: ignore[attr-defined]
            return view(request, *args, **kwargs)

        return gated

    return decorate


def closed_page(request: HttpRequest, phase: Phase) -> HttpResponse:
    """The page of a feature whose level is not open yet."""
    return render(request, "migrations_ops/closed.html", {"phase": phase, "level": site_level()}, status=403)


class PhaseAdmin(ModelAdmin):
    """Admin of a phase's model: absent from the index and answered with a page while closed."""

    phase_level: int

    def _is_open(self) -> bool:
        return site_level() >= self.phase_level

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self._is_open() and super().has_module_permission(request)

    def get_urls(self) -> list[Any]:
        urls: list[Any] = super().get_urls()
        for pattern in urls:
            pattern.callback = requires_mvp(self.phase_level)(pattern.callback)
        return urls

    def get_model_perms(self, request: HttpRequest) -> dict[str, bool]:
        return super().get_model_perms(request) if self._is_open() else {}


class LevelMiddleware:
    """Puts `site_level` on the request, read once and only when something asks.

    A page that passed its gate while the level closed behind it may find its tables gone; it gets
    the page of a closed level too.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request.site_level = SimpleLazyObject(site_level)  # type: ignore[attr-defined]
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer for a view, or its template, that a closing level has taken the tables from."""
        required: int = getattr(request, "level_required", 0)
        if not isinstance(exception, DatabaseError) or site_level() >= required:
            return None
        request.site_level = SimpleLazyObject(site_level)  # type: ignore[attr-defined]
        return closed_page(request, phase_at(required))


def level_context(request: HttpRequest) -> dict[str, Any]:
    """Template context: the level and the navigation of the open phases."""

    def allowed(links: Iterable[Any]) -> list[Any]:
        return [link for link in links if not link.permission or request.user.has_perm(link.permission)]

    def phases_here() -> tuple[Phase, ...]:
        return phases_open(level + 0)  # a lazy object proxies +, not int()

    level = getattr(request, "site_level", SimpleLazyObject(site_level))
    return {
        "site_level": level,
        "phase_links": SimpleLazyObject(lambda: allowed(link for phase in phases_here() for link in phase.nav)),
        "console_links": SimpleLazyObject(
            lambda: allowed(link for phase in phases_here() for link in phase.console_nav)
        ),
    }
