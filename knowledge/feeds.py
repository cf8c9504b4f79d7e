"""What is new and changed, for feed readers (Atom, RFC 4287)."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.contrib.syndication.views import Feed
from django.db.models import Max
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.feedgenerator import Atom1Feed
from django.utils.http import http_date, parse_http_date_safe, urlencode
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _

from knowledge.listing import entries_listed
from knowledge.models import Category, Entry, EntryStatus

ENTRIES_LISTED = 50
SUMMARY_CHARS = 400
#: What XML 1.0 cannot hold in any spelling (section 2.2); pasted dumps have such characters.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def xml_text(text: str) -> str:
    """The text with a blank for each character that XML cannot hold."""
    return _NOT_XML.sub(" ", text)


def _narrowed(name: str, category: str) -> str:
    """The address of a page with the category of the feed."""
    return f"{reverse(name)}?{urlencode({'category': category})}" if category else reverse(name)


if TYPE_CHECKING:
    CategoryFeed = Feed[Entry, str]
else:  # only the type checker's stubs can be subscripted
    CategoryFeed = Feed


class EntryFeed(CategoryFeed):
    """Published entries, the most recently changed first; `?category=` narrows it."""

    feed_type = Atom1Feed
    title = _("Mainframe knowledge base: new and changed entries")
    subtitle = _("Published entries, the most recently changed first.")
    #: RFC 4287 section 4.1.1 wants an author of the feed where entries name none.
    author_name = _("Mainframe knowledge base")

    def __call__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Nothing but 304 for a reader that has all of it."""
        changed = Entry.objects.filter(status=EntryStatus.PUBLISHED).aggregate(last=Max("updated_at"))["last"]
        seen = parse_http_date_safe(request.headers.get("If-Modified-Since", ""))
        if changed and seen and int(changed.timestamp()) <= seen:
            return HttpResponse(status=304)
        response = super().__call__(request, *args, **kwargs)
        if changed:
            response["Last-Modified"] = http_date(changed.timestamp())
        return response

    def get_object(self, request: HttpRequest, *args: Any, **kwargs: Any) -> str:
        """The category asked for, or nothing."""
        given = request.GET.get("category", "").lower()
        return next((value for value in Category.values if value.lower() == given), "")

    def link(self, category: str) -> str:
        return _narrowed("browse", category)

    def feed_url(self, category: str) -> str:
        return _narrowed("feed", category)

    def items(self, category: str) -> list[Entry]:
        # Not the lists' own deferrals: the summary reads the problem.
        found = entries_listed().defer(None).defer("problem", "solution", "solution_html")
        found = found.filter(status=EntryStatus.PUBLISHED)
        if category:
            found = found.filter(category=category)
        return list(found.order_by("-updated_at", "pk")[:ENTRIES_LISTED])

    def item_title(self, item: Entry) -> str:
        return xml_text(item.title)

    def item_description(self, item: Entry) -> str:
        # A summary is HTML for its readers: the rendered problem, which has no markup but ours.
        return Truncator(xml_text(item.problem_html)).chars(SUMMARY_CHARS, html=True)

    def item_guid(self, item: Entry) -> str:
        return f"urn:uuid:{item.pk}"

    def item_pubdate(self, item: Entry) -> datetime:
        return item.created_at

    def item_updateddate(self, item: Entry) -> datetime:
        return item.updated_at

    def item_categories(self, item: Entry) -> list[str]:
        return [str(item.get_category_display()), *sorted(xml_text(tag.name) for tag in item.tags.all())]
