"""API tokens: who makes them, how long they live, when they end."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlmodel import select

from blametrail.accounts import api_tokens, organizations, sessions
from blametrail.accounts.roles import Actor, Role
from blametrail.accounts.tables import ApiToken, Membership
from blametrail.kit.clock import now
from blametrail.kit.db import EVERY_ORGANIZATION, Database
from blametrail.kit.errors import Invalid, NotAllowed, NotFound, NotSignedIn
from blametrail.kit.keys import Key, KeyRing

OLD, NEW = Key(b"an old key of tests that is long enough"), Key(b"a new key of tests that is long enough")
KEYS = KeyRing((OLD,))


@pytest.fixture
def owner(db: Database, alice: UUID) -> Actor:
    return actor(db, alice)


def actor(db: Database, person_id: UUID) -> Actor:
    cookie = db.write_now(EVERY_ORGANIZATION, sessions.start, KEYS, person_id, "", "")
    found = db.read_now(EVERY_ORGANIZATION, sessions.find_actor, KEYS, cookie)
    assert found is not None
    return found


def make(db: Database, owner: Actor, name: str = "grafana", days: str = "") -> str:
    return db.write_now(owner.organization_id, api_tokens.make, KEYS, owner, name, days)


def check(db: Database, token: str, keys: KeyRing = KEYS) -> api_tokens.Reader:
    return db.read_now(EVERY_ORGANIZATION, api_tokens.check, keys, token)


def change(db: Database, **fields: Any) -> None:
    def write(session: Any) -> None:
        for row in session.exec(select(ApiToken)):
            for name, value in fields.items():
                setattr(row, name, value)
            session.add(row)

    db.write_now(EVERY_ORGANIZATION, write)


def test_it_stands_for_one_organization(db: Database, owner: Actor) -> None:
    token = make(db, owner)
    assert token.startswith("bt_") and len(token) == 46
    assert check(db, token).organization_id == owner.organization_id
    elsewhere = db.write_now(EVERY_ORGANIZATION, organizations.found, owner.person_id, "Elsewhere")
    assert db.read_now(elsewhere, api_tokens.list_tokens) == []


def test_it_lists_everything_but_the_token(db: Database, owner: Actor) -> None:
    token = make(db, owner, " grafana ", "30")
    (shown,) = db.read_now(owner.organization_id, api_tokens.list_tokens)
    assert (shown.name, shown.start, shown.created_by, shown.state) == ("grafana", token[:8], "Alice", "valid")
    assert shown.expires_at is not None and shown.expires_at - shown.created_at > timedelta(days=29)
    assert shown.used_at is None and token not in repr(shown)


@pytest.mark.parametrize("token", ["", "bt_", "bt_unknown", "dpl_" + "x" * 43, "bt_\ud800", "bt_" + "x" * 10_000])
def test_it_knows_no_other_token(db: Database, owner: Actor, token: str) -> None:
    make(db, owner)
    with pytest.raises(NotSignedIn, match="not known"):
        check(db, token)


def test_it_knows_a_token_by_all_of_it(db: Database, owner: Actor) -> None:
    token = make(db, owner)
    for other in (token[:-1], token + "x", token.swapcase(), token[:8], f" {token}"):
        with pytest.raises(NotSignedIn):
            check(db, other)


def test_it_ends_when_revoked(db: Database, owner: Actor) -> None:
    token, other = make(db, owner), make(db, owner, "other")
    db.write_now(owner.organization_id, api_tokens.revoke, owner, check(db, token).token_id)
    with pytest.raises(NotSignedIn, match="revoked on"):
        check(db, token)
    assert check(db, other)
    states = {t.name: t.state for t in db.read_now(owner.organization_id, api_tokens.list_tokens)}
    assert states == {"grafana": "revoked", "other": "valid"}


def test_it_keeps_when_it_was_first_revoked(db: Database, owner: Actor) -> None:
    token_id = check(db, make(db, owner)).token_id
    times = []
    for _ in range(2):
        db.write_now(owner.organization_id, api_tokens.revoke, owner, token_id)
        times += [one.revoked_at for one in db.read_now(owner.organization_id, api_tokens.list_tokens)]
    assert times[0] == times[1] is not None


def test_it_ends_when_it_expires(db: Database, owner: Actor) -> None:
    token = make(db, owner, days="1")
    change(db, expires_at=now() + timedelta(minutes=1))
    assert check(db, token)
    change(db, expires_at=now() - timedelta(microseconds=1))
    with pytest.raises(NotSignedIn, match="expired on"):
        check(db, token)
    assert db.read_now(owner.organization_id, api_tokens.list_tokens)[0].state == "expired"


@pytest.mark.parametrize("days", ["0", "-1", "3651", "1.5", "soon", "1e3", "٣٠٠٠٠", "9" * 5_000])
def test_it_refuses_a_lifetime_that_is_none(db: Database, owner: Actor, days: str) -> None:
    with pytest.raises(Invalid) as refused:
        make(db, owner, days=days)
    assert set(refused.value.fields) == {"days"}


@pytest.mark.parametrize("name", ["", "   ", "x" * 101])
def test_it_refuses_a_name_that_is_none(db: Database, owner: Actor, name: str) -> None:
    with pytest.raises(Invalid) as refused:
        make(db, owner, name)
    assert set(refused.value.fields) == {"name"}


@pytest.mark.parametrize("role", [Role.RESPONDER, Role.VIEWER])
def test_it_lets_admins_only_make_and_revoke(db: Database, owner: Actor, role: Role) -> None:
    """The role counts that the person has in the transaction, not the one of a moment ago."""
    token_id = check(db, make(db, owner)).token_id

    def demote(session: Any) -> None:
        for row in session.exec(select(Membership)):
            row.role = role
            session.add(row)

    db.write_now(EVERY_ORGANIZATION, demote)
    with pytest.raises(NotAllowed):
        make(db, owner)
    with pytest.raises(NotAllowed):
        db.write_now(owner.organization_id, api_tokens.revoke, owner, token_id)
    assert len(db.read_now(owner.organization_id, api_tokens.list_tokens)) == 1


def test_it_revokes_nothing_of_another_organization(db: Database, owner: Actor) -> None:
    token = make(db, owner)
    charlie = db.write_now(
        EVERY_ORGANIZATION,
        lambda s: organizations.new_person(s, name="Charlie", email="charlie@example.com", password="long words").id,
    )
    db.write_now(EVERY_ORGANIZATION, organizations.found, charlie, "Elsewhere")
    thief = actor(db, charlie)
    for token_id in (check(db, token).token_id, uuid4()):
        with pytest.raises(NotFound):
            db.write_now(thief.organization_id, api_tokens.revoke, thief, token_id)
    assert check(db, token)
    with pytest.raises(NotAllowed):  # not even by claiming to act where the token is
        db.write_now(
            owner.organization_id, api_tokens.make, KEYS, replace(thief, organization_id=owner.organization_id), "x", ""
        )


def test_it_notes_the_last_use_and_changes_over_to_the_current_key(db: Database, owner: Actor) -> None:
    token = make(db, owner)
    both = KeyRing((NEW, OLD))
    reader = check(db, token, both)
    assert not reader.is_noted("192.0.2.1")
    db.write_now(owner.organization_id, api_tokens.note_use, both, reader.token_id, token, "192.0.2.1")
    reader = check(db, token, KeyRing((NEW,)))
    assert reader.is_noted("192.0.2.1") and not reader.is_noted("192.0.2.2")
    change(db, used_at=now() - api_tokens.NOTE_USE_AFTER)
    assert not check(db, token, both).is_noted("192.0.2.1")
    with pytest.raises(NotSignedIn):
        check(db, token, KEYS)
