"""What a webhook tells, parsed at the door. Whatever cannot be read is told as that, with the reason, and never raised."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

from blametrail.codehosts.access import Kind
from blametrail.codehosts.facts import PullRequestFact, PullRequestState
from blametrail.codehosts.github import parse as github
from blametrail.codehosts.host import BadAnswer
from blametrail.codehosts.shapes import Object, a_list, an_object, link, number, text, word, wrong
from blametrail.kit.clock import parse_iso

LARGEST_READ = 5_000_000
"""Bytes. Payloads of pull requests are far below; what is larger is a push of thousands of files, and the poll finds it."""

FORM, MOST_FIELDS = b"payload=", 10


@dataclass(frozen=True, slots=True)
class Repository:
    """As links name it."""

    host_url: str
    path: str


@dataclass(frozen=True, slots=True)
class Merged:
    """A pull request that is merged. `is_whole` says whether the host told its author and the time of its merge."""

    repository: Repository
    fact: PullRequestFact
    is_whole: bool


@dataclass(frozen=True, slots=True)
class Pushed:
    """Commits came to a repository: maybe by a merge."""

    repository: Repository


@dataclass(frozen=True, slots=True)
class Nothing:
    """Something else, which needs nothing done."""

    why: str
    repository: Repository | None = None


@dataclass(frozen=True, slots=True)
class Unreadable:
    why: str


Told = Merged | Pushed | Nothing | Unreadable


def read_payload(kind: Kind, event: str, body: bytes) -> Told:
    """What a signed webhook says."""
    if len(body) > LARGEST_READ:
        return Unreadable(
            f"It has {len(body):,} bytes; more than {LARGEST_READ:,} are not read. The poll finds what it tells of."
        )
    try:
        given = an_object(_json(body))
        return _github(event, given) if kind == Kind.GITHUB else _gitlab(event, given)
    except BadAnswer as error:
        return Unreadable(error.reason)
    except (ValueError, LookupError, RecursionError):
        return Unreadable("The body is not JSON.")


def _json(body: bytes) -> Any:
    """JSON as it is, or as the field of a form: GitHub's hooks send that unless they are told otherwise."""
    if body.startswith(FORM):
        body = parse_qs(body.decode(), max_num_fields=MOST_FIELDS)[FORM.decode().rstrip("=")][0].encode()
    return json.loads(body)


def _github(event: str, given: Object) -> Told:
    if event == "ping":
        return Nothing("GitHub asked whether anybody is here; somebody is.", _any(_github_repository, given))
    if event == "push":
        return Pushed(_needed(_github_repository(given)))
    if event != "pull_request":
        return Nothing(f"Nothing is to be done for {event[:60] or 'an event without a name'}.", _any(_github_repository, given))
    repository, fact = _needed(_github_repository(given)), github.pull_request(given.get("pull_request"))
    if fact.merged_at is None:
        return Nothing(f"#{fact.number} is not merged: {word(given, 'action')[:60]}.", repository)
    return Merged(repository, fact, is_whole=True)


def _github_repository(given: Object) -> Repository | None:
    repository = given.get("repository")
    return _at(link(an_object(repository), "html_url"), text(repository, "full_name")) if repository else None


def _gitlab(event: str, given: Object) -> Told:
    kind = word(given, "object_kind")
    if kind == "push":
        return Pushed(_needed(_gitlab_project(given)))
    if kind != "merge_request":
        return Nothing(
            f"Nothing is to be done for {(event or kind)[:60] or 'an event without a name'}.", _gitlab_project(given)
        )
    repository, request = _needed(_gitlab_project(given)), an_object(given.get("object_attributes"))
    if text(request, "state") != "merged":
        return Nothing(f"!{number(request, 'iid')} is not merged: {word(request, 'action')[:60]}.", repository)
    return Merged(repository, _merge_request(given, request), is_whole=False)


def _merge_request(given: Object, request: Object) -> PullRequestFact:
    """GitLab tells the author by number only, unless it is who merged, and the time of the merge as that of the event."""
    user, commit = an_object(given.get("user") or {}), an_object(request.get("last_commit") or {})
    is_author = user.get("id") is not None and user.get("id") == request.get("author_id")
    labels = a_list(request.get("labels") or given.get("labels") or [], "labels")
    updated_at = _moment(request, "updated_at")
    return PullRequestFact(
        number=number(request, "iid"),
        title=text(request, "title"),
        body=word(request, "description"),
        author=word(user, "username") if is_author else "",
        labels=tuple(" ".join(text(an_object(label), "title").split()) for label in labels),
        state=PullRequestState.MERGED,
        url=link(request, "url"),
        base_branch=text(request, "target_branch"),
        head_branch=text(request, "source_branch"),
        head_sha=word(commit, "id"),
        merge_sha=word(request, "squash_commit_sha") or word(request, "merge_commit_sha") or word(commit, "id"),
        created_at=_moment(request, "created_at"),
        updated_at=updated_at,
        merged_at=updated_at,
    )


def _gitlab_project(given: Object) -> Repository | None:
    project = given.get("project")
    return _at(link(an_object(project), "web_url"), text(project, "path_with_namespace")) if project else None


def _at(url: str, path: str) -> Repository:
    """The host is what stands before the repository's path in its address."""
    if not path or not url.lower().endswith(f"/{path.lower()}"):
        raise wrong("the repository's address")
    return Repository(url[: -len(path) - 1], path)


def _any(find: Callable[[Object], Repository | None], given: Object) -> Repository | None:
    """The repository of an event that needs nothing done, if it has one that can be read."""
    try:
        return find(given)
    except BadAnswer:
        return None


def _needed(repository: Repository | None) -> Repository:
    if repository is None:
        raise wrong("repository")
    return repository


def _moment(given: Object, key: str) -> datetime:
    """GitLab writes `2026-01-31 14:02:00 UTC` here."""
    try:
        return parse_iso(text(given, key).replace(" UTC", "Z"))
    except ValueError:
        raise wrong(key) from None


def with_known(fact: PullRequestFact, author: str, merged_at: datetime | None) -> PullRequestFact:
    """What was known before stands where a webhook does not say it."""
    return replace(fact, author=fact.author or author, merged_at=merged_at or fact.merged_at)
