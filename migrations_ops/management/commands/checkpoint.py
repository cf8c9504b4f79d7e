"""`manage.py checkpoint`: create, list, verify, restore and delete checkpoints."""

from __future__ import annotations

from typing import Any

from migrations_ops.checkpoints import (
    checkpoint_create,
    checkpoint_delete,
    checkpoint_get,
    checkpoint_verify,
)
from migrations_ops.management.reporting import OpsCommand
from migrations_ops.models import Checkpoint, CheckpointState
from migrations_ops.planning import restore_plan_create
from migrations_ops.reports import checkpoint_report
from migrations_ops.runner import run_inline
from migrations_ops.runs import confirmation_expected, run_enqueue


class Command(OpsCommand):
    help = "Creates, lists, verifies, restores and deletes checkpoints of the site's rows."

    def add_verbs(self, verbs: Any) -> None:
        create = self.verb(verbs, "create", "copy the rows of the open levels into a file and read it back")
        create.add_argument("--label", default="", help="a name that tells people why it was made")
        listing = self.verb(verbs, "list", "every checkpoint, newest first")
        listing.add_argument("--all", action="store_true", help="deleted ones too")
        self.verb(verbs, "verify", "read a checkpoint's file and compare every row").add_argument("checkpoint")
        restore = self.verb(verbs, "restore", "make the site what a checkpoint holds, as a run", waits=True)
        restore.add_argument("checkpoint")
        restore.add_argument("--yes", action="store_true", help="answer the question for confirmation")
        restore.add_argument("--inline", action="store_true", help="do the work in this process; no worker is needed")
        delete = self.verb(verbs, "delete", "delete a checkpoint's file")
        delete.add_argument("checkpoint")
        delete.add_argument("--yes", action="store_true", help="do not ask")

    def do_create(self, options: dict[str, Any]) -> dict[str, Any]:
        label = options["label"] or f"Made by {options['actor']}"
        checkpoint = checkpoint_verify(checkpoint=checkpoint_create(label=label, actor=options["actor"]))
        return self._said(checkpoint, options)

    def do_list(self, options: dict[str, Any]) -> dict[str, Any]:
        rows = Checkpoint.objects.all()
        if not options["all"]:
            rows = rows.exclude(state=CheckpointState.DELETED)
        if not rows:
            self.say(options, "There is no checkpoint yet. `manage.py checkpoint create` makes one.")
        return {"checkpoints": [self._said(checkpoint, options) for checkpoint in rows]}

    def do_verify(self, options: dict[str, Any]) -> dict[str, Any]:
        return self._said(checkpoint_verify(checkpoint=checkpoint_get(options["checkpoint"])), options)

    def _said(self, checkpoint: Checkpoint, options: dict[str, Any]) -> dict[str, Any]:
        report = checkpoint_report(checkpoint)
        self.say(
            options,
            f"{checkpoint.pk}  MVP{checkpoint.level}  {report['rows']:>8} rows  {checkpoint.size_bytes:>10} bytes  "
            f"{checkpoint.get_state_display()}  {checkpoint.created_at:%Y-%m-%d %H:%M}  {checkpoint.label}",
        )
        return report

    def do_restore(self, options: dict[str, Any]) -> dict[str, Any]:
        plan = restore_plan_create(
            checkpoint_id=options["checkpoint"],
            actor=options["actor"],
            reason=options["reason"],
            inline=options["inline"],
        )
        confirmation = self.confirmation(options, confirmation_expected(plan))
        run = run_enqueue(plan=plan, actor=options["actor"], confirmation=confirmation, reason=options["reason"])
        if options["inline"]:
            run = run_inline(run.pk)
            options["wait"] = True
        return self.result_of_run(run, options)

    def do_delete(self, options: dict[str, Any]) -> dict[str, Any]:
        checkpoint = checkpoint_get(options["checkpoint"])
        if self.confirmation(options, "DELETE") == "DELETE":
            checkpoint_delete(checkpoint=checkpoint, actor=options["actor"], reason=options["reason"])
            self.say(options, f"Deleted {checkpoint.pk}")
            return {"deleted": str(checkpoint.pk)}
        self.say(options, "Nothing was deleted.")
        return {"deleted": None, "exit_code": 1}
