"""Turn a git repository into the deploys that its CI would have sent, and send them through the API."""

from __future__ import annotations

import hashlib
import math
import re
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from sqlmodel import col, select

from blametrail.accounts.organizations import found_first, nobody_yet
from blametrail.catalog import deploy_tokens, services
from blametrail.catalog.repositories import parse_repository
from blametrail.catalog.tables import DeployToken, Service
from blametrail.deploy_client import MOST_COMMITS, GitFailed, fit, printable, read_git
from blametrail.deploys.tables import Deploy
from blametrail.kit.clock import now
from blametrail.kit.db import Database, ScopedSession
from blametrail.kit.errors import Invalid, Refused, Unavailable
from blametrail.kit.keys import KeyRing, key_ring

OWNER = "demo@example.com"
SERVICES = ("web", "api", "worker")
STAGING, PRODUCTION = "staging", "production"
FOLDERS = {
    "web": {"web", "www", "frontend", "client", "ui", "static", "public", "assets", "templates", "styles", "css", "pages"},
    "api": {"api", "backend", "server", "handlers", "controllers", "routes", "endpoints", "rest", "graphql", "rpc"},
    "worker": {"worker", "workers", "jobs", "tasks", "queue", "queues", "cron", "scheduler", "celery", "consumers"},
}
ROLLED_BACK = 25
"""One of so many commits is rolled back in production."""
KEY = "demo:"
LAST_STEP = timedelta(hours=2)
MOST_PATHS = 500
TRIES = 20


@dataclass(frozen=True, slots=True)
class Commit:
    sha: str
    author: str
    at: int
    message: str
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class History:
    """The newest commits of a branch, oldest first; `total` counts the older ones too."""

    branch: str
    origin: str
    total: int
    commits: tuple[Commit, ...]


@dataclass(frozen=True, slots=True)
class Planned:
    """One deploy to post."""

    service: str
    at: datetime
    key: str
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Slot:
    """A commit and its service, when it came, and how long until the next one."""

    commit: Commit
    service: str
    position: int
    version: str
    at: datetime
    length: timedelta


def read_history(folder: Path, deploys: int) -> History:
    """As many commits of the checked out branch as so many deploys need; raises Invalid in words."""
    try:
        read_git("rev-parse", "--git-dir", folder=folder)
    except GitFailed as error:
        raise Invalid({}, f"{printable(folder)} cannot be read: {error}") from None
    try:
        total = int(read_git("rev-list", "--count", "--first-parent", "HEAD", "--", folder=folder))
    except GitFailed:
        raise Invalid({}, f"{printable(folder)} has no commit yet. Choose a repository with a history.") from None
    # Two deploys for a commit, and the one before it to compare with.
    form = "--format=%x00%H%x00%an%x00%ct%x00%B%x00"
    some = f"-{deploys // 2 + 2}"
    text = read_git(
        "log", some, "--first-parent", "-m", "-z", "--name-only", "--encoding=UTF-8", form, "HEAD", "--", folder=folder
    )
    commits = tuple(reversed(_parsed(text)))
    return History(
        branch=_or_nothing("symbolic-ref", "--quiet", "--short", "HEAD", folder=folder),
        origin=_or_nothing("config", "--get", "remote.origin.url", folder=folder),
        total=max(total, len(commits)),
        commits=commits,
    )


def service_of(commit: Commit) -> str:
    """The service whose folders alone a commit touches, else one by the commit's hash."""
    touched = {
        service
        for path in commit.paths
        for service, folders in FOLDERS.items()
        if not folders.isdisjoint(path.lower().split("/")[:-1])
    }
    return touched.pop() if len(touched) == 1 else SERVICES[_number(commit.sha, "service") % len(SERVICES)]


def is_rolled_back(commit: Commit) -> bool:
    return _number(commit.sha, "rollback") % ROLLED_BACK == 0


def plan(history: History, days: int, deploys: int, until: datetime) -> list[Planned]:
    """The newest deploys of a history laid into the days before a moment, in the order of their times."""
    live: dict[tuple[str, str], _Slot] = {}
    planned: list[Planned] = []
    older = history.total - len(history.commits)
    times = spread([commit.at for commit in history.commits], timedelta(days=days), until)
    for position, (commit, (at, end)) in enumerate(zip(history.commits, pairwise((*times, until)), strict=True)):
        service = service_of(commit)
        slot = _Slot(commit, service, position, f"v1.{older + position}.0", at, end - at)
        before = live.get((service, PRODUCTION))
        for environment in (STAGING, PRODUCTION):
            planned.append(_deploy(history, times, slot, environment, live.get((service, environment))))
            live[service, environment] = slot
        if before is not None and is_rolled_back(commit):
            planned.append(_rollback(history, slot, before))
            live[service, PRODUCTION] = before
    return sorted(planned, key=lambda one: one.at)[-deploys:]


