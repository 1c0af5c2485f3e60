"""The delivery log: page by page, with the commits, for 30 days."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlmodel import delete, select

from blametrail.accounts import organizations
from blametrail.catalog import services
from blametrail.catalog.deploy_tokens import find
from blametrail.deploys.delivery_log import (
    KEPT,
    PAGE,
    DeliveryPage,
    Request,
    forget_old_deliveries,
    list_deliveries,
    log_delivery,
)
from blametrail.deploys.receive import deploy_act, receive
from blametrail.deploys.report import parse_report
from blametrail.deploys.tables import Delivery, Deploy
from blametrail.kit.clock import now
from blametrail.kit.db import EVERY_ORGANIZATION, Database, ScopedSession
from blametrail.kit.errors import Invalid
from blametrail.kit.keys import Key, KeyRing

KEYS = KeyRing((Key(b"k" * 32),))


def _service(db: Database, alice: UUID) -> tuple[UUID, UUID, str]:
    """A service of Alice's organization: both ids, and its token."""
    acme = UUID(db.read_now(EVERY_ORGANIZATION, organizations.of_person, alice)[0][0])
    draft = services.ServiceDraft.checked(name="web", environment="production", type="web")
    return (acme, *db.write_now(acme, services.create, KEYS, draft, "test"))


def test_it_forgets_what_is_old(db: Database, alice: UUID) -> None:
    acme, _, token = _service(db, alice)

    def log_two(session: ScopedSession) -> None:
        holder = find(session, KEYS, token)
        assert holder is not None
        session.narrow(holder.organization_id)
        for age in (KEPT + timedelta(minutes=1), KEPT - timedelta(minutes=1)):
            log_delivery(session, holder, Request("deploy", b"{}", "127.0.0.1", "x", now() - age), 200, "accepted")

    db.write_now(EVERY_ORGANIZATION, log_two)
    assert db.write_now(EVERY_ORGANIZATION, forget_old_deliveries) == 1
    assert len(db.read_now(acme, lambda s: s.exec(select(Delivery)).all())) == 1


def test_it_lists_page_by_page_both_ways(db: Database, alice: UUID) -> None:
    acme, service_id, token = _service(db, alice)
    start = now() - timedelta(days=1)

    def log(session: ScopedSession, numbers: range) -> None:
        holder = find(session, KEYS, token)
        assert holder is not None
        for number in numbers:
            # Pairs come at the same moment: a page may end between them.
            at = start + timedelta(minutes=number // 2)
            log_delivery(session, holder, Request("test", b"{}", "127.0.0.1", f"{number}", at), 200, "checked")

    def read(**place: str) -> DeliveryPage:
        return db.read_now(acme, list_deliveries, service_id, **place)

    db.write_now(acme, log, range(PAGE * 2 + 5))
    first = read()
    second = read(before=first.older)
    third = read(before=second.older)
    assert (first.newer, third.older) == ("", "")
    assert [len(page.deliveries) for page in (first, second, third)] == [PAGE, PAGE, 5]
    assert len({d.id for page in (first, second, third) for d in page.deliveries}) == PAGE * 2 + 5
    assert read(after=third.newer) == second
    assert read(after=second.newer) == first
    assert read(before="nonsense") == read(after="9" * 400 + "~x") == first

    db.write_now(acme, log, range(PAGE * 2 + 6, PAGE * 2 + 9))
    assert read(after=second.newer) != first, "what is new belongs to the first page"
    assert read(after=second.newer).deliveries[-1] == first.deliveries[-1]
    assert read(after=read(after=second.newer).newer) == read()


def test_it_names_the_commit_and_links_a_deploy_that_is_there(db: Database, alice: UUID) -> None:
    acme, service_id, token = _service(db, alice)

    def post(session: ScopedSession, body: bytes) -> None:
        content: Any
        try:
            content = parse_report(body)
        except Invalid as error:
            content = error
        came = Request("deploy", body, "127.0.0.1", "x", now())
        receive(session, KEYS, token, came, content if isinstance(content, Invalid) else deploy_act(came, content, None))

    for body in (b'{"commit_sha": "aaaaaaaaaaaa"}', b'{"commit_sha": "bbbbbbbbbbbb", "commits": 1}', b"no JSON"):
        db.write_now(EVERY_ORGANIZATION, post, body)
    shown = db.read_now(acme, list_deliveries, service_id).deliveries
    assert [(d.status, d.commit, bool(d.deploy_id)) for d in shown] == [
        (400, "", False),
        (400, "bbbbbbbbb", False),
        (200, "aaaaaaaaa", True),
    ]
    db.write_now(acme, lambda s: s.execute(delete(Deploy)))
    assert db.read_now(acme, list_deliveries, service_id).deliveries[-1].deploy_id == ""
