"""The table of code forms: what each looks like in text and how its canonical form is written.

Patterns are matched between characters that cannot belong to a name, on text in capitals whose dashes
and spaces have been made plain: `re` skips an alternative by its first letter only where case counts.
Earlier rows win where two fit at the same place. Every repetition is bounded, so matching is linear in
the length of the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from knowledge.codes.known import (
    ABENDS_BY_NUMBER,
    IMS_STATUSES,
    IMS_STATUSES_ALONE,
    MQ_REASONS,
    SQLCODES,
    SQLCODES_BY_NUMBER,
)

Groups = re.Match[str]


class CodeKind(TextChoices):
    """What sort of thing a code names."""

    SYSTEM_ABEND = "system_abend", _("System abend")
    USER_ABEND = "user_abend", _("User abend")
    FILE_STATUS = "file_status", _("COBOL file status")
    VSAM = "vsam", _("VSAM return code")
    SQLCODE = "sqlcode", _("SQLCODE")
    CICS_ABEND = "cics_abend", _("CICS abend")
    MESSAGE = "message", _("Message")
    IMS_STATUS = "ims_status", _("IMS status")
    MQ_REASON = "mq_reason", _("MQ reason code")
    COMPILE = "compile", _("Compile and bind")
    OTHER = "other", _("Other code")


@dataclass(frozen=True)
class CodeForm:
    """One way to write a kind of code."""

    kind: CodeKind
    pattern: str
    canonical: Callable[[Groups], str]
    #: Text -> canonical form; both the tests and the documentation read these.
    examples: dict[str, str]
    #: Too short or too general inside a sentence: recognised only when it is the whole query.
    whole: bool = False
    regex: re.Pattern[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "regex", re.compile(bounded(self.pattern), re.ASCII))


def bounded(pattern: str) -> str:
    """The pattern, not inside a longer name or number."""
    return rf"(?<![A-Z0-9@#$_])(?:{pattern})(?![A-Z0-9@#$_])"


def one_of(values: frozenset[str]) -> str:
    """Alternatives, longest first."""
    return "|".join(sorted(values, key=lambda value: (-len(value), value)))


def _system(found: Groups) -> str:
    return "S" + found[1].replace("O", "0")


def _program_check(found: Groups) -> str:
    return f"S0C{found[1]}"


def _user(found: Groups) -> str:
    return f"U{int(found[1]):04d}"


def _sqlcode(found: Groups) -> str:
    sign, number = found[1], int(found[2])
    return f"SQLCODE {sign or ('+' if number == 100 else '-')}{number}"


def _sqlcode_message(found: Groups) -> str:
    sign = "+" if found[2] == "W" else "-"
    return f"SQLCODE {sign}{int(found[1])}"


def _file_status(found: Groups) -> str:
    return f"FS {found[1]}"


def _vsam(found: Groups) -> str:
    return f"VSAM RC{int(found[1]):02d}-FB{int(found[2]):03d}"


def _ims(found: Groups) -> str:
    return f"IMS {found[1]}"


def _mq(found: Groups) -> str:
    return f"MQRC {int(found[1])}"


def _mq_name(found: Groups) -> str:
    return f"MQRC {MQ_REASONS[found[1]]}"


def _whole(found: Groups) -> str:
    return found[0]


#: Between a word and its value: a few blanks, an equals sign or colon, an opening quote or bracket.
GAP = r"\s{0,3}(?:=|:|\bIS\b|\bOF\b|\bWAS\b)?\s{0,3}['\"(]?"
#: Three hexadecimal digits of a system completion code, one of them a decimal digit.
HEX3 = r"(?=[0-9A-F]{0,2}\d)[0-9A-F]{3}"
#: The ones that are recognised without an S before them.
BARE = r"0C[0-9A-F]|OC[0-9]|[BDE]37"
#: Names that look like an S abend and are none: machine families, step names that count by tens.
NO_ABEND = r"(?!S(?:360|370|390|0[1-9]0|[1-9]00|000))"
#: Families of CICS transaction abends; a list, because four letters with A are too many words.
CICS = (
    r"ASR[ABDE]|AIC[AB]|AE[IXY][0-9A-Z]|AEDA|APC[TL0-9]|ABM[0-9A-Z]|AKC[0-9ST]|AKE[AB]|ATN[DI]|AFC[A-Z0-9]|"
    r"AD[23][A-Z]|AZI[0-9A-Z]|AZT[0-9A-Z]|ATC[HUV]|AMQ[A-Z]|ASP[0-9A-Z]"
)
#: Prefixes of message ids: z/OS, JES, SMS, catalog, RACF, LE, COBOL, Db2, IMS, MQ, sort, network.
MESSAGE = (
    r"IEF[AC]?|IEC|IEA|IEB|IEE|IEH|IEW|IOS|IDC|IDA|IGD|IGG|IGW|IKJ|IKT|IRR|ICH|ICK|IST|IAT|IFA|IFB|ISP|IXC|IXG|IXL|CSV|CNZ|"
    r"BPX[A-Z]|EZ[ABDYZ]|FSUM|ARC|ADR|CBR|EDG|ERB|CEE|IGZ|EDC|WER|ICE|DFH[A-Z]{2}|DFS|DSN[A-Z0-9]?|CSQ[A-Z0-9]|AMQ|"
    r"HWS|BLW|GIM|ASMA|BCD|CAJ[A-Z]|CTM|SLS"
)
SEPARATOR = r"[ ,;/()=:-]{1,4}"

FORMS: tuple[CodeForm, ...] = (
    CodeForm(
        CodeKind.COMPILE,
        r"IGY[A-Z]{2}\d{4}-[ISWEU]",
        _whole,
        {"IGYPS2121-S": "IGYPS2121-S", "igypa3007-e": "IGYPA3007-E"},
    ),
    CodeForm(CodeKind.COMPILE, r"RC-\d{1,2}-COMPILE", _whole, {"RC-12-COMPILE": "RC-12-COMPILE"}),
    CodeForm(
        CodeKind.MESSAGE,
        rf"(?:(?:{MESSAGE})\d{{3,5}}[A-Z]|DFH[A-Z]{{2}}\d{{4}}[A-Z]?|AMQ\d{{4}}[A-Z]?)",
        _whole,
        {
            "IEF450I PAYJOB STEP020": "IEF450I",
            "dfs554a": "DFS554A",
            "CEE3207S": "CEE3207S",
            "IGZ0006S": "IGZ0006S",
            "IGD17101I": "IGD17101I",
            "IEW2456E": "IEW2456E",
            "DSNT408I": "DSNT408I",
            "DFHAC2206": "DFHAC2206",
            "ICE046A": "ICE046A",
            "WER108I": "WER108I",
            "CSQX208E": "CSQX208E",
            "IEFC452I": "IEFC452I",
        },
    ),
    CodeForm(
        CodeKind.SQLCODE,
        rf"(?:SQL\s?CODE|SQL\s{{1,3}}ERROR(?:\s{{1,3}}CODE)?|DB2\s{{1,3}}(?:ERROR|SQLCODE)|SQL){GAP}([+-]?)\s?0{{0,8}}([1-9]\d{{1,4}})",
        _sqlcode,
        {
            "SQLCODE -803": "SQLCODE -803",
            "SQLCODE=-803": "SQLCODE -803",
            "SQLCODE = -803": "SQLCODE -803",
            "sqlcode 803": "SQLCODE -803",
            "SQLCODE: 000000100": "SQLCODE +100",
            "SQLCODE \u2212803": "SQLCODE -803",
            "sqlcode \u2013 911": "SQLCODE -911",
            "sql -30081": "SQLCODE -30081",
        },
    ),
    CodeForm(
        CodeKind.SQLCODE,
        r"SQL0{0,2}([1-9]\d{2,4})([NWC])",
        _sqlcode_message,
        {"SQL0803N": "SQLCODE -803", "sql0100w": "SQLCODE +100", "SQL30081N": "SQLCODE -30081"},
    ),
    CodeForm(
        CodeKind.SQLCODE,
        rf"(?<![.+)\]-])()-({one_of(SQLCODES)})(?!\.\d)",
        _sqlcode,
        {"insert got -803": "SQLCODE -803", "rolled back (-911)": "SQLCODE -911", "\u2014805": "SQLCODE -805"},
    ),
    CodeForm(CodeKind.SQLCODE, r"(?:MINUS\s{1,2}())(\d{3,5})", _sqlcode, {"minus 803": "SQLCODE -803"}, whole=True),
    CodeForm(
        CodeKind.SQLCODE, r"([+-])\s?(\d{2,5})", _sqlcode, {"+100": "SQLCODE +100", "-99": "SQLCODE -99"}, whole=True
    ),
    CodeForm(CodeKind.SQLCODE, rf"()({one_of(SQLCODES_BY_NUMBER)})", _sqlcode, {"803": "SQLCODE -803"}, whole=True),
    CodeForm(
        CodeKind.VSAM,
        r"(?:VSAM\s{1,3})?(?:RC|RETURN\s{1,3}CODE|R15)\s{0,2}[=:(]?\s{0,2}X?'?0{0,2}(\d{1,2})'?\)?"
        rf"{SEPARATOR}(?:FB|FDBK|FEEDBACK(?:\s{{1,3}}CODE)?)\s{{0,2}}[=:(]?\s{{0,2}}0{{0,2}}(\d{{1,3}})\)?",
        _vsam,
        {
            "VSAM RC08-FB008": "VSAM RC08-FB008",
            "RC(8) FDBK(28)": "VSAM RC08-FB028",
            "vsam return code 8 feedback 92": "VSAM RC08-FB092",
            "RC=08,FDBK=016": "VSAM RC08-FB016",
        },
    ),
    CodeForm(
        CodeKind.VSAM,
        rf"VSAM\s{{1,3}}(?:RC|RETURN\s{{1,3}}CODE)\s{{0,2}}[=:(]?\s{{0,2}}0{{0,2}}(\d{{1,2}})\)?{SEPARATOR}"
        r"(?:RSN|REASON(?:\s{1,3}CODE)?)\s{0,2}[=:(]?\s{0,2}0{0,2}(\d{1,3})\)?",
        _vsam,
        {"VSAM rc 8 reason 20": "VSAM RC08-FB020"},
    ),
    CodeForm(
        CodeKind.MQ_REASON,
        rf"(?:MQRC|MQ\s{{1,3}}REASON(?:\s{{1,3}}CODE)?|MQ|MQ\s{{1,3}}RC|REASON(?:\s{{1,3}}CODE)?|REASONCODE|RC){GAP}(2[0-6]\d\d)",
        _mq,
        {
            "MQRC 2035": "MQRC 2035",
            "reason code 2035": "MQRC 2035",
            "MQ reason=2059": "MQRC 2059",
            "rc=2085": "MQRC 2085",
            "reason '2033'": "MQRC 2033",
        },
    ),
    CodeForm(
        CodeKind.MQ_REASON,
        rf"MQRC_({one_of(frozenset(MQ_REASONS))})",
        _mq_name,
        {"MQRC_NOT_AUTHORIZED": "MQRC 2035", "mqrc_q_full": "MQRC 2053"},
    ),
    CodeForm(CodeKind.MQ_REASON, r"(2[0-5]\d\d)", _mq, {"2035": "MQRC 2035"}, whole=True),
    CodeForm(
        CodeKind.USER_ABEND,
        rf"(?:USER(?:\s{{1,3}}(?:ABEND|COMPLETION))?(?:\s{{1,3}}CODE)?|ABEND(?:\s{{1,3}}CODE)?){GAP}\s?U\s?(?!0{{4}}|0{{3}}\b)(\d{{1,4}})",
        _user,
        {"ABEND U 16": "U0016", "abend=U4038": "U4038", "user abend u0777": "U0777"},
    ),
    CodeForm(
        CodeKind.USER_ABEND,
        rf"(?:USER(?:\s{{1,3}}(?:ABEND|COMPLETION))?(?:\s{{1,3}}CODE)?){GAP}(?!0{{3,4}}\b)(\d{{3,4}})",
        _user,
        {"user abend 4038": "U4038", "USER=0777": "U0777"},
    ),
    CodeForm(
        CodeKind.USER_ABEND,
        rf"ABEND(?:ED)?(?:\s{{1,3}}(?:CODE|WITH))?{GAP}(?!0{{4}})(\d{{4}})",
        _user,
        {"abend 4038": "U4038", "abended with 4038": "U4038"},
    ),
    CodeForm(CodeKind.USER_ABEND, r"(?:ABEND)?U(?!0{4})(\d{4})", _user, {"U4038": "U4038", "abendu0777": "U0777"}),
    CodeForm(
        CodeKind.USER_ABEND,
        rf"USER\s{{1,3}}(?:ABEND|COMPLETION)(?:\s{{1,3}}CODE)?{GAP}(?!0{{1,2}}\b)(\d{{1,2}})",
        _user,
        {"user abend 16": "U0016", "USER COMPLETION CODE=8": "U0008"},
    ),
    CodeForm(CodeKind.USER_ABEND, r"U(?!0{1,3}\b)(\d{2,3})", _user, {"U016": "U0016"}, whole=True),
    CodeForm(
        CodeKind.USER_ABEND, r"U[ -](?!0{1,4}\b)(\d{1,4})", _user, {"U 4038": "U4038", "u-16": "U0016"}, whole=True
    ),
    CodeForm(
        CodeKind.USER_ABEND, r"(40\d\d|0[1-9]\d\d|00[1-9]\d)", _user, {"4038": "U4038", "0456": "U0456"}, whole=True
    ),
    CodeForm(
        CodeKind.SYSTEM_ABEND,
        rf"(?:ABEND(?:ED)?(?:\s{{1,3}}(?:CODE|WITH))?|COMPLETION\s{{1,3}}CODE|SYSTEM\s{{1,3}}(?:ABEND|COMPLETION\s{{1,3}}CODE|CODE))"
        rf"{GAP}S?(?!000\b)({HEX3}|OC[0-9A-F])",
        _system,
        {
            "ABEND=S0C7 U0000": "S0C7",
            "abend 806": "S806",
            "abend code B37": "SB37",
            "System Completion Code=0C7": "S0C7",
            "abended with S020": "S020",
            "abend SOCB": "S0CB",
        },
    ),
    CodeForm(
        CodeKind.SYSTEM_ABEND,
        rf"SYSTEM{GAP}(?!360|370|390|000)({HEX3}|OC[0-9A-F])",
        _system,
        {"system 0C7": "S0C7", "SYSTEM=806": "S806"},
    ),
    CodeForm(
        CodeKind.SYSTEM_ABEND,
        rf"{NO_ABEND}S({HEX3}|OC[0-9A-F])",
        _system,
        {"S0C7": "S0C7", "SOC7": "S0C7", "soca": "S0CA", "SB37": "SB37", "s913": "S913", "S04E": "S04E"},
    ),
    CodeForm(
        CodeKind.SYSTEM_ABEND,
        r"(?<!')S[ -](0[C4][0-9A-F]|OC[0-9]|[BDE]37)",
        _system,
        {"s 0c7": "S0C7", "S-B37": "SB37"},
    ),
    CodeForm(
        CodeKind.SYSTEM_ABEND,
        rf"({BARE})",
        _system,
        {"0C7": "S0C7", "oc4": "S0C4", "(0C4)": "S0C4", "b37": "SB37"},
    ),
    CodeForm(
        CodeKind.SYSTEM_ABEND,
        rf"(?:S[ -]?)?({one_of(ABENDS_BY_NUMBER)}|A03|B14|EC6|80A|04E|OC[A-F])",
        _system,
        {"806": "S806", "s 322": "S322", "EC6": "SEC6"},
        whole=True,
    ),
    CodeForm(
        CodeKind.SYSTEM_ABEND,
        r"S?[ -]?[0O]C[ -]([0-9A-F])",
        _program_check,
        {"0c 7": "S0C7", "S0C 4": "S0C4", "oc-b": "S0CB"},
        whole=True,
    ),
    CodeForm(CodeKind.SYSTEM_ABEND, rf"S(?!000)({HEX3})", _system, {"S020": "S020", "s200": "S200"}, whole=True),
    CodeForm(
        CodeKind.CICS_ABEND,
        rf"(?:{CICS})",
        _whole,
        {"ASRA": "ASRA", "aica": "AICA", "AEI0": "AEI0", "AEIO": "AEIO", "transaction ORDU abend AEY9": "AEY9"},
    ),
    CodeForm(
        CodeKind.IMS_STATUS,
        rf"(?:IMS(?:\s{{1,3}}STATUS)?(?:\s{{1,3}}CODE)?|(?:PCB|DL/?I|DLI)[ -]{{1,3}}STATUS(?:[ -]CODE)?|STATUS(?:[ -]CODE)?)"
        rf"\s{{0,3}}[=:]?\s{{0,3}}['\"]({one_of(IMS_STATUSES)})['\"]",
        _ims,
        {"status code 'GE'": "IMS GE", 'IMS status "II"': "IMS II"},
    ),
    CodeForm(
        CodeKind.IMS_STATUS,
        rf"(?:IMS(?:\s{{1,3}}STATUS)?(?:\s{{1,3}}CODE)?|(?:PCB|DL/?I|DLI)[ -]{{1,3}}STATUS(?:[ -]CODE)?|STATUS[ -]CODE)"
        rf"\s{{0,3}}[=:]?\s{{1,3}}(?!NO\b|TO\b)({one_of(IMS_STATUSES)})",
        _ims,
        {"IMS GE": "IMS GE", "PCB status GB": "IMS GB", "status code AI": "IMS AI", "DL/I status = QC": "IMS QC"},
    ),
    CodeForm(
        CodeKind.IMS_STATUS, rf"({one_of(IMS_STATUSES_ALONE)})(?:\s{{1,3}}STATUS)?", _ims, {"GE": "IMS GE"}, whole=True
    ),
    CodeForm(
        CodeKind.FILE_STATUS,
        rf"(?:FILE[ -]{{1,3}}STATUS(?:\s{{1,3}}CODE)?|FS|STATUS(?:[ -]{{1,3}}CODE)?){GAP}\s?(\d\d)['\")]?(?!%|\.\d)",
        _file_status,
        {
            "FS 35": "FS 35",
            "status 35": "FS 35",
            "file status '35'": "FS 35",
            "FILE STATUS = 39": "FS 39",
            "FS=23": "FS 23",
            "file status is 92": "FS 92",
        },
    ),
    CodeForm(CodeKind.FILE_STATUS, r"FS(\d\d)", _file_status, {"FS35": "FS 35"}),
    CodeForm(CodeKind.FILE_STATUS, r"(\d\d)", _file_status, {"35": "FS 35"}, whole=True),
    CodeForm(CodeKind.MESSAGE, r"\$HASP\d{3,4}", _whole, {"$HASP395 PAYJOB ENDED": "$HASP395"}),
)
