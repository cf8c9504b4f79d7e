"""What our two database backends add to Django's: a connection that follows the site's database.

Only the connection `default` does. Its writers pass the turnstile; while one is inside, the database
cannot be moved. When it was moved before, the connection object turns into one to the new place, at a
point where nothing is under way on it:

* at the outermost BEGIN, and before a statement of the ORM that writes outside a transaction;
* where Django and the task queue close connections that are too old: at both ends of a request,
  before a task and a call of the broker;
* when it is looked up and nobody has used it for a while, as in a shell.

Not at every look-up: SQL is written for a vendor between two of them. A raw statement that writes and
was made for the place that was left is refused (DatabaseMovedError).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Any, cast

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.utils import CursorWrapper
from django.db.utils import ConnectionHandler, DatabaseErrorWrapper, load_backend
from django.utils.functional import cached_property

from migrations_ops.errors import DatabaseMovedError, PlaceMismatchError
from migrations_ops.place.follow import moved, settings_now
from migrations_ops.place.pointer import KNOWN, Known, Stamp
from migrations_ops.place.record import record_check, record_left
from migrations_ops.place.statements import writes
from migrations_ops.place.turnstile import Pass

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper as Base
else:
    Base = object

#: With this a fence begins what it says to a writer that comes too late.
FENCE = "KB_MOVED"

#: For how long nobody has looked a connection up whose user is at rest.
IDLE_SECONDS = 1.0

#: What stays with the object when it turns into another connection: who uses it and who watches.
KEPT = (
    "turn",
    "looked_at",
    "commits",
    "left",
    "run_on_commit",
    "execute_wrappers",
    "force_debug_cursor",
    "queries_log",
    "_thread_sharing_lock",
    "_thread_sharing_count",
    "_thread_ident",
)

#: The places whose record this process has compared with the pointer.
_checked: set[tuple[str, Stamp]] = set()


class Following(Base):
    """A connection that follows; to be put before a database wrapper of Django."""

    def __init__(self, settings_dict: dict[str, Any], alias: str = DEFAULT_DB_ALIAS) -> None:
        super().__init__(settings_dict, alias)
        known: Known | None = settings_dict.get(KNOWN) if alias == DEFAULT_DB_ALIAS else None
        #: Whether there is a pointer to follow.
        self.follows = known is not None
        self.turn = Pass(str(known.folder) if known else None)
        #: When it was last looked up; never at first.
        self.looked_at = float("-inf")
        #: Transactions and single statements that wrote and were committed.
        self.commits = 0
        #: How often the driver's connection is referred to while no cursor has it.
        self.idle_references = 0
        #: Driver connections to places that were left, with that number.
        self.left: list[tuple[Any, int]] = []

    # Following -----------------------------------------------------------------------------------

    def looked_up(self) -> None:
        """Follow after a time of rest."""
        now = monotonic()
        rested, self.looked_at = now - self.looked_at, now
        if rested > IDLE_SECONDS:
            self.follow()

    def follow(self) -> None:
        """Go to where the site's database is, unless something is under way here."""
        if (
            self.follows
            and not self.in_atomic_block
            and moved(self.settings_dict[KNOWN])
            and not self.turn.depth
            and (self.connection is None or self.autocommit)
        ):
            self.follow_now()

    def follow_now(self) -> bool:
        """Go there if it was moved; returns whether. For the one who knows that nothing is under way."""
        if not self.follows or not moved(self.settings_dict[KNOWN]):
            return False
        settings = settings_now(self.settings_dict)
        if settings is None:
            return False
        self._become(settings)
        return True

    def _become(self, settings: dict[str, Any]) -> None:
        """Turn this very object, which others have at hand, into a connection with these settings."""
        if self.connection is not None:
            self.left.append((self.connection, self.idle_references))
            self.connection = None
        alias = self.alias
        kept = {name: self.__dict__[name] for name in KEPT}
        self.__dict__.clear()
        self.__class__ = load_backend(settings["ENGINE"]).DatabaseWrapper
        self.__init__(settings, alias)  # type: ignore[misc]
        self.__dict__.update(kept)
        self._left_close()

    def _left_close(self) -> None:
        """Close what was left, once no cursor reads from it any more."""
        waiting, self.left = self.left, []
        while waiting:
            driver, idle_references = waiting.pop()
            if sys.getrefcount(driver) > idle_references:
                self.left.append((driver, idle_references))
            else:
                driver.close()

    # The turnstile -------------------------------------------------------------------------------

    def turn_take(self) -> bool:
        """Come in as a writer; returns whether the connection had to follow for that."""
        if self.turn.depth == 0 and self.follows:
            self.close_if_health_check_failed()  # which would give it back
            self.turn.take()
            try:
                return self.follow_now()
            except BaseException:
                self.turn.give_back()
                raise
        self.turn.take()
        return False

    def statement_done(self) -> None:
        """Go out after a statement, unless it is part of a transaction that stays open."""
        if self.autocommit or self.connection is None:
            self.turn.give_back()

    def set_autocommit(self, autocommit: bool, force_begin_transaction_with_broken_autocommit: bool = False) -> None:
        """Begin a transaction as a writer, on the place where the database is then."""
        if not autocommit:
            self.validate_no_atomic_block()
            self.turn_take()
        try:
            super().set_autocommit(autocommit, force_begin_transaction_with_broken_autocommit)
        except BaseException:
            if not autocommit:
                self.turn.give_back()
            raise

    def commit(self) -> None:
        super().commit()
        self.commits += 1
        self.turn.give_back()

    def rollback(self) -> None:
        try:
            super().rollback()
        finally:
            self.turn.give_back()

    def close(self) -> None:
        try:
            super().close()
        finally:
            self.turn.give_back_all()
            self._left_close()

    def close_if_unusable_or_obsolete(self) -> None:
        super().close_if_unusable_or_obsolete()
        self.follow()
        if self.left:
            self._left_close()

    @contextmanager
    def constraint_checks_disabled(self) -> Iterator[None]:
        """As Django's; what was switched off holds for this place, so the connection stays here."""
        self.turn_take()
        try:
            with super().constraint_checks_disabled():
                yield
        finally:
            self.turn.give_back()

    # Cursors -------------------------------------------------------------------------------------

    def make_cursor(self, cursor: Any) -> CursorWrapper:
        return FollowingCursor(cursor, self) if self.follows else super().make_cursor(cursor)

    def make_debug_cursor(self, cursor: Any) -> Any:
        plain = super().make_debug_cursor(cursor)
        return _debug_cursor(type(plain))(cursor, self) if self.follows else plain

    @cached_property
    def wrap_database_errors(self) -> DatabaseErrorWrapper:
        return FenceErrorWrapper(self)

    def init_connection_state(self) -> None:
        super().init_connection_state()
        if self.follows:
            self._record_check(self.settings_dict[KNOWN])
            self.idle_references = sys.getrefcount(self.connection)

    def _record_check(self, known: Known) -> None:
        """Once for each place: is it the one that the pointer means?"""
        if (known.path, known.stamp) not in _checked:
            try:
                record_check(self, known)
            except PlaceMismatchError:
                if moved(known) and record_left(self, known):
                    return  # as if it had been made a moment before: it reads on, and follows before it writes
                self.close()  # or the next statement would find an open connection
                raise
            _checked.add((known.path, known.stamp))


