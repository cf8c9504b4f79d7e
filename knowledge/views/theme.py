"""The choice between light and dark, kept in a cookie."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import resolve_url
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

THEME_COOKIE = "theme"
ONE_YEAR_SECONDS = 365 * 24 * 3600


def back_url(request: HttpRequest, fallback: str = "home") -> str:
    """The posted `next` if it stays on this site, else the address of `fallback`."""
    url = request.POST.get("next", "")
    secure = request.is_secure()
    if url_has_allowed_host_and_scheme(url, allowed_hosts={request.get_host()}, require_https=secure):
        return url
    return resolve_url(fallback)


@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Switch between light and dark; pages without scripts come here."""
    chosen = "light" if request.COOKIES.get(THEME_COOKIE) == "dark" else "dark"
    response = HttpResponseRedirect(back_url(request))
    response.set_cookie(THEME_COOKIE, chosen, max_age=ONE_YEAR_SECONDS, samesite="Lax", secure=request.is_secure())
    return response
