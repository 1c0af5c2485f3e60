"""Passwords: argon2id, and what counts as one.

A hash costs tens of milliseconds and 64 MiB on purpose. The server makes and checks them on two threads
of their own: on the event loop or in the database's writer, a few wrong logins would hold up everybody.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from blametrail.kit.errors import Invalid, TooMany

T = TypeVar("T")

SHORTEST = 10
LONGEST = 200
THREADS = 2
MOST_WAITING = 20
"""Beyond these, an answer would come too late for a person; each also keeps a request open."""
TRY_AGAIN = 5

_hasher = PasswordHasher()
_threads = ThreadPoolExecutor(THREADS, "password")
_places = threading.BoundedSemaphore(THREADS + MOST_WAITING)


@dataclass(frozen=True, slots=True)
class PasswordHash:
    """A hash made before a transaction, so that the transaction does not wait for it."""

    value: str


def check_password(password: str, field: str = "password") -> str:
    """The password; raises Invalid when it is too short, too long or one character."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise Invalid({field: f"must have {SHORTEST} to {LONGEST} characters"})
    if len(set(password)) < 4:
        raise Invalid({field: "must not repeat the same few characters"})
    return password


def hash_password(password: str, field: str = "password") -> str:
    """The argon2id hash, made at once, for the command line; raises Invalid as `check_password`."""
    return _hasher.hash(_bytes(check_password(password, field)))


def verify_password(stored: str | None, password: str) -> bool:
    """Whether it fits; takes as long when there is no such person, so that nobody can tell."""
    try:
        _hasher.verify(stored or _nobody(), _bytes(password))
    except (VerificationError, InvalidHashError):
        return False
    return stored is not None


async def hash_apart(password: str, field: str = "password") -> PasswordHash:
    """The hash, made beside the event loop; raises Invalid as `check_password`, TooMany when too many wait."""
    check_password(password, field)
    return PasswordHash(await _apart(lambda: hash_password(password, field)))


async def verify_apart(stored: str | None, password: str) -> bool:
    """`verify_password` beside the event loop; raises TooMany when too many wait."""
    return await _apart(lambda: verify_password(stored, password))


async def _apart(work: Callable[[], T]) -> T:
    if not _places.acquire(blocking=False):
        raise TooMany(f"Too many people are signing in at this moment. Try again in {TRY_AGAIN} seconds.", TRY_AGAIN)
    future = _threads.submit(work)
    # Not when the request ends: a request that is given up leaves its work running.
    future.add_done_callback(lambda _: _places.release())
    return await asyncio.wrap_future(future)


def _bytes(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")


@cache
def _nobody() -> str:
    return _hasher.hash("no such person")
