"""`manage.py mvp`: everything the console does with plans and runs, for shells and scripts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from migrations_ops import rehearsal_copy
from migrations_ops.management.moving import MoveVerbs
from migrations_ops.management.reporting import EXIT_BLOCKED
from migrations_ops.models import Plan, Run, RunState
from migrations_ops.planning import plan_check, plan_create, plan_get
from migrations_ops.reports import plan_report, run_report, site_report
from migrations_ops.runner import run_inline
from migrations_ops.runs import (
    confirmation_expected,
    rehearsal_enqueue,
    rollback_confirmation_expected,
    run_cancel,
    run_enqueue,
    run_force_stop,
    run_get,
    run_pause,
    run_resume,
    run_retry,
    run_rollback,
    step_skip,
)

INLINE_HELP = "do the work in this process; no worker is needed"


class Command(MoveVerbs):
    help = "Plans, checks, rehearses, runs and rolls back moves: from one level to another, or to another database."

    def add_verbs(self, verbs: Any) -> None:
        self.verb(verbs, "status", "the level, the active run, worker, disk and last checkpoint")
        plan = self.verb(verbs, "plan", "plan the way up to a level, with checks, risks and estimate")
        plan.add_argument("level", type=int, help="the level to reach")
        check = self.verb(verbs, "check", "repeat the checks, risks and estimate of a plan")
        check.add_argument("plan")
        rehearse = self.verb(verbs, "rehearse", "run a plan and its rollback on a copy of the data", waits=True)
        rehearse.add_argument("plan")
        rehearse.add_argument("--inline", action="store_true", help=INLINE_HELP)
        run = self.verb(verbs, "run", "start a plan", waits=True)
        run.add_argument("plan")
        run.add_argument("--yes", action="store_true", help="answer the question for confirmation")
        run.add_argument("--inline", action="store_true", help=INLINE_HELP)
        self._add_run_verbs(verbs)
        self.add_move_verbs(verbs)
        self._add_copy_verb(verbs)

    def _add_run_verbs(self, verbs: Any) -> None:
        for name, text in (
            ("show", "one run with its steps"),
            ("pause", "stop a run at its next safe point"),
            ("resume", "go on with a paused run"),
            ("cancel", "give up the rest of a run and keep what is done"),
            ("retry", "go on with a failed or cancelled run"),
            ("force-stop", "take a run away from a worker that does not answer"),
        ):
            verb = self.verb(verbs, name, text, waits=True)
            verb.add_argument("run")
            if name in {"resume", "retry"}:
                verb.add_argument("--inline", action="store_true", help=INLINE_HELP)
        rollback = self.verb(verbs, "rollback", "revert the steps of a run, last one first", waits=True)
        rollback.add_argument("run")
        rollback.add_argument("--yes", action="store_true", help="answer the question for confirmation")
        rollback.add_argument("--inline", action="store_true", help=INLINE_HELP)
        skip = self.verb(verbs, "skip", "leave out a step that is not critical, and go on", waits=True)
        skip.add_argument("run")
        skip.add_argument("step")
        runs = self.verb(verbs, "runs", "the latest runs")
        runs.add_argument("--limit", type=int, default=20, choices=range(1, 1001), metavar="1..1000")

    def _add_copy_verb(self, verbs: Any) -> None:
        copy = self.verb(verbs, "rehearse-copy", "used by rehearsals: run up and back in a scratch database")
        copy.add_argument("archive", type=Path)
        copy.add_argument("level", type=int)
        copy.add_argument("--scratch", required=True, help="the scratch schema or folder; refused anywhere else")

    def do_status(self, options: dict[str, Any]) -> dict[str, Any]:
        report = site_report()
        alive = sum(worker["alive"] for worker in report["workers"])
        self.say(options, f"Level: MVP{report['level']}")
        self.say(options, f"Active run: {report['active_run'] or 'none'}")
        self.say(options, f"Workers alive: {alive}")
        self.say(options, f"Database: {report['database_bytes'] / 1024**2:.1f} MB")
        latest = report["last_checkpoint"]
        self.say(options, f"Last checkpoint: {latest['created_at'] if latest else 'none'}")
        return report

    def do_plan(self, options: dict[str, Any]) -> dict[str, Any]:
        plan = plan_create(to_level=options["level"], actor=options["actor"], reason=options["reason"])
        return self.plan_result(plan, options)

    def do_check(self, options: dict[str, Any]) -> dict[str, Any]:
        plan = plan_check(plan=plan_get(options["plan"]), actor=options["actor"], reason=options["reason"])
        return self.plan_result(plan, options)

    def plan_result(self, plan: Plan, options: dict[str, Any]) -> dict[str, Any]:
        report = plan_report(plan)
        self.say(options, f"Plan {plan}")
        for step in report["steps"]:
            self.say(options, f"  {step['kind']:<12} {step['title']}{'' if step['critical'] else ' (not critical)'}")
        for found in report["findings"]:
            self.say(options, f"  [{found['status']}] {found['title']}: {found['evidence']} {found['remedy']}".rstrip())
        self.say(options, f"Risk: {report['risk']}")
        for risk in report["risks"]:
            if risk["level"] != "none":
                self.say(options, f"  {risk['level']}: {risk['fact']} {risk['mitigation']}")
        self.say(options, f"Estimate: {_seconds(report)}")
        if not report["ready"]:
            self.say(options, "Blocked: a prerequisite failed.")
            report["exit_code"] = EXIT_BLOCKED
        return report

    def do_rehearse(self, options: dict[str, Any]) -> dict[str, Any]:
        run = rehearsal_enqueue(
            plan=plan_get(options["plan"]), actor=options["actor"], reason=options["reason"], inline=options["inline"]
        )
        return self._started(run, options)

    def do_run(self, options: dict[str, Any]) -> dict[str, Any]:
        plan = plan_get(options["plan"])
        if options["inline"]:
            plan.options["inline"] = True  # stored with the run, and only if one is made
        confirmation = self.confirmation(options, confirmation_expected(plan))
        run = run_enqueue(plan=plan, actor=options["actor"], confirmation=confirmation, reason=options["reason"])
        return self._started(run, options)

    def _started(self, run: Run, options: dict[str, Any], wanted: RunState | None = None) -> dict[str, Any]:
        if options.get("inline"):
            run = run_inline(run.pk)
            options["wait"] = True
        return self.result_of_run(run, options, wanted)

    def do_show(self, options: dict[str, Any]) -> dict[str, Any]:
        run = run_get(options["run"])
        report = self.result_of_run(run, options)
        for step in report["steps"]:
            total = "" if step["rows_total"] is None else f"/{step['rows_total']}"
            self.say(options, f"  {step['state']:<10} {step['title']} ({step['rows_done']}{total})")
        return report

    def do_pause(self, options: dict[str, Any]) -> dict[str, Any]:
        return self._act(run_pause, options, wanted=RunState.PAUSED)

    def do_resume(self, options: dict[str, Any]) -> dict[str, Any]:
        return self._act(run_resume, options)

    def do_cancel(self, options: dict[str, Any]) -> dict[str, Any]:
        return self._act(run_cancel, options, wanted=RunState.CANCELLED)

    def do_retry(self, options: dict[str, Any]) -> dict[str, Any]:
        return self._act(run_retry, options)

    def do_force_stop(self, options: dict[str, Any]) -> dict[str, Any]:
        return self._act(run_force_stop, options, wanted=RunState.PAUSED)

    def _act(self, service: Any, options: dict[str, Any], wanted: RunState | None = None) -> dict[str, Any]:
        run = service(run=run_get(options["run"]), actor=options["actor"], reason=options["reason"])
        return self._started(run, options, wanted)

    def do_skip(self, options: dict[str, Any]) -> dict[str, Any]:
        run = step_skip(
            run=run_get(options["run"]), step_name=options["step"], actor=options["actor"], reason=options["reason"]
        )
        return self.result_of_run(run, options)

    def do_rollback(self, options: dict[str, Any]) -> dict[str, Any]:
        run = run_get(options["run"])
        confirmation = self.confirmation(options, rollback_confirmation_expected(run))
        run = run_rollback(run=run, actor=options["actor"], confirmation=confirmation, reason=options["reason"])
        return self._started(run, options)

    def do_runs(self, options: dict[str, Any]) -> dict[str, Any]:
        runs = Run.objects.select_related("plan")[: options["limit"]]
        for run in runs:
            self.say(options, f"{run.pk:>5}  {run.get_state_display():<13} {run.plan}  by {run.started_by}")
        if not runs:
            self.say(options, "There was no run yet.")
        return {"runs": [run_report(run) for run in runs] if options["json"] else []}

    def do_rehearse_copy(self, options: dict[str, Any]) -> dict[str, Any]:
        rehearsal_copy.run(options["archive"], options["level"], options["scratch"], self.stdout)
        return {}


def _seconds(report: dict[str, Any]) -> str:
    if report["seconds"] is None:
        return "not measured yet; rehearse the plan"
    return f"{report['seconds']} s{'' if report['seconds_complete'] else ' for the steps that were measured'}"
