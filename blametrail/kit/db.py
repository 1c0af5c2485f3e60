"""The database: one door for reads and writes, each bound to one organization.

Work is a plain function of a session, run on a thread. On SQLite one thread writes: it takes all the
work that waits, runs it in one transaction and commits once, so that many writers share one flush to
disk. On PostgreSQL each piece is a transaction of its own. Work may run twice, so it does nothing
outside the database.

Reads have threads of three kinds, so that nobody waits for a long one but those who ask for long ones:
what comes before an organization is known, such as a session, has its own; all else is tried for a
moment, and what is not done then starts again beside the other long ones.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Concatenate, Final, Literal, ParamSpec, TypeVar
from uuid import UUID

import structlog
from sqlalchemy import BigInteger, Engine, Uuid, column, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.orm import ORMExecuteState, with_loader_criteria
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field, Session, SQLModel, select

from blametrail.kit import live
from blametrail.kit.clock import from_micros, to_micros
from blametrail.kit.errors import Conflict, TakesTooLong, Unavailable
from blametrail.kit.patience import deadline, limit_statements, was_ended
from blametrail.kit.prepared import Prepared
from blametrail.settings import settings

log = structlog.get_logger(__name__)
P = ParamSpec("P")
T = TypeVar("T")

FIRST_READERS, QUICK_READERS, LONG_READERS = 2, 4, 2
READERS = FIRST_READERS + QUICK_READERS + LONG_READERS
POSTGRES_WRITERS = 8
QUICK_READ, LONGEST_READ = 0.5, 5.0
"""Seconds that a read may take beside all others, and beside other long ones."""
SQLITE_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "busy_timeout=5000",
    "foreign_keys=ON",
    "temp_store=MEMORY",
    "wal_autocheckpoint=4000",  # pages of 4 kB; random keys touch many, and each is copied once a checkpoint
)
LARGEST_BATCH = 64
WAITING_WRITES = 1_000
LOOK_FOR_OTHERS = 2.0
"""Seconds between two looks whether another process has written to the file, while there is nothing to write."""

SQLModel.metadata.naming_convention = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class _Every(Enum):
    ORGANIZATION = "every organization"


EVERY_ORGANIZATION: Final = _Every.ORGANIZATION
"""Scope of the few queries that come before an organization is known: a token, a login, a sweep."""

Scope = UUID | Literal[_Every.ORGANIZATION]


class UtcTime(TypeDecorator[datetime]):
    """An aware time, kept as microseconds since 1970: the same arithmetic on every database."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> int | None:
        return None if value is None else to_micros(value)

    def process_result_value(self, value: int | None, dialect: Any) -> datetime | None:
        return None if value is None else from_micros(value)


class Tenanted(SQLModel):
    """Mixin of every row that belongs to an organization: filtered and filled in by the session."""

    organization_id: UUID = Field(default=None, foreign_key="organization.id", ondelete="CASCADE", nullable=False)

    @classmethod
    def tenant(cls) -> Any:
        """The column to filter by; the mixin itself, which SQLAlchemy also asks, has none of its own."""
        return getattr(cls, "organization_id", column("organization_id", Uuid()))


class ScopedSession(Session):
    """A session that can see and write the rows of its scope only."""

    @property
    def scope(self) -> Scope:
        scope: Scope = self.info["scope"]
        return scope

    def narrow(self, organization_id: UUID) -> None:
        """Bind a session that started before its organization was known, for example by a token."""
        self.info["scope"] = organization_id

    def widen(self) -> None:
        """See every organization from here on; only for work that ends an organization or a person."""
        self.info["scope"] = EVERY_ORGANIZATION

    def run(self, statement: Prepared, **parameters: Any) -> list[tuple[Any, ...]]:
        """Run a prepared statement, filtered by the session's organization; answers its rows."""
        if isinstance(self.scope, UUID):
            parameters["organization_id"] = self.scope
        elif statement.is_scoped:
            raise PermissionError("a statement of one organization was about to run on all of them")
        return statement.run(self.connection(), parameters)

    def announce(self, topic: str) -> None:
        """Tell listeners of the organization once this is committed."""
        if isinstance(self.scope, UUID):
            live.announce(self, self.scope, topic)


@event.listens_for(ScopedSession, "do_orm_execute")
def _filter_by_organization(state: ORMExecuteState) -> None:
    organization_id = state.session.info["scope"]
    if organization_id is EVERY_ORGANIZATION or state.is_column_load or state.is_relationship_load:
        return
    state.statement = state.statement.options(_only(organization_id))


