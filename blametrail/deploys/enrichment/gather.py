"""Ask a code host what a deploy carries: first how it differs from what was live, then the pull requests it came by.

A usual deploy costs one call for the difference, at most three for commits whose messages name no pull request, and one for
each pull request that is not known yet.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from blametrail.codehosts.facts import (
    CommitFact,
    FileFact,
    FileStatus,
    PullRequestFact,
    PullRequestState,
    Relation,
)
from blametrail.codehosts.host import CodeHost, HostError, UnknownCommit

MOST_PULL_REQUESTS = 100
ASKED_COMMITS = 3
"""Commits without a number in their message that the host is asked about."""

AT_ONCE = 4
_HUNK = re.compile(r"^@@ -(\S+) \+(\S+) @@", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that is missing: what and why, and what can be done about it."""

    reason: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Difference:
    """What a deploy brought, and what it took out again; commits oldest first, files as they changed by it."""

    relation: Relation | None
    commits: tuple[CommitFact, ...] = ()
    taken_out: tuple[CommitFact, ...] = ()
    total_commits: int = 0
    files: tuple[FileFact, ...] = ()
    has_all_files: bool = True
    gaps: tuple[Gap, ...] = ()


@dataclass(slots=True)
class Origins:
    """Pull requests by number, the number that each commit came by, and what could not be found out; `fault` ended the search."""

    by_sha: dict[str, int]
    found: dict[int, PullRequestFact] = field(default_factory=dict)
    gaps: list[Gap] = field(default_factory=list)
    fault: HostError | None = None


async def difference(host: CodeHost, path: str, head: str, base: str) -> Difference:
    """From `base`, which was live before (empty: unknown), to `head`. Raises HostError; UnknownCommit means the head."""
    if not base:
        return await _alone(
            host,
            path,
            head,
            Gap(
                "This is the first deploy that is known here, so what was live before it is unknown; only its own commit is shown.",
                "Nothing needs to be done; the next deploy shows everything since this one.",
            ),
        )
    if base.startswith(head) or head.startswith(base):
        return Difference(Relation.SAME)
    try:
        ahead = await host.compare(path, base, head)
    except UnknownCommit as error:
        return await _alone(host, path, head, Gap(f"{error.reason} Only the deployed commit itself is shown.", _LOST_BASE))
    if ahead.relation == Relation.SAME:
        return Difference(Relation.SAME)
    gaps = _limits(len(ahead.commits), ahead.total_commits, len(ahead.changes.files), ahead.changes.is_complete)
    if ahead.relation == Relation.AHEAD:
        return Difference(
            ahead.relation, ahead.commits, (), ahead.total_commits, ahead.changes.files, ahead.changes.is_complete, gaps
        )
    back = await host.compare(path, head, base)
    return Difference(
        ahead.relation,
        ahead.commits,
        back.commits,
        ahead.total_commits + back.total_commits,
        _merged(ahead.changes.files, [undone(file) for file in back.changes.files]),
        ahead.changes.is_complete and back.changes.is_complete,
        gaps + _limits(len(back.commits), back.total_commits, len(back.changes.files), back.changes.is_complete),
    )


_LOST_BASE = (
    "If the branch was force-pushed, that commit may be gone for good. If CI sends previous_commit_sha, check that it is right."
)


async def _alone(host: CodeHost, path: str, head: str, gap: Gap) -> Difference:
    detail = await host.commit(path, head)
    changes = detail.changes
    gaps = (gap, *_limits(1, 1, len(changes.files), changes.is_complete))
    return Difference(None, (detail.commit,), (), 1, changes.files, changes.is_complete, gaps)


def _limits(commits: int, total: int, files: int, has_all_files: bool) -> tuple[Gap, ...]:
    gaps = []
    if total > commits:
        gaps.append(
            Gap(f"It holds {total:,} commits; the newest {commits:,} are shown.", "The code host's own comparison shows all.")
        )
    if not has_all_files:
        gaps.append(
            Gap(
                f"The code host lists no more than {files:,} of the changed files, so some are missing.",
                "The code host's own comparison shows all.",
            )
        )
    return tuple(gaps)


