"""Incidents of alerts that fell silent: whoever told of them may have been switched off, and they stay open for nobody."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, and_
from sqlmodel import col, select, update

from blametrail.incidents.act import resolve
from blametrail.incidents.alerts.shapes import AlertStatus
from blametrail.incidents.alerts.tables import AlertState
from blametrail.incidents.alerts.take import ORIGIN
from blametrail.incidents.open import take_turns
from blametrail.incidents.tables import Incident
from blametrail.kit.clock import now
from blametrail.kit.db import EVERY_ORGANIZATION, Database, ScopedSession

SILENCE = timedelta(hours=24)
WHO, WHY = "BlameTrail", "No alert has told of it for 24 hours. If it is not over, the next alert opens an incident again."


async def close_silent(db: Database) -> None:
    """Resolve what alerts opened and no alert told of for a day."""
    for organization_id in await db.read(EVERY_ORGANIZATION, _organizations):
        await db.write(organization_id, _close)


def _organizations(session: ScopedSession) -> list[UUID]:
    before = now() - SILENCE
    incidents = select(Incident.organization_id).where(_is_silent())
    states = select(AlertState.organization_id).where(
        AlertState.status == AlertStatus.FIRING.value, col(AlertState.last_seen_at) < before
    )
    return list({*session.exec(incidents), *session.exec(states)})


def _close(session: ScopedSession) -> None:
    take_turns(session)
    moment = now()
    is_silent = and_(col(AlertState.status) == AlertStatus.FIRING.value, col(AlertState.last_seen_at) < moment - SILENCE)
    session.exec(update(AlertState).where(is_silent).values(status=AlertStatus.RESOLVED.value, resolved_at=moment))
    for incident_id in session.exec(select(Incident.id).where(_is_silent())).all():
        resolve(session, incident_id, WHO, WHY)
    session.announce("alerts")


def _is_silent() -> ColumnElement[bool]:
    return and_(
        col(Incident.resolved_at).is_(None),
        col(Incident.origin).startswith(ORIGIN, autoescape=True),
        col(Incident.last_told_at) < now() - SILENCE,
    )
