"""People, sessions and invitations over real HTTP, and what only shows below it."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import Any
from uuid import UUID

import httpx
import pytest
from aiosmtpd.controller import Controller
from sqlmodel import select

from blametrail.accounts import members, organizations, sessions
from blametrail.accounts.passwords import PasswordHash, hash_password
from blametrail.accounts.roles import Actor, Role
from blametrail.accounts.tables import Invitation, LoginSession, Membership, Organization, Person
from blametrail.kit.clock import now
from blametrail.kit.db import EVERY_ORGANIZATION, Database, ScopedSession
from blametrail.kit.errors import Conflict, Invalid, NotAllowed, NotFound, NotSignedIn
from blametrail.kit.keys import Key, KeyRing
from tests.cast import Cast, cast, opened
from tests.running import PASSWORD, Server, free_port, running

KEYS = KeyRing((Key(b"k" * 32),))


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Cast]]:
    with running(tmp_path_factory.mktemp("accounts") / "data", BLAMETRAIL_LOGIN_RATE_LIMIT="1000/minute") as server:
        server.found()
        yield server, cast(server)


def actor_of(db: Database, token: str) -> Actor | None:
    return db.read_now(EVERY_ORGANIZATION, sessions.find_actor, KEYS, token)


def signed_in(db: Database, person_id: UUID) -> Actor:
    token = db.write_now(EVERY_ORGANIZATION, sessions.start, KEYS, person_id, "127.0.0.1", "test")
    actor = actor_of(db, token)
    assert actor is not None
    return actor


def test_it_sets_up_once(stage: tuple[Server, Cast]) -> None:
    server, _ = stage
    again = server.form(httpx.Client(), "setup", organization="X", name="x", email="x@example.com", password=PASSWORD)
    assert again.status_code == 409


def test_it_protects_the_cookie(stage: tuple[Server, Cast]) -> None:
    server, _ = stage
    answer = server.form(httpx.Client(), "login", email="ALICE@example.com ", password=PASSWORD)
    cookie = answer.headers["set-cookie"]
    assert answer.status_code == 200
    assert "HttpOnly" in cookie and "SameSite=lax" in cookie and "Path=/" in cookie and "Secure" not in cookie


def test_it_marks_the_cookie_secure_behind_tls(tmp_path_factory: pytest.TempPathFactory) -> None:
    with running(tmp_path_factory.mktemp("tls") / "data", BLAMETRAIL_PUBLIC_URL="https://blame.example") as server:
        server.found()
        answer = httpx.post(
            f"{server.url}/form/login",
            json={"email": "alice@example.com", "password": PASSWORD},
            headers={"Origin": "https://blame.example"},
        )
        assert "Secure" in answer.headers["set-cookie"] and "strict-transport-security" in answer.headers
        assert server.form(httpx.Client(), "login", email="alice@example.com", password=PASSWORD).status_code == 403


@pytest.mark.parametrize("origin", ["https://evil.example", "null", ""])
def test_it_refuses_forms_of_other_sites(stage: tuple[Server, Cast], origin: str) -> None:
    server, _ = stage
    body = {"email": "alice@example.com", "password": PASSWORD}
    assert httpx.post(f"{server.url}/form/login", json=body, headers={"Origin": origin}).status_code == 403


@pytest.mark.parametrize(
    ("given", "led_to"),
    [
        ("/deploys?env=x", "/deploys?env=x"),
        ("https://evil.example", "/"),
        ("//evil.example", "/"),
        ("/\\evil", "/"),
        ("x", "/"),
        ("//[", "/"),
    ],
)
def test_it_leads_on_inside_only(stage: tuple[Server, Cast], given: str, led_to: str) -> None:
    server, _ = stage
    answer = server.form(httpx.Client(), "login", email="alice@example.com", password=PASSWORD, next=given)
    assert answer.json()["location"] == led_to


def test_it_does_not_tell_who_exists(stage: tuple[Server, Cast]) -> None:
    server, _ = stage

    def attempt(email: str) -> tuple[float, str]:
        began = time.perf_counter()
        answer = server.form(httpx.Client(), "login", email=email, password="not the password")
        assert answer.status_code == 401
        return time.perf_counter() - began, answer.json()["error"]["message"]

    known, unknown = ([attempt(email) for _ in range(7)] for email in ("alice@example.com", "nobody@example.com"))
    assert {words for _, words in known} == {words for _, words in unknown}
    ratio = median(t for t, _ in known) / median(t for t, _ in unknown)
    assert 0.4 < ratio < 2.5  # both hash a password; an early answer would be a tenth


def test_it_limits_guessing(tmp_path_factory: pytest.TempPathFactory) -> None:
    with running(tmp_path_factory.mktemp("guess") / "data", BLAMETRAIL_LOGIN_RATE_LIMIT="3/minute") as server:
        server.found()
        client = httpx.Client()
        codes = [server.form(client, "login", email="alice@example.com", password="wrong words").status_code for _ in range(4)]
        assert codes == [401, 401, 401, 429]
        right = server.form(client, "login", email="alice@example.com", password=PASSWORD)
        assert right.status_code == 429 and int(right.headers["retry-after"]) >= 1


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Cast]]:
    """Five guesses a minute for each person; each test guesses at one of its own."""
    limits = {"BLAMETRAIL_LOGIN_RATE_LIMIT": "5/minute", "BLAMETRAIL_TRUSTED_PROXY_HOPS": "1"}
    with running(tmp_path_factory.mktemp("guarded") / "data", **limits) as server:
        server.found()
        yield server, cast(server)


def _at_once(count: int, attempt: Callable[[int], httpx.Response]) -> Counter[int]:
    with ThreadPoolExecutor(count) as threads:
        return Counter(answer.status_code for answer in threads.map(attempt, range(count)))


def _guess(server: Server, path: str, i: int, cookie: str = "", address: str = "", **fields: Any) -> httpx.Response:
    headers = {"Origin": server.url, "Cookie": cookie, "X-Forwarded-For": address or f"9.9.9.{i}"}
    return httpx.post(f"{server.url}/form/{path}", json=fields, headers=headers, timeout=60)


def test_it_counts_guesses_made_at_once(guarded: tuple[Server, Cast]) -> None:
    server, _ = guarded
    told = _at_once(30, lambda i: _guess(server, "login", i, email="charlie@example.com", password=f"wrong {i}"))
    assert told == {401: 5, 429: 25}


def test_it_counts_spellings_of_an_address_as_one(guarded: tuple[Server, Cast]) -> None:
    server, _ = guarded
    spellings = [
        "bob@example.com",
        "bob@\uff45xample.com",
        "BOB@e\uff58ample.com",
        " bob@ex\uff41mple.com ",
        "Bob@EXAMPLE.com",
        "bob@example.com",
    ]
    told = [_guess(server, "login", i, email=email, password="wrong").status_code for i, email in enumerate(spellings)]
    assert told == [401, 401, 401, 401, 401, 429]


def test_it_counts_guesses_of_all_forms_together(guarded: tuple[Server, Cast]) -> None:
    server, cast = guarded
    charlie, vera = cast.cookies["charlie"], cast.cookies["vera"]
    link = _guess(server, "invite", 1, charlie, email="vera@example.com", role="viewer").json()["secret"]
    token = link.partition("#")[2]
    told = [
        _guess(server, "password", 2, vera, current_password="wrong", new_password="a new password!").status_code,
        _guess(server, "password", 3, vera, current_password="wrong", new_password="a new password!").status_code,
        _guess(server, "join", 4, token=token, name="", password="wrong").status_code,
        _guess(server, "login", 5, email="vera@example.com", password="wrong").status_code,
        _guess(server, "login", 5, email="vera@example.com", password="wrong again").status_code,
        _guess(server, "password", 6, vera, current_password=PASSWORD, new_password="a new password!").status_code,
        _guess(server, "join", 7, token=token, name="", password=PASSWORD).status_code,
        _guess(server, "login", 8, email="vera@example.com", password=PASSWORD).status_code,
    ]
    assert told == [400, 400, 400, 401, 401, 429, 429, 429]


def test_it_counts_an_ipv6_network_as_one_sender(guarded: tuple[Server, Cast]) -> None:
    server, _ = guarded

    def attempt(i: int, network: str = "2001:db8:0:1") -> int:
        address = f"{network}::{i:x}"
        return _guess(server, "login", i, address=address, email=f"no{i}@example.com", password="wrong").status_code

    assert [attempt(i) for i in range(52)] == [401] * 50 + [429] * 2
    assert attempt(18, "2001:db8:0:2") == 401


def test_it_takes_deploys_while_many_guess(stage: tuple[Server, Cast]) -> None:
    server, cast = stage
    with ThreadPoolExecutor(61) as threads:
        guesses = [
            threads.submit(_guess, server, "login", 1, email=f"no{i}@example.com", password="wrong words") for i in range(60)
        ]
        slowest = 0.0
        for i in range(10):
            began = time.monotonic()
            assert server.post(cast.token, {"commit_sha": f"abc{i}", "commit_message": "m" * 60_000}).status_code == 200
            slowest = max(slowest, time.monotonic() - began)
        told = Counter(guess.result().status_code for guess in guesses)
    assert slowest < 5
    assert set(told) <= {401, 429} and told[401] >= 20


def test_set_up_at_once_founds_one_organization(tmp_path_factory: pytest.TempPathFactory) -> None:
    with running(tmp_path_factory.mktemp("setups") / "data") as server:

        def set_up(i: int) -> httpx.Response:
            fields = {"organization": f"O{i}", "name": "x", "email": f"o{i}@example.com", "password": PASSWORD}
            return _guess(server, "setup", i, **fields)

        assert _at_once(12, set_up) == {200: 1, 409: 11}
        with opened(server) as db:
            assert len(db.read_now(EVERY_ORGANIZATION, lambda s: s.exec(select(Organization)).all())) == 1


def test_it_ends_a_session_at_log_out(stage: tuple[Server, Cast]) -> None:
    server, _ = stage
    client = server.sign_in("bob@example.com")
    token = client.cookies[sessions.COOKIE]
    assert server.form(client, "logout").status_code == 200
    client.cookies.set(sessions.COOKIE, token)
    answer = server.form(client, "password", current_password=PASSWORD, new_password="another password")
    assert answer.status_code == 401


def test_it_ends_other_sessions_with_a_new_password(stage: tuple[Server, Cast]) -> None:
    server, _ = stage
    one, other = server.sign_in("vera@example.com"), server.sign_in("vera@example.com")
    assert server.form(one, "password", current_password="wrong", new_password="a new password!").status_code == 400
    assert server.form(one, "password", current_password=PASSWORD, new_password="a new password!").status_code == 200
    assert server.form(other, "password", current_password="x", new_password="y").status_code == 401
    assert server.form(one, "password", current_password="a new password!", new_password=PASSWORD).status_code == 200


def test_it_invites_once_for_a_while(stage: tuple[Server, Cast]) -> None:
    server, _ = stage
    alice = server.sign_in()
    made = server.form(alice, "invite", email="erin@example.com", role="responder").json()
    token = made["secret"].partition("#")[2]
    assert made["secret"].startswith("http") and "/join#inv_" in made["secret"]
    seen = server.form(httpx.Client(), "invitation", token=token).json()
    assert (seen["organization"], seen["email"], seen["role"], seen["has_account"]) == (
        "Acme",
        "erin@example.com",
        "responder",
        False,
    )
    joined = httpx.Client()
    assert server.form(joined, "join", token=token, name="Erin", password=PASSWORD).status_code == 200
    assert server.form(httpx.Client(), "join", token=token, name="Eve", password=PASSWORD).status_code == 404
    assert server.form(httpx.Client(), "invitation", token=token).status_code == 404
    assert server.form(joined, "invite", email="x@example.com", role="viewer").status_code == 403
    assert server.form(alice, "invite", email="erin@example.com", role="viewer").status_code == 400
    assert server.form(alice, "invite", email="new@example.com", role="owner").status_code == 400


def test_it_refuses_an_old_invitation(stage: tuple[Server, Cast]) -> None:
    server, _ = stage
    token = server.form(server.sign_in(), "invite", email="late@example.com", role="viewer").json()["secret"].partition("#")[2]
    with opened(server) as db:

        def age(session: ScopedSession) -> None:
            row = session.exec(select(Invitation).where(Invitation.email == "late@example.com")).one()
            row.expires_at = now() - members.INVITATION_LIFETIME
            session.add(row)

        db.write_now(EVERY_ORGANIZATION, age)
    assert server.form(httpx.Client(), "join", token=token, name="L", password=PASSWORD).status_code == 404


def test_it_mails_an_invitation(tmp_path_factory: pytest.TempPathFactory) -> None:
    class Inbox:
        letters: list[str]

        async def handle_DATA(self, server: object, session: object, envelope: object) -> str:
            self.letters.append(envelope.content.decode())  # type: ignore[attr-defined]
            return "250 OK"

    inbox = Inbox()
    inbox.letters = []
    post_office = Controller(inbox, hostname="127.0.0.1", port=free_port())
    post_office.start()
    try:
        smtp = f"smtp://127.0.0.1:{post_office.port}"
        with running(tmp_path_factory.mktemp("mail") / "data", BLAMETRAIL_SMTP_URL=smtp) as server:
            server.found()
            told = server.form(server.sign_in(), "invite", email="erin@example.com", role="viewer").json()
            assert told["message"] == "Sent to erin@example.com."
            assert "/join#inv_" in inbox.letters[0] and "Acme" in inbox.letters[0]
    finally:
        post_office.stop()


def test_it_lets_somebody_known_join_by_the_password(db: Database, alice: UUID) -> None:
    other = db.write_now(EVERY_ORGANIZATION, organizations.found, alice, "Second")
    bob = db.write_now(
        EVERY_ORGANIZATION, lambda s: organizations.new_person(s, name="Bob", email="bob@example.com", password=PASSWORD).id
    )
    db.write_now(EVERY_ORGANIZATION, organizations.found, bob, "Of Bob")
    owner = signed_in(db, alice)
    token = db.write_now(owner.organization_id, members.invite, KEYS, owner, "bob@example.com", "viewer")

    def join(password: str) -> tuple[UUID, UUID]:
        return asyncio.run(members.join(db, KEYS, token, "", password))

    with pytest.raises(Invalid):
        join("not the password")
    joined = join(PASSWORD)
    assert joined == (bob, owner.organization_id) and other != owner.organization_id


def test_it_keeps_exactly_one_owner(db: Database, alice: UUID) -> None:
    owner = signed_in(db, alice)
    token = db.write_now(owner.organization_id, members.invite, KEYS, owner, "bob@example.com", "admin")
    bob, _ = db.write_now(EVERY_ORGANIZATION, members.accept, KEYS, token, "Bob", PasswordHash(hash_password(PASSWORD)))
    admin = signed_in(db, bob)
    ids = {m.email: UUID(m.id) for m in db.read_now(owner.organization_id, members.list_members, owner)}
    for refused, error in (
        (lambda s: members.remove(s, owner, ids["alice@example.com"]), Conflict),
        (lambda s: members.change_role(s, admin, ids["alice@example.com"], "viewer"), Conflict),
        (lambda s: organizations.transfer(s, admin, ids["bob@example.com"]), NotAllowed),
        (lambda s: organizations.transfer(s, owner, ids["alice@example.com"]), NotFound),
    ):
        with pytest.raises(error):
            db.write_now(owner.organization_id, refused)
    db.write_now(owner.organization_id, organizations.transfer, owner, ids["bob@example.com"])
    roles = sorted(m.role for m in db.read_now(owner.organization_id, members.list_members, owner))
    assert roles == ["admin", "owner"]


def test_it_asks_for_the_role_anew_in_each_change(db: Database, alice: UUID) -> None:
    """`stale` was the owner when an event began; meanwhile somebody else became it."""
    stale = signed_in(db, alice)
    people = {}
    for name in ("bob", "vera"):
        token = db.write_now(stale.organization_id, members.invite, KEYS, stale, f"{name}@example.com", "viewer")
        proof = PasswordHash(hash_password(PASSWORD))
        people[name], _ = db.write_now(EVERY_ORGANIZATION, members.accept, KEYS, token, name, proof)
    ids = {m.email: UUID(m.id) for m in db.read_now(stale.organization_id, members.list_members, stale)}
    bob, vera = ids["bob@example.com"], ids["vera@example.com"]
    with ThreadPoolExecutor(2) as threads:
        told = list(
            threads.map(
                lambda heir: _error(lambda: db.write_now(stale.organization_id, organizations.transfer, stale, heir)),
                (bob, vera),
            )
        )
    assert Counter(told) == {None: 1, NotAllowed: 1}
    rows = db.read_now(stale.organization_id, members.list_members, stale)
    assert sorted(m.role for m in rows) == ["admin", "owner", "viewer"]
    viewer = next(UUID(m.id) for m in rows if m.role == "viewer")
    owner = next(people[m.email.partition("@")[0]] for m in rows if m.role == "owner")
    db.write_now(stale.organization_id, members.change_role, signed_in(db, owner), ids["alice@example.com"], "viewer")
    for change in (
        lambda s: members.invite(s, KEYS, stale, "eve@example.com", "admin"),
        lambda s: members.withdraw(s, stale, viewer),
        lambda s: members.change_role(s, stale, viewer, "admin"),
        lambda s: members.remove(s, stale, viewer),
        lambda s: organizations.update(s, stale, name="X", time_zone="UTC", lookback_hours=1, retention_days=7),
        lambda s: organizations.delete(s, stale, "Acme"),
    ):
        assert _error(lambda change=change: db.write_now(stale.organization_id, change)) is NotAllowed  # type: ignore[misc]
    db.write_now(stale.organization_id, members.remove, stale, ids["alice@example.com"])
    assert _error(lambda: db.write_now(stale.organization_id, members.remove, stale, viewer)) is NotAllowed


def _error(attempt: Callable[[], object]) -> type[Exception] | None:
    try:
        attempt()
    except Exception as error:
        return type(error)
    return None


def test_a_login_under_way_does_not_survive_a_new_password(db: Database, alice: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    actor = signed_in(db, alice)

    async def verify_then_lose(stored: str | None, _password: str) -> bool:
        db.write_now(EVERY_ORGANIZATION, _set_hash, alice, "changed meanwhile" if stored != "changed meanwhile" else "again")
        return True

    monkeypatch.setattr(sessions, "verify_apart", verify_then_lose)
    login = sessions.sign_in(db, KEYS, email="alice@example.com", password=PASSWORD, address="", user_agent="")
    with pytest.raises(NotSignedIn):
        asyncio.run(login)
    with pytest.raises(Conflict):
        asyncio.run(sessions.change_password(db, actor, PASSWORD, "a new password!"))
    assert db.read_now(EVERY_ORGANIZATION, lambda s: s.get_one(Person, alice).password_hash) == "again"


def _set_hash(session: ScopedSession, person_id: UUID, value: str) -> None:
    person = session.get_one(Person, person_id)
    person.password_hash = value
    session.add(person)


def test_it_deletes_an_organization_with_all_that_is_its_own(db: Database, alice: UUID) -> None:
    owner = signed_in(db, alice)
    with pytest.raises(Invalid):
        db.write_now(owner.organization_id, organizations.delete, owner, "acme?")
    db.write_now(owner.organization_id, organizations.delete, owner, "Acme")
    left = db.read_now(EVERY_ORGANIZATION, lambda s: [len(s.exec(select(t)).all()) for t in (Person, Membership, LoginSession)])
    assert left == [0, 0, 0]


def test_it_ends_a_session_by_time_and_by_removal(db: Database, alice: UUID) -> None:
    token = db.write_now(EVERY_ORGANIZATION, sessions.start, KEYS, alice, "127.0.0.1", "test")
    actor = actor_of(db, token)
    assert actor is not None and actor.role is Role.OWNER

    def change(session: ScopedSession) -> None:
        row = session.exec(select(LoginSession)).one()
        row.expires_at = now()
        session.add(row)

    db.write_now(EVERY_ORGANIZATION, change)
    assert actor_of(db, token) is None
    db.write_now(EVERY_ORGANIZATION, sessions.slide, KEYS, token)
    assert actor_of(db, token) is not None
    db.write_now(EVERY_ORGANIZATION, sessions.end, KEYS, token)
    assert actor_of(db, token) is None


@pytest.mark.parametrize("password", ["short", "a" * 201, "aaaaaaaaaaaa"])
def test_it_refuses_weak_passwords(db: Database, password: str) -> None:
    with pytest.raises(Invalid) as refused:
        db.write_now(
            EVERY_ORGANIZATION, lambda s: organizations.new_person(s, name="x", email="x@example.com", password=password)
        )
    assert "password" in refused.value.fields