def spread(times: list[int], length: timedelta, until: datetime) -> list[datetime]:
    """Times in their order over a length of time that ends at a moment, long gaps made less long."""
    if not times:
        return []
    last = min(LAST_STEP, length / (len(times) + 1))
    gaps = [math.sqrt(max(later - earlier, 60)) for earlier, later in pairwise(times)]
    room, scale = (length - last).total_seconds(), sum(gaps)
    passed, placed = 0.0, []
    for gap in (0.0, *gaps):
        passed += gap
        placed.append(until - last - timedelta(seconds=room * (scale - passed) / scale if scale else 0.0))
    return placed


def check_server(url: str) -> None:
    """Raises Unavailable unless a BlameTrail server answers."""
    try:
        if httpx.get(f"{url}/livez", timeout=5).status_code == 200:
            return
    except (httpx.HTTPError, httpx.InvalidURL):
        pass
    raise Unavailable(f"No server answers at {printable(url)}. Start it with `blametrail serve`, or name it by --server.")


def found_if_empty(session: ScopedSession) -> str:
    """Make an organization when there is nobody yet; answers its owner's password, else nothing."""
    if not nobody_yet(session):
        return ""
    password = secrets.token_urlsafe(12)
    found_first(session, organization="Demo", name="Demo", email=OWNER, password=password)
    return password


def load(
    database: Database,
    organization_id: UUID,
    history: History,
    url: str,
    *,
    days: int,
    deploys: int,
    say: Callable[[str], None],
) -> int:
    """Send what was not sent before; answers how many deploys that were."""
    known = database.read_now(organization_id, _known)
    waiting = [one for one in plan(history, days, deploys, now()) if (one.service, one.key) not in known]
    if not waiting:
        return 0
    tokens, borrowed = database.write_now(organization_id, _open, key_ring(), history.origin)
    say(f"{len(waiting)} deploys to send.")
    try:
        return send(waiting, tokens, url, say)
    finally:
        database.write_now(organization_id, _give_back, key_ring(), borrowed)


def send(planned: Iterable[Planned], tokens: Mapping[str, str], url: str, say: Callable[[str], None]) -> int:
    """Post deploys in their order, as slowly as the server asks; answers how many are new to it."""
    new = 0
    with httpx.Client(base_url=url, timeout=30) as client:
        for one in planned:
            headers = {"X-Deploy-Token": tokens[one.service], "X-Idempotency-Key": one.key, "Content-Type": "application/json"}
            answer = _post(client, fit(one.body), headers, say)
            new += answer.get("status") == "accepted"
    return new


def _post(client: httpx.Client, body: bytes, headers: dict[str, str], say: Callable[[str], None]) -> Any:
    for _ in range(TRIES):
        try:
            response = client.post("/api/ingest/deploy", content=body, headers=headers)
        except httpx.TransportError:
            time.sleep(1)
            continue
        if response.status_code == 200:
            return response.json()
        if response.status_code not in {429, 503}:
            hint = " Does the server have the settings of this command?" if response.status_code == 401 else ""
            raise Refused(f"The server refused a deploy ({response.status_code}): {printable(response.text)}{hint}")
        wait = response.headers.get("retry-after", "")
        seconds = min(int(wait), 120) if wait.isdecimal() else 5
        if seconds > 2:
            say(f"The server asks to wait {seconds} s. A higher BLAMETRAIL_INGEST_RATE_LIMIT there makes this faster.")
        time.sleep(seconds)
    raise Unavailable("The server does not take deploys now. Run the command again later: it goes on where it stopped.")


