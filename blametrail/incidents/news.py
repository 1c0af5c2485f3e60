"""Open and resolve incidents as CDEvents tell of them, each event once, in whatever order they come."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar
from uuid import UUID

from sqlmodel import col, select

from blametrail.catalog.deploy_tokens import TokenHolder
from blametrail.catalog.services import names
from blametrail.incidents.act import resolve
from blametrail.incidents.cdevents import IncidentNews
from blametrail.incidents.event_tables import IncidentEvent
from blametrail.incidents.open import add_entry, open_or_absorb
from blametrail.incidents.reports import Onset, Report
from blametrail.incidents.states import EntryKind, IncidentType
from blametrail.incidents.tables import Incident
from blametrail.kit.db import ScopedSession

BEFORE = timedelta(minutes=15)
"""An event says when something was noticed, not when it began: how far before that the onset may lie."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of news: `opened`, `absorbed`, `resolved`, `duplicate`, or `ignored` with the reason."""

    outcome: str
    incident_id: UUID | None = None
    reason: str = ""
    deploy_id: ClassVar[UUID | None] = None

    @property
    def status(self) -> str:
        return f"{self.outcome}: {self.reason}" if self.reason else self.outcome


def hear(session: ScopedSession, holder: TokenHolder, news: IncidentNews, key: str, received_at: datetime) -> Heard:
    """Do what the news says. The caller's lookup of the token has made posts of one service take turns."""
    same = select(IncidentEvent).where(IncidentEvent.service_id == holder.service_id, IncidentEvent.key == key)
    if first := session.exec(same).first():
        return Heard("duplicate", first.incident_id)
    at = news.at or received_at
    heard = _end(session, holder, news, at) if news.is_over else _begin(session, holder, news, at)
    session.add(
        IncidentEvent(
            service_id=holder.service_id,
            key=key,
            origin=news.origin,
            is_over=news.is_over,
            at=at,
            received_at=received_at,
            incident_id=heard.incident_id,
        )
    )
    return heard


def _begin(session: ScopedSession, holder: TokenHolder, news: IncidentNews, at: datetime) -> Heard:
    if _ended_since(session, news.origin, at):
        return Heard("ignored", reason="a later event has said that it is resolved")
    named = {name.lower(): id_ for id_, name in names(session).items()}
    report = Report(
        type=IncidentType.GENERIC,
        severity=news.severity,
        title=news.title,
        onset=Onset(at, at - BEFORE, at, "that is when the event says it was noticed; it may have begun before"),
        detected_at=at,
        who=_who(holder),
        origin=news.origin,
        description=news.url,
        service_ids=(named.get(news.service.strip().lower(), holder.service_id),),
        environments=(news.environment or holder.environment,),
    )
    taken = open_or_absorb(session, report)
    return Heard("opened" if taken.is_new else "absorbed", taken.incident_id)


def _end(session: ScopedSession, holder: TokenHolder, news: IncidentNews, at: datetime) -> Heard:
    """Resolve the incident that its source opened. One that had absorbed it is open for other reasons too: it is told."""
    unresolved = select(Incident).where(col(Incident.resolved_at).is_(None))
    if own := session.exec(unresolved.where(Incident.origin == news.origin)).first():
        resolve(session, own.id, _who(holder), news.title, max(at, own.onset_at))
        return Heard("resolved", own.id)
    told = select(IncidentEvent.incident_id).where(IncidentEvent.origin == news.origin)
    if other := session.exec(unresolved.where(col(Incident.id).in_(told))).first():
        add_entry(session, other.id, EntryKind.TOLD, _who(holder), f"Resolved: {news.title}", at)
        return Heard("absorbed", other.id)
    return Heard("ignored", reason="no open incident is known of it")


def _ended_since(session: ScopedSession, origin: str, at: datetime) -> bool:
    later = select(IncidentEvent.id).where(
        IncidentEvent.origin == origin, col(IncidentEvent.is_over).is_(True), IncidentEvent.at >= at
    )
    return session.exec(later).first() is not None


def _who(holder: TokenHolder) -> str:
    return f"CDEvents of {holder.service}"
