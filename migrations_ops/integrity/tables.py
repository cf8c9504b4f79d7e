"""The tables that checks look at: those of the open levels, and the engine's own."""

from __future__ import annotations

from django.apps import apps
from django.db.models import Model

from migrations_ops.gate import site_level
from migrations_ops.phase import phases_open


def models_known() -> list[type[Model]]:
    """Every model whose table is there."""
    labels = [phase.app_label for phase in phases_open(site_level())]
    return [
        model
        for label in (*labels, "migrations_ops")
        for model in apps.get_app_config(label).get_models(include_auto_created=True)
        if model._meta.managed and not model._meta.proxy
    ]
