"""Where a line of a log belongs: the job, step and program that its message names.

Layouts after z/OS MVS System Messages volumes 7 and 8 (IEF, IEC: `jobname [procstep] stepname`),
Language Environment Run-Time Messages (CEE, IGZ: `program` before a name), CICS Messages (DFHAC:
`Transaction x abend y in program z`). A log may be cut off anywhere, so everything is optional.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

#: Longest part of a line that is looked at for names; messages name them early.
NAMES_CHARS = 400
_NAME = r"[A-Z@#$][A-Z0-9@#$]{0,7}"


@dataclass(frozen=True, slots=True)
class Place:
    """Names that a line gives; empty where it gives none. A step of a procedure is `STEP020.GO`."""

    job: str = ""
    step: str = ""
    program: str = ""
    transaction: str = ""


_STEP_MESSAGE = re.compile(rf"\bIEF\d{{3}}I\s+({_NAME})\s+({_NAME})(?:\s+({_NAME}))?\s+-\s")
_ALLOCATION = re.compile(rf"\bIEF236I\s+ALLOC\.\s+FOR\s+({_NAME})\s+({_NAME})(?:\s+({_NAME}))?\s*$")
#: IEC030I B37-04,IFG0554A,PAYJOB,STEP020,SYSUT2: reason, module, job, step, DD name.
_DATA_SET = re.compile(rf"\bIEC\d{{3}}I\s+[^,\s]{{1,20}},[A-Z0-9]{{1,8}},({_NAME}),({_NAME}),")
_EQUALS = {
    "job": re.compile(rf"\bJOB(?:NAME)?\s?[=:]\s?({_NAME})\b"),
    "step": re.compile(rf"\bSTEP(?:NAME)?\s?[=:]\s?({_NAME})\b"),
}
#: Words that follow "program" or "module" in messages and are no names.
_NO_NAME = (
    r"(?!(?:A|AN|AND|AT|BY|CANNOT|COULD|DID|DOES|ENDED|FOR|FROM|HAS|HAVE|IN|INTO|IS|LOAD|MAY|MUST|NAME|NOT|OF|ON|OR|"
    r"STARTED|THAT|THE|TO|UNIT|WAS|WERE|WHEN|WHICH|WILL|WITH)\b)"
)
_PROGRAM = re.compile(
    rf"\b(?:(?:in|from|running|by)\s+(?:the\s+)?(?:main\s+)?(?:program|compile\s+unit|load\s+module|module)"
    rf"|program(?:\s+name)?|compile\s+unit|load\s+module|module|entry\s+point|PGM=|NAME=)\s?[=:]?\s?['\"]?"
    rf"((?-i:{_NO_NAME}{_NAME}))(?![A-Za-z0-9@#$])",
    re.IGNORECASE,
)
_TRANSACTION = re.compile(
    r"\btransaction\s+([A-Z0-9@#$]{1,4})\b|\bTRANSID\s?[=:]\s?([A-Z0-9@#$]{1,4})\b", re.IGNORECASE
)
#: ` 12 //STEP020 EXEC PGM=PAYPGM`, XX for lines out of a procedure.
_EXEC = re.compile(rf"(?://|XX)({_NAME})\s+EXEC\s+PGM=({_NAME})\b")
_ENDED = re.compile(r"\bIEF(?:142I|272I|450I|472I)\b")
_OUTCOMES = (
    (re.compile(r"\bCOND CODE (\d{1,4})\b"), "CC {0}"),
    (re.compile(r"\bABEND=?\s?(S[0-9A-F]{3})\b(?!\s*U(?!0000)\d)"), "{0}"),
    (re.compile(r"\bABEND=?\s?(?:S000\s+)?(U\d{4})\b"), "{0}"),
    (re.compile(r"\bSYSTEM=(?!000)([0-9A-F]{3})\b"), "S{0}"),
    (re.compile(r"\bUSER=(?!0000)(\d{4})\b"), "U{0}"),
    (re.compile(r"\bNOT EXECUTED\b()"), "–"),
)


def place_of(line: str) -> Place:
    """The names that the line itself gives."""
    text = line[:NAMES_CHARS]
    named = _STEP_MESSAGE.search(text) or _ALLOCATION.search(text)
    if named:
        return Place(job=named[1], step=f"{named[3]}.{named[2]}" if named[3] else named[2])
    if located := _DATA_SET.search(text):
        return Place(job=located[1], step=located[2])
    job, step = (pattern.search(text) for pattern in _EQUALS.values())
    program, transaction = _PROGRAM.search(text), _TRANSACTION.search(text)
    return Place(
        job=job[1] if job else "",
        step=step[1] if step else "",
        program=program[1] if program else "",
        transaction=((transaction[1] or transaction[2]) if transaction else "").upper(),
    )


def program_started(line: str) -> tuple[str, str] | None:
    """(step, program) of an EXEC statement."""
    found = _EXEC.search(line[:NAMES_CHARS])
    return (found[1], found[2]) if found else None


def step_begins(line: str) -> bool:
    """Whether the messages after this line are about the step that it names."""
    return _ALLOCATION.search(line[:NAMES_CHARS]) is not None


def step_ends(line: str) -> bool:
    """Whether this line says how a step ended."""
    return _ENDED.search(line[:NAMES_CHARS]) is not None


def outcome_of(line: str) -> str:
    """How a step ended: "CC 0012", "S0C7", "U4038", a dash when it did not run; empty when not said."""
    text = line[:NAMES_CHARS]
    for pattern, form in _OUTCOMES:
        if found := pattern.search(text):
            return form.format(found[1])
    return ""
