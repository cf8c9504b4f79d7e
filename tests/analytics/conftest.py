"""Fixtures of the analytics tests."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission, User

from knowledge.phases.mvp2_analytics.plugins import ANALYTICS, PATTERNS
from knowledge.plugins import plugin_enable


@pytest.fixture
def plugins(level_2: None) -> None:
    """Both plugins of MVP2, enabled."""
    plugin_enable(name=ANALYTICS)
    plugin_enable(name=PATTERNS)


@pytest.fixture
def reader(level_2: None) -> User:
    """A person without any permission."""
    return User.objects.create_user("reader", password="x")


@pytest.fixture
def analyst(level_2: None) -> User:
    """A person who is no staff and may see and do everything in analytics."""
    user = User.objects.create_user("analyst", password="x")
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="analytics"))
    user.user_permissions.add(*Permission.objects.filter(codename__in=["add_entry", "add_codealias"]))
    return user
