"""Record a deploy: one transaction with its key, its commits and its place in the lineage."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlmodel import col

from blametrail.catalog.deploy_tokens import TokenHolder
from blametrail.deploys import neighbours
from blametrail.deploys.lineage import Kind, kind_of
from blametrail.deploys.neighbours import Place
from blametrail.deploys.report import DeployReport
from blametrail.deploys.tables import Deploy, DeployCommit
from blametrail.kit.db import Prepared, ScopedSession

TOLERATED_CLOCK_SKEW = timedelta(minutes=5)

_WITH_KEY = Prepared(
    select(col(Deploy.id)).where(
        col(Deploy.organization_id) == bindparam("organization_id"),
        col(Deploy.token_id) == bindparam("token_id"),
        col(Deploy.idempotency_key) == bindparam("key"),
    )
)


@dataclass(frozen=True, slots=True)
class Recorded:
    status: Literal["accepted", "duplicate"]
    deploy_id: UUID


def record_deploy(
    session: ScopedSession, holder: TokenHolder, report: DeployReport, key: str | None, received_at: datetime
) -> Recorded:
    """Store a deploy, or answer the first one that came with the same key and token. The caller's lookup
    of the token has made deploys of one service take turns, so no other one is stored in between."""
    if key is not None and (first := session.run(_WITH_KEY, token_id=holder.token_id, key=key).scalar()):
        return Recorded("duplicate", first)
    row = _row(holder, report, key, received_at)
    place = neighbours.place_of(row)
    row.kind, row.previous_sha, row.rollback_of_id = _lineage(session, place)
    session.insert(row)
    _add_commits(session, row.id, report)
    _judge_later_again(session, place)
    session.announce("deploys")
    session.announce(f"service:{holder.service_id}")
    return Recorded("accepted", row.id)


def _row(holder: TokenHolder, report: DeployReport, key: str | None, received_at: datetime) -> Deploy:
    return Deploy(
        service_id=holder.service_id,
        environment=report.environment.strip() or holder.environment,
        commit_sha=report.commit_sha,
        commit_message=report.commit_message,
        branch=report.branch,
        deployed_by=report.deployed_by,
        version=report.version,
        description=report.description,
        url=report.url,
        commit_count=len(report.commits),
        deployed_at=report.deployed_at or received_at,
        received_at=received_at,
        stated_previous_sha=report.previous_commit_sha,
        kind="",
        remarks="\n".join(_contradictions(report, received_at)),
        token_id=holder.token_id,
        idempotency_key=key,
    )


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


def _lineage(session: ScopedSession, place: Place) -> tuple[Kind, str, UUID | None]:
    """What a deploy is, the commit that was live before it, and which deploy it went back to."""
    previous = neighbours.before(session, place)
    changed = previous is not None and previous.commit_sha != place.commit_sha
    earlier = neighbours.before_of_same_commit(session, place) if changed else None
    kind = kind_of(place.commit_sha, previous.commit_sha if previous else None, earlier is not None)
    return kind, previous.commit_sha if previous else "", earlier.id if earlier else None


def _judge_later_again(session: ScopedSession, place: Place) -> None:
    """A late report changes what the next deploy follows and which later ones are rollbacks."""
    following = neighbours.after(session, place)
    if following is None:
        return
    for later in {p.id: p for p in (following, *neighbours.all_after_of_same_commit(session, place))}.values():
        row = session.get_one(Deploy, later.id)
        row.kind, row.previous_sha, row.rollback_of_id = _lineage(session, later)
        session.add(row)


def _add_commits(session: ScopedSession, deploy_id: UUID, report: DeployReport) -> None:
    for position, commit in enumerate(report.commits):
        session.insert(
            DeployCommit(
                deploy_id=deploy_id,
                position=position,
                sha=commit.sha,
                message=commit.message,
                author=commit.author,
                authored_at=commit.timestamp,
            )
        )
