"""Valid entries, codes and people, by keywords."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Permission, User

from knowledge.entries import entry_create
from knowledge.models import Entry, EntryStatus


def an_entry(**values: Any) -> Entry:
    """A published entry, written through the service."""
    given = {
        "title": "S0C7: data exception in a packed field",
        "problem": "The step ends with S0C7 while it adds amounts.",
        "solution": "## Likely causes\n\n1. Spaces in a packed field.",
        "category": "COBOL",
        "severity": "high",
        "tags": ["abend"],
        "codes": ["S0C7"],
        "status": EntryStatus.PUBLISHED,
        **values,
    }
    return entry_create(**given)


def a_person(*permissions: str, name: str = "ana", **values: Any) -> User:
    """A person with these permissions of the knowledge base, by codename."""
    person = User.objects.create_user(name, password="pass", **values)
    granted = Permission.objects.filter(content_type__app_label="knowledge", codename__in=permissions)
    assert granted.count() == len(permissions)
    person.user_permissions.set(granted)
    return person
