"""A table with a column of every kind, and the values at its edges."""

from __future__ import annotations

import datetime as dt
import math
import sys
import uuid
from decimal import Decimal
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

from migrations_ops.move.tables import Table, table_of


def kinds_model(name: str, table: str, *, null: bool) -> type[models.Model]:
    """A model with a column of every kind, which only tests have."""
    columns: dict[str, Any] = {
        "id": models.BigAutoField(primary_key=True),
        "small": models.SmallIntegerField(null=null),
        "number": models.IntegerField(null=null),
        "big": models.BigIntegerField(null=null),
        "yes": models.BooleanField(null=null),
        "real": models.FloatField(null=null),
        "price": models.DecimalField(max_digits=15, decimal_places=2, null=null),
        "share": models.DecimalField(max_digits=15, decimal_places=14, null=null),
        "name": models.CharField(max_length=40, null=null),
        "text": models.TextField(null=null),
        "uuid": models.UUIDField(null=null),
        "json": models.JSONField(null=null),
        "at": models.DateTimeField(null=null),
        "day": models.DateField(null=null),
        "time": models.TimeField(null=null),
        "took": models.DurationField(null=null),
        "data": models.BinaryField(null=null),
    }
    meta = type("Meta", (), {"app_label": "move_tests", "db_table": table, "managed": False})
    return type(name, (models.Model,), {"__module__": __name__, "Meta": meta, **columns})


EveryKind = kinds_model("EveryKind", "test_every_kind", null=True)
EVERY_KIND: Table = table_of(EveryKind)
#: The same without NULL.
EveryKindFilled = kinds_model("EveryKindFilled", "test_every_kind_filled", null=False)
EVERY_KIND_FILLED: Table = table_of(EveryKindFilled)


def kinds_table(connection: BaseDatabaseWrapper, model: type[models.Model] = EveryKind) -> None:
    """Make the table, as a migration would."""
    model._meta.managed = True
    try:
        with connection.schema_editor() as editor:
            editor.create_model(model)
    finally:
        model._meta.managed = False


UTC = dt.UTC
#: Column and value, at and beside every edge that a kind has on both databases.
EDGES: list[tuple[str, Any]] = [
    *(("small", value) for value in (0, 1, -1, 2**15 - 1, -(2**15))),
    *(("number", value) for value in (0, 2**31 - 1, -(2**31))),
    *(("big", value) for value in (0, 2**53 + 1, 2**63 - 1, -(2**63))),
    *(("yes", value) for value in (True, False)),
    *(
        ("real", value)
        for value in (
            *(0.0, -0.0, 1.0, 0.1, 1 / 3, -2.5, 1e15, 1e16 + 2, 5e-324, sys.float_info.min, sys.float_info.max),
            *(math.pi, 123456789.123456789, math.inf, -math.inf, 2.0**53 + 2, 0.1 + 0.2, 1e300, 9007199254740993.0),
        )
    ),
    *(
        ("price", Decimal(text))
        for text in ("0.00", "1.50", "-1.50", "0.01", "-0.01", "10000.00", "9999.99", "100000000.00", "0.10")
    ),
    *(("price", Decimal(text)) for text in ("9999999999999.99", "-9999999999999.99", "1234567890123.45")),
    *(("share", Decimal(text)) for text in ("0.00000000000001", "1.00000000000000", "0.12345678901234")),
    *(("name", value) for value in ("", " ", "x" * 40, "ä" * 40, "😀" * 40, "  trailing  ")),
    *(
        ("text", value)
        for value in (
            *("", "a\tb\nc\rd\\e", "\\N", "NULL", "\\.", "'\"`", "\x01\x7f\x80\xa0\ufeff", "é", "e\u0301", "\u2028"),
            *(
                "😀 𝔘𝔫𝔦",
                "עברית",
                "日本語",
                "S0C7 IEF450I",
                "x" * 100_000,
                "ü" * 127,
                "ü" * 128,
                "a" * 32_768,
                "\U0010ffff",
            ),
        )
    ),
    *(("uuid", uuid.UUID(int=value)) for value in (0, 1, 2**128 - 1, 0x12345678123456781234567812345678)),
    *(("json", value) for value in ("null", "{}", "[]", "1", '"a"', "1.50", '"ä"', "true")),
    *(
        ("at", value)
        for value in (
            dt.datetime(2024, 2, 29, 23, 59, 59, 999_999, tzinfo=UTC),
            dt.datetime(2024, 3, 31, 1, 30, tzinfo=UTC),
            dt.datetime(1, 1, 1, tzinfo=UTC),
            dt.datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
            dt.datetime(1969, 12, 31, 23, 59, 59, 1, tzinfo=UTC),
            dt.datetime(1999, 12, 31, 23, 59, 59, 100_000, tzinfo=UTC),
            dt.datetime(2000, 1, 1, tzinfo=UTC),
        )
    ),
    *(
        ("day", value)
        for value in (dt.date(1, 1, 1), dt.date(9999, 12, 31), dt.date(2000, 2, 29), dt.date(1999, 12, 31))
    ),
    *(("time", value) for value in (dt.time(), dt.time(23, 59, 59, 999_999), dt.time(12, 0, 0, 1))),
    *(
        ("took", value)
        for value in (
            *(dt.timedelta(0), dt.timedelta(microseconds=1), dt.timedelta(microseconds=-1)),
            *(dt.timedelta(days=10_000, hours=5), dt.timedelta(days=-400, microseconds=7), dt.timedelta(hours=25)),
        )
    ),
    *(("data", value) for value in (b"", b"\x00", bytes(range(256)), b"\xff" * 100_000, b"\\x00")),
]

#: Column and value that SQLite keeps there and no other database would.
MISFITS: list[tuple[str, Any]] = [
    ("number", "seven"),
    ("number", 1.5),
    ("number", b"7"),
    ("yes", 2),
    ("yes", "yes"),
    ("real", "much"),
    ("price", "abc"),
    ("price", 1e15),
    ("text", b"bytes"),
    ("uuid", "none"),
    ("uuid", "12345678-12345678-1234-567812345678"),
    ("uuid", 7),
    ("json", b"{}"),
    ("at", "now"),
    ("at", "2024-02-30 00:00:00"),
    ("at", "2024-01-01"),
    ("at", "10000-01-01 00:00:00"),
    ("at", "2024-01-01 00:00:00+02:00"),
    ("at", "2024-01-01 24:00:00"),
    ("at", 1704067200),
    ("day", "2024-1-1"),
    ("day", "today"),
    ("time", "25:00:00"),
    ("time", "12:00"),
    ("took", "1 day"),
    ("data", "text"),
]


def row_of(key: int, **values: Any) -> tuple[Any, ...]:
    """A row with these values and NULL elsewhere."""
    return tuple(key if name == "id" else values.get(name) for name in EVERY_KIND.names)


def edge_rows() -> list[tuple[Any, ...]]:
    """A row for every edge, numbered from 1."""
    return [row_of(number, **{column: value}) for number, (column, value) in enumerate(EDGES, 1)]


def filled_rows() -> list[tuple[Any, ...]]:
    """Rows without NULL in which every edge of every column comes up."""
    values = {name: [value for column, value in EDGES if column == name] for name in EVERY_KIND.names}
    values["id"] = list(range(1, max(map(len, values.values())) + 1))
    return [
        tuple(values[name][number % len(values[name])] for name in EVERY_KIND.names)
        for number in range(len(values["id"]))
    ]
