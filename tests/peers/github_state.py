"""What the stand-in for GitHub knows: repositories, tokens, apps."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha1
from typing import Any, Literal

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.peers.github_shapes import identity

READ = {"metadata": "read", "contents": "read", "pull_requests": "read"}
WRITE = {"metadata": "read", "contents": "write", "pull_requests": "write"}
PATCH = "@@ -1 +1 @@\n-old\n+new"


@dataclass(frozen=True)
class File:
    """A changed file."""

    filename: str
    status: str = "modified"
    additions: int = 1
    deletions: int = 1
    patch: str | None = PATCH
    previous_filename: str = ""


@dataclass(frozen=True)
class Commit:
    sha: str
    message: str
    author: str
    login: str
    at: str
    parents: tuple[str, ...]
    files: tuple[File, ...]


@dataclass
class Pull:
    number: int
    title: str
    body: str | None
    author: str
    labels: tuple[str, ...]
    state: Literal["open", "merged", "closed"]
    base: str
    head: str
    base_sha: str
    head_sha: str
    commits: tuple[str, ...]
    merge_sha: str
    created_at: str
    updated_at: str
    merged_at: str | None
    draft: bool = False


@dataclass
class Repository:
    """Commits in the order they were made, parents before children; branches by name; pull requests by number."""

    path: str
    private: bool = False
    default_branch: str = "main"
    takes_drafts: bool = True
    commits: dict[str, Commit] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    pulls: dict[int, Pull] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.id = identity(self.path)

    def commit(
        self,
        message: str,
        *files: File,
        branch: str = "",
        parents: Sequence[str] | None = None,
        author: str = "Ada",
        login: str = "ada",
        at: datetime | None = None,
    ) -> str:
        """A new commit on the tip of a branch, the default one if none is named, which then points to it; answers its sha."""
        branch = branch or self.default_branch
        if parents is None:
            tip = self.branches.get(branch) or self.branches.get(self.default_branch)
            parents = [tip] if tip else []
        sha = sha1(f"{self.path} {len(self.commits)}".encode(), usedforsecurity=False).hexdigest()
        self.commits[sha] = Commit(sha, message, author, login, written(at), tuple(parents), files)
        self.branches[branch] = sha
        return sha

    def forget(self, sha: str) -> None:
        """As after a force push, when nothing leads to a commit any more."""
        del self.commits[sha]

    def open_pull(
        self,
        title: str,
        *files: File,
        body: str | None = "",
        author: str = "ada",
        labels: tuple[str, ...] = (),
        at: datetime | None = None,
        draft: bool = False,
        head: str = "",
    ) -> int:
        """An open pull request to the default branch with one commit; answers its number."""
        number = self.next_number()
        base, head = self.branches[self.default_branch], head or f"change-{number}"
        sha = self.branches.get(head) or self.commit(title, *files, branch=head, parents=[base], at=at)
        when = written(at)
        self.pulls[number] = Pull(
            number,
            title,
            body,
            author,
            labels,
            "open",
            self.default_branch,
            head,
            base,
            sha,
            (sha,),
            "",
            when,
            when,
            None,
            draft,
        )
        return number

    def merge(
        self,
        title: str,
        *files: File,
        how: Literal["merge", "squash", "rebase"] = "squash",
        at: datetime | None = None,
        **more: Any,
    ) -> int:
        """A pull request that is merged at once in one of GitHub's three ways; answers its number."""
        number = self.open_pull(title, *files, at=at, **more)
        pull = self.pulls[number]
        tip = self.branches[self.default_branch]
        if how == "merge":
            message = f"Merge pull request #{number} from {self.path.split('/')[0]}/{pull.head}\n\n{title}"
            brought = self.commit(message, parents=[tip, pull.head_sha], at=at)
        else:
            brought = self.commit(f"{title} (#{number})" if how == "squash" else title, *files, parents=[tip], at=at)
        self.close(number, merge_sha=brought, at=at)
        return number

    def close(self, number: int, *, merge_sha: str = "", at: datetime | None = None) -> None:
        pull, when = self.pulls[number], written(at)
        pull.state, pull.updated_at = "merged" if merge_sha else "closed", when
        pull.merge_sha, pull.merged_at = merge_sha, when if merge_sha else None
        self.branches.pop(pull.head, None)

    def next_number(self) -> int:
        return max(self.pulls, default=0) + 1

    def find(self, ref: str) -> Commit | None:
        """A commit by a branch, a whole sha or the beginning of one."""
        sha = self.branches.get(ref, ref)
        if sha in self.commits or not re.fullmatch(r"[0-9a-f]{7,}", sha):
            return self.commits.get(sha)
        return next((commit for known, commit in self.commits.items() if known.startswith(sha)), None)

    def reachable(self, sha: str) -> set[str]:
        found, todo = set[str](), [sha]
        while todo:
            one = todo.pop()
            if one not in found and one in self.commits:
                found.add(one)
                todo += self.commits[one].parents
        return found

    def files_of(self, shas: Iterable[str]) -> list[File]:
        """What these commits change together."""
        found: dict[str, File] = {}
        for sha in shas:
            commit = self.commits[sha]
            for file in commit.files if len(commit.parents) < 2 else ():
                old = found.get(file.filename)
                added, removed = (old.additions, old.deletions) if old else (0, 0)
                found[file.filename] = replace(file, additions=file.additions + added, deletions=file.deletions + removed)
        return list(found.values())


@dataclass
class Token:
    """`scopes` is None for tokens that are not classic; `sees` is None for all repositories of the host."""

    login: str
    scopes: tuple[str, ...] | None = ("repo",)
    permissions: dict[str, str] = field(default_factory=lambda: dict(WRITE))
    sees: frozenset[str] | None = None
    expires: str = ""
    ends_at: datetime | None = None

    def may_see(self, repository: Repository) -> bool:
        if not repository.private:
            return True
        of_scope = self.scopes is None or "repo" in self.scopes
        return of_scope and (self.sees is None or repository.path in self.sees)

    def may_write(self, repository: Repository) -> bool:
        if self.scopes is None:
            return self.permissions.get("contents") == "write"
        return "repo" in self.scopes or (not repository.private and "public_repo" in self.scopes)


@dataclass
class App:
    """An app with its key; `installations` by their number."""

    app_id: int
    key: rsa.RSAPrivateKey
    webhook_secret: str = "hook-secret"
    installations: dict[int, Installed] = field(default_factory=dict)

    @property
    def private_key(self) -> str:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()


@dataclass
class Installed:
    account: str
    permissions: dict[str, str]
    sees: frozenset[str] | None = None
    suspended_at: str | None = None
    token_lives: timedelta = timedelta(hours=1)


def written(at: datetime | None) -> str:
    return (at or datetime.now(UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
