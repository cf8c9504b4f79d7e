"""The archive: a JSONL file a table, and a manifest with counts and sha256."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from knowledge.transfer.exporting.form import Form, Table
from knowledge.transfer.exporting.rows import Chunk
from knowledge.transfer.reading.archive_rows import KIND, MANIFEST, SCHEMA
from migrations_ops.archive import line_of
from migrations_ops.gate import site_level


class ArchiveForm(Form):
    """A member a table."""

    #: Of the rows of the table so far; made again from the file after a stop.
    digest: Any = None

    def begin(self, table: Table) -> None:
        self.zip.begin(f"tables/{table.name}.jsonl")
        self.digest = hashlib.sha256()
        self._facts()[table.name] = {"section": table.section.value, "rows": 0, "sha256": ""}

    def add(self, table: Table, chunk: Chunk) -> None:
        data = b"".join(map(_line, chunk.rows))
        self._digest().update(data)
        self.zip.write(data)
        self._facts()[table.name]["rows"] += len(chunk.rows)

    def end(self, table: Table) -> None:
        self._facts()[table.name]["sha256"] = self._digest().hexdigest()
        self.zip.end()
        self.digest = None

    def finish(self) -> None:
        manifest = {
            "kind": KIND,
            "schema": SCHEMA,
            "level": site_level(),
            "made_at": self.order.made_at.isoformat(timespec="seconds"),
            "everything": self.order.chosen.everything,
            "tables": {table.name: self._listed(table) for table in self.order.tables},
        }
        self.zip.add(MANIFEST, json.dumps(manifest, indent=1).encode())
        super().finish()

    def _listed(self, table: Table) -> dict[str, Any]:
        """The facts of a table in this order, which JSON in a database does not keep."""
        facts = self._facts()[table.name]
        return {name: facts[name] for name in ("section", "rows", "sha256")}

    def _facts(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = self.state.setdefault("tables", {})
        return found

    def _digest(self) -> Any:
        if self.digest is None:
            self.digest = hashlib.sha256()
            for data in self.zip.written():
                self.digest.update(data)
        return self.digest


def _line(row: dict[str, Any]) -> bytes:
    """An object on a line, values as in a checkpoint."""
    return line_of([row])[1:-2] + b"\n"
