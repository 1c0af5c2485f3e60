"""The delivery log: why did my deploy show up, or not?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import delete, insert
from sqlmodel import col, select

from blametrail.catalog.deploy_tokens import TokenHolder
from blametrail.deploys.tables import Delivery
from blametrail.kit.clock import now
from blametrail.kit.db import Prepared, ScopedSession
from blametrail.kit.redact import redact

KEPT = timedelta(days=30)
BODY_CHARACTERS = 4_000

_INSERT = Prepared(insert(Delivery))


@dataclass(frozen=True, slots=True)
class Request:
    """A post as it came in: `route` is `deploy` or `test`."""

    route: str
    body: bytes
    address: str
    request_id: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class DeliveryView:
    id: str
    received_at: datetime
    route: str
    status: int
    reason: str
    body: str
    address: str
    request_id: str
    deploy_id: str


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


def list_deliveries(session: ScopedSession, service_id: UUID, limit: int = 50) -> list[DeliveryView]:
    """The newest deliveries of a service."""
    rows = session.exec(
        select(Delivery).where(Delivery.service_id == service_id).order_by(col(Delivery.received_at).desc()).limit(limit)
    )
    return [
        DeliveryView(
            id=str(r.id),
            received_at=r.received_at,
            route=r.route,
            status=r.status,
            reason=r.reason,
            body=r.body,
            address=r.address,
            request_id=r.request_id,
            deploy_id=str(r.deploy_id) if r.deploy_id else "",
        )
        for r in rows
    ]


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
