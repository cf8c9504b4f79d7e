"""Outlines: the headings that an entry about one kind of problem starts from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

from knowledge.codes import CodeKind, code_given
from knowledge.models import Category

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


@dataclass(frozen=True, kw_only=True)
class Outline:
    """What is filled into the empty fields of a new entry."""

    name: str
    label: StrOrPromise
    category: Category
    problem: StrOrPromise
    solution: StrOrPromise
    #: Kinds of codes whose entries it suits.
    kinds: frozenset[CodeKind] = frozenset()

    def values(self) -> dict[str, str]:
        """The fields that it fills in."""
        return {"category": self.category.value, "problem": str(self.problem), "solution": str(self.solution)}


OUTLINES = (
    Outline(
        name="abend",
        label=_("Abend"),
        category=Category.SYSTEM,
        kinds=frozenset({CodeKind.SYSTEM_ABEND, CodeKind.USER_ABEND, CodeKind.COMPILE}),
        problem=_("""The step ends with

```
IEF450I JOB STEP - ABEND=S000 U0000
```

**Where it strikes:** program, statement or offset.
"""),
        solution=_("""## Likely causes

1. The most frequent one first.
2.

## Diagnose

1. Which statement: offset from the dump, line from the compile listing.
2. Which data: the field and its content in hexadecimal.

## Fix

1. At once, so that the job ends tonight:
2. For good:

## Restart

From which step, and what has to be deleted or restored before.

## Prevent
"""),
    ),
    Outline(
        name="sqlcode",
        label=_("SQLCODE"),
        category=Category.DB2,
        kinds=frozenset({CodeKind.SQLCODE}),
        problem=_("""The statement ends with

```
DSNT408I SQLCODE = -000, ERROR:
DSNT415I SQLERRP    = program
```

**Where it strikes:** program, statement, table, SQLERRMC.
"""),
        solution=_("""## Likely causes

1. The most frequent one first.
2.

## Diagnose

```sql
SELECT
```

## Fix

1. In the program:
2. In the database, by the administrators:

## Restart

What was rolled back, and from where the job goes on.

## Prevent
"""),
    ),
    Outline(
        name="file-status",
        label=_("File status"),
        category=Category.VSAM,
        kinds=frozenset({CodeKind.FILE_STATUS, CodeKind.VSAM}),
        problem=_("""OPEN, READ or WRITE ends with file status 00 on file:

```
```

**What the file is:** organisation, record length, who else uses it.
"""),
        solution=_("""## Likely causes

1. The most frequent one first.
2.

## Diagnose

1. The DD statement and the SELECT clause.
2. What the catalog says:

```jcl
//LIST  EXEC PGM=IDCAMS
//SYSPRINT DD SYSOUT=*
//SYSIN DD *
  LISTCAT ENTRIES(data.set.name) ALL
/*
```

## Fix

1.

## Prevent
"""),
    ),
    Outline(
        name="cics",
        label=_("CICS"),
        category=Category.CICS,
        kinds=frozenset({CodeKind.CICS_ABEND}),
        problem=_("""The transaction ends with

```
DFHAC2206 Transaction tran failed with abend code.
```

**Where it strikes:** transaction, program, region, how many users.
"""),
        solution=_("""## Likely causes

1. The most frequent one first.
2.

## Diagnose

1. What CEDF or the transaction dump shows: EIBRESP, EIBRESP2, last command.
2. State of the resources (CEMT INQUIRE):

## Fix

1. At once, for the users who wait:
2. For good:

## Prevent
"""),
    ),
    Outline(
        name="jcl",
        label=_("JCL error"),
        category=Category.JCL,
        problem=_("""The job does not start, or a step is not run:

```
IEF453I JOB - JOB FAILED - JCL ERROR
```

**The line that the message names:**
"""),
        solution=_("""## Likely causes

1. The most frequent one first.
2.

## Diagnose

1. The first message in the JESYSMSG data set; later ones may follow from it.
2. The JCL after symbols and procedures are resolved.

## Fix

```jcl
//
```

## Restart

## Prevent
"""),
    ),
    Outline(
        name="how-to",
        label=_("How-to"),
        category=Category.OTHER,
        problem=_("""**What you want to do:**

**When it is needed:**

**What you need before:** access, tools, who has to know.
"""),
        solution=_("""## Steps

1. First step. What you see when it worked:
2. Next step.

## Check

How you know that it is done.

## Back out

How to undo it.
"""),
    ),
)

_BY_NAME = {outline.name: outline for outline in OUTLINES}
FILLED = ("category", "problem", "solution")


def outline_named(name: str) -> Outline | None:
    """The outline of this name."""
    return _BY_NAME.get(name)


def outline_for(codes: Iterable[str]) -> Outline | None:
    """The outline that suits the first of these codes, as a person typed them."""
    first = next((code_given(text) for text in codes if text.strip()), None)
    if first is None:
        return None
    return next((outline for outline in OUTLINES if first.kind in outline.kinds), None)


def is_untouched(field: str, text: str) -> bool:
    """Whether nobody has written into a field yet: it is empty, or as an outline fills it in."""
    typed = _plain(text)
    return not typed or any(typed == _plain(outline.values().get(field, "")) for outline in OUTLINES)


def _plain(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip().splitlines())
