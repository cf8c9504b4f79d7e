"""What a code in a log is: the cause, a detail of it, what followed from it, or routine."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

from knowledge.codes import CodeKind


class LogRole(IntEnum):
    """Ordered: what to read first."""

    CAUSE = 0
    DETAIL = 1
    CONSEQUENCE = 2
    ROUTINE = 3


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


#: Messages of every job, or ones that only carry the code beside them.
ROUTINE = _words(
    "IEF032I IEF033I IEF142I IEF196I IEF202I IEF206I IEF236I IEF237I IEF272I IEF285I IEF373I IEF374I IEF375I"
    " IEF376I IEF403I IEF404I IEF450I IEF472I IEF695I IEF677I IEFA111I IEFC001I IEFC002I IEFC653I IEA995I IEA848I"
    " $HASP100 $HASP165 $HASP373 $HASP375 $HASP395 $HASP308 $HASP309 $HASP310 $HASP250"
    " IGD100I IGD101I IGD103I IGD104I IGD105I IGD106I IGD107I IGD17070I IGD17800I ICH70001I ICH70002I"
    " ICH70003I ICH70007I IRR010I IRR812I CEE3845I CEE5101C IKJ56644I IKJ56890I IEW2278I DFHAC2236 DFHAC2206"
    " DSNT404I DSNT408I DSNT415I DSNT416I DSNT417I DSNT418I DSNE616I DSNE617I DSNE620I CEE0374C CEE0198S CEE3DMP"
    " ICE000I ICE201I ICE143I ICE090I ICE091I ICE080I ICE052I ICE054I ICE055I IDC0001I IDC0002I IDC0005I IDC0014I IDC0508I"
    " IDC0509I IDC0512I IDC0549I IDC0550I"
)
#: Statuses that a program meets in the normal course: end of file, nothing found at the end of a loop.
NORMAL = frozenset({"FS 00", "FS 02", "FS 04", "FS 05", "FS 07", "FS 10", "SQLCODE +100", "IMS GB", "IMS GE"})
#: Abends by which a run-time environment reports a condition that is named elsewhere in the log.
REPORTING_ABENDS = _words("U4038 U4039 U4083 U4087 U4093 U4094 ASRA ASRB AKEA AKEB")
ABENDS = frozenset({CodeKind.SYSTEM_ABEND, CodeKind.USER_ABEND, CodeKind.CICS_ABEND})
CONDITIONS = frozenset({CodeKind.SQLCODE, CodeKind.FILE_STATUS, CodeKind.VSAM, CodeKind.IMS_STATUS, CodeKind.MQ_REASON})


def log_roles(kinds: Mapping[str, str]) -> dict[str, LogRole]:
    """The role of each code of one log. `kinds`: code -> kind, of every code in it.

    1. Routine messages and normal statuses are set aside.
    2. System and CICS abends and the conditions of files and databases are causes.
    3. User abends are causes unless such a condition is there, which they then only report.
    4. Without any of these the messages are the causes, and without these whatever abend there is.
    """
    roles = {code: role for code in kinds if (role := _known_role(code))}
    open_codes = kinds.keys() - roles.keys()
    reporting = {code for code in open_codes if code in REPORTING_ABENDS}
    user = {code for code in open_codes - reporting if kinds[code] == CodeKind.USER_ABEND}
    telling = {code for code in open_codes - reporting - user if kinds[code] in ABENDS | CONDITIONS}
    messages = open_codes - reporting - user - telling
    causes = telling or user or messages or reporting
    for code in open_codes - causes:
        roles[code] = LogRole.DETAIL if code in messages else LogRole.CONSEQUENCE
    return roles | dict.fromkeys(causes, LogRole.CAUSE)


def _known_role(code: str) -> LogRole | None:
    if code in ROUTINE:
        return LogRole.ROUTINE
    return LogRole.DETAIL if code in NORMAL else None
