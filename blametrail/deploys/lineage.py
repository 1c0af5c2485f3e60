"""What a deploy is among the deploys of its service and environment. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum


class Kind(StrEnum):
    FIRST = "first"
    DEPLOY = "deploy"
    REDEPLOY = "redeploy"
    ROLLBACK = "rollback"


def kind_of(commit: str, before: str | None, was_live_earlier: bool) -> Kind:
    """Judge one deploy by the commit of the deploy before it (None: there is none) and by whether an
    earlier one of the same service and environment had the same commit."""
    if before is None:
        return Kind.FIRST
    if commit == before:
        return Kind.REDEPLOY
    return Kind.ROLLBACK if was_live_earlier else Kind.DEPLOY


def kinds(commits: Sequence[str]) -> list[Kind]:
    """Judge a whole history of one service and environment, oldest first."""
    judged: list[Kind] = []
    seen: set[str] = set()
    for position, commit in enumerate(commits):
        judged.append(kind_of(commit, commits[position - 1] if position else None, commit in seen))
        seen.add(commit)
    return judged
