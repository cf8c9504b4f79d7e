"""The OpenAPI document, and the page that prints it for people without any script."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from knowledge.api.routes import PAGE_SIZE_MOST, api


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter of an operation, ready to print."""

    name: str
    type: str
    default: str
    required: bool
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """An operation, ready to print."""

    method: str
    path: str
    summary: str
    description: str
    parameters: tuple[Parameter, ...]


def api_document() -> dict[str, Any]:
    """The OpenAPI 3.1 document; every operation says that a token is welcome and not needed."""
    document: dict[str, Any] = dict(api.get_openapi_schema(path_prefix=reverse("api_root")))
    for methods in document["paths"].values():
        for operation in methods.values():
            operation["security"] = [*operation.get("security", []), {}]
    return document


@require_safe
def openapi(request: HttpRequest) -> HttpResponse:
    """The document for programs."""
    return JsonResponse(api_document())


@require_safe
def api_page(request: HttpRequest) -> HttpResponse:
    """The document for people, with limits and examples."""
    context = {
        "operations": operations(api_document()),
        "base": request.build_absolute_uri(reverse("api_root")),
        "openapi_url": reverse("api_document"),
        "page_size_most": PAGE_SIZE_MOST,
        "person_limit": settings.API_REQUESTS_PER_MINUTE,
        "visitor_limit": settings.API_VISITOR_REQUESTS_PER_MINUTE,
    }
    return render(request, "knowledge/api.html", context)


def operations(document: dict[str, Any]) -> list[Operation]:
    """The operations of a document in its order."""
    return [
        Operation(
            method=method.upper(),
            path=path,
            summary=operation.get("summary", ""),
            description=operation.get("description", ""),
            parameters=tuple(
                sorted((_parameter(one, document) for one in operation.get("parameters", ())), key=_not_required)
            ),
        )
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def _not_required(parameter: Parameter) -> bool:
    return not parameter.required


def _parameter(given: dict[str, Any], document: dict[str, Any]) -> Parameter:
    schema = given["schema"]
    default = schema.get("default")
    return Parameter(
        name=given["name"],
        type=_type(schema, document),
        default="" if default is None else str(default),
        required=given.get("required", False),
        description=given.get("description") or schema.get("description", ""),
    )


def _type(schema: dict[str, Any], document: dict[str, Any]) -> str:
    """A type in a few words: "integer, 1 to 100", "critical | high | medium | low"."""
    if "$ref" in schema:
        return _type(document["components"]["schemas"][schema["$ref"].rpartition("/")[2]], document)
    for several in ("anyOf", "allOf"):
        if several in schema:
            return " | ".join(_type(one, document) for one in schema[several] if one.get("type") != "null")
    if "enum" in schema:
        return " | ".join(str(value) for value in schema["enum"])
    words = [str(schema.get("format") or schema.get("type", ""))]
    if "maximum" in schema:
        words.append(f"{schema.get('minimum', 0)}–{schema['maximum']}")
    if schema.get("maxLength"):
        words.append(f"≤ {schema['maxLength']}")
    return ", ".join(words)
