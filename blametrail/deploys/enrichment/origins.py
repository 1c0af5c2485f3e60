"""Which pull request each commit came by, from messages and from the shape of the history. Pure.

A commit's own message is believed first (a squash names its pull request); else a merge speaks for what it brought: all that
is reached through it and not through its first parent. Of two merges the inner one, which is older, is the closer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from blametrail.codehosts.facts import CommitFact
from blametrail.codehosts.mentions import pull_request_of


def origins(commits: Sequence[CommitFact]) -> dict[str, int]:
    """Numbers of pull requests by the commit's SHA, for those that are known; `commits` are oldest first."""
    known = {commit.sha: commit.parents for commit in commits}
    named = {commit.sha: number for commit in commits if (number := pull_request_of(commit.message)) is not None}
    found = dict(named)
    for merge in commits:
        if len(merge.parents) > 1 and merge.sha in named:
            for sha in _reach(merge.parents[1:], known) - _reach(merge.parents[:1], known):
                found.setdefault(sha, named[merge.sha])
    return found


def _reach(starts: Iterable[str], known: Mapping[str, Sequence[str]]) -> set[str]:
    """The commits among the known ones that can be reached from some, themselves included."""
    reached: set[str] = set()
    waiting = [sha for sha in starts if sha in known]
    while waiting:
        sha = waiting.pop()
        if sha not in reached:
            reached.add(sha)
            waiting.extend(parent for parent in known[sha] if parent in known)
    return reached
