"""A person's own API tokens."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from knowledge.errors import KnowledgeError
from knowledge.models import ApiToken
from knowledge.tokens import NAME_CHARS, token_create, token_delete
from knowledge.views.visitor import visitor_user

LIFETIMES = (
    (30, gettext_lazy("30 days")),
    (90, gettext_lazy("90 days")),
    (365, gettext_lazy("1 year")),
    (0, gettext_lazy("No end")),
)


class TokenForm(forms.Form):
    """A new token."""

    name = forms.CharField(
        label=gettext_lazy("What is it for?"),
        max_length=NAME_CHARS,
        help_text=gettext_lazy("So that you know it again."),
    )
    days = forms.TypedChoiceField(label=gettext_lazy("Ends after"), choices=LIFETIMES, coerce=int, initial=90)


@never_cache
@login_required
def tokens(request: HttpRequest) -> HttpResponse:
    """The tokens of this person; a new one is shown once, in the answer to the form that made it."""
    if request.method != "POST":
        return page(request, TokenForm())
    form = TokenForm(request.POST)
    user = visitor_user(request)
    if not form.is_valid() or user is None:
        return page(request, form, status=422)
    try:
        made = token_create(user=user, name=form.cleaned_data["name"], days=form.cleaned_data["days"] or None)
    except KnowledgeError as error:
        form.add_error(None, str(error))
        return page(request, form, status=422)
    return page(request, TokenForm(), secret=made.secret)


def page(request: HttpRequest, form: TokenForm, *, status: int = 200, **context: Any) -> HttpResponse:
    """The list and the form."""
    own = ApiToken.objects.filter(user=request.user.pk)
    return render(
        request, "knowledge/tokens.html", {"tokens": own, "form": form, "now": timezone.now(), **context}, status=status
    )


@require_POST
@login_required
def token_end(request: HttpRequest, pk: int) -> HttpResponse:
    """End one token."""
    user = visitor_user(request)
    if user is not None:
        try:
            token_delete(user=user, token_id=pk)
            messages.success(request, _("The token has ended."))
        except KnowledgeError as error:
            messages.error(request, str(error))
    return redirect("tokens")
