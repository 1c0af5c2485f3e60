"""The delivery log forgets after 30 days."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from sqlmodel import select

from blametrail.accounts import organizations
from blametrail.catalog import services
from blametrail.catalog.deploy_tokens import find
from blametrail.deploys.delivery_log import KEPT, Request, forget_old_deliveries, log_delivery
from blametrail.deploys.tables import Delivery
from blametrail.kit.clock import now
from blametrail.kit.db import EVERY_ORGANIZATION, Database, ScopedSession
from blametrail.kit.keys import Key, KeyRing

KEYS = KeyRing((Key(b"k" * 32),))


def test_it_forgets_what_is_old(db: Database, alice: UUID) -> None:
    acme = UUID(db.read_now(EVERY_ORGANIZATION, organizations.of_person, alice)[0][0])
    draft = services.ServiceDraft.checked(name="web", environment="production", type="web")
    _, token = db.write_now(acme, services.create, KEYS, draft, "test")

    def log_two(session: ScopedSession) -> None:
        holder = find(session, KEYS, token)
        assert holder is not None
        session.narrow(holder.organization_id)
        for age in (KEPT + timedelta(minutes=1), KEPT - timedelta(minutes=1)):
            log_delivery(session, holder, Request("deploy", b"{}", "127.0.0.1", "x", now() - age), 200, "accepted")

    db.write_now(EVERY_ORGANIZATION, log_two)
    assert db.write_now(EVERY_ORGANIZATION, forget_old_deliveries) == 1
    assert len(db.read_now(acme, lambda s: s.exec(select(Delivery)).all())) == 1
