"""What people do with a move of the database: plan, go, speed, the way back; and what nobody may see."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from knowledge.entries import entry_create
from knowledge.models import SearchDoc, Tag
from migrations_ops.errors import (
    ConfirmationError,
    MoveStateError,
    MoveTargetError,
    RepairRefusedError,
    RunStateError,
    StepFailedError,
)
from migrations_ops.mending import move_repair, repair_confirmation_expected, repairs_offered
from migrations_ops.models import GoMode, Move, MoveState, PlanKind, RunEvent, RunState, StepRecord
from migrations_ops.move.ends import place_of_target
from migrations_ops.moves import (
    MoveOptions,
    go_confirmation_expected,
    move_go,
    move_plan_create,
    move_speed_set,
    return_path_close,
    target_of,
)
from migrations_ops.planning import plan_create
from migrations_ops.prechecks import moves_over
from migrations_ops.runs import actions_legal, run_rollback
from migrations_ops.steps.base import StepContext
from migrations_ops.steps.move import cutover as steps_of_cutover
from migrations_ops.steps.move import tables as steps_of_tables
from migrations_ops.steps.move.tables import TargetStep
from tests.migrations_ops.console_builders import VALUE_FINDING, a_ledger, a_move, a_plan, a_staff_member

pytestmark = pytest.mark.django_db

MIDNIGHT = dt.datetime(2030, 1, 31, 0, 0, tzinfo=dt.UTC)


def said(move: Move, **more: Any) -> Move:
    return move_go(move=move, actor="ada", confirmation=go_confirmation_expected(move), **more)


def test_a_go_is_noted_with_who_said_it_and_asks_for_the_typed_words() -> None:
    move = a_move(state=MoveState.READY)

    with pytest.raises(ConfirmationError):
        move_go(move=move, actor="ada", confirmation="go")
    said(move, reason="quiet now")

    move.refresh_from_db()
    assert (move.go_asked_by, move.go_given(timezone.now())) == ("ada", True)
    assert RunEvent.objects.get(action="go").reason == "quiet now"


def test_after_the_cut_over_there_is_no_go_and_no_other_speed() -> None:
    move = a_move(state=MoveState.MOVED)

    with pytest.raises(MoveStateError):
        said(move)
    with pytest.raises(MoveStateError):
        move_speed_set(move=move, rows_per_second=10, actor="ada")


def test_the_speed_is_read_by_the_next_range() -> None:
    move = a_move()
    move_speed_set(move=move, rows_per_second=5000, actor="ada")
    assert Move.objects.get().rows_per_second == 5000


def test_the_cut_over_waits_for_a_word_for_a_time_or_for_nothing() -> None:
    by_hand, at_midnight, alone = (
        Move(go_mode=GoMode.MANUAL),
        Move(go_mode=GoMode.AT, go_at=MIDNIGHT),
        Move(go_mode=GoMode.AUTO),
    )
    before, after = MIDNIGHT - dt.timedelta(seconds=1), MIDNIGHT

    assert [move.go_given(before) for move in (by_hand, at_midnight, alone)] == [False, False, True]
    assert [move.go_given(after) for move in (by_hand, at_midnight, alone)] == [False, True, True]


def test_quiet_hours_may_pass_midnight() -> None:
    night = Move(quiet_from=dt.time(22), quiet_until=dt.time(6))
    assert [night.is_quiet(MIDNIGHT.replace(hour=hour)) for hour in (21, 22, 3, 6)] == [False, True, True, False]
    assert Move().is_quiet(MIDNIGHT)


def test_the_way_back_is_closed_only_while_it_is_open() -> None:
    move = a_move(state=MoveState.COPYING)
    with pytest.raises(MoveStateError):
        return_path_close(move=move, actor="ada", confirmation=f"CLOSE {move.run_id}")


def test_a_finished_move_goes_back_only_while_its_way_is_open() -> None:
    move = a_move(state=MoveState.MOVED, run_state=RunState.SUCCEEDED, is_open=True)
    assert actions_legal(move.run) == ["roll_back"]

    Move.objects.update(state=MoveState.CLOSED, is_open=None)

    assert actions_legal(move.run) == []
    with pytest.raises(RunStateError, match="way back is open"):
        run_rollback(run=move.run, actor="ada", confirmation=f"ROLL BACK {move.run_id}")


def test_while_a_move_is_open_no_other_plan_starts_and_tables_stay(settings: Any) -> None:
    move = a_move(state=MoveState.MOVED, run_state=RunState.SUCCEEDED, is_open=True)

    plan = plan_create(to_level=2, actor="ada", inline=True)

    assert moves_over(plan, None).status == "fail" and not plan.assessment["ready"]
    assert moves_over(move.plan, move.run).status == "pass"
    plan.kind = PlanKind.REHEARSAL
    assert moves_over(plan, None).status == "warn"
    with pytest.raises(CommandError, match=f"close-return {move.run_id}"):
        call_command("migrate", "knowledge", "0001", verbosity=0)
    call_command("migrate", verbosity=0)  # nothing to change: allowed


@pytest.mark.parametrize("address", ["mysql://kb@host/kb", "postgresql://kb:hunter2@host:port/kb", "hunter2"])
def test_an_address_that_cannot_be_read_is_refused_without_being_repeated(address: str) -> None:
    with pytest.raises(MoveTargetError) as error:
        target_of(address, "hunter2")
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("sqlite:///etc/cron.d/kb", "must end in .sqlite3"),
        ("sqlite:../.ssh/authorized_keys", "must end in .sqlite3"),
        ("sqlite:static/kb.sqlite3", "everybody can read"),
        ("sqlite:moves/../static/x/kb.db", "everybody can read"),
    ],
)
def test_a_site_moves_neither_into_files_of_others_nor_into_what_everybody_reads(address: str, reason: str) -> None:
    with pytest.raises(MoveTargetError, match=reason):
        target_of(address, "")
    assert target_of("sqlite:second.sqlite3", "")[0] == "sqlite:second.sqlite3"


@pytest.mark.parametrize(
    "option", ["sslpassword=hunter2", "passfile=/etc/passwd", "service=hunter2", "PASSWORD=hunter2"]
)
def test_options_that_hold_secrets_or_read_files_are_not_taken_from_a_page(option: str) -> None:
    with pytest.raises(MoveTargetError, match="cannot be typed") as error:
        target_of(f"postgresql://kb@host/kb?{option}", "")
    assert "hunter2" not in str(error.value)
    assert "sslmode=require" in target_of("postgresql://kb@host/kb?sslmode=require", "")[0]


def test_without_any_address_the_plan_says_where_it_could_stand() -> None:
    with pytest.raises(MoveTargetError, match="KB_TARGET_DATABASE_URL"):
        move_plan_create(target_url="", options=MoveOptions(), actor="ada")


def test_the_site_does_not_move_to_where_it_is(settings: Any) -> None:
    from migrations_ops.moves import place_here

    with pytest.raises(MoveTargetError, match="there already"):
        move_plan_create(target_url=place_here().url, options=MoveOptions(), actor="ada")


def test_the_password_is_sealed_and_appears_nowhere(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("migrations_ops.steps.move.tables.target_checks", lambda place: [])
    monkeypatch.setattr("migrations_ops.steps.move.copy.CopyStep.rate", lambda step: None)
    client.force_login(a_staff_member("move_database", "go_move", "start_run", "check_plan"))
    address = "postgresql://kb@127.0.0.1:9/kb"

    answer = client.post(reverse("console:move_new"), {"target_url": address, "password": "hunter2"}, follow=True)

    move = Move.objects.get()
    assert move.target_url == address and move.target_secret and "hunter2" not in move.target_secret
    pages = [answer, client.get(reverse("console:plan_json", args=[move.plan_id])), client.get(reverse("console:home"))]
    assert all(
        "hunter2" not in page.content.decode() and move.target_secret not in page.content.decode() for page in pages
    )
    texts = [
        *RunEvent.objects.values_list("message", flat=True),
        str(move.plan.document),
        str(move.plan.assessment),
        repr(move),
    ]
    assert not any("hunter2" in text for text in texts)


def test_a_form_with_a_mistake_comes_back_without_the_password(client: Client) -> None:
    client.force_login(a_staff_member("move_database"))
    typed = {"target_url": "postgresql://kb@127.0.0.1:9/kb", "password": "hunter2", "go_mode": "at", "go_at": ""}

    answer = client.post(reverse("console:move_new"), typed)

    assert answer.status_code == 422
    assert "hunter2" not in answer.content.decode() and "127.0.0.1:9" in answer.content.decode()
    assert not Move.objects.exists()


def test_the_page_of_the_run_shows_the_move_and_asks_for_the_go(client: Client) -> None:
    client.force_login(a_staff_member("go_move", "speed_move"))
    figures = {
        "rows": 10,
        "rows_total": 10,
        "bytes": 2048,
        "seconds": 1.0,
        "tables": {"kb_entries": {"rows": 10, "bytes": 2048}},
    }
    move = a_move(state=MoveState.READY, figures=figures, ledger={"sound": True, "rows": 10, "seconds": 0.1})

    page = client.get(reverse("console:run", args=[move.run_id])).content.decode()

    assert "waiting for your go" in page and "Every row is equal" in page
    assert reverse("console:move_go", args=[move.run_id]) in page
    asked = client.post(reverse("console:move_go", args=[move.run_id]), {"confirmation": f"GO {move.run_id}"})
    assert asked.status_code == 302
    assert "ada said go" in client.get(reverse("console:run", args=[move.run_id])).content.decode()


@pytest.mark.parametrize(
    ("ranges", "begun", "says"), [(0, 0, "Waits"), (0, 1, "Copying"), (1, 1, "Copying"), (2, 1, "Copied")]
)
def test_a_table_is_shown_as_being_copied_from_its_first_range_on(
    client: Client, ranges: int, begun: int, says: str
) -> None:
    client.force_login(a_staff_member())
    line = {"rows": 0, "rows_total": 9, "bytes": 0, "ranges": ranges, "ranges_total": 2, "begun": begun}
    move = a_move(state=MoveState.COPYING, figures={"rows": 0, "rows_total": 9, "tables": {"kb_tags": line}})

    page = client.get(reverse("console:run", args=[move.run_id])).content.decode()

    row = page[page.index("kb_tags") :].partition("</tr>")[0]
    assert says in row


def test_a_failed_run_shows_what_the_target_refuses_with_a_repair_that_says_first_what_it_does(client: Client) -> None:
    client.force_login(a_staff_member("repair_move"))
    move = a_move(
        state=MoveState.PLANNED, run_state=RunState.FAILED, assessment={"findings": [VALUE_FINDING], "tables": []}
    )
    url = reverse("console:plan_repair", args=[move.plan_id])

    run_page = client.get(reverse("console:run", args=[move.run_id])).content.decode()
    asked = client.get(url, {"table": "kb_entries", "column": "problem", "code": "nul_character"}).content.decode()
    nothing = client.get(url, {"table": "kb_entries", "column": "title", "code": "nul_character"}).content.decode()

    assert f"{url}?table=kb_entries&amp;column=problem&amp;code=nul_character" in run_page
    assert "kb_entries.problem, 1 row(s): Take the NUL characters out" in asked
    assert f"REPAIR {move.run_id}" in asked
    assert "Nothing is left here" in nothing


def test_a_repair_of_an_entry_is_found_by_search_at_once(client: Client) -> None:
    if connection.vendor == "postgresql":
        pytest.skip("PostgreSQL keeps no NUL character")
    entry = entry_create(author=None, title="S0C7 in step one", problem="p" * 30, solution="s" * 30, category="JCL")
    with connection.cursor() as cursor:
        sql = "UPDATE kb_entries SET title = 'zebra' || CAST(x'00' AS TEXT) || 'crossing in step' WHERE id = %s"
        cursor.execute(sql, [entry.pk.hex])
    move = a_move(
        state=MoveState.PLANNED,
        run_state=RunState.FAILED,
        assessment={"findings": [{**VALUE_FINDING, "column": "title"}], "tables": []},
    )
    client.force_login(a_staff_member("repair_move"))

    answer = client.post(
        reverse("console:plan_repair", args=[move.plan_id]), {"confirmation": f"REPAIR {move.run_id}"}, follow=True
    )

    entry.refresh_from_db()
    assert entry.title == "zebracrossing in step"
    assert "zebracros" in SearchDoc.objects.get(entry=entry).title
    assert "1 row repaired" in answer.content.decode() and "1 repaired" in answer.content.decode()
    move.refresh_from_db()
    assert repairs_offered(move) == []
    assert RunEvent.objects.get(action="repair").actor == "ada"


def test_a_repair_that_breaks_another_rule_says_so_and_changes_nothing() -> None:
    if connection.vendor == "postgresql":
        pytest.skip("PostgreSQL keeps no NUL character")
    Tag.objects.create(name="abend")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO kb_tags (name, created_at) SELECT name || CAST(x'00' AS TEXT), created_at FROM kb_tags"
        )
    finding = {**VALUE_FINDING, "table": "kb_tags", "column": "name"}
    move = a_move(state=MoveState.PLANNED, run_state=RunState.FAILED, assessment={"findings": [finding], "tables": []})

    with pytest.raises(RepairRefusedError, match=r"kb_tags\.name"):
        move_repair(move=move, actor="ada", confirmation=repair_confirmation_expected(move))

    assert Tag.objects.count() == 2


def test_after_the_first_copied_row_nothing_is_repaired() -> None:
    move = a_move(state=MoveState.COPYING)
    with pytest.raises(MoveStateError):
        move_repair(move=move, actor="ada", confirmation=repair_confirmation_expected(move))


def test_the_values_of_every_table_and_column_have_a_page(client: Client) -> None:
    client.force_login(a_staff_member())
    column = {"name": "title", "kind": "text", "nulls": 0, "bytes": 2048}
    tables = [{"name": "kb_entries", "rows": 1200, "bytes": 2048, "columns": [column]}]
    move = a_move(assessment={"findings": [], "tables": tables})

    page = client.get(reverse("console:plan_values", args=[move.plan_id])).content.decode()

    assert "1,200 rows" in page and ">title<" in page and "Every value fits" in page
    assert client.get(reverse("console:plan_values", args=[a_plan().pk])).status_code == 404


def test_hours_are_changed_on_the_page_and_taken_away_there(client: Client) -> None:
    client.force_login(a_staff_member("speed_move"))
    move = a_move()
    url = reverse("console:move_hours", args=[move.run_id])

    client.post(url, {"quiet_from": "22:00", "quiet_until": "06:00"})
    assert "22:00 to 06:00" in client.get(reverse("console:run", args=[move.run_id])).content.decode()
    client.post(url, {"quiet_from": "", "quiet_until": ""})

    move.refresh_from_db()
    assert (move.quiet_from, move.quiet_until) == (None, None)


def test_the_overview_says_that_the_way_back_is_open_and_when_nobody_follows(client: Client) -> None:
    client.force_login(a_staff_member("close_return_path"))
    move = a_move(
        state=MoveState.MOVED, run_state=RunState.SUCCEEDED, is_open=True, lag_changes=3, lag_at=timezone.now()
    )

    page = client.get(reverse("console:home")).content.decode()
    assert "the way back is open" in page and "3 changes" in page and "may not answer" not in page
    assert reverse("console:move_close", args=[move.run_id]) in page
    Move.objects.update(lag_at=timezone.now() - dt.timedelta(minutes=9))

    assert "may not answer" in client.get(reverse("console:home")).content.decode()


def test_before_the_cut_over_no_page_says_that_the_old_database_is_behind(client: Client) -> None:
    client.force_login(a_staff_member("go_move"))
    move = a_move(state=MoveState.READY, lag_changes=2, lag_at=timezone.now())

    for url in (reverse("console:run", args=[move.run_id]), reverse("console:move_go", args=[move.run_id])):
        page = client.get(url).content.decode()
        assert "old database is behind" not in page and "2 changes" in page


def test_the_ledger_is_a_page_with_every_difference(client: Client, settings: Any, tmp_path: Path) -> None:
    settings.OPS_MOVE_DIR = tmp_path
    client.force_login(a_staff_member("retry_run"))
    move = a_move(run_state=RunState.FAILED)
    url = reverse("console:move_ledger_page", args=[move.run_id])
    assert client.get(url).status_code == 404
    a_ledger(move)

    page = client.get(url).content.decode()

    assert "kb_tags.name" in page and "1 difference" in page and 'id="ledger-retry"' in page


def test_the_ledger_is_downloaded_when_there_is_one(client: Client, settings: Any, tmp_path: Path) -> None:
    settings.OPS_MOVE_DIR = tmp_path
    client.force_login(a_staff_member())
    move = a_move()
    url = reverse("console:move_ledger", args=[move.run_id, "csv"])
    assert client.get(url, HTTP_ACCEPT="application/json").json()["error"]["code"] == "ledger_missing"

    (tmp_path / f"ledger-{move.plan_id}.csv").write_text("table,rows\n")

    assert b"".join(client.get(url).streaming_content) == b"table,rows\n"


def test_a_way_over_that_nobody_has_noted_is_noted_before_the_way_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who was killed behind the rename back leaves the next one nothing else to know it by."""

    def refused(*_: Any) -> None:
        raise OperationalError("connection refused")

    move = a_move(state=MoveState.READY)
    monkeypatch.setattr(steps_of_cutover, "is_at_target", lambda move: True)
    monkeypatch.setattr(steps_of_cutover, "ends_open", refused)

    with pytest.raises(OperationalError):
        list(steps_of_cutover.go_back(StepContext(run=move.run, record=StepRecord())))

    move.refresh_from_db()
    assert move.state == MoveState.MOVED


def test_a_rollback_whose_target_stays_away_says_what_is_left_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any) -> None:
        raise OperationalError("connection refused")

    move = a_move()
    step = TargetStep(name="move/target", title="", target=place_of_target(move))
    monkeypatch.setattr(steps_of_tables, "connection_to", refused)
    with pytest.raises(StepFailedError, match=r"does not answer \(connection refused\).*drop its tables yourself"):
        list(step.revert(StepContext(run=move.run, record=StepRecord()), None))
