"""Pages of analytics."""

from typing import Any

from django.http import HttpRequest, HttpResponse

from migrations_ops.gate import requires_mvp


@requires_mvp(2)
def dashboard(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("")


table_csv = query_ignore = query_unignore = alias_add = pattern_list = pattern_detail = pattern_change = dashboard
