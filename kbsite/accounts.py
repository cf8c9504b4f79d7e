"""What a person does with their own account."""

from __future__ import annotations

from django.contrib.auth.views import PasswordChangeView
from django.contrib.messages.views import SuccessMessageMixin
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _


class OwnPasswordView(SuccessMessageMixin, PasswordChangeView):  # type: ignore[type-arg]
    """A new password for who is logged in; other sessions of theirs end."""

    template_name = "registration/own_password.html"
    success_url = reverse_lazy("mine")
    success_message = _("Your password is changed.")
