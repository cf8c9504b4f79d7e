"""API tokens: made for a person, shown once, kept as their sha256."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from secrets import token_urlsafe
from typing import TYPE_CHECKING

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from knowledge.errors import TokenGoneError, TokenInvalidError, TokenLimitError
from knowledge.models import ApiToken
from knowledge.text import text_line

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: Every token begins with this, so that scanners find one that was published by mistake.
PREFIX = "mkb_"
TOKENS_PER_PERSON = 20
NAME_CHARS = 100
#: The time of the last use is kept to this, so that reading does not write each time.
USED_PRECISION = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token just made; `secret` is known here and to nobody else."""

    token: ApiToken
    secret: str


def token_create(*, user: User, name: str, days: int | None) -> NewToken:
    """A token that ends after `days`, or never. Raises TokenLimitError."""
    secret = PREFIX + token_urlsafe(32)
    now = timezone.now()
    with transaction.atomic():
        get_user_model().objects.select_for_update().get(pk=user.pk)  # two requests at once are counted one by one
        if ApiToken.objects.filter(user=user).count() >= TOKENS_PER_PERSON:
            raise TokenLimitError(most=TOKENS_PER_PERSON)
        token = ApiToken.objects.create(
            name=text_line(name)[:NAME_CHARS] or "API",
            digest=digest_of(secret),
            user=user,
            created_at=now,
            expires_at=now + timedelta(days=days) if days else None,
        )
    return NewToken(token, secret)


def token_delete(*, user: User, token_id: int) -> None:
    """End one of this person's tokens. Raises TokenGoneError."""
    deleted, _by_model = ApiToken.objects.filter(pk=token_id, user=user).delete()
    if not deleted:
        raise TokenGoneError(token=token_id)


def token_user(secret: str, *, at: datetime | None = None) -> ApiToken:
    """The token of this secret with its `user`; notes that it was used.

    Raises TokenInvalidError for unknown and expired ones, and when the person is no longer active.
    """
    now = at or timezone.now()
    alive = Q(expires_at=None) | Q(expires_at__gt=now)
    token = (
        ApiToken.objects.select_related("user").filter(alive, digest=digest_of(secret), user__is_active=True).first()
    )
    if token is None:
        raise TokenInvalidError
    if token.last_used_at is None or token.last_used_at < now - USED_PRECISION:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return token


def digest_of(secret: str) -> str:
    """What is kept of a token. A plain sha256 is enough: the token has 256 random bits."""
    return sha256(secret.encode("utf-8", "ignore")).hexdigest()
