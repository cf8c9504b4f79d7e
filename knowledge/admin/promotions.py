"""Entries that staff put first for a search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin

from knowledge.errors import PromotionInvalidError
from knowledge.models import PromotedResult
from knowledge.search.promoted import promotion_save, promotion_words

if TYPE_CHECKING:
    PromotedForm = forms.ModelForm[PromotedResult]
else:  # only the type checker's stubs can be subscripted
    PromotedForm = forms.ModelForm


class PromotionForm(PromotedForm):
    """A promotion as staff type it; the words of the search are taken from what was typed."""

    class Meta:
        model = PromotedResult
        fields = ("query", "entry", "position")
        help_texts = {
            "query": _("The search as people type it; other spellings of its codes and words count as well."),
            "position": _("Among several entries for one search: small numbers first."),
        }

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        query, entry = cleaned.get("query"), cleaned.get("entry")
        if not query or not entry:
            return cleaned
        try:
            words = promotion_words(query)
        except PromotionInvalidError as error:
            self.add_error("query", str(error))
            return cleaned
        if PromotedResult.objects.filter(normalized=words, entry=entry).exclude(pk=self.instance.pk).exists():
            self.add_error("entry", _("This entry is promoted for that search already."))
        return cleaned


@admin.register(PromotedResult)
class PromotedResultAdmin(ModelAdmin):
    """Which entry comes first for which search."""

    form = PromotionForm
    list_display = ("query", "normalized", "entry", "position", "created_at")
    search_fields = ("query", "normalized", "entry__title")
    list_select_related = ("entry",)
    autocomplete_fields = ("entry",)

    def save_model(self, request: HttpRequest, obj: PromotedResult, form: Any, change: bool) -> None:
        promotion_save(promotion=obj)
