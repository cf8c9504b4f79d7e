"""Every error the engine raises on purpose. The docstring of a class is its message."""

from __future__ import annotations

from inspect import cleandoc
from typing import Any, ClassVar

from django.db.utils import OperationalError


class OpsError(Exception):
    """The operation could not be done."""

    #: Stable name for scripts, JSON and tests.
    code: ClassVar[str] = "ops_error"

    def __init__(self, **facts: Any) -> None:
        self.facts = facts
        super().__init__(cleandoc(type(self).__doc__ or "").replace("\n", " ").format(**facts))


class LevelUnknownError(OpsError):
    """MVP{level} does not exist in this release, which knows MVP1 to MVP{highest}. Choose one of these."""

    code = "level_unknown"


class LevelClosedError(OpsError):
    """{feature} opens with MVP{required}; this site is at MVP{level}. Plan the move in the console."""

    code = "level_closed"


class AlreadyAtLevelError(OpsError):
    """The site is at MVP{level} already, so there is nothing to do."""

    code = "already_at_level"


class DownwardPlanError(OpsError):
    """The site is at MVP{from_level}; a plan only goes upwards. To return to MVP{to_level}, roll back
    the run that opened MVP{from_level}."""

    code = "downward_plan"


class PlanOutdatedError(OpsError):
    """Plan {plan} was made for another state of the site ({difference}). Make a new plan."""

    code = "plan_outdated"


class PlanBlockedError(OpsError):
    """{count} prerequisite(s) of plan {plan} failed: {failures}"""

    code = "plan_blocked"


class ConfirmationError(OpsError):
    """The confirmation does not match. Type exactly: {expected}"""

    code = "confirmation_mismatch"


class RunActiveError(OpsError):
    """Run {run} is {state} and holds the site. Finish it, or cancel it, or roll it back first."""

    code = "run_active"


class RunStateError(OpsError):
    """Run {run} is {state}; {action} is possible only when it is {allowed}."""

    code = "run_state"


class RunBusyError(OpsError):
    """Run {run} is in the middle of a batch that cannot be interrupted, so {action} was not noted. Try again
    in a moment; if it stays like this, end the worker: what it has not committed is undone."""

    code = "run_busy"


class RunNotFoundError(OpsError):
    """There is no run {run}. `manage.py mvp runs` lists them."""

    code = "run_not_found"


class PlanNotFoundError(OpsError):
    """There is no plan {plan}. Make one with `manage.py mvp plan`."""

    code = "plan_not_found"


class LeaseLostError(OpsError):
    """Worker {worker} lost run {run} to another one; what it had not committed is undone."""

    code = "lease_lost"


class StepCriticalError(OpsError):
    """Step {step} is critical and cannot be skipped. Retry it, or roll the run back."""

    code = "step_critical"


class StepUnknownError(OpsError):
    """Run {run} was planned with the step {step}, which this release does not have. Install the release
    that planned it, or roll back from a checkpoint."""

    code = "step_unknown"


class StepFailedError(OpsError):
    """{reason}"""

    code = "step_failed"


class VerificationError(OpsError):
    """Verification found {count} difference(s): {differences}"""

    code = "verification_failed"


class CheckpointNotFoundError(OpsError):
    """There is no checkpoint {checkpoint}. `manage.py checkpoint list` lists them."""

    code = "checkpoint_not_found"


class CheckpointMissingError(OpsError):
    """The file of checkpoint {checkpoint} is gone ({path}). Bring it back from a backup, or delete the
    checkpoint's record."""

    code = "checkpoint_missing"


class CheckpointCorruptError(OpsError):
    """Checkpoint {checkpoint} is damaged: {damage}. Nothing was changed; choose another checkpoint."""

    code = "checkpoint_corrupt"


class CheckpointUnfitError(OpsError):
    """Checkpoint {checkpoint} cannot be restored here: {reason}"""

    code = "checkpoint_unfit"


class CheckpointProtectedError(OpsError):
    """Checkpoint {checkpoint} is kept for {reason} and cannot be deleted."""

    code = "checkpoint_protected"


class DiskFullError(OpsError):
    """Writing {path} failed for lack of disk space ({free} bytes free). Free some space, then retry;
    the unfinished file was removed."""

    code = "disk_full"


class DatabaseGoneError(OpsError):
    """The database does not answer: {reason}. Nothing was changed; try again when it is back."""

    code = "database_gone"


class RehearsalError(OpsError):
    """The rehearsal stopped: {reason}"""

    code = "rehearsal_failed"


class ColumnUnknownError(OpsError):
    """A move does not know how to carry {table}.{column}, a field of the type {type}. Give the field a type that
    migrations_ops.move.tables lists, or teach the move the new one."""

    code = "column_unknown"


class ValueUnfitError(OpsError):
    """{table}, key {key}: {column} holds {value}, which is no {kind} that the other database takes. Correct the
    row, or let the assessment of the move repair it, then go on."""

    code = "value_unfit"


class RowRefusedError(OpsError):
    """The other database refuses {table}, key {key}, {column}: {reason}. Correct the row, or let the assessment of
    the move repair it, then go on."""

    code = "row_refused"


