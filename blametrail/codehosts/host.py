"""A code host as the rest of the house sees it, and what can go wrong when it is asked.

HostError
├── TokenRefused     401: wrong, expired or revoked
├── NotVisible       the repository is not there for this credential
├── UnknownCommit    the repository is there, a commit is not (force-pushed, never pushed, wrong)
├── NotPermitted     403: the credential lacks a scope or permission
├── RateLimited      to be asked again at a time
├── Unreachable      no connection, no trusted one, not allowed, or too slow
└── BadAnswer        the host failed, or answered what is no answer
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Protocol

from blametrail.codehosts.facts import (
    CommitDetail,
    Comparison,
    Files,
    PullRequestFact,
    RepositoryFact,
    TokenFact,
)
from blametrail.kit.errors import Outside


class HostError(Outside):
    """Base of all. `is_passing` says that the same question may be answered later without anybody's doing."""

    code = "code_host"
    is_passing = False


class TokenRefused(HostError):
    """401: the credential is wrong, expired or revoked."""


class NotVisible(HostError):
    """404 for a repository: not there, or not for this credential."""


class UnknownCommit(HostError):
    """The repository has no such commit any more, or not yet."""


class NotPermitted(HostError):
    """403: a scope or permission is missing."""


class RateLimited(HostError):
    """Asked too much; `until` is when to come back."""

    is_passing = True

    def __init__(self, reason: str, remedy: str, until: datetime) -> None:
        super().__init__(reason, remedy)
        self.until = until


class Unreachable(HostError):
    """No connection, no trusted one, none that is allowed, or none in time."""

    def __init__(self, reason: str, remedy: str, *, is_passing: bool = True) -> None:
        super().__init__(reason, remedy)
        self.is_passing = is_passing


class BadAnswer(HostError):
    """5xx, or something that is not what this host answers."""

    is_passing = True


class CodeHost(Protocol):
    """Reads with one connection. `path` is `owner/repo` or GitLab's `group/…/project`. All raise HostError.

    Use as `async with`.
    """

    @property
    def calls(self) -> int:
        """The requests sent so far, those answered from a cache by 304 included."""

    async def token(self) -> TokenFact:
        """Whose credential it is and what it may do."""

    async def repository(self, path: str) -> RepositoryFact: ...

    async def compare(self, path: str, base: str, head: str) -> Comparison:
        """What `head` has and `base` has not. At most MOST_COMMITS commits, the newest of them; raises UnknownCommit when the
        host knows one of the two not."""

    async def commit(self, path: str, sha: str) -> CommitDetail: ...

    async def pull_request(self, path: str, number: int) -> PullRequestFact | None:
        """None when there is none of that number, for example because it is an issue's."""

    async def pull_requests_of(self, path: str, sha: str) -> tuple[PullRequestFact, ...]:
        """Those that brought a commit, and those that merely hold it."""

    async def pull_request_files(self, path: str, number: int) -> Files: ...

    def merged_since(self, path: str, since: datetime) -> AsyncIterator[PullRequestFact]:
        """Pull requests merged at or after a time, those updated last first; pages are asked for as they are needed."""

    async def __aenter__(self) -> CodeHost: ...

    async def __aexit__(self, *exc: object) -> None: ...


class WritableCodeHost(CodeHost, Protocol):
    """A code host with a connection that an admin made for writing too: only from `open_for_writing`."""

    async def create_branch(self, path: str, name: str, sha: str) -> None:
        """Point a new branch at a commit; nothing happens when it points there already."""

    async def open_pull_request(self, path: str, head: str, base: str, title: str, body: str) -> PullRequestFact:
        """Open a draft from branch `head` to `base`, or answer the open one there is."""


MOST_COMMITS = 1_000
"""Of one comparison. Who deploys more at once gets the newest, and is told."""
