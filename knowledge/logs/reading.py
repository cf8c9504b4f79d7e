"""log_read: from the text of a log to its codes, steps and what to read first; no database."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice

from knowledge.codes import CodeKind, CodeMatch, codes_find
from knowledge.logs.places import Place, outcome_of, place_of, program_started, step_begins, step_ends
from knowledge.logs.weights import ABENDS, LogRole, log_roles
from knowledge.text import storable

#: Largest log that is read.
LOG_BYTES = 1024 * 1024
#: Occurrences of one code that are kept with their lines; all are counted.
SIGHTINGS_KEPT = 20
CODES_KEPT = 200
STEPS_KEPT = 200
LINE_CHARS = 240
#: Lines that are remembered while a log is read: logs repeat themselves.
_LINES_REMEMBERED = 4_000

#: A page break is none: editors do not count it, and people look for the line in an editor.
_LINE_END = re.compile(r"\r\n|\n|\r|\x85")
#: The printer's control in column 1 (ASA: blank 0 - + 1), where a message id stands right behind it.
_PRINTER_CONTROL = re.compile(r"^\s{0,4}[01+-](?=(?:\$HASP|[A-Z]{3,5})\d{3})")
#: Characters of devices: shifts to double bytes, page breaks, ends of file. Each becomes a blank.
_CONTROLS = dict.fromkeys((*range(1, 9), 11, 12, *range(14, 32), 127), " ")
#: A minus with a number is an SQLCODE in a log only where the line speaks of SQL.
_SPEAKS_SQL = re.compile(r"SQL|DB2|DSN", re.IGNORECASE)
#: Columns of a listing; two blanks still keep words apart.
_BLANKS = re.compile(r" {3,}")
#: Blank, A to I, J to R, S to Z, 0 to 9 in EBCDIC, and how many bytes are looked at for them.
_EBCDIC_USUAL = tuple(
    bytes((code,)) for code in (0x40, *range(0xC1, 0xCA), *range(0xD1, 0xDA), *range(0xE2, 0xEA), *range(0xF0, 0xFA))
)
_BYTES_JUDGED = 4_000
_HAS_LETTER = re.compile(r"[A-Za-z]")
#: Lines of one message in which its program is looked for.
_PROGRAM_LINES = 3


@dataclass(frozen=True, slots=True)
class Sighting:
    """One place where a code stands; `line` counts from 1, names are empty where the log gives none."""

    line: int
    text: str
    job: str = ""
    step: str = ""
    program: str = ""
    transaction: str = ""


@dataclass(frozen=True, slots=True)
class LogStep:
    """A step of a job with its program and how it ended, each as far as the log says."""

    step: str
    program: str = ""
    outcome: str = ""
    job: str = ""

    @property
    def abended(self) -> bool:
        return self.outcome[:1] in {"S", "U"}


@dataclass(frozen=True, slots=True)
class LogCode:
    """A code of the log with the first places where it stands."""

    code: str
    kind: str
    role: LogRole
    count: int
    sightings: tuple[Sighting, ...]

    @property
    def steps(self) -> tuple[str, ...]:
        return _once(sighting.step for sighting in self.sightings)

    @property
    def programs(self) -> tuple[str, ...]:
        return _once(sighting.program for sighting in self.sightings)


@dataclass(frozen=True, slots=True)
class LogReport:
    """What a log says. Codes: causes first, abends before the rest, then in the order of the log."""

    line_count: int
    codes: tuple[LogCode, ...]
    steps: tuple[LogStep, ...]
    jobs: tuple[str, ...]

    def of_role(self, *roles: LogRole) -> tuple[LogCode, ...]:
        return tuple(code for code in self.codes if code.role in roles)


@dataclass(slots=True)
class _Found:
    kind: str
    count: int = 0
    sightings: list[Sighting] = field(default_factory=list)


def log_text(pasted: bytes) -> str:
    """The text of any bytes: UTF-8, EBCDIC as it comes of a binary transfer, else one character for each byte."""
    try:
        return pasted.decode("utf-8-sig")
    except UnicodeDecodeError:
        return pasted.decode("cp037" if _is_ebcdic(pasted) else "latin-1")


def _is_ebcdic(pasted: bytes) -> bool:
    """Whether blanks and most other characters have the codes that capitals, digits and blanks have in EBCDIC."""
    capitals = sum(map(pasted[:_BYTES_JUDGED].count, _EBCDIC_USUAL))
    return pasted.count(b"\x40") > pasted.count(b" ") and 2 * capitals > min(len(pasted), _BYTES_JUDGED)


def log_read(text: str) -> LogReport:
    """The codes of a log with line, job, step and program. Linear in the length of the text; never raises."""
    reader = _Reader()
    for number, line in enumerate(_LINE_END.split(storable(text).translate(_CONTROLS)), 1):
        reader.take(number, _PRINTER_CONTROL.sub("", line))
    return reader.report()


class _Reader:
    """Walks through the lines and remembers which step it is in."""

    def __init__(self) -> None:
        self.codes: dict[str, _Found] = {}
        self.steps: dict[tuple[str, str], LogStep] = {}
        self.jobs: dict[str, None] = {}
        self.programs: dict[str, str] = {}
        self.current = Place()
        self.lines = 0
        self._matches: dict[str, tuple[CodeMatch, ...]] = {}
        self._awaiting_program: list[tuple[str, int, int]] = []

    def take(self, number: int, line: str) -> None:
        self.lines = number
        if not line or line.isspace():
            return
        place = place_of(line)
        if started := program_started(line):
            self.programs.setdefault(*started)
        if place.job:
            self.jobs.setdefault(place.job)
        begins, ends = step_begins(line), step_ends(line)
        if place.step and (begins or ends):
            self._step_seen(place, outcome_of(line) if ends else "", begins=begins)
        if begins:
            self.current = place
        self._codes_taken(number, line, place)
        self._program_continued(number, place)
        if ends and place.step == self.current.step:
            self.current = Place()

    def _step_seen(self, place: Place, outcome: str, *, begins: bool) -> None:
        """Note the step; the message log names abends first, the allocation messages give the true order."""
        key = (place.job, place.step)
        if key not in self.steps and len(self.steps) >= STEPS_KEPT:
            return
        step = self.steps.pop(key, None) if begins else self.steps.get(key)
        step = self.steps.setdefault(key, step or LogStep(step=place.step, job=place.job))
        if outcome and not step.abended:
            self.steps[key] = replace(step, outcome=outcome)

    def _codes_taken(self, number: int, line: str, place: Place) -> None:
        for match in self._found_in(line):
            if match.code not in self.codes and len(self.codes) >= CODES_KEPT:
                continue
            found = self.codes.setdefault(match.code, _Found(match.kind))
            found.count += 1
            if len(found.sightings) < SIGHTINGS_KEPT:
                found.sightings.append(self._sighting(number, line, match, place))
                if not place.program:
                    self._awaiting_program.append((match.code, len(found.sightings) - 1, number))

    def _found_in(self, line: str) -> tuple[CodeMatch, ...]:
        text = line.strip()
        known = self._matches.get(text)
        if known is None:
            known = tuple(match for match in codes_find(text) if _counts(match, text))
            if len(self._matches) < _LINES_REMEMBERED:
                self._matches[text] = known
        return known

    def _sighting(self, number: int, line: str, match: CodeMatch, place: Place) -> Sighting:
        text = line.strip()
        first = max(0, match.start - LINE_CHARS // 2) if len(text) > LINE_CHARS else 0
        return Sighting(
            line=number,
            text=_BLANKS.sub("  ", text[first : first + LINE_CHARS]),
            job=place.job or self.current.job,
            step=place.step or self.current.step,
            program=place.program,
            transaction=place.transaction,
        )

    def _program_continued(self, number: int, place: Place) -> None:
        """A message of several lines names its program further down: it counts for the codes above."""
        self._awaiting_program = [one for one in self._awaiting_program if number - one[2] <= _PROGRAM_LINES]
        if not place.program:
            return
        for code, index, line in self._awaiting_program:
            if line < number:
                sightings = self.codes[code].sightings
                sightings[index] = replace(sightings[index], program=place.program)
        self._awaiting_program = [one for one in self._awaiting_program if one[2] == number]

    def report(self) -> LogReport:
        roles = log_roles({code: found.kind for code, found in self.codes.items()})
        steps = tuple(replace(step, program=self._program_of(step.step)) for step in self.steps.values())
        listed = [
            LogCode(
                code, found.kind, roles[code], found.count, tuple(self._placed(one, steps) for one in found.sightings)
            )
            for code, found in self.codes.items()
        ]
        listed.sort(key=lambda code: (code.role, code.kind not in ABENDS))
        return LogReport(self.lines, tuple(listed), steps, tuple(islice(self.jobs, STEPS_KEPT)))

    def _placed(self, sighting: Sighting, steps: tuple[LogStep, ...]) -> Sighting:
        """The sighting with what other lines say: the step of its program, the program of its step."""
        step = sighting.step
        if not step and sighting.program:
            step = next((one.step for one in steps if one.program == sighting.program), "")
        if not step and len(steps) == 1:
            step = steps[0].step
        return replace(sighting, step=step, program=sighting.program or self._program_of(step))

    def _program_of(self, step: str) -> str:
        """The program of an EXEC statement; that of a procedure's step is under the step's name in the procedure."""
        return self.programs.get(step.rpartition(".")[2], "")


def _counts(match: CodeMatch, text: str) -> bool:
    if match.kind != CodeKind.SQLCODE or _HAS_LETTER.search(text, match.start, match.end):
        return True
    return _SPEAKS_SQL.search(text) is not None


def _once(values: Iterator[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for value in values if value))