@lru_cache(maxsize=1_000)
def _only(organization_id: UUID) -> Any:
    """The option that filters by an organization; making one costs more than most queries."""
    return with_loader_criteria(Tenanted, lambda table: table.tenant() == organization_id, include_aliases=True)


@event.listens_for(ScopedSession, "before_flush")
def _check_organization(session: ScopedSession, _context: Any, _instances: Any) -> None:
    for row in (*session.new, *session.dirty):
        if not isinstance(row, Tenanted) or session.scope is EVERY_ORGANIZATION:
            continue
        if row.organization_id is None:
            row.organization_id = session.scope
        elif row.organization_id != session.scope:
            raise PermissionError(f"a {type(row).__name__} of another organization was about to be written")


@dataclass(slots=True)
class _Work:
    run: Callable[[ScopedSession], Any]
    scope: Scope
    done: Future[Any] = field(default_factory=Future)


class Database:
    """Reads and writes, from coroutines (`read`, `write`) and from plain code (`*_now`)."""

    def __init__(self, url: str, hub: live.Hub | None = None) -> None:
        self.url = url
        self.is_sqlite = url.startswith("sqlite")
        self._hub = hub or live.Hub()
        if self.is_sqlite:
            Path(make_url(url).database or ".").parent.mkdir(parents=True, exist_ok=True)
            self.engine = _sqlite_engine(url, "BEGIN IMMEDIATE", connections=1)
            self._readers = _sqlite_engine(url, "BEGIN", connections=READERS)
            self._waiting: queue.Queue[_Work | None] = queue.Queue(WAITING_WRITES)
            self._writer = threading.Thread(target=self._write_batches, name="db-write", daemon=True)
            self._writer.start()
        else:
            self.engine = self._readers = create_engine(
                url, pool_size=READERS + POSTGRES_WRITERS, max_overflow=0, pool_timeout=10, pool_pre_ping=True
            )
            self._writers = ThreadPoolExecutor(POSTGRES_WRITERS, "db-write")
        limit_statements(self._readers)
        self._first = ThreadPoolExecutor(FIRST_READERS, "db-first")
        self._quick = ThreadPoolExecutor(QUICK_READERS, "db-quick")
        self._long = ThreadPoolExecutor(LONG_READERS, "db-long")

    async def read(
        self, scope: Scope, query: Callable[Concatenate[ScopedSession, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run `query(session, …)` without writing, twice if it is long; raises TakesTooLong, and Unavailable
        when the database cannot serve."""

        def run(session: ScopedSession) -> T:
            return query(session, *args, **kwargs)

        if scope is EVERY_ORGANIZATION:
            return await asyncio.wrap_future(self._first.submit(self._read_within, LONGEST_READ, scope, run))
        try:
            return await asyncio.wrap_future(self._quick.submit(self._read_within, QUICK_READ, scope, run))
        except TakesTooLong:
            until = time.monotonic() + LONGEST_READ  # waiting for other long ones included: their queue stays short
            return await asyncio.wrap_future(self._long.submit(lambda: self._read_within(until - time.monotonic(), scope, run)))

    def read_now(self, scope: Scope, query: Callable[Concatenate[ScopedSession, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`read` for plain code, on its own thread and without a time limit."""
        return self._read(scope, lambda s: query(s, *args, **kwargs))

    async def write(
        self, scope: Scope, change: Callable[Concatenate[ScopedSession, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run `change(session, …)` in a transaction; it is on disk when this returns, or nothing is."""
        work = _Work(lambda s: change(s, *args, **kwargs), scope)
        result: T = await asyncio.wrap_future(self._submit(work))
        return result

    def write_now(
        self, scope: Scope, change: Callable[Concatenate[ScopedSession, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        result: T = self._submit(_Work(lambda s: change(s, *args, **kwargs), scope)).result()
        return result

    def close(self) -> None:
        """Finish the writes that wait, then let go of the database."""
        if self.is_sqlite:
            self._waiting.put(None)
            self._writer.join(10)
        else:
            self._writers.shutdown()
        for threads in (self._first, self._quick, self._long):
            threads.shutdown()
        self._readers.dispose()
        self.engine.dispose()

    def _read_within(self, seconds: float, scope: Scope, query: Callable[[ScopedSession], T]) -> T:
        if seconds <= 0:
            raise TakesTooLong()
        with deadline(seconds):
            return self._read(scope, query)

    def _read(self, scope: Scope, query: Callable[[ScopedSession], T]) -> T:
        try:
            with ScopedSession(self._readers, expire_on_commit=False, info={"scope": scope}) as session:
                return query(session)
        except (OperationalError, InterfaceError) as error:
            raise (TakesTooLong() if was_ended(error.orig) else _unavailable(error)) from error

    def _submit(self, work: _Work) -> Future[Any]:
        if not self.is_sqlite:
            return self._writers.submit(self._write_alone, work)
        try:
            self._waiting.put_nowait(work)
        except queue.Full:
            raise Unavailable("Too many writes are waiting; nothing was stored. Try again in a few seconds.") from None
        return work.done

    def _write_alone(self, work: _Work) -> Any:
        try:
            with ScopedSession(self.engine, expire_on_commit=False, info={"scope": work.scope}) as session:
                result = work.run(session)
                session.commit()
        except (OperationalError, InterfaceError, IntegrityError) as error:
            raise _translated(error) from error
        self._hub.publish(live.announced(session))
        return result

    def _write_batches(self) -> None:
        version = 0
        while True:
            try:
                first = self._waiting.get(timeout=LOOK_FOR_OTHERS)
            except queue.Empty:
                version = self._hear_of_others(version)
                continue
            if first is None:
                return
            batch, closing = [first], False
            while len(batch) < LARGEST_BATCH and not closing:
                try:
                    more = self._waiting.get_nowait()
                except queue.Empty:
                    break
                closing = more is None
                if more is not None:
                    batch.append(more)
            self._commit_together([work for work in batch if work.done.set_running_or_notify_cancel()])
            if closing:
                return

    def _hear_of_others(self, known: int) -> int:
        """Tell listeners when the file was changed by another process, such as the command line. SQLite counts,
        for each connection, the commits of all others; this thread's connection makes all of ours."""
        try:
            connection = self.engine.raw_connection()
            try:
                version: int = connection.cursor().execute("PRAGMA data_version").fetchone()[0]
            finally:
                connection.close()
        except sqlite3.Error as error:
            log.warning("cannot look for other processes", reason=str(error))
            return known
        if known not in {0, version}:
            self._hub.publish([live.EVERYTHING])
        return version

    def _commit_together(self, batch: list[_Work]) -> None:
        """Commit a batch at once; if one piece of it fails, each runs again on its own. If the database
        fails, all fail at once: waiting for it anew for each would keep the last sender waiting for minutes."""
        try:
            with self.engine.connect() as connection, connection.begin():
                done = [(work, *_run(connection, work)) for work in batch]
        except Exception as error:
            is_final = len(batch) == 1 or isinstance(error, OperationalError | InterfaceError)
            for work in batch:
                if is_final:
                    work.done.set_exception(_translated(error))
                else:
                    self._commit_together([work])
            return
        self._hub.publish(dict.fromkeys(a for _, _, announcements in done for a in announcements))
        for work, result, _ in done:
            work.done.set_result(result)


def _run(connection: Any, work: _Work) -> tuple[Any, list[live.Announcement]]:
    with ScopedSession(connection, expire_on_commit=False, info={"scope": work.scope}) as session:
        result = work.run(session)
        session.flush()
        return result, live.announced(session)


def _translated(error: Exception) -> Exception:
    if isinstance(error, IntegrityError):
        log.warning("two writes met", reason=str(error.orig))
        return Conflict("Somebody changed the same thing at the same moment. Look at it again, then try again.")
    return _unavailable(error) if isinstance(error, OperationalError | InterfaceError) else error


def _unavailable(error: Exception) -> Unavailable:
    reason = str(error.orig) if isinstance(error, DBAPIError) else type(error).__name__
    log.error("the database could not serve", reason=reason)
    return Unavailable("The database cannot serve right now; nothing was stored. Try again in a few seconds.")


def _sqlite_engine(url: str, begin: str, connections: int) -> Engine:
    engine = create_engine(url, pool_size=connections, max_overflow=0)

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # transactions are begun by us, see below
        for pragma in SQLITE_PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql(begin)

    return engine


@cache
def database() -> Database:
    """The database of this process."""
    return Database(settings().sqlalchemy_url, live.hub())


__all__ = ["EVERY_ORGANIZATION", "Database", "Prepared", "Scope", "ScopedSession", "Tenanted", "UtcTime", "database", "select"]
