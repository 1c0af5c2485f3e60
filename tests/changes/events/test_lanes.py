"""Change events of a window, lane by lane; those of others are never among them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from blametrail.accounts import organizations
from blametrail.accounts.roles import Actor, Role
from blametrail.catalog import services
from blametrail.changes.events.find import EventFilters, find_event, find_events
from blametrail.changes.events.lanes import EVERYWHERE, event_lanes
from blametrail.changes.events.record import record_by_hand, remove_by_hand
from blametrail.changes.events.report import checked_change
from blametrail.deploys.filters import Filters
from blametrail.deploys.timeline import Window
from blametrail.kit.db import EVERY_ORGANIZATION, Database
from blametrail.kit.errors import Invalid, NotAllowed, NotFound
from blametrail.kit.keys import Key, KeyRing

KEYS = KeyRing((Key(b"k" * 32),))
START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = Window(START, START + timedelta(hours=24))


def actor(organization_id: UUID, role: Role = Role.RESPONDER) -> Actor:
    return Actor(UUID(int=1), UUID(int=2), organization_id, "Acme", "UTC", "bob@example.com", "Bob", role, START)


@pytest.fixture
def acme(db: Database, alice: UUID) -> UUID:
    acme = UUID(db.read_now(EVERY_ORGANIZATION, organizations.of_person, alice)[0][0])
    for name in ("web", "api"):
        draft = services.ServiceDraft.checked(name=name, environment="production", type="web")
        db.write_now(acme, services.create, KEYS, draft, "test")
    return acme


@pytest.fixture
def elsewhere(db: Database, alice: UUID) -> UUID:
    return db.write_now(EVERY_ORGANIZATION, organizations.found, alice, "Elsewhere")


def record(db: Database, organization_id: UUID, hours: float, *, lasts: float | None = None, **more: Any) -> UUID:
    at = START + timedelta(hours=hours)
    ended = (at + timedelta(hours=lasts)).isoformat() if lasts is not None else None
    body = {"kind": "config", "title": f"At {hours}", "started_at": at.isoformat(), "ended_at": ended} | more
    return db.write_now(organization_id, record_by_hand, actor(organization_id), checked_change(body))


def marks(db: Database, acme: UUID, filters: Filters | None = None, **more: Any) -> dict[str, list[tuple[float, int]]]:
    """Hours and counts of marks by the label of the lane."""
    shown = db.read_now(acme, event_lanes, DAY, filters or Filters(), **more)
    return {
        lane.label: [((mark.start - START) / timedelta(hours=1), mark.count) for mark in lane.marks] for lane in shown.lanes
    }


def test_it_puts_each_event_into_the_lanes_of_what_it_touches(db: Database, acme: UUID) -> None:
    record(db, acme, 1, services=["web"], environments=["production"])
    record(db, acme, 5, services=["web", "API"], environments=["staging", "production"])
    record(db, acme, 9)
    assert marks(db, acme) == {"web": [(1, 1), (5, 1)], "api": [(5, 1)], "All services": [(9, 1)]}
    by_environment = {"production": [(1, 1), (5, 1)], "staging": [(5, 1)], "All environments": [(9, 1)]}
    assert marks(db, acme, group_by="environment") == by_environment


def test_it_joins_those_that_would_touch_and_leaves_what_lasts_alone(db: Database, acme: UUID) -> None:
    for minute in (0, 5, 10):
        record(db, acme, 1 + minute / 60)
    record(db, acme, 4, lasts=10)
    record(db, acme, 8)
    assert [n for _, n in marks(db, acme)["All services"]] == [3, 1, 1]


def test_it_shows_what_began_before_and_still_lasted(db: Database, acme: UUID) -> None:
    for hours, lasts in ((-3, None), (-3, 1), (-2, 2), (-1, 40), (24, None), (24.01, None)):
        record(db, acme, hours, lasts=lasts)
    found = db.read_now(acme, find_events, EventFilters(start=DAY.start, end=DAY.end)).events
    assert [event.title for event in found] == ["At 24", "At -1", "At -2"]


def test_it_filters_by_service_environment_author_and_text(db: Database, acme: UUID) -> None:
    web = next(id_ for id_, name in db.read_now(acme, services.names).items() if name == "web")
    record(db, acme, 1, services=["web"], environments=["staging"], who="ann", description="100%_sure")
    record(db, acme, 5, services=["api"], environments=["production"], who="bob")
    record(db, acme, 9)
    assert marks(db, acme, Filters(services=(web,))) == {"web": [(1, 1)], "All services": [(9, 1)]}
    assert marks(db, acme, Filters(environments=("production",))) == {"api": [(5, 1)], "All services": [(9, 1)]}
    assert marks(db, acme, Filters(author="ANN")) == {"web": [(1, 1)]}
    assert marks(db, acme, Filters(text="%_s")) == {"web": [(1, 1)]}
    assert marks(db, acme, Filters(branch="main")) == {}


def test_it_pages_through_all_of_them_once(db: Database, acme: UUID) -> None:
    ids = [record(db, acme, number // 3) for number in range(25)]
    seen, cursor = [], ""
    while True:
        page = db.read_now(acme, find_events, EventFilters(), cursor, 7)
        seen += [event.id for event in page.events]
        cursor = page.next_cursor
        if not cursor:
            break
    assert sorted(seen) == sorted(map(str, ids)) and len(seen) == 25


def test_it_keeps_organizations_apart(db: Database, acme: UUID, elsewhere: UUID) -> None:
    made = record(db, acme, 1, reverts=str(UUID(int=7)))
    assert marks(db, elsewhere) == {} and db.read_now(elsewhere, find_event, made) is None
    theirs = record(db, elsewhere, 2, reverts=str(made))
    shown = db.read_now(elsewhere, find_event, theirs)
    assert shown is not None and shown.reverts_href == ""
    with pytest.raises(NotFound):
        db.write_now(elsewhere, remove_by_hand, actor(elsewhere), made)
    with pytest.raises(Invalid):
        record(db, elsewhere, 3, services=["web"])
    assert db.read_now(acme, find_event, made) is not None


def test_it_goes_from_the_lanes_with_its_service_and_is_not_of_all_then(db: Database, acme: UUID) -> None:
    web = next(id_ for id_, name in db.read_now(acme, services.names).items() if name == "web")
    made = record(db, acme, 1, services=["web"])
    db.write_now(acme, services.delete, actor(acme, Role.ADMIN), web)
    assert marks(db, acme) == {}
    left = db.read_now(acme, find_event, made)
    assert left is not None and left.services == () and not left.is_of_all_services


def test_it_takes_responders_only(db: Database, acme: UUID) -> None:
    made = record(db, acme, 1)
    with pytest.raises(NotAllowed):
        db.write_now(acme, record_by_hand, actor(acme, Role.VIEWER), checked_change({"kind": "other", "title": "x"}))
    with pytest.raises(NotAllowed):
        db.write_now(acme, remove_by_hand, actor(acme, Role.VIEWER), made)
    assert marks(db, acme) == {"All services": [(1, 1)]}
    db.write_now(acme, remove_by_hand, actor(acme), made)
    assert marks(db, acme) == {} and EVERYWHERE == ""
