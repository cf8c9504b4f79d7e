"""What a person does with their own account."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, PasswordChangeView
from django.contrib.messages.views import SuccessMessageMixin
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _
from unfold.forms import AuthenticationForm as UnfoldAuthenticationForm

from knowledge.errors import RateLimitedError
from knowledge.rates import rate_check, rate_take
from knowledge.views.visitor import address_of


class PatientForm(AuthenticationForm):
    """Name and password; after many wrong ones none is looked at for the rest of the minute, not even a right one.

    Counted for each name and address apart, so that a stranger elsewhere locks nobody out of their account.
    """

    def clean(self) -> dict[str, Any]:
        keys = login_keys(self.request, self.cleaned_data.get("username") or "")
        try:
            for key, limit in keys.items():
                rate_check(key=key, limit=limit)
        except RateLimitedError as error:
            wait = _("Too many wrong passwords. Try again in %(seconds)s seconds.") % error.facts
            raise ValidationError(wait, code="rate_limited") from error
        try:
            return super().clean()
        except ValidationError:
            for key in keys:
                rate_take(key=key)
            raise


class AdminLoginForm(PatientForm, UnfoldAuthenticationForm):
    """The same in the admin's look, for staff."""


class PatientLoginView(LoginView):
    """The page to log in."""

    authentication_form = PatientForm


def login_keys(request: HttpRequest | None, name: str) -> dict[str, int]:
    """What wrong passwords are counted by, each with how many there may be in a minute."""
    address, folded = address_of(request) if request else "", name.casefold()
    most = settings.LOGIN_FAILURES_PER_MINUTE
    return {
        f"login:{folded}:{address}": most["name_here"],
        f"login-from:{address}": most["address"],
        f"login-as:{folded}": most["name"],
    }


class OwnPasswordView(SuccessMessageMixin, PasswordChangeView):  # type: ignore[type-arg]
    """A new password for who is logged in; other sessions of theirs end."""

    template_name = "registration/own_password.html"
    success_url = reverse_lazy("mine")
    success_message = _("Your password is changed.")
