"""What the forms of an export have in common: they take tables in pieces, and say where they stand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from django.db.models import Model

from knowledge.transfer.exporting.growing import Growing
from knowledge.transfer.exporting.packing import Packer
from knowledge.transfer.exporting.rows import Chunk, ExportFilter
from knowledge.transfer.tables import Section


@dataclass(frozen=True)
class Table:
    """One table of an export."""

    section: Section
    model: type[Model]

    @property
    def name(self) -> str:
        return self.model._meta.db_table


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a form needs to know of an export."""

    tables: tuple[Table, ...]
    chosen: ExportFilter
    #: Of the site, for links.
    address: str
    made_at: datetime
    #: Entries as one table that can be edited and imported again.
    entries_alone: bool


class Form:
    """Writes the file `part` of a work. What it must remember between two pieces is in `state`, which is JSON."""

    #: Whether the file is a ZIP.
    packed: ClassVar[bool] = True

    def __init__(self, work: Growing, order: Order, state: dict[str, Any]) -> None:
        self.work, self.order, self.state = work, order, state
        if self.packed:
            self.zip = Packer(work, state.setdefault("zip", {}), order.made_at)

    def begin(self, table: Table) -> None:
        """A table begins."""

    def add(self, table: Table, chunk: Chunk) -> None:
        """The next rows of the table."""
        raise NotImplementedError(f"{type(self).__name__} does not say how rows are written")

    def end(self, table: Table) -> None:
        """The table is whole."""

    def finish(self) -> None:
        """Everything is there."""
        if self.packed:
            self.zip.finish()
