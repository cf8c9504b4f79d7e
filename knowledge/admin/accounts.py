"""Accounts and groups, in the admin's own look."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, Permission, User
from django.db.models import Q
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from knowledge.admin.journal import ReadOnlyAdmin

GROUPS_HELP = _("Without a group a person reads, votes, reports and keeps favourites.")

admin.site.unregister(User)
admin.site.unregister(Group)


#: What decides what a person may do. Set by superusers: who may edit people could else make anybody one of them.
RIGHTS = ("is_staff", "is_superuser", "groups", "user_permissions")


def may_do_more(person: User, than: Any) -> bool:
    """Whether an account has rights that the other one lacks; those of a closed account count."""

    def granted(user: Any) -> set[int]:
        rows = Permission.objects.filter(Q(user=user.pk) | Q(group__user=user.pk))
        return set(rows.values_list("pk", flat=True))

    return not than.is_superuser and (person.is_superuser or not granted(person) <= granted(than))


@admin.register(User)
class UserAdmin(DjangoUserAdmin, ModelAdmin):  # type: ignore[type-arg]
    """People who log in. What they may do comes from their groups, to tick; single permissions are the exception."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "email", "is_active", "is_staff", "last_login")
    filter_horizontal = ()
    autocomplete_fields = ("user_permissions",)
    add_fieldsets = (
        (None, {"fields": ("username", "usable_password", "password1", "password2")}),
        (None, {"fields": ("email", "groups", "is_staff")}),
    )
    fieldsets = (
        (None, {"fields": ("username", "password", "is_active")}),
        (None, {"fields": ("first_name", "last_name", "email")}),
        (_("What they may do"), {"fields": ("groups", "is_staff", "is_superuser", "user_permissions")}),
        (_("Dates"), {"fields": ("last_login", "date_joined")}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        given = tuple(super().get_readonly_fields(request, obj))
        return given if request.user.is_superuser else (*given, *RIGHTS)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Nobody takes over the account of one who may do more, be it by a new password."""
        allowed = bool(super().has_change_permission(request, obj))
        return allowed and (obj is None or not may_do_more(obj, than=request.user))

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        allowed = bool(super().has_delete_permission(request, obj))
        return allowed and (obj is None or not may_do_more(obj, than=request.user))

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **options: Any) -> Any:
        if db_field.name == "groups":
            options |= {"widget": UnfoldAdminCheckboxSelectMultipleWidget, "help_text": GROUPS_HELP}
        return super().formfield_for_manytomany(db_field, request, **options)


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ModelAdmin):
    """Permissions under one name; granted by superusers, for who grants could else grant themselves everything."""

    filter_horizontal = ()
    autocomplete_fields = ("permissions",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_superuser)

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return bool(request.user.is_superuser)

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return bool(request.user.is_superuser)


@admin.register(Permission)
class PermissionAdmin(ReadOnlyAdmin):
    """What can be allowed, for the search boxes of people and groups."""

    list_display = ("name", "content_type", "codename")
    search_fields = ("name", "codename", "content_type__app_label")
    list_select_related = ("content_type",)
