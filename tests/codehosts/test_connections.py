"""Connections keep a secret that only the one who asks the host ever sees."""

from __future__ import annotations

from dataclasses import asdict, replace
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlmodel import select

from blametrail.accounts import organizations, sessions
from blametrail.accounts.roles import Actor, Role
from blametrail.catalog.repositories import parse_repository
from blametrail.catalog.services import ServiceDraft, create
from blametrail.codehosts import connections
from blametrail.codehosts.access import Level
from blametrail.codehosts.draft import ConnectionDraft
from blametrail.codehosts.tables import Connection
from blametrail.kit.db import EVERY_ORGANIZATION, Database, ScopedSession
from blametrail.kit.errors import Invalid, NotAllowed, NotFound
from blametrail.kit.keys import Key, KeyRing
from blametrail.kit.vault import VaultError
from tests.running import PASSWORD

KEYS = KeyRing((Key(b"k" * 32),))
TOKEN = "ghp_canaryCanaryCanaryCanary0001"


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def draft(**fields: object) -> ConnectionDraft:
    usual = {"kind": "github", "host_url": "", "level": "read", "credential": "token", "secret": TOKEN}
    return ConnectionDraft.checked(**{**usual, **fields})  # type: ignore[arg-type]


@pytest.fixture
def owner(db: Database, alice: UUID) -> Actor:
    token = db.write_now(EVERY_ORGANIZATION, sessions.start, KEYS, alice, "127.0.0.1", "test")
    actor = db.read_now(EVERY_ORGANIZATION, sessions.find_actor, KEYS, token)
    assert actor is not None
    return actor


def test_it_shows_everything_but_the_secret(db: Database, owner: Actor) -> None:
    id_ = db.write_now(owner.organization_id, connections.add, KEYS, owner, draft())
    (view,) = db.read_now(owner.organization_id, connections.list_connections)
    assert (view.id, view.host_url, view.level, view.set_by) == (str(id_), "https://github.com", "read", owner.name)
    assert TOKEN not in repr(asdict(view)) and TOKEN not in repr(draft())
    row = db.read_now(owner.organization_id, lambda s: s.exec(select(Connection)).one())
    assert TOKEN not in repr(row)
    access = db.read_now(owner.organization_id, connections.access_to, KEYS, id_)
    assert access.secret == TOKEN and TOKEN not in repr(access)


def test_a_service_s_own_connection_wins(db: Database, owner: Actor) -> None:
    def make(name: str) -> UUID:
        service = ServiceDraft.checked(name=name, environment="production", type="web")
        return db.write_now(owner.organization_id, create, KEYS, service, "")[0]

    shop, other = make("shop"), make("other")
    db.write_now(owner.organization_id, connections.add, KEYS, owner, draft())
    db.write_now(owner.organization_id, connections.add, KEYS, owner, draft(secret="own", service_id=shop))
    link = parse_repository("acme/shop")

    def secret(service_id: UUID | None, of: str = "acme/shop") -> str | None:
        found = db.read_now(owner.organization_id, connections.access_for, KEYS, parse_repository(of), service_id)
        return found.secret if found else None

    assert (secret(shop), secret(other), secret(None)) == ("own", TOKEN, TOKEN)
    assert secret(shop, "https://gitlab.com/acme/shop") is None
    assert link.host_url == "https://github.com"


def test_it_keeps_one_a_host_and_forgets_what_it_knew_of_a_replaced_secret(db: Database, owner: Actor) -> None:
    id_ = db.write_now(owner.organization_id, connections.add, KEYS, owner, draft())
    with pytest.raises(Invalid, match="has a connection already"):
        db.write_now(owner.organization_id, connections.add, KEYS, owner, draft(host_url="https://github.com/"))

    def fault(session: ScopedSession) -> None:
        row = session.get_one(Connection, id_)
        row.fault, row.granted = "expired", "repo"

    db.write_now(owner.organization_id, fault)
    db.write_now(owner.organization_id, connections.replace_secret, KEYS, owner, id_, "another")
    (view,) = db.read_now(owner.organization_id, connections.list_connections)
    assert (view.fault, view.granted) == ("", "")
    assert db.read_now(owner.organization_id, connections.access_to, KEYS, id_).secret == "another"
    db.write_now(owner.organization_id, connections.change_level, owner, id_, "write")
    assert db.read_now(owner.organization_id, connections.access_to, KEYS, id_).level is Level.WRITE
    db.write_now(owner.organization_id, connections.remove, owner, id_)
    assert db.read_now(owner.organization_id, connections.list_connections) == []