def _deploy(history: History, times: list[datetime], slot: _Slot, environment: str, before: _Slot | None) -> Planned:
    """Staging takes a commit at once, production some minutes later, and both before the next commit comes."""
    first = before.position + 1 if before else slot.position
    carried = range(slot.position, max(first, slot.position - MOST_COMMITS + 1) - 1, -1)
    commits = [(history.commits[position], times[position]) for position in carried]
    minutes = timedelta(minutes=4 + _number(slot.commit.sha, "minutes") % 20)
    at = slot.at + (min(slot.length * 0.35, minutes) if environment == PRODUCTION else timedelta())
    body = _body(history, slot, environment, at) | {
        "commits": [{"sha": c.sha, "message": c.message, "author": c.author, "timestamp": t.isoformat()} for c, t in commits],
        "previous_commit_sha": before.commit.sha if before else "",
    }
    return Planned(slot.service, at, f"{KEY}{environment}:{slot.commit.sha}", body)


def _rollback(history: History, bad: _Slot, before: _Slot) -> Planned:
    """Production goes back to the commit before, by the hand of who deployed the bad one."""
    at = bad.at + min(bad.length * 0.7, timedelta(minutes=30 + _number(bad.commit.sha, "minutes") % 60))
    body = _body(history, before, PRODUCTION, at) | {
        "deployed_by": bad.commit.author,
        "description": f"Rolled back from {bad.version}.",
        "previous_commit_sha": bad.commit.sha,
    }
    return Planned(bad.service, at, f"{KEY}rollback:{bad.commit.sha}", body)


def _body(history: History, slot: _Slot, environment: str, at: datetime) -> dict[str, Any]:
    return {
        "commit_sha": slot.commit.sha,
        "commit_message": slot.commit.message,
        "branch": history.branch,
        "deployed_by": slot.commit.author,
        "environment": environment,
        "version": slot.version,
        "deployed_at": at.astimezone(UTC).isoformat(),
    }


def _parsed(text: str) -> list[Commit]:
    """A record is an empty part, four fields, an empty part, then paths; a path is never empty."""
    parts = iter(text.split("\0"))
    commits: list[Commit] = []
    marker = next(parts, None)
    while marker == "" and (sha := next(parts, "")):
        author, at, message = (next(parts, "") for _ in range(3))
        next(parts, None)
        paths: list[str] = []
        while marker := next(parts, None):
            paths.append(marker.removeprefix("\n"))
        commits.append(Commit(sha, author, int(at or 0), message.rstrip("\n"), tuple(paths[:MOST_PATHS])))
    return commits


def _or_nothing(*command: str, folder: Path) -> str:
    try:
        return read_git(*command, folder=folder).strip()
    except GitFailed:
        return ""


def _number(sha: str, purpose: str) -> int:
    """The same for a commit in every run."""
    return int.from_bytes(hashlib.sha256(f"{purpose} {sha}".encode()).digest()[:8])


def _known(session: ScopedSession) -> set[tuple[str, str]]:
    """What earlier runs sent; a key itself holds only under its token, and every run has tokens of its own."""
    rows = session.exec(
        select(Service.name, Deploy.idempotency_key)
        .join(Deploy, col(Deploy.service_id) == col(Service.id))
        .where(col(Deploy.idempotency_key).startswith(KEY))
    )
    return {(name.lower(), key or "") for name, key in rows}


def _open(session: ScopedSession, keys: KeyRing, origin: str) -> tuple[dict[str, str], list[str]]:
    """A token for each service, and which of them are of services that were there before."""
    present = {name.lower(): id_ for id_, name in services.names(session).items()}
    link = _link(origin)
    tokens: dict[str, str] = {}
    for name in SERVICES:
        if name in present:
            tokens[name] = deploy_tokens.issue(session, keys, present[name], "demo")
        else:
            draft = services.ServiceDraft.checked(name=name, environment=PRODUCTION, type=name, repositories=link)
            tokens[name] = services.create(session, keys, draft, "demo")[1]
    return tokens, [tokens[name] for name in SERVICES if name in present]


def _give_back(session: ScopedSession, keys: KeyRing, borrowed: list[str]) -> None:
    """End the tokens that were made for this run beside the ones in use."""
    for row in session.exec(select(DeployToken).where(col(DeployToken.token_hash).in_([keys.digest(t) for t in borrowed]))):
        row.rotated_at = now()
        session.add(row)


def _link(origin: str) -> str:
    """The origin as a service links to it; an address that is none, or holds a password, is left out."""
    origin = re.sub(r"\s.*", "", origin, flags=re.DOTALL)
    try:
        parse_repository(origin)
    except ValueError:
        return ""
    return origin
