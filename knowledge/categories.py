"""Categories by the names that other systems and people give them."""

from __future__ import annotations

import re

from knowledge.models import Category

_NAMES: dict[Category, str] = {
    Category.JCL: "jcl, job control, job control language, jes, jes2, jes3",
    Category.VSAM: "vsam, file, files, dataset, datasets, data set, ksds, idcams, storage, dfsms",
    Category.DB2: "db2, database, databases, sql, db2zos, dbms, db",
    Category.BATCH: "batch, job, jobs, scheduler, scheduling, batch job, sort, dfsort, utilities",
    Category.CICS: "cics, cics ts, online, transaction, transactions, tp monitor",
    Category.IMS: "ims, ims db, ims tm, imsdb, dli, dl1",
    Category.MQ: "mq, ibm mq, mqseries, websphere mq, messaging, queue, queues, wmq",
    Category.COBOL: "cobol, program, programs, programming, language environment, le, compiler",
    Category.SYSTEM: "system, systems, zos, mvs, os, operating system, abend, abends, security, racf, network",
    Category.FUNCTIONAL: "functional, business, application, process, business logic",
    Category.OTHER: "other, others, misc, miscellaneous, general, none, na, unknown, uncategorized, uncategorised",
}


def _folded(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.lower())


_BY_NAME = {_folded(name): category for category, names in _NAMES.items() for name in names.split(",")}


def category_named(name: str) -> Category | None:
    """The category that a name stands for, without regard to case, spaces and signs; None when unknown."""
    return _BY_NAME.get(_folded(name))
