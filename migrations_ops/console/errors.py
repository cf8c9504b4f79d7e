"""Errors that only the console raises."""

from __future__ import annotations

from migrations_ops.errors import OpsError


class ReasonMissingError(OpsError):
    """Say why: the journal keeps the reason, and whoever reads it later will ask."""

    code = "reason_missing"


class ActionUnknownError(OpsError):
    """A run cannot be asked to {action}."""

    code = "action_unknown"


class InputError(OpsError):
    """{field} is not valid: it must be {expected}."""

    code = "input_invalid"
