"""How long a statement may take: until a deadline of the thread that runs it.

SQLite asks us between the steps of its program whether to go on; PostgreSQL ends a statement by itself.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event

STEPS = 50_000
"""Steps of SQLite's program between two looks at the clock: milliseconds, because each look waits for Python's lock."""

_of_thread = threading.local()


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """End what this thread asks a database with a time limit, so many seconds from now."""
    _of_thread.until = time.monotonic() + seconds
    try:
        yield
    finally:
        _of_thread.until = None


def limit_statements(engine: Engine) -> None:
    """Let the statements on an engine's connections keep the deadlines of their threads."""
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", lambda connection, _: connection.set_progress_handler(_is_over, STEPS))
    else:
        event.listen(engine, "begin", _limit_transaction)


def was_ended(error: BaseException | None) -> bool:
    """Whether a driver's error says that a statement was ended by its deadline."""
    return getattr(error, "sqlite_errorname", "") == "SQLITE_INTERRUPT" or getattr(error, "sqlstate", "") == "57014"


def _is_over() -> bool:
    until = getattr(_of_thread, "until", None)
    return until is not None and time.monotonic() > until


def _limit_transaction(connection: Any) -> None:
    until = getattr(_of_thread, "until", None)
    if until is not None:
        milliseconds = max(1, round((until - time.monotonic()) * 1000))
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = {milliseconds}")