def test_it_belongs_to_one_organization_and_to_admins(db: Database, owner: Actor) -> None:
    id_ = db.write_now(owner.organization_id, connections.add, KEYS, owner, draft())

    def found(session: ScopedSession) -> UUID:
        charlie = organizations.new_person(session, name="Charlie", email="charlie@example.com", password=PASSWORD)
        return organizations.found(session, charlie.id, "Globex")

    other_id = db.write_now(EVERY_ORGANIZATION, found)
    assert db.read_now(other_id, connections.list_connections) == []
    with pytest.raises(NotFound):
        db.read_now(other_id, connections.access_to, KEYS, id_)
    viewer = replace(owner, role=Role.VIEWER)
    for refused in (
        lambda: db.write_now(owner.organization_id, connections.add, KEYS, viewer, draft()),
        lambda: db.write_now(owner.organization_id, connections.replace_secret, KEYS, viewer, id_, "x"),
        lambda: db.write_now(owner.organization_id, connections.change_level, viewer, id_, "write"),
        lambda: db.write_now(owner.organization_id, connections.remove, viewer, id_),
    ):
        with pytest.raises(NotAllowed):
            refused()


def test_it_opens_nothing_that_was_moved_between_rows(db: Database, owner: Actor) -> None:
    one = db.write_now(owner.organization_id, connections.add, KEYS, owner, draft())
    two = db.write_now(owner.organization_id, connections.add, KEYS, owner, draft(kind="gitlab", secret="other-secret"))

    def swap(session: ScopedSession) -> None:
        a, b = (session.get_one(Connection, id_) for id_ in (one, two))
        a.secret_sealed, b.secret_sealed = b.secret_sealed, a.secret_sealed

    db.write_now(owner.organization_id, swap)
    for id_ in (one, two):
        with pytest.raises(VaultError):
            db.read_now(owner.organization_id, connections.access_to, KEYS, id_)


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"kind": "svn"}, "kind"),
        ({"level": "admin"}, "level"),
        ({"kind": "gitlab", "credential": "app"}, "credential"),
        ({"secret": ""}, "secret"),
        ({"secret": "two words"}, "secret"),
        ({"secret": "x" * 20_000}, "secret"),
        ({"secret": "line\nbreak"}, "secret"),
        ({"host_url": "ftp://x"}, "host_url"),
        ({"host_url": "https://user:pass@host"}, "host_url"),
        ({"host_url": "https://host:port"}, "host_url"),
        ({"host_url": "https://host/?a=b"}, "host_url"),
        ({"credential": "app", "secret": "not a key", "app_id": "1", "installation_id": "2"}, "secret"),
        (
            {
                "credential": "app",
                "secret": pem(ec.generate_private_key(ec.SECP256R1())),
                "app_id": "1",
                "installation_id": "2",
            },
            "secret",
        ),
        ({"credential": "app", "app_id": "one"}, "app_id"),
    ],
)
def test_it_refuses_what_cannot_work(fields: dict[str, str], wrong: str) -> None:
    with pytest.raises(Invalid) as refused:
        draft(**fields)
    assert wrong in refused.value.fields and TOKEN not in str(refused.value)


def test_it_takes_a_github_app() -> None:
    key = pem(rsa.generate_private_key(65537, 2048))
    made = draft(
        credential="app", secret=f"\n{key}\n", app_id=" 12 ", installation_id="34", host_url="https://ghe.example.com:8443/"
    )
    assert (made.app_id, made.installation_id, made.host_url) == ("12", "34", "https://ghe.example.com:8443")
