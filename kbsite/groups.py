"""The groups that a new site begins with, so that the first administrator need not pick from all permissions."""

from __future__ import annotations

from django.contrib.auth.models import Group, Permission
from django.db import transaction

AUTHORS = "Authors"
REVIEWERS = "Reviewers"
OPERATORS = "Operators"

_WRITES = ("knowledge.add_entry",)
#: Group -> permissions ("app.codename"); "app.*" is every one that the app has.
GROUPS: dict[str, tuple[str, ...]] = {
    AUTHORS: _WRITES,
    REVIEWERS: (
        *_WRITES,
        "knowledge.view_entry",
        "knowledge.change_entry",
        "knowledge.delete_entry",
        "knowledge.publish_entry",
        "knowledge.validate_entry",
        "knowledge.view_entryflag",
        "knowledge.change_entryflag",
    ),
    OPERATORS: ("migrations_ops.*", "knowledge.view_plugin", "knowledge.change_plugin"),
}


def groups_create() -> list[str]:
    """Make the groups on a site that has none; their names. What an administrator made or left out stays so."""
    if Group.objects.exists():
        return []
    with transaction.atomic():
        for name, granted in GROUPS.items():
            Group.objects.create(name=name).permissions.set(permissions(granted))
    return list(GROUPS)


def permissions(granted: tuple[str, ...]) -> list[Permission]:
    """The rows of these permissions."""
    found: list[Permission] = []
    for one in granted:
        app, _dot, codename = one.partition(".")
        rows = Permission.objects.filter(content_type__app_label=app)
        found += rows if codename == "*" else rows.filter(codename=codename)
    return found