class SchemaDiffersError(OpsError):
    """The two databases do not have the same tables: {difference}. Run `manage.py migrate` on the site, then plan
    the move again."""

    code = "schema_differs"


class TargetForeignError(OpsError):
    """The database cannot be the target: {reason}. Nothing was changed; name an empty database."""

    code = "target_foreign"


class TargetSchemaError(OpsError):
    """The tables could not be made in the new database: {reason}"""

    code = "target_schema"


class CopierError(OpsError):
    """A process that copies rows ended: {reason}. What it had not committed is undone; retry goes on from there."""

    code = "copier_failed"


class PlaceDamagedError(OpsError):
    """{path} says where the site's database is and cannot be used: {reason}. Bring it back from a backup of the
    data folder. Do not delete it: the site would then start on the database that it has left."""

    code = "place_damaged"


class PlaceSecretError(OpsError):
    """The password of the site's database cannot be read: {reason}."""

    code = "place_secret"


class PlaceMismatchError(OpsError, OperationalError):
    """The database at {url} is not the one that the site works with: {reason}"""

    code = "place_mismatch"


class PlaceOrderError(OpsError):
    """The site's database was moved by someone else meanwhile: move {epoch} was to be noted, and number {known}
    is noted already. Nothing was changed."""

    code = "place_order"


class WritersBusyError(OpsError):
    """Writers of the site did not pause within {patience_seconds:g} s because a transaction stayed open;
    they go on as before."""

    code = "writers_busy"


class DatabaseMovedError(OperationalError):
    """The site's database was moved while this statement was on its way, so nothing of it was done. Do it again:
    it goes to the new database then."""

    #: An error of the database to whoever catches those; nobody shows it as a refusal of the engine.
    code = "database_moved"

    def __init__(self) -> None:
        super().__init__(cleandoc(type(self).__doc__ or "").replace("\n", " "))


class CaptureBusyError(OpsError):
    """A transaction on {table} stayed open, so its triggers could not be changed within {seconds} s. Nothing
    waits for it any more; find out who keeps it open (pg_stat_activity), then try again."""

    code = "capture_busy"


class CaptureLostError(OpsError):
    """Changes of {tables} are no longer recorded: their triggers were removed, for instance by a change of the
    table. What was copied of them may be old; copy them again."""

    code = "capture_lost"


class LogGapError(OpsError):
    """The record of changes does not go on where the copy stands: {reason}. One of the two databases was restored
    or changed by hand; begin the copy again."""

    code = "log_gap"


class DrainConflictError(OpsError):
    """The target refuses rows that the source has: {reason}. Verify the copy; someone else may write to the target."""

    code = "drain_conflict"


class CutoverBusyError(OpsError):
    """The database could not be moved in {tries} tries because writers did not pause: {reason} They go on as before;
    try again when less is going on, or with more patience."""

    code = "cutover_busy"


class CutoverLateError(OpsError):
    """The last changes did not reach the target within {patience_seconds:g} s, so the site stays where it was and
    its writers go on."""

    code = "cutover_late"


class SourceLeftError(OpsError):
    """The database to move away from is fenced, so it is not where the site lives. Nothing was changed; look which
    database the site uses before anything else."""

    code = "source_left"


class CutoverBehindError(OpsError):
    """{left} changes wait although most were brought over just before; more are written than the target takes.
    Writers go on as before."""

    code = "cutover_behind"


class MoveTargetError(OpsError):
    """The database cannot move to {target}: {reason}"""

    code = "move_target"


class MoveStateError(OpsError):
    """The move of run {run} is {state}; {action} is possible only when {allowed}."""

    code = "move_state"


class MoveOpenError(OpsError):
    """The database move of run {run} is under way or its way back is open; tables must stay as they are until
    it is over. Close the way back with `manage.py mvp move close-return {run}`, or roll the run back."""

    code = "move_open"


class RepairRefusedError(OpsError):
    """The database refused the repair of {place}: {reason}. What it had mended in whole transactions stays; correct
    the other rows by hand, then go on with the run."""

    code = "repair_refused"


class LedgerMissingError(OpsError):
    """Run {run} has no ledger of a verification on this machine."""

    code = "ledger_missing"


class SmokeError(OpsError):
    """The new database did not pass: {reason} The site has gone back to the old one, with everything that was
    written in between."""

    code = "move_smoke"


class CheckUnknownError(OpsError):
    """There is no integrity check {check} at this level. Known here: {known}."""

    code = "check_unknown"


class CleanupUnknownError(OpsError):
    """There is no cleanup {cleanup} at this level. Known here: {known}."""

    code = "cleanup_unknown"


class CleanupOptionError(OpsError):
    """The option {option} cannot be {value!r}: it takes {expected}."""

    code = "cleanup_option"


class CleanupGoneError(OpsError):
    """There is no cleanup number {number}."""

    code = "cleanup_gone"


class CleanupStateError(OpsError):
    """Cleanup {number} is “{state}”; {action} is possible only when it is {allowed}."""

    code = "cleanup_state"


class CleanupDamagedError(OpsError):
    """The rows that cleanup {number} has parked cannot be used: {damage}. Nothing was changed; bring its file
    {file} back from a backup, or restore a checkpoint from before the cleanup."""

    code = "cleanup_damaged"
