"""Tables as CSV that a spreadsheet opens without running anything in it."""

from __future__ import annotations

import csv
import datetime as dt
from typing import Any

from django.http import HttpResponse

from knowledge.phases.mvp2_analytics.reports import Table
from migrations_ops.spreadsheet import cell_escaped


def csv_response(table: Table, file_name: str) -> HttpResponse:
    """A download of the table, UTF-8 with the byte order mark that spreadsheets ask for."""
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{file_name}"'
    response.write("\ufeff")
    writer = csv.writer(response)
    writer.writerow([column.name for column in table.columns])
    writer.writerows([cell(value) for value in row] for row in table.rows)
    return response


def cell(value: Any) -> Any:
    """A value for a CSV: numbers as they are, times in UTC, text that starts like a formula quoted."""
    if value is None:
        return ""
    if isinstance(value, (int, float)):
        return value
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat(timespec="seconds")
    return cell_escaped(str(value))
