"""Filters of lists and results: read from the address, printed as links that keep the rest of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial

from django.db.models import TextChoices
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from knowledge.labels import TAG_CHARS
from knowledge.models import Category, EntryStatus, Severity
from knowledge.views.links import FilterGroup, FilterLink, url_with
from knowledge.views.visitor import sees_all

TAGS_SHOWN = 12


def choice_given(request: HttpRequest, name: str, choices: type[TextChoices]) -> str:
    """The value of a filter in the address, compared without regard to case; empty when unknown."""
    given = request.GET.get(name, "").lower()
    return next((value for value in choices.values if value.lower() == given), "")


def category_given(request: HttpRequest) -> str:
    """The category asked for, or nothing."""
    return choice_given(request, "category", Category)


def severity_given(request: HttpRequest) -> str:
    """The severity asked for, or nothing."""
    return choice_given(request, "severity", Severity)


def tag_given(request: HttpRequest) -> str:
    """The tag asked for, or nothing."""
    return request.GET.get("tag", "").replace("\0", "").strip().lower()[:TAG_CHARS]


def status_given(request: HttpRequest) -> str:
    """The status asked for if this person may see it, else published."""
    return (choice_given(request, "status", EntryStatus) if sees_all(request) else "") or EntryStatus.PUBLISHED


def choice_links(
    request: HttpRequest,
    name: str,
    choices: type[TextChoices],
    counts: Mapping[str, int],
    active: str,
    print_count: Callable[[int], str] = str,
) -> tuple[FilterLink, ...]:
    """One link for each value that matches something or is selected, in the order of the choices."""
    return tuple(
        FilterLink(
            label=choice.label,
            url=url_with(request, **{name: None if choice.value == active else choice.value}),
            count=print_count(counts.get(choice.value, 0)),
            active=choice.value == active,
            css=f"sev sev--{choice.value}" if choices is Severity else "",
        )
        for choice in choices
        if counts.get(choice.value) or choice.value == active
    )


def tag_links(
    request: HttpRequest, counts: Iterable[tuple[str, int]], active: str, print_count: Callable[[int], str] = str
) -> tuple[FilterLink, ...]:
    """One link for each frequent tag; the selected one first when it is not among them."""
    known = dict(counts)
    if active and active not in known:
        known = {active: 0, **known}
    return tuple(
        FilterLink(
            label=tag,
            url=url_with(request, tag=None if tag == active else tag),
            count=print_count(count) if count else "",
            active=tag == active,
        )
        for tag, count in known.items()
    )


def filter_groups(
    request: HttpRequest,
    *,
    categories: Mapping[str, int],
    severities: Mapping[str, int],
    tags: Iterable[tuple[str, int]],
    print_count: Callable[[int], str] = str,
) -> tuple[FilterGroup, ...]:
    """The filters of a page, those without any value left out."""
    links = partial(choice_links, request, print_count=print_count)
    groups = [
        FilterGroup(title=_("Category"), links=links("category", Category, categories, category_given(request))),
        FilterGroup(title=_("Severity"), links=links("severity", Severity, severities, severity_given(request))),
        FilterGroup(title=_("Tag"), links=tag_links(request, tags, tag_given(request), print_count)),
    ]
    if sees_all(request):
        groups.append(FilterGroup(title=_("Status"), links=status_links(request)))
    return tuple(group for group in groups if group.links)


def status_links(request: HttpRequest) -> tuple[FilterLink, ...]:
    """Links to the other states, for those who see them."""
    active = status_given(request)
    return tuple(
        FilterLink(
            label=status.label,
            url=url_with(request, status=None if status == EntryStatus.PUBLISHED else status.value),
            active=status.value == active,
            removable=False,
        )
        for status in EntryStatus
    )
