"""Envelopes open where they were made, with the key that made them, and nowhere else."""

from __future__ import annotations

import base64
from uuid import UUID, uuid4

import pytest
from sqlmodel import select

from blametrail.catalog.services import ServiceDraft, create
from blametrail.catalog.tables import Service
from blametrail.kit.db import EVERY_ORGANIZATION, Database, ScopedSession
from blametrail.kit.keys import Key, KeyRing
from blametrail.kit.vault import Place, VaultError, place_of, reseal_some, seal, unseal

OLD, NEW = Key(b"the old key of tests, long enough"), Key(b"the new key of tests, long enough")
RING = KeyRing((OLD,))
PLACE = Place(uuid4(), "connection", "token_sealed", uuid4())
SECRET = "canary-token é🙂"


def test_it_opens_what_it_sealed() -> None:
    assert unseal(RING, PLACE, seal(RING, PLACE, SECRET)) == SECRET
    assert unseal(RING, PLACE, seal(RING, PLACE, "")) == ""


def test_it_never_seals_alike() -> None:
    assert seal(RING, PLACE, SECRET) != seal(RING, PLACE, SECRET)


@pytest.mark.parametrize(
    "elsewhere",
    [
        Place(uuid4(), PLACE.table, PLACE.column, PLACE.row_id),
        Place(PLACE.organization_id, "monitor", PLACE.column, PLACE.row_id),
        Place(PLACE.organization_id, PLACE.table, "webhook_sealed", PLACE.row_id),
        Place(PLACE.organization_id, PLACE.table, PLACE.column, uuid4()),
    ],
)
def test_it_opens_nowhere_else(elsewhere: Place) -> None:
    envelope = seal(RING, PLACE, SECRET)
    with pytest.raises(VaultError, match="another row"):
        unseal(RING, elsewhere, envelope)


def test_it_notices_every_changed_byte() -> None:
    head, _, content = seal(RING, PLACE, SECRET).rpartition(".")
    raw = base64.b64decode(content)
    for position in range(len(raw)):
        changed = bytes([*raw[:position], raw[position] ^ 1, *raw[position + 1 :]])
        with pytest.raises(VaultError):
            unseal(RING, PLACE, f"{head}.{base64.b64encode(changed).decode()}")


@pytest.mark.parametrize(
    "envelope", ["", "v1", "v2.aaaa.bbbb", "v1.aaaaaaaa.AAAA", f"v1.{OLD.id}.", f"v1.{OLD.id}.é", f"v1.{OLD.id}.AAAA"]
)
def test_it_says_what_is_wrong_and_nothing_more(envelope: str) -> None:
    with pytest.raises(VaultError):
        unseal(RING, PLACE, envelope)


def test_it_needs_the_key_that_sealed() -> None:
    envelope = seal(RING, PLACE, SECRET)
    with pytest.raises(VaultError, match=OLD.id):
        unseal(KeyRing((NEW,)), PLACE, envelope)
    assert unseal(KeyRing((NEW, OLD)), PLACE, envelope) == SECRET


def test_it_seals_again_bit_by_bit_and_keeps_what_changed_meanwhile(db: Database, alice: UUID) -> None:
    """On any column of text: the vault knows no table."""

    def fill(session: ScopedSession) -> None:
        organization_id = session.exec(select(Service.organization_id)).first()
        assert organization_id is None
        from blametrail.accounts.tables import Organization

        session.narrow(session.exec(select(Organization.id)).one())
        for number in range(7):
            service_id, _ = create(
                session, RING, ServiceDraft.checked(name=f"s{number}", environment="production", type="web"), ""
            )
            row = session.get_one(Service, service_id)
            row.url = seal(RING, place_of(row, "url"), f"secret {number}")
            session.add(row)

    db.write_now(EVERY_ORGANIZATION, fill)
    both = KeyRing((NEW, OLD))
    assert [db.write_now(EVERY_ORGANIZATION, reseal_some, both, Service, "url", 3) for _ in range(4)] == [3, 3, 1, 0]
    rows = db.read_now(EVERY_ORGANIZATION, lambda s: list(s.exec(select(Service))))
    assert {unseal(KeyRing((NEW,)), place_of(row, "url"), row.url) for row in rows} == {f"secret {n}" for n in range(7)}
