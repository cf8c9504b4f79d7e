"""The commands: exit codes, JSON and nothing else, and what the journal keeps of who and why."""

from __future__ import annotations

import getpass
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import ProgrammingError

from migrations_ops.management import reporting
from migrations_ops.models import Plan, RunEvent
from tests.engine.builders import run_queued, run_up

pytestmark = pytest.mark.usefixtures("closed_site")


def answered(capsys: Any, *arguments: str) -> tuple[int, Any]:
    """Exit code and JSON of a command."""
    try:
        call_command(*arguments, "--json")
        code = 0
    except SystemExit as stop:
        code = int(stop.code or 0)
    return code, json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("verb", ["pause", "cancel"])
def test_waiting_for_a_pause_or_a_cancel_is_done_when_it_has_happened(capsys: Any, verb: str) -> None:
    run = run_queued()

    code, report = answered(capsys, "mvp", verb, str(run.pk), "--wait", "--reason", "wrong night")

    assert (code, report["state"]) == (0, {"pause": "paused", "cancel": "cancelled"}[verb])
    assert RunEvent.objects.filter(run=run, action=verb, reason="wrong night").exists()


def test_a_run_that_was_waited_for_and_paused_is_no_success(capsys: Any) -> None:
    run = run_queued()
    answered(capsys, "mvp", "pause", str(run.pk))

    assert answered(capsys, "mvp", "show", str(run.pk), "--wait")[0] == 4


@pytest.mark.parametrize("number", ["7", "x", "99999999999999999999999"])
@pytest.mark.parametrize("verb", ["show", "pause", "rollback"])
def test_an_unknown_run_is_an_error_in_json(capsys: Any, verb: str, number: str) -> None:
    code, report = answered(capsys, "mvp", verb, number)

    assert (code, report["error"]["code"]) == (1, "run_not_found")


def test_any_error_of_the_database_is_json_too(capsys: Any, monkeypatch: Any) -> None:
    def missing() -> None:
        raise ProgrammingError('relation "ops_runs" does not exist')

    monkeypatch.setattr("migrations_ops.management.commands.mvp.site_report", missing)

    code, report = answered(capsys, "mvp", "status")

    assert (code, report["error"]["code"]) == (1, "database_gone")
    assert "ops_runs" in report["error"]["message"]


def test_without_a_terminal_a_dangerous_command_says_what_to_type(capsys: Any) -> None:
    run = run_up()

    code, report = answered(capsys, "mvp", "rollback", str(run.pk))

    assert (code, report["error"]["code"]) == (1, "confirmation_mismatch")
    assert f"ROLL BACK {run.pk}" in report["error"]["message"]


@pytest.mark.parametrize("arguments", [["runs", "--limit", "-1"], ["status", "--actor", "a" * 151]])
def test_wrong_values_of_options_are_refused(arguments: list[str]) -> None:
    with pytest.raises(CommandError):
        call_command("mvp", *arguments)


def test_a_process_whose_user_has_no_name_has_a_number(monkeypatch: Any) -> None:
    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 1000830000")

    monkeypatch.setattr(getpass, "getuser", nameless)

    assert reporting.user_name().startswith("uid ")


def test_the_journal_keeps_the_reason_of_plans_and_checks(capsys: Any) -> None:
    answered(capsys, "mvp", "plan", "2", "--actor", "grace", "--reason", "ticket 7")
    answered(capsys, "mvp", "check", str(Plan.objects.get().pk), "--actor", "grace", "--reason", "disk was full")

    kept = RunEvent.objects.filter(actor="grace").order_by("pk").values_list("action", "reason")
    assert list(kept) == [("plan", "ticket 7"), ("check", "disk was full")]


def test_migrate_that_only_looks_writes_nothing() -> None:
    from django.contrib.auth.models import Permission

    Permission.objects.filter(content_type__app_label="analytics").delete()

    call_command("migrate", "--plan", verbosity=0)

    assert not Permission.objects.filter(content_type__app_label="analytics").exists()
    call_command("migrate", verbosity=0)
    assert Permission.objects.filter(content_type__app_label="analytics").exists()
