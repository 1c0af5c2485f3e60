"""Record a deploy: one transaction with its key, its commits and its place in the lineage."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlmodel import select

from blametrail.catalog.deploy_tokens import TokenHolder
from blametrail.catalog.tables import Service
from blametrail.deploys import neighbours
from blametrail.deploys.lineage import kind_of
from blametrail.deploys.report import DeployReport
from blametrail.deploys.tables import Deploy, DeployCommit
from blametrail.kit.db import ScopedSession

TOLERATED_CLOCK_SKEW = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Recorded:
    status: Literal["accepted", "duplicate"]
    deploy_id: UUID


def record_deploy(
    session: ScopedSession, holder: TokenHolder, report: DeployReport, key: str | None, received_at: datetime
) -> Recorded:
    """Store a deploy, or answer the first one that came with the same key and token."""
    _take_turn(session, holder)
    if key is not None and (first := _with_key(session, holder, key)):
        return Recorded("duplicate", first)
    row = _row(holder, report, key, received_at)
    _place(session, row)
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:  # another process stored the same key in this moment
        if key is None or (first := _with_key(session, holder, key)) is None:
            raise
        return Recorded("duplicate", first)
    _add_commits(session, row.id, report)
    _replace_later(session, row)
    session.announce("deploys")
    session.announce(f"service:{holder.service_id}")
    return Recorded("accepted", row.id)


def _take_turn(session: ScopedSession, holder: TokenHolder) -> None:
    """One deploy of a service at a time, until its commit: two that did not see each other would both be
    the first. SQLite has one writer anyway."""
    session.exec(select(Service.id).where(Service.id == holder.service_id).with_for_update(key_share=True)).first()


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


def _with_key(session: ScopedSession, holder: TokenHolder, key: str) -> UUID | None:
    return session.exec(select(Deploy.id).where(Deploy.token_id == holder.token_id, Deploy.idempotency_key == key)).first()


def _place(session: ScopedSession, row: Deploy) -> None:
    """Set what a deploy is and what was live before it, from its neighbours in time."""
    previous = neighbours.before(session, row)
    changed = previous is not None and previous.commit_sha != row.commit_sha
    earlier = neighbours.before(session, row, commit=row.commit_sha) if changed else None
    row.kind = kind_of(row.commit_sha, previous.commit_sha if previous else None, earlier is not None)
    row.rollback_of_id = earlier.id if earlier else None
    row.previous_sha = previous.commit_sha if previous else ""


def _replace_later(session: ScopedSession, row: Deploy) -> None:
    """A late report changes what the next deploy follows and which later ones are rollbacks."""
    following = neighbours.after(session, row)
    if following is None:
        return
    for later in {d.id: d for d in (following, *neighbours.all_after(session, row, row.commit_sha))}.values():
        _place(session, later)
        session.add(later)


def _add_commits(session: ScopedSession, deploy_id: UUID, report: DeployReport) -> None:
    for position, commit in enumerate(report.commits):
        session.add(
            DeployCommit(
                deploy_id=deploy_id,
                position=position,
                sha=commit.sha,
                message=commit.message,
                author=commit.author,
                authored_at=commit.timestamp,
            )
        )
