"""Accounts in checkpoints: names only. A restore never revives a password."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, count
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Model

from migrations_ops.archive import foreign_keys


def accounts_referenced(using: str) -> dict[str, str]:
    """User name by id; no password, address or permission leaves the database."""
    users = get_user_model()._base_manager.using(using).order_by("pk")
    return {str(pk): name for pk, name in users.values_list("pk", get_user_model().USERNAME_FIELD)}


def accounts_supply(tables: Iterable[type[Model]], accounts: dict[str, str]) -> None:
    """Make a closed account for every id that rows of these tables point to and that is gone."""
    user_model = get_user_model()
    keys = {key for model in tables for key in keys_to(user_model, model)}
    for key in sorted(keys - set(user_model._base_manager.values_list("pk", flat=True))):
        name = name_free(accounts.get(str(key), "account"), key)
        user = user_model(pk=key, is_active=False, **{user_model.USERNAME_FIELD: name})
        user.set_unusable_password()
        user.save(force_insert=True)


def keys_to(target: type[Model], model: type[Model]) -> set[Any]:
    """Keys of `target` that rows of `model` point to."""
    fields = [field for field in foreign_keys(model) if field.related_model is target]
    rows = model._base_manager.order_by()
    return {key for field in fields for key in rows.values_list(field.attname, flat=True).distinct()} - {None}


def name_free(name: str, key: Any) -> str:
    """A user name that nobody has: `name`, else with the key behind it, else with a number behind that."""
    user_model = get_user_model()
    longest = getattr(user_model._meta.get_field(user_model.USERNAME_FIELD), "max_length", None) or 150
    endings = chain(["", f"-{key}"], (f"-{key}-{number}" for number in count(2)))
    names = (f"{name[: longest - len(ending)]}{ending}" for ending in endings)
    taken = user_model._base_manager
    return next(free for free in names if not taken.filter(**{user_model.USERNAME_FIELD: free}).exists())
