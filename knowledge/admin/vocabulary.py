"""Tags, codes and their aliases. The index follows when a name changes."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import transaction
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import display

from knowledge.entries import entries_refresh
from knowledge.models import CodeAlias, ErrorCode, Tag


class NamedAdmin(ModelAdmin):
    """Something that entries carry: a change of its name, or its end, updates their index."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).annotate(entry_count=Count("entries"))  # type: ignore[no-any-return]

    @display(description=_("entries"), ordering="entry_count")
    def entry_count(self, named: Any) -> int:
        return int(named.entry_count)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        if change and (form.has_changed() or any(formset.has_changed() for formset in formsets)):
            entries_refresh(form.instance.entries.values_list("pk", flat=True))

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        self.delete_queryset(request, type(obj).objects.filter(pk=obj.pk))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        with transaction.atomic():
            ids = list(
                self.model.entries.through.objects.filter(
                    **{f"{self.through_field}__in": queryset.order_by().values("pk")}
                )
                .values_list("entry_id", flat=True)
                .distinct()
            )
            queryset.order_by().delete()
            entries_refresh(ids)

    through_field = ""


@admin.register(Tag)
class TagAdmin(NamedAdmin):
    """Labels of entries."""

    list_display = ("name", "entry_count", "created_at")
    search_fields = ("name",)
    through_field = "tag"


class CodeAliasInline(TabularInline):
    """Other names that people type for a code."""

    model = CodeAlias
    extra = 1


@admin.register(ErrorCode)
class ErrorCodeAdmin(NamedAdmin):
    """Codes in canonical form, what they mean, and other names for them."""

    list_display = ("code", "kind", "meaning", "entry_count")
    list_filter = ("kind",)
    search_fields = ("code", "meaning", "aliases__alias")
    inlines = (CodeAliasInline,)
    through_field = "error_code"

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        for alias in formset.save(commit=False):
            alias.alias = alias.alias.lower()
            alias.save()
        for alias in formset.deleted_objects:
            alias.delete()
