"""Record a deploy: one transaction with its key, its commits and its place in the lineage."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID, uuid4

from sqlalchemy import bindparam, insert, select
from sqlalchemy.exc import OperationalError
from sqlmodel import col

from blametrail.catalog.deploy_tokens import TokenHolder
from blametrail.deploys import neighbours
from blametrail.deploys.enrichment.states import announce_enrichment
from blametrail.deploys.lineage import kind_of
from blametrail.deploys.neighbours import Place
from blametrail.deploys.report import DeployReport
from blametrail.deploys.tables import Deploy, DeployCommit
from blametrail.kit.db import Prepared, ScopedSession
from blametrail.kit.errors import Invalid

TOLERATED_CLOCK_SKEW = timedelta(minutes=5)
PROGRAM_LIMIT_EXCEEDED = "54000"

_WITH_KEY = Prepared(
    select(col(Deploy.id)).where(
        col(Deploy.organization_id) == bindparam("organization_id"),
        col(Deploy.token_id) == bindparam("token_id"),
        col(Deploy.idempotency_key) == bindparam("key"),
    )
)
_INSERT, _INSERT_COMMIT = Prepared(insert(Deploy)), Prepared(insert(DeployCommit))


@dataclass(frozen=True, slots=True)
class Recorded:
    status: Literal["accepted", "duplicate"]
    deploy_id: UUID


def record_deploy(
    session: ScopedSession, holder: TokenHolder, report: DeployReport, key: str | None, received_at: datetime
) -> Recorded:
    """Store a deploy, or answer the first one that came with the same key and token. The caller's lookup
    of the token has made deploys of one service take turns, so no other one is stored in between."""
    if key is not None and (first := session.run(_WITH_KEY, token_id=holder.token_id, key=key)):
        return Recorded("duplicate", first[0][0])
    values = _values(holder, report, key, received_at)
    place = Place(*(values[name] for name in ("id", "commit_sha", "deployed_at", "service_id", "environment")))
    newest = neighbours.newest(session, place)
    is_late = newest is not None and newest.deployed_at >= place.deployed_at
    before = neighbours.before(session, place) if is_late else newest
    lineage = _lineage(session, place, before)
    try:
        session.run(_INSERT, **values, **lineage)
    except OperationalError as error:  # an index of PostgreSQL holds about 2,700 bytes a row; this text alone is unbounded
        if getattr(error.orig, "sqlstate", "") != PROGRAM_LIMIT_EXCEEDED:
            raise
        raise Invalid({"environment": "is too long for the database; nothing was stored"}) from None
    _add_commits(session, place.id, report)
    judged_again = _judge_later_again(session, place) if is_late else []
    if holder.has_repository:
        for deploy_id in (place.id, *judged_again):
            announce_enrichment(session, deploy_id)
    session.announce("deploys")
    session.announce(f"service:{holder.service_id}")
    return Recorded("accepted", place.id)


def _values(holder: TokenHolder, report: DeployReport, key: str | None, received_at: datetime) -> dict[str, Any]:
    """The columns of a deploy that do not depend on its neighbours."""
    return {
        "id": uuid4(),
        "service_id": holder.service_id,
        "environment": report.environment.strip() or holder.environment,
        "commit_sha": report.commit_sha,
        "commit_message": report.commit_message,
        "branch": report.branch,
        "deployed_by": report.deployed_by,
        "version": report.version,
        "description": report.description,
        "url": report.url,
        "commit_count": len(report.commits),
        "deployed_at": report.deployed_at or received_at,
        "received_at": received_at,
        "stated_previous_sha": report.previous_commit_sha,
        "remarks": "\n".join(_contradictions(report, received_at)),
        "token_id": holder.token_id,
        "idempotency_key": key,
    }


def _contradictions(report: DeployReport, received_at: datetime) -> list[str]:
    """What in a report does not fit together; it is kept as sent, and this is shown beside it."""
    found = []
    if report.deployed_at and report.deployed_at > received_at + TOLERATED_CLOCK_SKEW:
        found.append("It says it happens in the future; the sender's clock may be wrong.")
    if report.previous_commit_sha and report.previous_commit_sha == report.commit_sha:
        found.append("It names its own commit as the one before.")
    if report.commits and not any(_same_commit(report.commit_sha, c.sha) for c in report.commits):
        found.append("Its list of commits does not hold the commit that was deployed.")
    return found


def _same_commit(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)


def _lineage(session: ScopedSession, place: Place, before: Place | None) -> dict[str, Any]:
    """What a deploy is after `before`, the commit that was live until it, which deploy it went back to."""
    changed = before is not None and before.commit_sha != place.commit_sha
    earlier = neighbours.before_of_same_commit(session, place) if changed else None
    return {
        "kind": kind_of(place.commit_sha, before.commit_sha if before else None, earlier is not None),
        "previous_sha": before.commit_sha if before else "",
        "rollback_of_id": earlier.id if earlier else None,
    }


def _judge_later_again(session: ScopedSession, place: Place) -> list[UUID]:
    """A late report changes what the next deploy follows and which later ones are rollbacks; answers which."""
    following = neighbours.after(session, place)
    same_commit = neighbours.all_after_of_same_commit(session, place)
    affected = {p.id: p for p in (following, *same_commit) if p}
    for later in affected.values():
        row = session.get_one(Deploy, later.id)
        for name, value in _lineage(session, later, neighbours.before(session, later)).items():
            setattr(row, name, value)
        session.add(row)
    session.flush()
    return list(affected)


def _add_commits(session: ScopedSession, deploy_id: UUID, report: DeployReport) -> None:
    for position, commit in enumerate(report.commits):
        session.run(
            _INSERT_COMMIT,
            deploy_id=deploy_id,
            position=position,
            sha=commit.sha,
            message=commit.message,
            author=commit.author,
            authored_at=commit.timestamp,
        )
