"""How far it is known what deploys carry, and how it is asked for: by a job, announced with its cause."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from uuid import UUID

from sqlmodel import col, select

from blametrail.catalog.tables import ServiceRepository
from blametrail.deploys.tables import Deploy, Enrichment
from blametrail.kit.clock import now
from blametrail.kit.db import ScopedSession
from blametrail.kit.jobs import announce_job

ENRICH_DEPLOY = "enrich_deploy"
REACH_BACK = timedelta(days=30)
MOST_AGAIN = 1_000


class State(StrEnum):
    WAITING = "waiting"
    COMPLETE = "complete"
    PARTIAL = "partial"
    FAILED = "failed"
    NOT_CONFIGURED = "not configured"


def no_repository(service: str) -> tuple[str, str]:
    """Reason and remedy for a service that is linked to nothing."""
    return (
        f"{service} is linked to no repository, so what this deploy carries is not known.",
        f"Add its repository in the settings of {service}.",
    )


def announce_unfinished(session: ScopedSession) -> int:
    """Have the unfinished deploys of the last weeks enriched, newest first; answers how many."""
    has_repository = select(ServiceRepository.id).where(ServiceRepository.service_id == Deploy.service_id).exists()
    wanted = (
        select(Deploy.id)
        .outerjoin(Enrichment, col(Enrichment.deploy_id) == col(Deploy.id))
        .where(
            Deploy.deployed_at > now() - REACH_BACK,
            has_repository,
            col(Enrichment.state).is_(None) | col(Enrichment.state).in_([State.WAITING, State.FAILED, State.NOT_CONFIGURED]),
        )
        .order_by(col(Deploy.deployed_at).desc())
        .limit(MOST_AGAIN)
    )
    deploy_ids = session.exec(wanted).all()
    for deploy_id in deploy_ids:
        announce_enrichment(session, deploy_id, priority=10)
    return len(deploy_ids)


def announce_enrichment(session: ScopedSession, deploy_id: UUID, priority: int = 0) -> None:
    """Have a deploy enriched once this transaction is committed."""
    announce_job(session, ENRICH_DEPLOY, str(deploy_id), priority=priority)
