"""A session sees and writes its organization only, whatever the statement; work is all or nothing."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import delete, exists, func, text, update
from sqlalchemy import select as sql_select
from sqlalchemy.orm import aliased
from sqlmodel import col, select

from blametrail.accounts import organizations, sessions
from blametrail.accounts.tables import Organization
from blametrail.catalog import services
from blametrail.catalog.tables import DeployToken, Service
from blametrail.deploys.filters import Filters
from blametrail.deploys.find import count_deploys
from blametrail.deploys.tables import Deploy
from blametrail.kit import live
from blametrail.kit.db import EVERY_ORGANIZATION, LOOK_FOR_OTHERS, READERS, Database, Prepared, ScopedSession
from blametrail.kit.errors import Conflict, TakesTooLong
from blametrail.kit.keys import Key, KeyRing
from tests.running import PASSWORD

KEYS = KeyRing((Key(b"k" * 32),))
DRAFT = services.ServiceDraft.checked(name="web", environment="production", type="web")


@pytest.fixture
def two(db: Database, alice: UUID) -> tuple[UUID, UUID]:
    """Two organizations with one service each."""
    acme = UUID(db.read_now(EVERY_ORGANIZATION, organizations.of_person, alice)[0][0])
    other = db.write_now(EVERY_ORGANIZATION, organizations.found, alice, "Other")
    for organization_id in (acme, other):
        db.write_now(organization_id, services.create, KEYS, DRAFT, "test")
    return acme, other


READS: list[Callable[[ScopedSession], Any]] = [
    lambda s: len(s.exec(select(Service)).all()),
    lambda s: len(s.exec(select(Service.id)).all()),
    lambda s: s.exec(select(func.count()).select_from(Service)).one(),
    lambda s: len(s.exec(select(Organization.id).join(Service, col(Service.organization_id) == col(Organization.id))).all()),
    lambda s: len(
        s.exec(select(Organization.id).where(col(Organization.id).in_(sql_select(col(Service.organization_id))))).all()
    ),
    lambda s: len(s.exec(select(Service, DeployToken).join(DeployToken, col(DeployToken.service_id) == col(Service.id))).all()),
]


@pytest.mark.parametrize("read", READS)
def test_it_reads_one_organization(db: Database, two: tuple[UUID, UUID], read: Callable[[ScopedSession], Any]) -> None:
    assert [db.read_now(organization_id, read) for organization_id in two] == [1, 1]
    assert db.read_now(EVERY_ORGANIZATION, read) == 2


def test_it_gets_no_row_of_another_by_its_id(db: Database, two: tuple[UUID, UUID]) -> None:
    acme, other = two
    foreign = db.read_now(other, lambda s: s.exec(select(Service.id)).one())
    assert db.read_now(acme, lambda s: s.get(Service, foreign)) is None
    assert (
        db.read_now(acme, lambda s: s.execute(select(exists(select(Service.id).where(Service.id == foreign)))).scalar())
        is False
    )


def test_it_changes_one_organization(db: Database, two: tuple[UUID, UUID]) -> None:
    acme, other = two
    changed: Any = db.write_now(acme, lambda s: s.execute(update(Service).values(url="https://x")))
    assert changed.rowcount == 1
    assert db.read_now(other, lambda s: s.exec(select(Service.url)).one()) == ""
    gone: Any = db.write_now(acme, lambda s: s.execute(delete(DeployToken)))
    assert gone.rowcount == 1


def test_it_refuses_to_write_for_another(db: Database, two: tuple[UUID, UUID]) -> None:
    acme, other = two
    row: dict[str, Any] = {"name": "x", "environment": "production", "type": "web"}
    with pytest.raises(PermissionError):
        db.write_now(acme, lambda s: s.add(Service(organization_id=other, **row)))

    def steal(session: ScopedSession) -> None:
        mine = session.exec(select(Service)).one()
        mine.organization_id = other
        session.add(mine)

    with pytest.raises(PermissionError):
        db.write_now(acme, steal)


def test_it_refuses_to_prepare_an_unfiltered_statement() -> None:
    with pytest.raises(PermissionError):
        Prepared(sql_select(col(Service.id)))


def test_it_runs_prepared_statements_for_one_organization_only(db: Database, two: tuple[UUID, UUID]) -> None:
    from sqlalchemy import bindparam

    statement = Prepared(sql_select(col(Service.name)).where(col(Service.organization_id) == bindparam("organization_id")))
    assert db.read_now(two[0], lambda s: s.run(statement)) == [("web",)]
    assert db.read_now(two[0], lambda s: s.run(statement, organization_id=two[1])) == [("web",)]
    assert db.read_now(uuid4(), lambda s: s.run(statement)) == []
    with pytest.raises(PermissionError):
        db.read_now(EVERY_ORGANIZATION, lambda s: s.run(statement))


async def test_it_keeps_good_work_beside_bad(db: Database, two: tuple[UUID, UUID]) -> None:
    """Many writes at once share a transaction: one that fails takes none of the others with it."""
    acme = two[0]

    def add(session: ScopedSession, number: int) -> int:
        session.add(Service(name=f"s{number}", environment="production", type="web"))
        session.flush()
        if number % 7 == 0:
            raise ValueError(number)
        return number

    results = await asyncio.gather(*(db.write(acme, add, n) for n in range(40)), return_exceptions=True)
    bad = [r for r in results if isinstance(r, ValueError)]
    assert len(bad) == 6
    stored = set(db.read_now(acme, lambda s: s.exec(select(Service.name)).all()))
    assert stored == {"web"} | {f"s{r}" for r in results if isinstance(r, int)}


def test_it_calls_a_clash_a_conflict(db: Database, two: tuple[UUID, UUID]) -> None:
    row = Service(name="web", environment="production", type="web")
    with pytest.raises(Conflict):
        db.write_now(two[0], lambda s: s.add(row))


def test_it_hears_of_what_another_process_writes(db: Database) -> None:
    """The command line makes services while the server runs; open pages must show them."""
    if not db.is_sqlite:
        pytest.skip("on PostgreSQL, Redis carries what other processes say")
    heard = threading.Event()
    hub = live.Hub()
    hub.listen(lambda told: heard.set() if live.EVERYTHING in told else None)
    ours = Database(db.url, hub)
    try:
        ours.write_now(EVERY_ORGANIZATION, lambda s: None)
        time.sleep(LOOK_FOR_OTHERS * 1.5)
        assert not heard.is_set(), "it took its own writes for another's"
        db.write_now(
            EVERY_ORGANIZATION,
            lambda s: organizations.found_first(s, organization="A", name="A", email="a@example.com", password=PASSWORD),
        )
        assert heard.wait(10)
    finally:
        ours.close()


MANY = 100_000


@pytest.fixture
def full(db: Database, two: tuple[UUID, UUID]) -> UUID:
    """An organization with so many deploys that to compare each with each takes hours."""
    new_id = "lower(hex(randomblob(16)))" if db.is_sqlite else "gen_random_uuid()"
    unset = ("commit_message", "branch", "deployed_by", "version", "description", "url", "stated_previous_sha")
    fill = f"""
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {MANY})
        INSERT INTO deploy (id, organization_id, service_id, environment, commit_sha, commit_count, deployed_at, received_at,
                            kind, previous_sha, remarks, {", ".join(unset)})
        SELECT {new_id}, s.organization_id, s.id, 'production', 'c' || i, 0, i, i, 'deploy', '', '', {", ".join("'words'" for _ in unset)}
        FROM n, service s WHERE s.organization_id = :acme"""
    acme = two[0]
    db.write_now(acme, lambda s: s.connection().execute(text(fill), {"acme": acme.hex if db.is_sqlite else acme}))
    return acme


def compare_each_with_each(session: ScopedSession) -> int:
    other = aliased(Deploy)
    pairs = select(func.count()).select_from(Deploy).join(other, col(Deploy.commit_sha).contains(col(other.commit_message)))
    return session.exec(pairs).one()


async def test_it_ends_a_read_that_takes_too_long(db: Database, full: UUID) -> None:
    with pytest.raises(TakesTooLong, match="Narrow the time range"):
        await db.read(full, compare_each_with_each)
    for _ in range(READERS):
        assert await db.read(full, count_deploys, Filters()) == MANY
    assert db.write_now(full, lambda s: s.exec(select(func.count()).select_from(Deploy)).one()) == MANY


async def test_it_lets_nobody_wait_for_long_reads(db: Database, full: UUID) -> None:
    """Sessions, pages and deploys are served while more people search than there are readers."""
    searches = [asyncio.create_task(db.read(full, compare_each_with_each)) for _ in range(3 * READERS)]
    await asyncio.sleep(0)
    assert await db.read(EVERY_ORGANIZATION, sessions.find_actor, KEYS, "ses_unknown") is None
    assert await db.read(full, lambda s: s.exec(select(Service.name)).one()) == "web"
    await db.write(full, lambda s: s.execute(update(Service).values(url="https://x")))
    assert not any(search.done() for search in searches)
    ended = await asyncio.gather(*searches, return_exceptions=True)
    assert {type(error) for error in ended} == {TakesTooLong}
