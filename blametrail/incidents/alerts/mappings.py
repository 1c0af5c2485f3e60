"""Mappings of labels to services: made and dropped by admins, tried out by anybody who can see them."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlmodel import col, select

from blametrail.accounts.roles import Actor, Role
from blametrail.catalog.services import NO_SERVICE
from blametrail.catalog.tables import Service
from blametrail.incidents.alerts.routing import (
    MOST_MATCHERS,
    Directory,
    KnownService,
    Mapped,
    Place,
    place_of,
    read_labels,
    written,
)
from blametrail.incidents.alerts.tables import AlertRoute
from blametrail.kit.db import ScopedSession
from blametrail.kit.errors import Conflict, Invalid, NotFound

MOST_MAPPINGS = 200
NO_MAPPING = "There is no such mapping in this organization. Somebody may have dropped it."


@dataclass(frozen=True, slots=True)
class MappingView:
    id: str
    labels: str
    service: str
    environment: str


def add_mapping(session: ScopedSession, actor: Actor, labels: str, service_id: UUID, environment: str = "") -> None:
    """Alerts with all these labels are of a service from now on; raises Invalid and NotFound."""
    actor.require(Role.ADMIN)
    matchers = _checked(labels)
    if session.exec(select(Service.id).where(Service.id == service_id)).first() is None:
        raise NotFound(NO_SERVICE)
    if len(session.exec(select(AlertRoute.id)).all()) >= MOST_MAPPINGS:
        raise Conflict(f"There are {MOST_MAPPINGS} mappings already. Drop some, or use a * in one of them.")
    session.add(
        AlertRoute(
            matchers=written(matchers), service_id=service_id, environment=environment.strip()[:60], created_by=actor.name
        )
    )
    session.announce("alerts")


def drop_mapping(session: ScopedSession, actor: Actor, mapping_id: UUID) -> None:
    actor.require(Role.ADMIN)
    row = session.exec(select(AlertRoute).where(AlertRoute.id == mapping_id)).first()
    if row is None:
        raise NotFound(NO_MAPPING)
    session.delete(row)
    session.announce("alerts")


def list_mappings(session: ScopedSession) -> list[MappingView]:
    """In the order in which they are tried."""
    rows = session.exec(
        select(AlertRoute, Service.name).join(Service, col(Service.id) == col(AlertRoute.service_id)).order_by(*_ORDER)
    )
    return [MappingView(str(row.id), row.matchers, name, row.environment) for row, name in rows]


def preview(session: ScopedSession, labels: str) -> Place:
    """Where an alert with these labels would go, if its source has no service of its own; raises Invalid."""
    return place_of(_checked(labels), directory(session))


def directory(session: ScopedSession) -> Directory:
    """All that alerts of this organization are routed by."""
    services = [KnownService(*row) for row in session.exec(select(Service.id, Service.name, Service.environment))]
    rows = session.exec(select(AlertRoute.matchers, AlertRoute.service_id, AlertRoute.environment).order_by(*_ORDER))
    return Directory(
        services={service.name.lower(): service for service in services},
        mappings=tuple(Mapped(read_labels(matchers), service_id, environment) for matchers, service_id, environment in rows),
        by_id={service.id: service for service in services},
    )


_ORDER = (col(AlertRoute.created_at), col(AlertRoute.id))


def _checked(labels: str) -> dict[str, str]:
    try:
        matchers = read_labels(labels)
    except ValueError as error:
        raise Invalid({"labels": str(error)}) from None
    if not 1 <= len(matchers) <= MOST_MATCHERS:
        raise Invalid({"labels": f"must be 1 to {MOST_MATCHERS} labels such as team=payments"})
    return matchers