class FollowingCursor(CursorWrapper):
    """A cursor whose statements pass the turnstile when they write outside a transaction."""

    db: Following

    def _execute(self, sql: Any, params: Any, *ignored: Any) -> Any:
        return self._pass(super()._execute, sql, params)  # type: ignore[misc]

    def _executemany(self, sql: Any, param_list: Any, *ignored: Any) -> Any:
        return self._pass(super()._executemany, sql, param_list)  # type: ignore[misc]

    def _pass(self, execute: Any, sql: Any, params: Any) -> Any:
        database = self.db
        if self.cursor.connection is not database.connection:
            raise DatabaseMovedError
        if database.turn.depth or not writes(sql):
            return execute(sql, params)
        if database.turn_take():
            database.turn.give_back()
            raise DatabaseMovedError
        try:
            result = execute(sql, params)
            database.commits += 1
            return result
        finally:
            database.statement_done()


_debug_cursors: dict[type, type] = {}


def _debug_cursor(plain: type) -> type:
    """The cursor class that logs its queries, of either database, with the turnstile."""
    if plain not in _debug_cursors:
        _debug_cursors[plain] = type("FollowingDebugCursor", (plain, FollowingCursor), {})
    return _debug_cursors[plain]


class FenceErrorWrapper(DatabaseErrorWrapper):
    """Django's errors for the driver's, and ours for what the fence of a left database says."""

    wrapper: Any

    def __exit__(
        self, exc_type: type[BaseException] | None, exc_value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if exc_type is None:
            return
        if str(exc_value).startswith(FENCE) and issubclass(exc_type, self.wrapper.Database.Error):
            raise DatabaseMovedError from exc_value
        super().__exit__(exc_type, exc_value, traceback)


class FollowingWrite:
    """A statement that writes; to be put before a compiler of Django.

    Outside a transaction it passes the turnstile before it is compiled, so it is compiled for the place
    where it is done.
    """

    if TYPE_CHECKING:
        query: Any
        using: str | None
        elide_empty: bool
        connection: Any

    def execute_sql(self, *args: Any, **kwargs: Any) -> Any:
        connection: Following = self.connection
        if not connection.follows or connection.turn.depth:
            return super().execute_sql(*args, **kwargs)  # type: ignore[misc]
        compiler: Any = super()
        followed = connection.turn_take()
        try:
            if followed:
                compiler = self.query.get_compiler(self.using, connection, self.elide_empty)
            result = compiler.execute_sql(*args, **kwargs)
            connection.commits += 1
            return result
        finally:
            connection.statement_done()


class FollowingConnections(ConnectionHandler):
    """Django's `connections`, which tells `default` that it is looked up."""

    def __getitem__(self, alias: str) -> Any:
        connection = super().__getitem__(alias)
        if alias == DEFAULT_DB_ALIAS and isinstance(connection, Following):
            connection.looked_up()
        return connection


def install() -> None:
    """Have Django's own `connections`, which everyone has at hand, follow."""
    cast("Any", connections).__class__ = FollowingConnections


install()
