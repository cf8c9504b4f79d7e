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

from django.conf import settings
from django.db import connection
from django.utils import timezone

from migrations_ops.checkpoints import checkpoint_get, checkpoint_path
from migrations_ops.errors import RehearsalError
from migrations_ops.models import Checkpoint
from migrations_ops.process import die_with_parent
from migrations_ops.steps.base import Batch, Commit, Cursor, Step, StepContext, StepKind
from migrations_ops.steps.checkpoint import CheckpointStep

HEARTBEAT_SECONDS = 2.0
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
        with scratch_database(ctx.run.pk) as environment, child(ctx, checkpoint, environment) as process:
            for event in events(process, ctx):
                if event is None:
                    break
                report.update(event)
                ctx.log(event["line"])
        if ctx.stop_asked():
            yield Batch()  # the journal stays at the start: a rehearsal cannot go on in the middle
            return
        if process.returncode or not report.get("equal"):
            raise RehearsalError(reason=report.get("failure") or child_errors(ctx.run.pk) or "its process ended early")
        Checkpoint.objects.filter(pk=checkpoint.pk).update(restore_tested_at=timezone.now())
        ctx.remember(measured=report["measured"], manifest_equal=True)
        scratch_remove(ctx.run.pk)
        yield Batch({"done": True}, 1)

    def revert(self, ctx: StepContext, cursor: Cursor) -> Iterator[Batch]:
        scratch_remove(ctx.run.pk)
        yield Batch()


def scratch_folder(run_id: int) -> Path:
    """Where the copy's files lie."""
    return Path(settings.OPS_REHEARSAL_DIR) / str(run_id)


def scratch_schema(run_id: int) -> str:
    """Name of the copy's schema on PostgreSQL."""
    return f"kb_rehearsal_{run_id}"


@contextmanager
def scratch_database(run_id: int) -> Iterator[dict[str, str]]:
    """Environment of a process whose `default` is an empty database of its own; removed at the end."""
    scratch_remove(run_id)
    folder = scratch_folder(run_id)
    folder.mkdir(parents=True)
    environment = {
        **os.environ,
        "KB_DATA_DIR": str(folder),
        "DJANGO_SETTINGS_MODULE": os.environ["DJANGO_SETTINGS_MODULE"],
    }
    if connection.vendor == "postgresql":
        schema = scratch_schema(run_id)
        with connection.cursor() as cursor:
            cursor.execute(f'CREATE SCHEMA "{schema}"')
        environment["PGOPTIONS"] = f"-c search_path={schema}"
    else:
        environment.pop("KB_DATABASE_URL", None)
    try:
        yield environment
    finally:
        if connection.vendor == "postgresql":
            _drop_schema(run_id)
        for leftover in folder.glob("kb.sqlite3*"):
            leftover.unlink()


def scratch_remove(run_id: int) -> None:
    """Take away what a rehearsal made; nothing happens when there is nothing."""
    if connection.vendor == "postgresql":
        _drop_schema(run_id)
    shutil.rmtree(scratch_folder(run_id), ignore_errors=True)


def _drop_schema(run_id: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f'DROP SCHEMA IF EXISTS "{scratch_schema(run_id)}" CASCADE')


@contextmanager
def child(ctx: StepContext, checkpoint: Checkpoint, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """The process that rehearses; killed when the block is left before its end."""
    command = [
        sys.executable,
        sys.argv[0] if sys.argv[0].endswith("manage.py") else str(settings.BASE_DIR / "manage.py"),
        "mvp",
        "rehearse-copy",
        str(checkpoint_path(checkpoint)),
        str(ctx.run.plan.to_level),
        "--scratch",
        scratch_schema(ctx.run.pk) if connection.vendor == "postgresql" else str(scratch_folder(ctx.run.pk)),
    ]
    with error_file(ctx.run.pk).open("wb") as errors:
        # Our own program with numbers and paths of ours. In the child the function calls the kernel and nothing else.
        process = subprocess.Popen(  # noqa: S603
            command,
            env=environment,
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


def error_file(run_id: int) -> Path:
    """Where the child's error output goes."""
    return scratch_folder(run_id) / "errors.txt"


def child_errors(run_id: int) -> str:
    """The end of what the child said on its error output."""
    path = error_file(run_id)
    return path.read_text(errors="replace")[-ERROR_CHARS:].strip() if path.exists() else ""


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
