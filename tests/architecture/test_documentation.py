"""What an operator can set, run or meet is in docs/operations.md, and what is there exists."""

from __future__ import annotations

import re
from argparse import ArgumentParser, _SubParsersAction
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

from migrations_ops.integrity.checking import checks_known
from migrations_ops.integrity.cleaning import cleanups_known
from migrations_ops.models import Move, Plan, PlanKind
from migrations_ops.phase import phases
from migrations_ops.planning import plan_create, steps_of
from migrations_ops.prechecks import precheck_run
from migrations_ops.risk import risk_assess

ROOT = Path(__file__).resolve().parents[2]
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
PACKAGES = ["kbsite", "knowledge", "migrations_ops"]


def source(*folders: str) -> str:
    return "\n".join(path.read_text() for folder in folders for path in sorted((ROOT / folder).rglob("*.py")))


def documented(pattern: str) -> set[str]:
    return set(re.findall(pattern, OPERATIONS))


def test_every_variable_of_the_site_is_documented_and_none_that_is_gone() -> None:
    read = set(re.findall(r"""["'](KB_[A-Z_]+)["']""", source("kbsite")))
    assert documented(r"\bKB_(?!TEST_)[A-Z_]+") == read


def test_every_variable_of_the_tests_is_documented() -> None:
    assert set(re.findall(r"\bKB_TEST_[A-Z_]+\b", source("tests"))) - {"KB_TEST_"} <= documented(r"\bKB_TEST_[A-Z_]+\b")


def test_only_the_settings_read_the_environment() -> None:
    readers = [
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        if re.search(r"os\.(getenv|environ(\.get|\[\"KB_))", path.read_text())
    ]
    assert readers == ["kbsite/settings.py"]


def verbs(parser: ArgumentParser) -> list[str]:
    """`create` or `index rebuild`: every command line below a command."""
    found = []
    for action in parser._actions:
        if isinstance(action, _SubParsersAction):
            for name, below in action.choices.items():
                found += [f"{name} {verb}".strip() for verb in verbs(below)]
        elif not action.option_strings and action.choices:
            found += [str(choice) for choice in action.choices]
    return found or [""]


@pytest.mark.parametrize("name", sorted(name for name, app in get_commands().items() if app in PACKAGES))
def test_every_command_is_documented(name: str) -> None:
    command = load_command_class(get_commands()[name], name)
    lines = [f"{name} {verb}".strip() for verb in verbs(command.create_parser("manage.py", name))]
    assert [line for line in lines if f"`{line}" not in OPERATIONS] == []


@pytest.mark.django_db
def test_every_step_check_and_risk_of_a_plan_is_documented() -> None:
    missing = set()
    for phase in phases()[1:]:
        plan = plan_create(to_level=phase.level, actor="ada", inline=True)
        steps = steps_of(plan)
        names = {step.name for step in steps}
        names |= {finding.code for finding in precheck_run(plan, steps)}
        names |= {risk.type for risk in risk_assess(plan, steps, [])}
        names |= {finding.code for check in phase.checks for finding in check()}
        missing |= {name for name in names if f"`{name}`" not in OPERATIONS}
    assert missing == set()


@pytest.mark.django_db
def test_every_check_and_cleanup_is_documented_and_every_repair_exists(level_2: None) -> None:
    checks, cleanups = checks_known(), cleanups_known()
    assert [name for name in (*checks, *cleanups) if f"| `{name}` |" not in OPERATIONS] == []
    assert {check.repair for check in checks.values()} <= {"", *cleanups}


def test_every_step_of_a_move_of_the_database_is_documented() -> None:
    move = Move(plan=Plan(kind=PlanKind.MOVE, options={"target": "sqlite:x"}), epoch=0, target_url="sqlite:x")
    assert [step.name for step in steps_of(move.plan) if f"`{step.name}`" not in OPERATIONS] == []


@pytest.mark.django_db
def test_every_step_of_a_task_is_documented() -> None:
    options = {"import": 1, "on_error": "stop", "cleanup": "remove_unused"}
    kinds = [kind for phase in phases() for kind in phase.tasks]
    names = {step.name for kind in kinds for step in kind.steps(options)}
    assert sorted(name for name in names if f"`{name}`" not in OPERATIONS) == []


def test_every_what_if_names_tests_that_are_there() -> None:
    text = (ROOT / "docs" / "what-if.md").read_text()
    answers = [part for part in re.split(r"\n##+ ", text) if part.startswith("...")]
    assert len(answers) > 25
    for answer in answers:
        named = re.findall(r"`(tests/[\w/]+\.py)`", answer)
        assert named, answer
        assert [path for path in named if not (ROOT / path).exists()] == []
