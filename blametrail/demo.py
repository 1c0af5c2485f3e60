"""Turn a git repository into the deploys that its CI would have sent, and send them through the API."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx

from blametrail import demo_data
from blametrail.demo_data import KEY, SERVICES
from blametrail.deploy_client import MOST_COMMITS, GitFailed, fit, printable, read_git
from blametrail.kit.clock import now
from blametrail.kit.db import Database
from blametrail.kit.errors import Invalid, Refused, Unavailable
from blametrail.kit.keys import key_ring

STAGING, PRODUCTION = "staging", "production"
FOLDERS = {
    "web": {"web", "www", "frontend", "client", "ui", "static", "public", "assets", "templates", "styles", "css", "pages"},
    "api": {"api", "backend", "server", "handlers", "controllers", "routes", "endpoints", "rest", "graphql", "rpc"},
    "worker": {"worker", "workers", "jobs", "tasks", "queue", "queues", "cron", "scheduler", "celery", "consumers"},
}
ROLLED_BACK = 12
"""One of so many commits is rolled back in production."""
LONGEST_WAIT = timedelta(hours=16)
"""Of a commit on staging, before it goes to production."""
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
    """A commit and its service, when it came, and how long until the service's next one."""

    commit: Commit
    service: str
    position: int
    number: int
    at: datetime
    length: timedelta

    @property
    def version(self) -> str:
        return f"v1.{self.number}.0"


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
    return touched.pop() if len(touched) == 1 else [*SERVICES][_number(commit.sha, "service") % len(SERVICES)]


def plan(history: History, days: int, deploys: int, until: datetime) -> list[Planned]:
    """The newest deploys of a history laid into the days before a moment, in the order of their times."""
    live: dict[tuple[str, str], _Slot] = {}
    planned: list[Planned] = []
    is_cut = history.total > len(history.commits)
    is_due = False
    slots = _slots(history, timedelta(days=days), until)
    for slot in slots:
        before = live.get((slot.service, PRODUCTION))
        for environment in (STAGING, PRODUCTION):
            planned.append(_deploy(slots, history.branch, slot, environment, live.get((slot.service, environment))))
            live[slot.service, environment] = slot
        is_due = is_due or slot.number % ROLLED_BACK == ROLLED_BACK // 2
        if is_due and before is not None:
            planned.append(_rollback(history.branch, slot, before))
            live[slot.service, PRODUCTION] = before
        # The next one must do, unless what was live before may only have been cut off: each run chooses the same.
        is_due = is_due and before is None and not is_cut
    return sorted(planned, key=lambda one: one.at)[-deploys:]


def _slots(history: History, length: timedelta, until: datetime) -> list[_Slot]:
    times = spread([commit.at for commit in history.commits], length, until)
    older = history.total - len(history.commits)
    ends: dict[str, datetime] = {}
    slots: list[_Slot] = []
    for position in reversed(range(len(times))):
        commit, at = history.commits[position], times[position]
        service = service_of(commit)
        slots.append(_Slot(commit, service, position, older + position, at, ends.get(service, until) - at))
        ends[service] = at
    return slots[::-1]


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
    known = database.read_now(organization_id, demo_data.sent_keys)
    waiting = [one for one in plan(history, days, deploys, now()) if one.key not in known]
    if not waiting:
        return 0
    tokens, borrowed = database.write_now(organization_id, demo_data.open_services, key_ring(), history.origin)
    say(f"{len(waiting)} deploys to send.")
    try:
        return send(waiting, tokens, url, say)
    finally:
        database.write_now(organization_id, demo_data.end_tokens, key_ring(), borrowed)


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


def _deploy(slots: list[_Slot], branch: str, slot: _Slot, environment: str, before: _Slot | None) -> Planned:
    """Staging takes a commit at once, production when the pipeline is through, before the service's next one comes."""
    first = before.position + 1 if before else slot.position
    carried = slots[max(first, slot.position - MOST_COMMITS + 1) : slot.position + 1][::-1]
    at = slot.at + (_pipeline(slot) if environment == PRODUCTION else timedelta())
    body = _body(branch, slot, environment, at) | {
        "commits": [
            {"sha": c.commit.sha, "message": c.commit.message, "author": c.commit.author, "timestamp": c.at.isoformat()}
            for c in carried
        ],
        "previous_commit_sha": before.commit.sha if before else "",
    }
    return Planned(slot.service, at, f"{KEY}{environment}:{slot.commit.sha}", body)


def _pipeline(slot: _Slot) -> timedelta:
    """From staging to production: hours where there is room for them, or both would be one mark."""
    return min(slot.length * 0.5, LONGEST_WAIT * (0.5 + _number(slot.commit.sha, "minutes") % 50 / 100))


def _rollback(branch: str, bad: _Slot, before: _Slot) -> Planned:
    """Production goes back to the commit before, by the hand of who deployed the bad one."""
    went_live = _pipeline(bad)
    minutes = timedelta(minutes=30 + _number(bad.commit.sha, "minutes") % 60)
    at = bad.at + went_live + min((bad.length - went_live) * 0.6, minutes)
    body = _body(branch, before, PRODUCTION, at) | {
        "deployed_by": bad.commit.author,
        "description": f"Rolled back from {bad.version}.",
        "previous_commit_sha": bad.commit.sha,
    }
    return Planned(bad.service, at, f"{KEY}rollback:{bad.commit.sha}", body)


def _body(branch: str, slot: _Slot, environment: str, at: datetime) -> dict[str, Any]:
    return {
        "commit_sha": slot.commit.sha,
        "commit_message": slot.commit.message,
        "branch": branch,
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
