"""Accounts and groups, in the admin's own look."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, Permission, User
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from knowledge.admin.journal import ReadOnlyAdmin

GROUPS_HELP = _("Without a group a person reads, votes, reports and keeps favourites.")

admin.site.unregister(User)
admin.site.unregister(Group)


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

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **options: Any) -> Any:
        if db_field.name == "groups":
            options |= {"widget": UnfoldAdminCheckboxSelectMultipleWidget, "help_text": GROUPS_HELP}
        return super().formfield_for_manytomany(db_field, request, **options)


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ModelAdmin):
    """Permissions under one name."""

    filter_horizontal = ()
    autocomplete_fields = ("permissions",)


@admin.register(Permission)
class PermissionAdmin(ReadOnlyAdmin):
    """What can be allowed, for the search boxes of people and groups."""

    list_display = ("name", "content_type", "codename")
    search_fields = ("name", "codename", "content_type__app_label")
    list_select_related = ("content_type",)
