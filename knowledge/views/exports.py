"""An entry as a file."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from knowledge.exports import EntrySheet, entry_sheet, sheet_markdown, sheet_pdf
from knowledge.models import entry_slug
from knowledge.views.visitor import entry_or_404


@require_safe
def markdown(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The entry as a Markdown file."""
    sheet = sheet_or_404(request, pk)
    return download(sheet_markdown(sheet).encode(), "text/markdown; charset=utf-8", sheet, "md")


@require_safe
def pdf(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The entry as a PDF."""
    sheet = sheet_or_404(request, pk)
    return download(sheet_pdf(sheet), "application/pdf", sheet, "pdf")


def sheet_or_404(request: HttpRequest, pk: UUID) -> EntrySheet:
    """The entry's texts and facts, with its shorter address, if this person may see it."""
    entry = entry_or_404(request, pk)
    return entry_sheet(entry, request.build_absolute_uri(reverse("entry", args=[entry.pk])))


def download(content: bytes, content_type: str, sheet: EntrySheet, suffix: str) -> HttpResponse:
    """A file named after the entry's title."""
    name = f"{entry_slug(sheet.title) or 'entry'}.{suffix}"
    disposition = f'attachment; filename="{name}"'
    return HttpResponse(content, content_type=content_type, headers={"Content-Disposition": disposition})
