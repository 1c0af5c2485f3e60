"""A deploy finds its place among the others of its service and environment, whenever it arrives."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blametrail.accounts.tables import Organization
from blametrail.catalog import deploy_tokens, services
from blametrail.catalog.deploy_tokens import TokenHolder
from blametrail.deploys.lineage import Kind, kinds
from blametrail.deploys.record import Recorded, record_deploy
from blametrail.deploys.report import DeployReport, parse_report
from blametrail.deploys.tables import Deploy, DeployCommit
from blametrail.kit.db import EVERY_ORGANIZATION, Database, ScopedSession, select
from blametrail.kit.keys import Key, KeyRing

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEYS = KeyRing((Key(b"a key of tests that is long enough"),))
TOKENS: dict[UUID, str] = {}


def report(**fields: Any) -> DeployReport:
    """A report as CI sends it."""
    return parse_report(json.dumps({"commit_sha": "a", **fields}, default=datetime.isoformat).encode())


histories = st.lists(st.tuples(st.integers(0, 5), st.sampled_from("abcd")), max_size=9)


@pytest.fixture
def shop(db: Database, alice: UUID) -> TokenHolder:
    """The token of a service of Acme."""
    return _service(db, "Shop")


@given(histories)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_it_gives_the_same_history_in_any_order_of_arrival(
    db: Database, shop: TokenHolder, arriving: list[tuple[int, str]]
) -> None:
    shop = replace(shop, environment=uuid4().hex)
    for minute, commit in arriving:
        _record(db, shop, commit, NOON + timedelta(minutes=minute))
    _check_history(_stored(db, shop), sorted(arriving))


def test_it_finds_its_place_by_an_index_alone(db: Database, shop: TokenHolder) -> None:
    """A search that reads every deploy of a service would make each post slower than the one before."""
    if not db.is_sqlite:
        pytest.skip("SQLite tells its plan in words")
    statements: list[str] = []
    db.write_now(EVERY_ORGANIZATION, lambda s: s.connection().connection.set_trace_callback(statements.append))
    _record(db, shop, "a", NOON)
    _record(db, shop, "b", NOON + timedelta(minutes=1))
    searches = [text for text in statements if text.startswith("SELECT") and "FROM deploy \n" in text]
    assert searches
    plans = db.read_now(EVERY_ORGANIZATION, lambda s: [_plan(s, text) for text in searches])
    assert {index for plan in plans for index in re.findall(r"SEARCH deploy USING (.*?) \(", plan)} == {
        "COVERING INDEX ix_deploy_lineage",
        "COVERING INDEX ix_deploy_commit",
    }, plans


def test_it_gives_the_same_history_when_all_arrive_at_once(db: Database, shop: TokenHolder) -> None:
    sent = [(minute, "abcab"[minute % 5]) for minute in range(24)]
    barrier = Barrier(8)

    def post(one: tuple[int, str]) -> None:
        barrier.wait(30)
        _record(db, shop, one[1], NOON + timedelta(minutes=one[0]))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(post, reversed(sent)))
    _check_history(_stored(db, shop), sent)


def test_it_makes_one_deploy_of_a_key_sent_at_once(db: Database, shop: TokenHolder) -> None:
    barrier = Barrier(8)

    def post(_: int) -> Recorded:
        barrier.wait(30)
        return _record(db, shop, "abc", key="run-1")

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(post, range(8)))
    assert sorted(a.status for a in answers) == ["accepted", *["duplicate"] * 7]
    assert {a.deploy_id for a in answers} == {row.id for row in _stored(db, shop)}


def test_it_says_what_a_rollback_returns_to(db: Database, shop: TokenHolder) -> None:
    first, _, back = (_record(db, shop, commit, NOON + timedelta(minutes=i)).deploy_id for i, commit in enumerate("aba"))
    rows = {row.id: row for row in _stored(db, shop)}
    assert (rows[back].kind, rows[back].rollback_of_id, rows[back].previous_sha) == (Kind.ROLLBACK, first, "b")


def test_it_makes_a_rollback_of_a_deploy_when_an_earlier_one_comes_late(db: Database, shop: TokenHolder) -> None:
    _record(db, shop, "b", NOON)
    _record(db, shop, "a", NOON + timedelta(minutes=1))
    assert [row.kind for row in _stored(db, shop)] == ["first", "deploy"]
    _record(db, shop, "a", NOON - timedelta(minutes=1))
    assert [row.kind for row in _stored(db, shop)] == ["first", "deploy", "rollback"]


def test_it_keeps_environments_and_services_apart(db: Database, shop: TokenHolder) -> None:
    other = _service(db, "Blog")
    for holder in (shop, replace(shop, environment="staging"), other):
        _record(db, holder, "a", NOON)
        assert [(row.kind, row.previous_sha) for row in _stored(db, holder)] == [("first", "")]


@pytest.mark.parametrize("distance", [timedelta(days=-400), timedelta(minutes=-10), timedelta(minutes=10), timedelta(days=400)])
def test_it_keeps_late_and_future_times_as_sent(db: Database, shop: TokenHolder, distance: timedelta) -> None:
    _record(db, shop, "a", NOON + distance, received_at=NOON)
    (row,) = _stored(db, shop)
    assert (row.deployed_at, row.received_at) == (NOON + distance, NOON)


def test_it_takes_the_time_of_receipt_when_none_is_sent(db: Database, shop: TokenHolder) -> None:
    _record(db, shop, "a", received_at=NOON)
    (row,) = _stored(db, shop)
    assert (row.deployed_at, row.received_at) == (NOON, NOON)


@pytest.mark.parametrize(
    ("sent", "remark"),
    [
        (report(deployed_at=NOON + timedelta(minutes=6)), "in the future"),
        (report(previous_commit_sha="a"), "its own commit"),
        (report(commits=[{"sha": "b"}]), "does not hold the commit"),
    ],
)
def test_it_accepts_and_flags_a_contradiction(db: Database, shop: TokenHolder, sent: DeployReport, remark: str) -> None:
    assert _record_report(db, shop, sent).status == "accepted"
    (row,) = _stored(db, shop)
    assert len(row.remarks.splitlines()) == 1
    assert remark in row.remarks


@pytest.mark.parametrize(
    "sent",
    [
        report(deployed_at=NOON + timedelta(minutes=4)),
        report(deployed_at=NOON - timedelta(days=30)),
        report(previous_commit_sha="b"),
        report(commit_sha="abc1234", commits=[{"sha": "abc1234def"}, {"sha": "b"}]),
    ],
)
def test_it_flags_nothing_that_fits_together(db: Database, shop: TokenHolder, sent: DeployReport) -> None:
    _record_report(db, shop, sent)
    assert [row.remarks for row in _stored(db, shop)] == [""]


def test_it_keeps_every_contradiction_of_a_deploy(db: Database, shop: TokenHolder) -> None:
    commits = [{"sha": "b"}]
    _record_report(db, shop, report(deployed_at=NOON + timedelta(days=1), previous_commit_sha="a", commits=commits))
    (row,) = _stored(db, shop)
    assert len(row.remarks.splitlines()) == 3


def test_it_keeps_what_the_sender_says_was_live_before(db: Database, shop: TokenHolder) -> None:
    _record(db, shop, "a", NOON - timedelta(days=1))
    _record_report(db, shop, report(commit_sha="b", previous_commit_sha="z"))
    row = _stored(db, shop)[-1]
    assert (row.stated_previous_sha, row.previous_sha) == ("z", "a")


def test_it_keeps_commits_in_the_order_sent(db: Database, shop: TokenHolder) -> None:
    commits = [{"sha": sha, "message": f"Message of {sha}", "author": "Ann", "timestamp": NOON} for sha in "cab"]
    made = _record_report(db, shop, report(commits=commits)).deploy_id
    rows = db.read_now(
        shop.organization_id,
        lambda s: s.exec(select(DeployCommit).where(DeployCommit.deploy_id == made).order_by("position")).all(),
    )
    assert [(r.sha, r.message, r.author, r.authored_at) for r in rows] == [tuple(c.values()) for c in commits]
    assert _stored(db, shop)[0].commit_count == 3


def _service(db: Database, name: str) -> TokenHolder:
    organization_id = db.read_now(EVERY_ORGANIZATION, lambda s: s.exec(select(Organization.id)).one())
    draft = services.ServiceDraft.checked(name=name, environment="production", type="web")

    def make(session: ScopedSession) -> TokenHolder:
        _, token = services.create(session, KEYS, draft, "tests")
        session.flush()
        holder = deploy_tokens.find(session, KEYS, token)
        assert holder is not None
        TOKENS[holder.token_id] = token
        return holder

    return db.write_now(organization_id, make)


def _plan(session: ScopedSession, statement: str) -> str:
    return "; ".join(row[3] for row in session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}"))


def _record(
    db: Database,
    holder: TokenHolder,
    commit: str,
    deployed_at: datetime | None = None,
    *,
    received_at: datetime = NOON,
    key: str | None = None,
) -> Recorded:
    return _record_report(db, holder, report(commit_sha=commit, deployed_at=deployed_at), received_at, key)


def _record_report(
    db: Database, holder: TokenHolder, sent: DeployReport, received_at: datetime = NOON, key: str | None = None
) -> Recorded:
    """Record for the holder of a token, whom the transaction looks up first, as for every post."""

    def record(session: ScopedSession) -> Recorded:
        assert deploy_tokens.find(session, KEYS, TOKENS[holder.token_id]) is not None
        return record_deploy(session, holder, sent, key, received_at)

    return db.write_now(holder.organization_id, record)


def _stored(db: Database, holder: TokenHolder) -> list[Deploy]:
    """The history of the holder's service and environment, oldest first."""
    chosen = select(Deploy).where(Deploy.service_id == holder.service_id, Deploy.environment == holder.environment)
    rows = db.read_now(holder.organization_id, lambda s: s.exec(chosen).all())
    return sorted(rows, key=lambda row: (row.deployed_at, row.commit_sha, row.id))


def _check_history(stored: Sequence[Deploy], history: Sequence[tuple[int, str]]) -> None:
    """Compare rows with what the pure rules say of the whole history, oldest first."""
    commits = [commit for _, commit in history]
    assert [(row.deployed_at, row.commit_sha) for row in stored] == [(NOON + timedelta(minutes=m), c) for m, c in history]
    assert [row.kind for row in stored] == kinds(commits)
    assert [row.previous_sha for row in stored] == ["", *commits][: len(commits)]
    for position, row in enumerate(stored):
        earlier = [one.id for one in stored[:position] if one.commit_sha == row.commit_sha]
        assert row.rollback_of_id == (earlier[-1] if row.kind == Kind.ROLLBACK else None)
