"""Clients of the stand-in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar
from uuid import uuid4

from blametrail.codehosts.access import Access, Credential, Kind, Level, WriteAccess
from blametrail.codehosts.gitlab.client import GitLab, WritableGitLab
from tests.peers.gitlab import FakeGitLab

Found = TypeVar("Found")


def access(url: str, token: str = "glpat-all", kind: type[Access] = Access) -> Access:
    level = Level.WRITE if kind is WriteAccess else Level.READ
    return kind(uuid4(), Kind.GITLAB, url, level, Credential.TOKEN, token, "", "")


async def ask(gitlab: FakeGitLab, question: Callable[[GitLab], Awaitable[Found]], token: str = "glpat-all") -> Found:
    """The answer of a client that knows nothing yet."""
    async with GitLab(access(gitlab.url, token)) as client:
        return await question(client)


@asynccontextmanager
async def writing(gitlab: FakeGitLab, token: str = "glpat-all") -> AsyncIterator[WritableGitLab]:
    opened = access(gitlab.url, token, WriteAccess)
    assert isinstance(opened, WriteAccess)
    async with WritableGitLab(opened) as client:
        yield client
