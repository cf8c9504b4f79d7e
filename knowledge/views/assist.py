"""What the editor shows beside the form: the codes of the text, entries like it, and how it will look."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from knowledge.codes import code_given, codes_find
from knowledge.forms import LISTED_CHARS
from knowledge.markdown import markdown_html
from knowledge.models import PROBLEM_CHARS, SOLUTION_CHARS, TITLE_CHARS, Entry, EntryStatus, ErrorCode
from knowledge.outlines import is_untouched
from knowledge.search import SearchFilters, entry_search
from knowledge.text import storable, text_line
from knowledge.views.visitor import sees_all

SIMILAR_SHOWN = 5
CODES_SHOWN = 24
#: As much of the problem as is compared with other entries.
COMPARED_CHARS = 400
CODES_COMPARED = 2
#: Less than this is no title yet.
TITLE_CHARS_LEAST = 3
#: A text over its limit is shown up to here, so that one sees what to shorten.
PREVIEW_SPARE_CHARS = 10_000


@dataclass(frozen=True, kw_only=True)
class FoundCode:
    """A code in the text as it is typed; `known` when it has a page."""

    code: str
    meaning: str
    known: bool


@dataclass(frozen=True, kw_only=True)
class Assistance:
    """What is shown beside the form."""

    codes: tuple[FoundCode, ...]
    similar: tuple[Entry, ...]
    title: str
    problem_html: SafeString
    solution_html: SafeString


@require_POST
def assist(request: HttpRequest) -> HttpResponse:
    """The panel for what is typed so far. Nothing is saved and no search is recorded."""
    user = request.user
    if not (user.has_perm("knowledge.add_entry") or user.has_perm("knowledge.change_entry")):
        raise PermissionDenied
    context = {"assistance": assistance(request, request.POST, without=_entry_id(request)), "replaces": True}
    return render(request, "knowledge/_assist.html", context)


def assistance(request: HttpRequest, typed: Mapping[str, Any], *, without: UUID | None = None) -> Assistance:
    """The panel for these values of the form; `without` is the entry that is edited."""
    title = text_line(str(typed.get("title") or "")[: TITLE_CHARS[1]])
    problem = storable(str(typed.get("problem") or "")[: PROBLEM_CHARS[1] + PREVIEW_SPARE_CHARS])
    solution = storable(str(typed.get("solution") or "")[: SOLUTION_CHARS[1] + PREVIEW_SPARE_CHARS])
    described = "" if is_untouched("problem", problem) else problem
    listed = typed.get("codes") or ""
    given = listed[:LISTED_CHARS].split(",") if isinstance(listed, str) else listed
    texts = [title, described, "" if is_untouched("solution", solution) else solution]
    return Assistance(
        codes=codes_typed(given, texts),
        similar=similar(request, compared_texts(title, described, given), without),
        title=title,
        problem_html=markdown_html(problem),
        solution_html=markdown_html(solution),
    )


def codes_typed(given: list[str], texts: list[str]) -> tuple[FoundCode, ...]:
    """The codes that saving would give the entry, the ones typed into their field first."""
    named = [code.code for text in given if (code := code_given(storable(text)))]
    found = dict.fromkeys(named + [match.code for text in texts for match in codes_find(text)])
    shown = list(found)[:CODES_SHOWN]
    meanings = dict(ErrorCode.objects.filter(code__in=shown).values_list("code", "meaning"))
    return tuple(FoundCode(code=code, meaning=meanings.get(code, ""), known=code in meanings) for code in shown)


def similar(request: HttpRequest, texts: Iterable[str], without: UUID | None) -> tuple[Entry, ...]:
    """Entries that may say the same already, best first; drafts of others too for those who see them.

    The texts are searched for one after the other: an entry that is in the index itself is so much the
    best result for its own text that a shorter one, its codes, has to find the others.
    """
    filters = SearchFilters(status="" if sees_all(request) else EntryStatus.PUBLISHED)
    found: dict[UUID, Entry] = {}
    for text in texts:
        if len(found) < SIMILAR_SHOWN and len(text.strip()) >= TITLE_CHARS_LEAST:
            hits = entry_search(text, filters=filters, page_size=SIMILAR_SHOWN + 1).hits
            found |= {hit.entry.pk: hit.entry for hit in hits if hit.entry.pk not in {without, *found}}
    return tuple(found.values())[:SIMILAR_SHOWN]


def compared_texts(title: str, problem: str, given: Iterable[str] = ()) -> tuple[str, str]:
    """What `similar` searches for: title and problem, then the first codes, those of their own field before others."""
    text = f"{title}\n{problem[:COMPARED_CHARS]}"
    named = [code.code for one in given if (code := code_given(storable(one)))]
    codes = dict.fromkeys(named + [match.code for match in codes_find(text)])
    return text, " ".join(list(codes)[:CODES_COMPARED])


def _entry_id(request: HttpRequest) -> UUID | None:
    try:
        return UUID(request.GET.get("entry", ""))
    except ValueError:
        return None
