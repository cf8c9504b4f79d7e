"""Logs: codes with line, step and program, and what to read first."""

from __future__ import annotations

import random
import time

import pytest

from knowledge.logs import LogCode, LogReport, LogRole, log_read, log_text
from knowledge.logs.reading import CODES_KEPT, SIGHTINGS_KEPT
from tests.knowledge.logs.samples import CICS_MESSAGE, DB2_BATCH, OPEN_FAILED, S0C7_JOB, SPACE_IN_PROC


def codes(report: LogReport, role: LogRole) -> list[str]:
    return [code.code for code in report.of_role(role)]


def the(report: LogReport, code: str) -> LogCode:
    return next(found for found in report.codes if found.code == code)


def test_the_abend_behind_the_run_time_is_the_cause_and_its_messages_are_details() -> None:
    report = log_read(S0C7_JOB)
    assert codes(report, LogRole.CAUSE) == ["S0C7"]
    assert codes(report, LogRole.DETAIL) == ["CEE3207S"]
    assert codes(report, LogRole.CONSEQUENCE) == ["U4038"]
    assert "IEF450I" in codes(report, LogRole.ROUTINE)


def test_a_code_is_placed_by_line_step_and_program() -> None:
    report = log_read(S0C7_JOB)
    message = the(report, "CEE3207S")
    assert (message.sightings[0].line, message.steps, message.programs) == (20, ("STEP020",), ("PAYCALC",))
    abend = the(report, "U4038")
    assert [sighting.line for sighting in abend.sightings] == [8, 18]
    assert (abend.steps, abend.programs) == (("STEP020",), ("PAYCALC",))


def test_the_steps_of_a_job_are_listed_with_program_and_outcome_in_the_order_that_they_ran() -> None:
    steps = [(step.job, step.step, step.program, step.outcome) for step in log_read(S0C7_JOB).steps]
    assert steps == [
        ("PAYJOB", "STEP010", "SORT", "CC 0000"),
        ("PAYJOB", "STEP020", "PAYCALC", "U4038"),
        ("PAYJOB", "STEP030", "", "–"),
    ]


def test_a_step_of_a_procedure_has_both_names_and_the_program_of_the_procedure() -> None:
    report = log_read(SPACE_IN_PROC)
    assert codes(report, LogRole.CAUSE) == ["SB37"]
    assert [(step.step, step.program, step.outcome) for step in report.steps] == [("LOAD.EXTRACT", "LEDGEXT", "SB37")]
    assert the(report, "IEC030I").steps == ("LOAD",)


def test_an_sqlcode_comes_before_the_user_abend_that_reports_it_and_other_numbers_are_none() -> None:
    report = log_read(DB2_BATCH)
    assert codes(report, LogRole.CAUSE) == ["SQLCODE -911"]
    assert codes(report, LogRole.CONSEQUENCE) == ["U0911"]
    assert "SQLCODE -305" not in [code.code for code in report.codes]


def test_a_cics_message_gives_transaction_and_program() -> None:
    report = log_read(CICS_MESSAGE)
    assert codes(report, LogRole.CAUSE) == ["S0C4"]
    asra = the(report, "ASRA")
    assert asra.role == LogRole.CONSEQUENCE
    assert (asra.sightings[0].transaction, asra.programs) == ("ORDU", ("ORDPGM01",))
    assert the(report, "S0C4").programs == ("ORDPGM01",)


def test_a_message_is_the_cause_when_nothing_stronger_is_there() -> None:
    report = log_read(OPEN_FAILED.replace("The status code was 39.", ""))
    assert codes(report, LogRole.CAUSE) == ["IGZ0035S"]
    assert the(report, "IGZ0035S").programs == ("CUSTRPT",)
    assert codes(report, LogRole.CONSEQUENCE) == ["U4038"]


def test_a_lone_run_time_abend_is_the_cause() -> None:
    assert codes(log_read("IEF450I A B - ABEND=S000 U4038 REASON=00000001"), LogRole.CAUSE) == ["U4038"]


def test_end_of_file_is_no_cause() -> None:
    report = log_read("FILE STATUS 10 AFTER 4711 RECORDS\nFILE STATUS 35 AT OPEN")
    assert codes(report, LogRole.CAUSE) == ["FS 35"]
    assert codes(report, LogRole.DETAIL) == ["FS 10"]


@pytest.mark.parametrize("text", ["", "\0\0", "\ud800", "no codes here", "\x0c\x0c\n\n", "🙂 S0C7"])
def test_any_text_is_read(text: str) -> None:
    log_read(text)


def test_any_bytes_are_read() -> None:
    noise = random.Random(7).randbytes(50_000) + b" ABEND=S0C7 "
    assert "S0C7" in [code.code for code in log_read(log_text(noise)).codes]
    assert log_text("Ü S0C7".encode()) == "Ü S0C7"


def test_repeated_and_endless_codes_are_counted_but_not_all_kept() -> None:
    many = "\n".join(f"IDC{number:04d}I SOMETHING" for number in range(CODES_KEPT + 50))
    report = log_read(many + "\nABEND=S0C7" * 500)
    assert len(report.codes) == CODES_KEPT
    report = log_read("ABEND=S0C7\n" * 500)
    assert (report.codes[0].count, len(report.codes[0].sightings)) == (500, SIGHTINGS_KEPT)


@pytest.mark.parametrize(
    "unit",
    ["A", " ", "S0C7 ", "program ", "IEF450I A ", "transaction ", "ABEND=", "//", "'\n", "IEF285I   A.B.C  KEPT\n"],
)
def test_reading_takes_time_in_proportion_to_the_length(unit: str) -> None:
    def seconds(chars: int) -> float:
        began = time.process_time()
        log_read((unit * chars)[:chars])
        return time.process_time() - began

    seconds(1_000)
    assert seconds(160_000) < 40 * max(seconds(20_000), 0.01)


def test_controls_of_printers_and_terminals_hide_nothing() -> None:
    report = log_read(
        "1JES2 JOB LOG\n\x0c\x0e1IEF450I PAYJOB\x0f STEP020 - ABEND=S0C7 U0000 REASON=00000000\x1a\n-803\n"
    )
    [cause] = report.of_role(LogRole.CAUSE)
    assert (cause.code, cause.sightings[0].line, cause.sightings[0].step) == ("S0C7", 2, "STEP020")
    assert report.jobs == ("PAYJOB",)


def test_a_file_that_was_transferred_as_binary_is_read_from_ebcdic() -> None:
    line = "IEF450I PAYJOB STEP020 - ABEND=S0C7 U0000 REASON=00000000"
    assert [code.code for code in log_read(log_text(f"{line}\x85{line}\n".encode("cp037"))).codes] == [
        "S0C7",
        "IEF450I",
    ]
    assert log_text("Störung in STEP020".encode("latin-1")) == "Störung in STEP020"
