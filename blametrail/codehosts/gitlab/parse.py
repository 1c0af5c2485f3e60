"""GitLab's JSON as facts. Whatever is not shaped as GitLab shapes it raises BadAnswer."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC
from typing import Any

from blametrail.codehosts.facts import (
    CommitFact,
    Comparison,
    FileFact,
    Files,
    FileStatus,
    PullRequestFact,
    PullRequestState,
    Relation,
    RepositoryFact,
    TokenFact,
)
from blametrail.codehosts.host import MOST_COMMITS
from blametrail.codehosts.shapes import (
    Object,
    a_list,
    an_object,
    any_moment,
    flag,
    link,
    moment,
    number,
    sha,
    text,
    word,
    wrong,
)

NO_CLONES = "no read_repository (git clones need it)"

_READING = frozenset({"api", "read_api"})
_CLONING = frozenset({"api", "read_repository", "write_repository"})
_FINE_GRAINED = "granular"
_STATES = {
    "opened": PullRequestState.OPEN,
    "locked": PullRequestState.OPEN,  # it is being merged just now
    "merged": PullRequestState.MERGED,
    "closed": PullRequestState.CLOSED,
}
_STATUSES = {"new_file": FileStatus.ADDED, "deleted_file": FileStatus.REMOVED, "renamed_file": FileStatus.RENAMED}


def comparison(body: Any, base: str) -> Comparison:
    """`base` is the hash of the asked commit, or its beginning."""
    given = an_object(body)
    commits = tuple(commit(one) for one in a_list(given.get("commits"), "commits"))
    return Comparison(
        relation=_relation(flag(given, "compare_same_ref"), commits, base.lower()),
        commits=commits[-MOST_COMMITS:],
        total_commits=len(commits),
        changes=files(a_list(given.get("diffs"), "diffs"), is_cut=flag(given, "compare_timeout")),
    )


def _relation(is_same: bool, commits: tuple[CommitFact, ...], base: str) -> Relation:
    """The commits are all that the head has and the base has not: if it comes after the base, one of them has the base as
    its parent."""
    if is_same:
        return Relation.SAME
    if not commits:
        return Relation.BEHIND
    is_after = any(parent.startswith(base) for one in commits for parent in one.parents)
    return Relation.AHEAD if is_after else Relation.DIVERGED


def commit(body: Any) -> CommitFact:
    given = an_object(body)
    return CommitFact(
        sha=sha(given, "id"),
        message=text(given, "message"),
        author=text(given, "author_name"),
        login="",
        authored_at=any_moment(given, "authored_date"),
        committed_at=any_moment(given, "committed_date"),
        parents=tuple(sha({"parent_ids": one}, "parent_ids") for one in a_list(given.get("parent_ids"), "parent_ids")),
        url=link(given, "web_url"),
    )


def lines(body: Any) -> int:
    """How many a commit adds and removes, as GitLab counted them."""
    return number(an_object(an_object(body).get("stats")), "total")


def files(bodies: Iterable[Any], *, is_cut: bool) -> Files:
    """Changed files; where GitLab left out lines of one (`collapsed`, `too_large`), they are not all there is."""
    given = [an_object(body) for body in bodies]
    is_whole = not is_cut and not any(flag(one, "too_large") or flag(one, "collapsed") for one in given)
    return Files(tuple(_file(one) for one in given), is_whole)


def _file(given: Object) -> FileFact:
    patch = _patch(word(given, "diff"))
    lines = (patch or "").split("\n")
    status = next((status for key, status in _STATUSES.items() if flag(given, key)), FileStatus.MODIFIED)
    return FileFact(
        path=text(given, "new_path"),
        status=status,
        added=sum(line.startswith("+") for line in lines),
        removed=sum(line.startswith("-") for line in lines),
        old_path=text(given, "old_path") if status == FileStatus.RENAMED else "",
        patch=patch,
    )


def _patch(diff: str) -> str | None:
    """From the first hunk on; nothing has none of them: a binary file, one that only moved, one too large for GitLab."""
    start = 0 if diff.startswith("@@") else diff.find("\n@@") + 1
    return diff[start:] if diff.startswith("@@", start) else None


def pull_requests(body: Any) -> tuple[PullRequestFact, ...]:
    return tuple(pull_request(one) for one in a_list(body, "merge requests"))


def pull_request(body: Any) -> PullRequestFact:
    given = an_object(body)
    state = _STATES.get(text(given, "state"))
    if state is None:
        raise wrong("state")
    head_sha = _optional_sha(given, "sha")
    # Squashing may add a merge commit too; a fast-forward adds no commit, its head is what came to the base.
    brought_by = _optional_sha(given, "squash_commit_sha") or _optional_sha(given, "merge_commit_sha") or head_sha
    return PullRequestFact(
        number=number(given, "iid"),
        title=text(given, "title"),
        body=word(given, "description"),
        author=word(an_object(given.get("author") or {}), "username"),
        labels=tuple(_label(one) for one in a_list(given.get("labels"), "labels")),
        state=state,
        url=link(given, "web_url"),
        base_branch=text(given, "target_branch"),
        head_branch=text(given, "source_branch"),
        head_sha=head_sha,
        merge_sha=brought_by if state == PullRequestState.MERGED else "",
        created_at=moment(given, "created_at"),
        updated_at=moment(given, "updated_at"),
        merged_at=moment(given, "merged_at") if given.get("merged_at") is not None else None,
    )


def _label(value: Any) -> str:
    return " ".join(text({"labels": value}, "labels").split())


def repository(body: Any) -> RepositoryFact:
    given = an_object(body)
    return RepositoryFact(
        path=text(given, "path_with_namespace"),
        default_branch=word(given, "default_branch"),
        is_private=text(given, "visibility") != "public",
        url=link(given, "web_url"),
    )


def token(body: Any, login: str) -> TokenFact:
    """Of a fine-grained token GitLab does not say here what it may do."""
    given = an_object(body)
    scopes = tuple(text({"scopes": one}, "scopes") for one in a_list(given.get("scopes"), "scopes"))
    is_told = _FINE_GRAINED not in scopes and not flag(given, _FINE_GRAINED)
    cannot_clone = is_told and _CLONING.isdisjoint(scopes)
    return TokenFact(
        login=login,
        granted=(*scopes, NO_CLONES) if cannot_clone else scopes,
        may_read=not _READING.isdisjoint(scopes) if is_told else None,
        may_write="api" in scopes if is_told else None,
        expires_at=moment(given, "expires_at", UTC) if given.get("expires_at") is not None else None,
    )


def _optional_sha(given: Object, key: str) -> str:
    return sha(given, key) if given.get(key) is not None else ""
