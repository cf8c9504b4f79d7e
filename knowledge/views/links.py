"""Links that keep the rest of the query string: pages, filters, orders."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.core.paginator import Page, Paginator
from django.db.models import TextChoices
from django.http import HttpRequest

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

#: Pages shown on either side of the current one.
PAGES_AROUND = 2


@dataclass(frozen=True, kw_only=True)
class FilterLink:
    """One value of a filter: its link selects it, or takes it away when it is selected."""

    label: StrOrPromise
    url: str
    count: str = ""
    active: bool = False
    #: Whether the link of a selected value takes the filter away.
    removable: bool = True
    #: Extra CSS class of the label, for severities.
    css: str = ""


@dataclass(frozen=True, kw_only=True)
class FilterGroup:
    """The values of one filter."""

    title: StrOrPromise
    links: tuple[FilterLink, ...]


@dataclass(frozen=True, kw_only=True)
class PageLink:
    """One step of the paging; no url stands for the current page, no number for a gap."""

    number: int | None
    url: str | None = None


@dataclass(frozen=True, kw_only=True)
class Paging:
    """Links to the pages of a list, ready to print; `last` is 1 when nothing needs paging."""

    number: int
    last: int
    pages: tuple[PageLink, ...]
    previous_url: str | None
    next_url: str | None


def url_with(request: HttpRequest, **changes: str | int | None) -> str:
    """This page's address with some query parameters changed; None takes one away, and pages start anew."""
    left_out = {"page", *changes}
    query = [(name, value) for name, values in request.GET.lists() if name not in left_out for value in values]
    query += [(name, str(value)) for name, value in changes.items() if value not in (None, "")]
    encoded = urlencode(query)
    return f"{request.path}?{encoded}" if encoded else request.path


def order_links(request: HttpRequest, orders: type[TextChoices], active: str) -> list[FilterLink]:
    """A link for each order of a list or of results; the first one needs no parameter."""
    usual = orders.values[0]
    return [
        FilterLink(
            label=order.label,
            url=url_with(request, order=None if order == usual else order.value),
            active=order == active,
            removable=False,
        )
        for order in orders
    ]


def page_number(request: HttpRequest) -> int:
    """The page asked for; 1 for anything that is no page."""
    text = request.GET.get("page", "")
    return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) < 7 else 1


def paging(request: HttpRequest, *, number: int, last: int) -> Paging:
    """The links around page `number` of `last`."""

    def url(page: int) -> str:
        return url_with(request, page=page if page > 1 else None)

    wanted = {1, last, *range(number - PAGES_AROUND, number + PAGES_AROUND + 1)}
    return Paging(
        number=number,
        last=last,
        pages=tuple(_with_gaps(sorted(page for page in wanted if 1 <= page <= last), number, url)),
        previous_url=url(number - 1) if number > 1 else None,
        next_url=url(number + 1) if number < last else None,
    )


def _with_gaps(numbers: list[int], current: int, url: Callable[[int], str]) -> Iterable[PageLink]:
    before = 0
    for number in numbers:
        if number > before + 1:
            yield PageLink(number=None)
        yield PageLink(number=number, url=None if number == current else url(number))
        before = number


def page_of(request: HttpRequest, paginator: Paginator[Any]) -> tuple[Page[Any], Paging]:
    """The page asked for, or the nearest there is, and its links."""
    page = paginator.get_page(page_number(request))
    return page, paging(request, number=page.number, last=paginator.num_pages)
