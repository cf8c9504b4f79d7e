"""A plan run up and back on a copy of the data, in a process of its own.

The copy is a checkpoint of this moment restored into an empty database: a SQLite file in a scratch
folder, or on PostgreSQL a scratch schema of the same database, which needs no right to make
databases. So each rehearsal also proves that a checkpoint restores. The site itself is not touched.
"""

from __future__ import annotations

import json
import os
import selectors
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, ClassVar, Protocol, cast
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit
from uuid import uuid4

from django.conf import settings
from django.db import connection
from django.utils import timezone

from migrations_ops.checkpoints import checkpoint_get, checkpoint_path
from migrations_ops.errors import RehearsalError
from migrations_ops.models import Checkpoint
from migrations_ops.place.addresses import database_url, url_with_password
from migrations_ops.process import die_with_parent
from migrations_ops.steps.base import Batch, Commit, Cursor, Step, StepContext, StepKind
from migrations_ops.steps.checkpoint import CheckpointStep

HEARTBEAT_SECONDS = 2.0
#: Every schema with a name like this is a copy; nothing else may begin with it.
SCHEMA_PREFIX = "kb_rehearsal_"
#: The last lines of the child's error output that the journal keeps.
ERROR_CHARS = 4_000


def rehearsal_steps() -> tuple[Step, ...]:
    """A checkpoint of the live site, then the plan on a copy of it."""
    return (
        CheckpointStep(name="rehearsal/checkpoint", title="Checkpoint to copy from"),
        RehearseStep(
            name="rehearsal/up-and-back",
            title="Run the plan and its rollback on the copy",
            checkpoint_step="rehearsal/checkpoint",
            requires=("rehearsal/checkpoint",),
        ),
    )


@dataclass(frozen=True, kw_only=True)
class RehearseStep(Step):
    """Restores the checkpoint into a scratch database, runs the plan there and back, compares every row."""

    checkpoint_step: str
    kind: StepKind = StepKind.ASSESSMENT
    commit: ClassVar[Commit] = Commit.OUTSIDE

    def apply(self, ctx: StepContext, cursor: Cursor) -> Iterator[Batch]:
        if cursor:
            return
        checkpoint = checkpoint_get(ctx.result_of(self.checkpoint_step)["checkpoint"])
        report: dict[str, Any] = {}
        with scratch_database(ctx.run.pk) as scratch:
            with child(ctx, checkpoint, scratch) as process:
                for event in events(process, ctx):
                    if event is None:
                        break
                    report.update(event)
                    ctx.log(event["line"])
            said = scratch.errors.read_text(errors="replace")[-ERROR_CHARS:].strip()
        if ctx.stop_asked():
            yield Batch()  # the journal stays at the start: a rehearsal cannot go on in the middle
            return
        if process.returncode or not report.get("equal"):
            raise RehearsalError(reason=report.get("failure") or said or "its process ended early")
        Checkpoint.objects.filter(pk=checkpoint.pk).update(restore_tested_at=timezone.now())
        ctx.remember(measured=report["measured"], manifest_equal=True)
        yield Batch({"done": True}, 1)

    def revert(self, ctx: StepContext, cursor: Cursor) -> Iterator[Batch]:
        scratches_remove()
        yield Batch()


@dataclass(frozen=True)
class Scratch:
    """Where one attempt works. The name is its own, so that an attempt that lost its run spoils no other."""

    name: str

    @property
    def folder(self) -> Path:
        """Where the copy's files lie."""
        return Path(settings.OPS_REHEARSAL_DIR) / self.name

    @property
    def schema(self) -> str:
        """Name of the copy's schema on PostgreSQL."""
        return f"{SCHEMA_PREFIX}{self.name}"

    @property
    def place(self) -> str:
        """What the child must find itself in before it does anything."""
        return self.schema if connection.vendor == "postgresql" else str(self.folder)

    @property
    def errors(self) -> Path:
        """Where the child's error output goes."""
        return self.folder / "errors.txt"

    def environment(self) -> dict[str, str]:
        """Environment of a process whose `default` is this scratch database."""
        environment = {**os.environ, "KB_DATA_DIR": str(self.folder)}  # without the site's pointer to its database
        environment.pop("KB_DATABASE_URL", None)
        if connection.vendor == "postgresql":
            url = url_with_password(*database_url(connection.settings_dict, Path(settings.DATA_DIR)))
            environment["KB_DATABASE_URL"] = url_in_schema(url, self.schema, environment.get("PGOPTIONS", ""))
        return environment


