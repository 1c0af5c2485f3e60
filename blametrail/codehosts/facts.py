"""What code hosts say, in words that GitHub and GitLab share. Their JSON is parsed into these at the door."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Relation(StrEnum):
    """How a commit stands to the one before it."""

    SAME = "same"
    AHEAD = "ahead"
    BEHIND = "behind"
    DIVERGED = "diverged"


class PullRequestState(StrEnum):
    OPEN = "open"
    MERGED = "merged"
    CLOSED = "closed"


class FileStatus(StrEnum):
    ADDED = "added"
    MODIFIED = "modified"
    REMOVED = "removed"
    RENAMED = "renamed"
    COPIED = "copied"


@dataclass(frozen=True, slots=True)
class CommitFact:
    """A commit; `author` is the name in it, `login` the account on the host or empty."""

    sha: str
    message: str
    author: str
    login: str
    authored_at: datetime | None
    committed_at: datetime | None
    parents: tuple[str, ...]
    url: str


@dataclass(frozen=True, slots=True)
class FileFact:
    """A changed file; lines added and removed; `patch` is a unified diff without its header lines, or None when the host gives none
    (binary, or too large for it)."""

    path: str
    status: FileStatus
    added: int
    removed: int
    old_path: str = ""
    patch: str | None = None


@dataclass(frozen=True, slots=True)
class Files:
    """Changed files; `is_complete` says whether the host gave all there are."""

    files: tuple[FileFact, ...]
    is_complete: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """From a base, exclusive, to a head, inclusive: commits oldest first, of `total_commits` there are; the files that differ."""

    relation: Relation
    commits: tuple[CommitFact, ...]
    total_commits: int
    changes: Files


@dataclass(frozen=True, slots=True)
class CommitDetail:
    """One commit with the files that it changed from its first parent."""

    commit: CommitFact
    changes: Files


@dataclass(frozen=True, slots=True)
class PullRequestFact:
    """A pull or merge request. `merge_sha` is the commit that brought it to its base, by merge, squash or rebase; or empty."""

    number: int
    title: str
    body: str
    author: str
    labels: tuple[str, ...]
    state: PullRequestState
    url: str
    base_branch: str
    head_branch: str
    head_sha: str
    merge_sha: str
    created_at: datetime
    updated_at: datetime
    merged_at: datetime | None


@dataclass(frozen=True, slots=True)
class RepositoryFact:
    """A repository under its present path, which differs from the asked one when it was renamed."""

    path: str
    default_branch: str
    is_private: bool
    url: str


@dataclass(frozen=True, slots=True)
class TokenFact:
    """What the host says of a credential: whose it is, what it may do in the host's own words, whether that is enough to read
    code, whether it may write; None where the host does not tell."""

    login: str
    granted: tuple[str, ...]
    may_read: bool | None
    may_write: bool | None
    expires_at: datetime | None
