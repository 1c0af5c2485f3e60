"""Which repositories are watched: those that services link to. Each is asked every five minutes for what was merged, for a
webhook may not come."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from secrets import SystemRandom
from uuid import UUID, uuid4

from sqlmodel import col, func, select

from blametrail.catalog.tables import ServiceRepository
from blametrail.changes.tables import WatchedRepository
from blametrail.codehosts.tables import Connection
from blametrail.kit.clock import now
from blametrail.kit.db import EVERY_ORGANIZATION, Database, ScopedSession
from blametrail.kit.errors import Conflict
from blametrail.kit.jobs import announce_job

POLL_REPOSITORY = "poll_repository"
EVERY = timedelta(minutes=5)
_dice = SystemRandom()


@dataclass(frozen=True, slots=True)
class WatchedView:
    """A watched repository as its page shows it."""

    id: str
    host_url: str
    path: str
    known_since: datetime | None
    polled_at: datetime | None
    webhook_at: datetime | None
    fault: str
    remedy: str


async def look_at_links(db: Database) -> None:
    """Watch what is linked, in all organizations, and have asked whatever is due. Every process may call this as often as
    it likes: the one that moves a repository's time on announces its poll."""
    for organization_id in await db.read(EVERY_ORGANIZATION, organizations_to_look_at):
        with suppress(Conflict):  # another process watches the same new repository at this moment
            await db.write(organization_id, follow_links)


def organizations_to_look_at(session: ScopedSession) -> list[UUID]:
    """Those where a link or a watched repository is without the other, or a poll is due."""
    s, w = ServiceRepository, WatchedRepository
    linked = {(o, _key(h, p)) for o, h, p in session.exec(select(s.organization_id, s.host_url, s.path).distinct())}
    rows = session.exec(select(w.organization_id, w.host_url, w.path, w.poll_at)).all()
    is_due = {o for o, _, _, at in rows if at <= now()}
    return sorted(is_due | {o for o, _ in linked ^ {(o, _key(h, p)) for o, h, p, _ in rows}}, key=str)


def follow_links(session: ScopedSession) -> None:
    """Watch what services link to, and nothing else; announce the polls that are due. One that a connection was set for
    since it failed is due at once."""
    linked = {_key(link.host_url, link.path): link for link in session.exec(select(ServiceRepository))}
    known = session.exec(select(WatchedRepository).with_for_update(skip_locked=True)).all()
    for row in known:
        if _key(row.host_url, row.path) not in linked:
            session.delete(row)
            session.announce("changes")
        elif row.poll_at <= now() or (row.fault and _has_newer_connection(session, row)):
            poll_soon(session, row)
    watched_already = _keys(session.exec(select(WatchedRepository.host_url, WatchedRepository.path)))
    for key, link in linked.items():
        if key not in watched_already:
            row = WatchedRepository(id=uuid4(), host_url=link.host_url, path=link.path)
            session.add(row)
            poll_soon(session, row)
            session.announce("changes")


def poll_soon(session: ScopedSession, row: WatchedRepository) -> None:
    """Have a repository asked now; the next time is some five minutes later, so that not all are asked at once."""
    row.poll_at = now() + EVERY * _dice.uniform(0.9, 1.1)
    session.add(row)
    announce_job(session, POLL_REPOSITORY, str(row.id), priority=1)


def watched(session: ScopedSession, host_url: str, path: str) -> list[WatchedRepository]:
    """The watched repositories at an address, which hosts read without case."""
    at = func.lower(WatchedRepository.host_url) == host_url.lower(), func.lower(WatchedRepository.path) == path.lower()
    return list(session.exec(select(WatchedRepository).where(*at)))


def note_webhook(session: ScopedSession, row: WatchedRepository) -> None:
    row.webhook_at = now()
    session.add(row)


def list_watched(session: ScopedSession) -> list[WatchedView]:
    """All of the organization, by name."""
    rows = session.exec(select(WatchedRepository).order_by(col(WatchedRepository.path)))
    return [
        WatchedView(str(r.id), r.host_url, r.path, r.known_since, r.polled_at, r.webhook_at, r.fault, r.remedy) for r in rows
    ]


def _has_newer_connection(session: ScopedSession, row: WatchedRepository) -> bool:
    newer = select(Connection.id).where(func.lower(Connection.host_url) == row.host_url.lower())
    return row.tried_at is not None and session.exec(newer.where(col(Connection.set_at) > row.tried_at)).first() is not None


def _key(host_url: str, path: str) -> tuple[str, str]:
    return host_url.lower(), path.lower()


def _keys(pairs: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    return {_key(host_url, path) for host_url, path in pairs}
