"""Who is asking, and what they may see."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest
from django.utils.crypto import salted_hmac

from knowledge.models import Entry, EntryStatus

#: This machine.
LOOPBACK = frozenset({"127.0.0.1", "::1", "::ffff:127.0.0.1"})
VIEWED_SESSION_KEY = "viewed"
#: A session remembers at most this many viewed entries; the oldest then count again.
VIEWED_KEPT = 200


def visitor_key(request: HttpRequest) -> str:
    """ "user:<id>", or "session:<hash>" with the hash of a session key that is made when there is none."""
    if request.user.is_authenticated:
        return f"user:{request.user.pk}"
    if request.session.session_key is None:
        request.session.create()
    digest = salted_hmac("knowledge.visitor", request.session.session_key or "").hexdigest()
    return f"session:{digest[:32]}"


def address_of(request: HttpRequest) -> str:
    """The address of the caller; behind a proxy the one that the proxy wrote, which is the last."""
    forwarded = request.headers.get("X-Forwarded-For", "") if settings.BEHIND_PROXY else ""
    return forwarded.rpartition(",")[2].strip() or str(request.META.get("REMOTE_ADDR", ""))


def visitor_address(request: HttpRequest) -> str:
    """The address of somebody who is not logged in; empty for people, and for this machine.

    Everybody behind a proxy that KB_BEHIND_PROXY does not name comes from this machine, and would share one count.
    """
    address = address_of(request)
    return "" if request.user.is_authenticated or address in LOOPBACK else address


def visitor_user(request: HttpRequest) -> User | None:
    """The person who is logged in, else None."""
    return None if isinstance(request.user, AnonymousUser) else request.user


def sees_all(request: HttpRequest) -> bool:
    """Whether drafts and archived entries are shown: to staff and to those who may edit."""
    return request.user.is_staff or request.user.has_perm("knowledge.change_entry")


def entries_visible(request: HttpRequest) -> QuerySet[Entry]:
    """Published entries, one's own, and for those who may edit all of them."""
    if sees_all(request):
        return Entry.objects.all()
    shown = Q(status=EntryStatus.PUBLISHED)
    if request.user.is_authenticated:
        shown |= Q(created_by=request.user.pk)
    return Entry.objects.filter(shown)


def entry_visible(request: HttpRequest, pk: UUID) -> Entry | None:
    """The entry if this person may see it."""
    return entries_visible(request).select_related("created_by", "updated_by").filter(pk=pk).first()


def entry_or_404(request: HttpRequest, pk: UUID) -> Entry:
    """The entry if this person may see it; an entry that is hidden looks like one that does not exist."""
    entry = entry_visible(request, pk)
    if entry is None:
        raise Http404
    return entry


def may_edit(request: HttpRequest, entry: Entry) -> bool:
    """Whether this person may change the entry: those with the permission, and authors their own drafts."""
    user = request.user
    own_draft = entry.status == EntryStatus.DRAFT and user.is_authenticated and entry.created_by_id == user.pk
    return user.has_perm("knowledge.change_entry") or (own_draft and user.has_perm("knowledge.add_entry"))


def first_view(request: HttpRequest, entry: Entry) -> bool:
    """Whether this session sees the entry for the first time; remembers that it did."""
    viewed = request.session.get(VIEWED_SESSION_KEY, [])
    if str(entry.pk) in viewed:
        return False
    request.session[VIEWED_SESSION_KEY] = [*viewed, str(entry.pk)][-VIEWED_KEPT:]
    return True