def _merged(ahead: Sequence[FileFact], back: Iterable[FileFact]) -> tuple[FileFact, ...]:
    """Both sides of a history that parted; of a file on both, what was brought is shown."""
    paths = {file.path for file in ahead}
    return (*ahead, *(file for file in back if file.path not in paths))


def undone(file: FileFact) -> FileFact:
    """The change that takes a change out again."""
    swapped = {FileStatus.ADDED: FileStatus.REMOVED, FileStatus.REMOVED: FileStatus.ADDED}
    was_moved = file.status == FileStatus.RENAMED
    return replace(
        file,
        path=file.old_path if was_moved else file.path,
        old_path=file.path if was_moved else "",
        status=swapped.get(file.status, file.status),
        added=file.removed,
        removed=file.added,
        patch=None if file.patch is None else _turned(file.patch),
    )


def _turned(patch: str) -> str:
    flip = {"+": "-", "-": "+"}
    lines = [
        _HUNK.sub(r"@@ -\2 +\1 @@", line) if line.startswith("@@") else flip.get(line[:1], line[:1]) + line[1:]
        for line in patch.split("\n")
    ]
    return "\n".join(lines)


async def pull_requests(
    host: CodeHost, path: str, commits: Sequence[CommitFact], by_sha: Mapping[str, int], known: Collection[int]
) -> Origins:
    """The pull requests that brought the commits, of which some numbers are known by commit, and some need no asking. What was
    found before a fault is answered with it."""
    result = Origins(dict(by_sha))
    newest_first = list(dict.fromkeys(result.by_sha[c.sha] for c in reversed(commits) if c.sha in result.by_sha))
    wanted = [number for number in newest_first if number not in known]
    if len(wanted) > MOST_PULL_REQUESTS:
        result.gaps.append(
            Gap(
                f"It holds {len(newest_first)} pull requests; the newest {MOST_PULL_REQUESTS} were asked for.",
                "The others are named in the messages of their commits.",
            )
        )
    try:
        await _ask_for(host, path, wanted[:MOST_PULL_REQUESTS], result)
        await _ask_about_commits(host, path, commits, result)
    except HostError as error:
        result.fault = error
        result.gaps.append(Gap(f"Some pull requests are missing: {error.reason}", error.remedy))
    return result


async def _ask_for(host: CodeHost, path: str, numbers: Sequence[int], result: Origins) -> None:
    """A number that is no pull request's, such as an issue's, was no origin."""
    turn = asyncio.Semaphore(AT_ONCE)
    not_one: set[int] = set()

    async def ask(number: int) -> None:
        async with turn:
            fact = await host.pull_request(path, number)
        if fact is None:
            not_one.add(number)
        else:
            result.found[number] = fact

    answers = await asyncio.gather(*(ask(number) for number in numbers), return_exceptions=True)
    result.by_sha = {sha: number for sha, number in result.by_sha.items() if number not in not_one}
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer


async def _ask_about_commits(host: CodeHost, path: str, commits: Sequence[CommitFact], result: Origins) -> None:
    """Commits that a rebase merge brought, or that were pushed straight to the branch."""
    nameless = [c for c in reversed(commits) if c.sha not in result.by_sha and len(c.parents) < 2]
    for commit in nameless[:ASKED_COMMITS]:
        if origin := _origin(commit.sha, await host.pull_requests_of(path, commit.sha)):
            result.by_sha[commit.sha] = origin.number
            result.found[origin.number] = origin
    rest = len(nameless) - ASKED_COMMITS
    if rest > 0 and any(commit.sha in result.by_sha for commit in nameless):
        result.gaps.append(
            Gap(
                f"The messages of {rest} older commits name no pull request, and the code host was not asked about each.",
                "With webhooks set up, merged pull requests are known without asking.",
            )
        )


def _origin(sha: str, candidates: Iterable[PullRequestFact]) -> PullRequestFact | None:
    """The one that merged the commit, else the first merged that holds it."""
    merged = [c for c in candidates if c.state == PullRequestState.MERGED and c.merged_at]
    merged.sort(key=lambda c: (c.merge_sha != sha, c.merged_at, c.number))
    return merged[0] if merged else None
