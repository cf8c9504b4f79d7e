"""Who calls: a person by token or session, or anybody by address; and how often they may."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest
from django.utils.crypto import salted_hmac
from ninja.security.base import AuthBase

from knowledge.rates import rate_take
from knowledge.tokens import token_user
from knowledge.views.visitor import address_of


@dataclass(frozen=True, slots=True)
class Caller:
    """What limits and the search history know the caller by."""

    key: str
    limit: int


class CallerAccess(AuthBase):
    """Everybody may read what every visitor of the site reads; a token or session shows what its person sees.

    Sets `request.user` to the person of the token. Raises TokenInvalidError and RateLimitedError.
    """

    openapi_type = "http"
    openapi_scheme = "bearer"
    openapi_description = "A token of yours. A session of the site works too; without either you are a visitor."

    def __call__(self, request: HttpRequest) -> Caller:
        address = address_of(request)
        scheme, _space, secret = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            # Counted by address first: wrong tokens are not free to try.
            rate_take(key=f"token-from:{address}", limit=settings.API_REQUESTS_PER_MINUTE)
            token = token_user(secret.strip())
            request.user = token.user
            caller = Caller(f"user:{token.user_id}", settings.API_REQUESTS_PER_MINUTE)
            rate_take(key=f"token:{token.pk}", limit=caller.limit)
            return caller
        if request.user.is_authenticated:
            caller = Caller(f"user:{request.user.pk}", settings.API_REQUESTS_PER_MINUTE)
        else:
            hidden = salted_hmac("knowledge.api", address).hexdigest()[:32]
            caller = Caller(f"address:{hidden}", settings.API_VISITOR_REQUESTS_PER_MINUTE)
        rate_take(key=caller.key, limit=caller.limit)
        return caller
