"""Addresses of the API. What stands below /api/ and is none of them answers as JSON too."""

from __future__ import annotations

from django.urls import URLPattern, include, path

from knowledge.api.document import api_page, openapi
from knowledge.api.failures import methods_shaped, not_found
from knowledge.api.routes import api

_patterns, _app, _namespace = api.urls
#: ninja's own first page is only a 404.
_operations = [one for one in _patterns if isinstance(one, URLPattern) and one.name != "api-root"]
for _operation in _operations:
    _operation.callback = methods_shaped(_operation.callback)

urlpatterns = [
    path("api/", api_page, name="api_page"),
    path("api/v1/", api_page, name="api_root"),
    path("api/v1/openapi.json", openapi, name="api_document"),
    path("api/v1/", include((_operations, _app), namespace=_namespace)),
    path("api/<path:rest>", not_found),
]
