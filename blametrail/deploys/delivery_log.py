"""The delivery log: why did my deploy show up, or not?"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import delete, insert, tuple_
from sqlmodel import col, select

from blametrail.catalog.deploy_tokens import TokenHolder
from blametrail.deploys.tables import Delivery, Deploy
from blametrail.deploys.views import short
from blametrail.kit.clock import now
from blametrail.kit.cursors import Place, cursor_of, read_cursor
from blametrail.kit.db import Prepared, ScopedSession
from blametrail.kit.redact import redact

KEPT = timedelta(days=30)
PAGE = 50
BODY_CHARACTERS = 4_000

_COMMIT = re.compile(r'"commit_sha"\s*:\s*"([^"\\]{1,255})"')
_INSERT = Prepared(insert(Delivery))


@dataclass(frozen=True, slots=True)
class Request:
    """A post as it came in: `route` is `deploy`, `test`, `change` or `cdevents`."""

    route: str
    body: bytes
    address: str
    request_id: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """`commit` is what the request said, `deploy_id` empty when there is no deploy of it."""

    id: str
    received_at: datetime
    route: str
    status: int
    reason: str
    body: str
    address: str
    request_id: str
    commit: str
    deploy_id: str


@dataclass(frozen=True, slots=True)
class DeliveryPage:
    """Newest first; a cursor is empty where nothing further is."""

    deliveries: tuple[DeliveryView, ...]
    older: str
    newer: str


def log_delivery(
    session: ScopedSession, holder: TokenHolder, request: Request, status: int, reason: str, deploy_id: UUID | None = None
) -> None:
    """Keep what came and what became of it, secrets masked."""
    session.run(
        _INSERT,
        id=uuid4(),
        service_id=holder.service_id,
        deploy_id=deploy_id,
        received_at=request.received_at,
        route=request.route,
        status=status,
        reason=redact(reason)[:500],
        body=_readable(request.body),
        address=request.address,
        request_id=request.request_id,
    )


def list_deliveries(session: ScopedSession, service_id: UUID, before: str = "", after: str = "") -> DeliveryPage:
    """The newest deliveries of a service, or those before or after a cursor; an unreadable one starts at the newest."""
    older, newer = read_cursor(before), read_cursor(after)
    rows = _rows(session, service_id, older, newer)
    if newer and len(rows) <= PAGE:
        older = newer = None  # the first page has room for more than these
        rows = _rows(session, service_id, None, None)
    is_more, shown = len(rows) > PAGE, rows[:PAGE]
    if newer:
        shown = shown[::-1]
    return DeliveryPage(
        deliveries=tuple(_view(row, commit_sha) for row, commit_sha in shown),
        older=cursor_of(shown[-1][0].received_at, shown[-1][0].id) if shown and (is_more or newer) else "",
        newer=cursor_of(shown[0][0].received_at, shown[0][0].id) if shown and (older or newer) else "",
    )


def forget_old_deliveries(session: ScopedSession) -> int:
    """Drop what is older than it is kept; answers how many."""
    result = session.exec(delete(Delivery).where(col(Delivery.received_at) < now() - KEPT))
    return int(result.rowcount)


def _readable(body: bytes) -> str:
    """The body as text that any database keeps; cut, and saying so."""
    start = body[: BODY_CHARACTERS * 4]
    text = redact(start.decode("utf-8", "replace").replace("\0", "\N{SYMBOL FOR NULL}"))
    is_whole = len(start) == len(body) and len(text) <= BODY_CHARACTERS
    return text if is_whole else f"{text[:BODY_CHARACTERS]}… ({len(body)} bytes in all)"


def _rows(
    session: ScopedSession, service_id: UUID, older: Place | None, newer: Place | None
) -> list[tuple[Delivery, str | None]]:
    """One more than a page, outwards from a place, with the commit of the deploy where there is one."""
    place = tuple_(col(Delivery.received_at), col(Delivery.id))
    order = (col(Delivery.received_at), col(Delivery.id))
    found = (
        select(Delivery, Deploy.commit_sha)
        .outerjoin(Deploy, col(Deploy.id) == col(Delivery.deploy_id))
        .where(Delivery.service_id == service_id)
        .order_by(*(order if newer else (column.desc() for column in order)))
        .limit(PAGE + 1)
    )
    if older or newer:
        found = found.where(place > newer if newer else place < older)
    return [(row, commit_sha) for row, commit_sha in session.exec(found)]


def _view(row: Delivery, commit_sha: str | None) -> DeliveryView:
    said = _COMMIT.search(row.body)
    return DeliveryView(
        id=str(row.id),
        received_at=row.received_at,
        route=row.route,
        status=row.status,
        reason=row.reason,
        body=row.body,
        address=row.address,
        request_id=row.request_id,
        commit=short(commit_sha or (said[1] if said else "")),
        deploy_id=str(row.deploy_id) if commit_sha else "",
    )
