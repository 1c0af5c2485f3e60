"""GitHub's JSON as facts. Whatever is not shaped as GitHub shapes it raises BadAnswer."""

from __future__ import annotations

from typing import Any

from blametrail.codehosts.facts import (
    CommitDetail,
    CommitFact,
    Comparison,
    FileFact,
    Files,
    FileStatus,
    PullRequestFact,
    PullRequestState,
    Relation,
    RepositoryFact,
)
from blametrail.codehosts.shapes import (
    Object,
    a_list,
    an_object,
    any_moment,
    link,
    moment,
    number,
    sha,
    text,
    word,
    wrong,
)

MOST_COMPARED_FILES = 300
MOST_FILES = 3_000
"""Of a commit or a pull request; GitHub gives no more, and does not say that there are more."""


_RELATIONS = {
    "identical": Relation.SAME,
    "ahead": Relation.AHEAD,
    "behind": Relation.BEHIND,
    "diverged": Relation.DIVERGED,
}


def comparison(body: Any) -> Comparison:
    """The first page of a comparison, with all the files it has."""
    given = an_object(body)
    relation = _RELATIONS.get(text(given, "status"))
    if relation is None:
        raise wrong("status")
    return Comparison(relation, commits(given), number(given, "total_commits"), changes(given, MOST_COMPARED_FILES))


def commits(body: Any) -> tuple[CommitFact, ...]:
    return tuple(commit(one) for one in a_list(an_object(body).get("commits"), "commits"))


def commit(body: Any) -> CommitFact:
    given = an_object(body)
    inner = an_object(given.get("commit"))
    author, committer = _optional(inner, "author"), _optional(inner, "committer")
    return CommitFact(
        sha=sha(given, "sha"),
        message=text(inner, "message"),
        author=word(author, "name"),
        login=word(_optional(given, "author"), "login"),
        authored_at=any_moment(author, "date"),
        committed_at=any_moment(committer, "date"),
        parents=tuple(sha(an_object(parent), "sha") for parent in a_list(given.get("parents"), "parents")),
        url=link(given, "html_url"),
    )


def commit_detail(body: Any, more: list[FileFact]) -> CommitDetail:
    """A commit from its first page, and the files of the further ones."""
    first = changes(an_object(body), MOST_FILES)
    found = (*first.files, *more)
    return CommitDetail(commit(body), Files(found[:MOST_FILES], first.is_complete and len(found) < MOST_FILES))


def changes(given: Object, most: int) -> Files:
    """The files of an answer; where it has none at all, nothing is known of them."""
    if given.get("files") is None:
        return Files((), False)
    found = files(given["files"])
    return Files(found[:most], len(found) < most)


def files(body: Any) -> tuple[FileFact, ...]:
    return tuple(_file(an_object(one)) for one in a_list(body, "files"))


def _file(given: Object) -> FileFact:
    status = text(given, "status")
    return FileFact(
        path=text(given, "filename"),
        status=FileStatus(status) if status in list(FileStatus) else FileStatus.MODIFIED,
        added=number(given, "additions"),
        removed=number(given, "deletions"),
        old_path=word(given, "previous_filename"),
        patch=text(given, "patch") if given.get("patch") is not None else None,
    )


def pull_requests(body: Any) -> tuple[PullRequestFact, ...]:
    return tuple(pull_request(one) for one in a_list(body, "pull requests"))


def pull_request(body: Any) -> PullRequestFact:
    given = an_object(body)
    base, head = an_object(given.get("base")), an_object(given.get("head"))
    merged_at = moment(given, "merged_at") if given.get("merged_at") is not None else None
    is_open = text(given, "state") == "open"
    return PullRequestFact(
        number=number(given, "number"),
        title=text(given, "title"),
        body=word(given, "body"),
        author=word(_optional(given, "user"), "login"),
        labels=tuple(_label(label) for label in a_list(given.get("labels") or [], "labels")),
        state=PullRequestState.MERGED if merged_at else PullRequestState.OPEN if is_open else PullRequestState.CLOSED,
        url=link(given, "html_url"),
        base_branch=text(base, "ref"),
        head_branch=text(head, "ref"),
        head_sha=sha(head, "sha"),
        # Before the merge this is a commit that GitHub makes to try one.
        merge_sha=word(given, "merge_commit_sha") if merged_at else "",
        created_at=moment(given, "created_at"),
        updated_at=moment(given, "updated_at"),
        merged_at=merged_at,
    )


def _label(label: Any) -> str:
    return " ".join(text(an_object(label), "name").split())


def repository(body: Any) -> RepositoryFact:
    given = an_object(body)
    if not isinstance(given.get("private"), bool):
        raise wrong("private")
    return RepositoryFact(text(given, "full_name"), text(given, "default_branch"), given["private"], link(given, "html_url"))


def _optional(given: Object, key: str) -> Object:
    """An object that may be missing, null or empty: GitHub's way to say that an account is gone."""
    return an_object(given.get(key) or {})