def url_in_schema(url: str, schema: str, default_options: str) -> str:
    """The database URL with `schema` as its search path; the other options stay, the last one counts."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    given = query.get("options", default_options)
    query["options"] = f"{given} -csearch_path={schema}".strip()
    return urlunsplit(parts._replace(query=urlencode(query, quote_via=quote)))


@contextmanager
def scratch_database(run_id: int) -> Iterator[Scratch]:
    """An empty database of its own; removed at the end, with what killed rehearsals have left."""
    scratches_remove()
    scratch = Scratch(f"{run_id}_{uuid4().hex[:8]}")
    scratch.folder.mkdir(parents=True, mode=0o700)
    try:
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(f'CREATE SCHEMA "{scratch.schema}"')
        yield scratch
    finally:
        scratch_remove(scratch)


def scratches_remove() -> None:
    """Take away what any rehearsal has left: only one runs at a time, and it begins with this."""
    folder = Path(settings.OPS_REHEARSAL_DIR)
    names = {path.name for path in folder.iterdir() if path.is_dir()} if folder.exists() else set()
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT nspname FROM pg_namespace WHERE starts_with(nspname, %s)", [SCHEMA_PREFIX])
            names |= {schema.removeprefix(SCHEMA_PREFIX) for (schema,) in cursor.fetchall()}
    for name in sorted(names):
        scratch_remove(Scratch(name))


def scratch_remove(scratch: Scratch) -> None:
    """Take away one copy; nothing happens when there is nothing."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f'DROP SCHEMA IF EXISTS "{scratch.schema}" CASCADE')
    shutil.rmtree(scratch.folder, ignore_errors=True)


@contextmanager
def child(ctx: StepContext, checkpoint: Checkpoint, scratch: Scratch) -> Iterator[subprocess.Popen[bytes]]:
    """The process that rehearses; killed when the block is left before its end."""
    command = [
        sys.executable,
        sys.argv[0] if sys.argv[0].endswith("manage.py") else str(settings.BASE_DIR / "manage.py"),
        "mvp",
        "rehearse-copy",
        str(checkpoint_path(checkpoint)),
        str(ctx.run.plan.to_level),
        "--scratch",
        scratch.place,
    ]
    with scratch.errors.open("wb") as errors:
        # Our own program with numbers and paths of ours. In the child the function calls the kernel and nothing else.
        process = subprocess.Popen(  # noqa: S603
            command,
            env=scratch.environment(),
            stdout=subprocess.PIPE,
            stderr=errors,
            preexec_fn=die_with_parent,  # noqa: PLW1509
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()


def events(process: subprocess.Popen[bytes], ctx: StepContext) -> Iterator[dict[str, Any] | None]:
    """What the child reports, a JSON object a line; None when a person asked to stop.

    Keeps the run's lease while it waits.
    """
    output = cast(IO[bytes], process.stdout)
    with selectors.DefaultSelector() as selector:
        selector.register(output, selectors.EVENT_READ)
        beat = 0.0
        while True:
            if time.monotonic() - beat > HEARTBEAT_SECONDS:
                ctx.heartbeat()
                beat = time.monotonic()
                if ctx.stop_asked():
                    yield None
                    return
            if selector.select(HEARTBEAT_SECONDS):
                line = output.readline()
                if not line:
                    process.wait()
                    return
                yield from _parsed(line)


def _parsed(line: bytes) -> Iterator[dict[str, Any]]:
    try:
        event = json.loads(line)
    except ValueError:
        return  # a warning that some library printed
    if isinstance(event, dict) and "line" in event:
        yield event


class Stream(Protocol):
    """Where the child writes its report."""

    def write(self, text: str, /) -> object:
        """Write some text."""

    def flush(self) -> None:
        """Send it."""


def report(stream: Stream, line: str, **facts: Any) -> None:
    """Write one event for the parent."""
    stream.write(json.dumps({"line": line, **facts}) + "\n")
    stream.flush()
