"""Checkpoints as their pages show them."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from migrations_ops.checkpoints import checkpoint_events, checkpoint_fit, checkpoint_path
from migrations_ops.console.present.badges import Badge, checkpoint_badge
from migrations_ops.console.present.journal import line_context
from migrations_ops.console.present.quantities import age_text, count_text, size_text
from migrations_ops.errors import CheckpointUnfitError
from migrations_ops.models import Checkpoint, CheckpointKind, CheckpointState


def checkpoint_row(checkpoint: Checkpoint) -> dict[str, Any]:
    """One line of a list of checkpoints."""
    tables = checkpoint.manifest.get("tables", {})
    return {
        "checkpoint": checkpoint,
        "badge": checkpoint_badge(checkpoint.state),
        "short": checkpoint.pk.hex[:8],
        "parked": checkpoint.kind == CheckpointKind.PARKED,
        "rows": count_text(sum(table["rows"] for table in tables.values())),
        "tables": len(tables),
        "size": size_text(checkpoint.size_bytes),
        "age": age_text(checkpoint.created_at),
        "proof": proof_badge(checkpoint),
    }


def proof_badge(checkpoint: Checkpoint) -> Badge:
    """The strongest proof that the checkpoint works."""
    if checkpoint.state != CheckpointState.COMPLETE:
        return Badge("", "neutral")
    if checkpoint.restore_tested_at:
        return Badge(_("Restore tested"), "ok")
    if checkpoint.verified_at:
        return Badge(_("Verified"), "info")
    return Badge(_("Not verified"), "warn")


def checkpoint_context(checkpoint: Checkpoint) -> dict[str, Any]:
    """Everything that a checkpoint's page prints."""
    manifest = checkpoint.manifest
    known = {"tables", "migrations", "format", "level", "database", "created_at"}
    return {
        **checkpoint_row(checkpoint),
        "tables": [
            {"name": name, "rows": count_text(facts["rows"]), "sha256": facts.get("sha256", "")}
            for name, facts in sorted(manifest.get("tables", {}).items())
        ],
        "migrations": sorted(manifest.get("migrations", {}).items()),
        "facts": [(name, fact_lines(value)) for name, value in sorted(manifest.items()) if name not in known],
        "database": manifest.get("database", ""),
        "file_missing": checkpoint.state != CheckpointState.DELETED and not checkpoint_path(checkpoint).exists(),
        "unfit": unfit_reason(checkpoint),
        "is_deleted": checkpoint.state == CheckpointState.DELETED,
        "verified": age_text(checkpoint.verified_at),
        "restore_tested": age_text(checkpoint.restore_tested_at),
        "audit": [line_context(event) for event in checkpoint_events(checkpoint)],
        "restored": age_text(checkpoint.restored_at),
    }


def fact_lines(value: Any) -> list[tuple[str, str]]:
    """A fact of a manifest as pairs of name and value."""
    if isinstance(value, dict):
        return [(str(name), _plain(part)) for name, part in sorted(value.items())]
    return [("", _plain(part)) for part in value] if isinstance(value, list) else [("", _plain(value))]


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_plain(part)}" for name, part in sorted(value.items()))
    return ", ".join(_plain(part) for part in value) if isinstance(value, list) else str(value)


def unfit_reason(checkpoint: Checkpoint) -> str:
    """Why the checkpoint cannot be restored; empty when it can."""
    if checkpoint.state == CheckpointState.DELETED:
        return _("Its file was deleted.")
    if checkpoint.state == CheckpointState.CORRUPT:
        return _("It is damaged. Verify it again after its file was brought back.")
    try:
        checkpoint_fit(checkpoint)
    except CheckpointUnfitError as error:
        return str(error)
    return ""
