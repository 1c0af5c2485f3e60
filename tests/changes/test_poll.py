"""What was merged in a linked repository becomes known: by asking, again and again, whatever happens in between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import select

from blametrail.catalog import services
from blametrail.catalog.services import REPOSITORIES_CHANGED, ServiceDraft
from blametrail.changes import poll, watch
from blametrail.changes.learn import COMPLETE_CHANGE
from blametrail.changes.search import ChangeQuery, search_changes
from blametrail.changes.tables import WatchedRepository
from blametrail.changes.watch import POLL_REPOSITORY, WatchedView, list_watched
from blametrail.codehosts.connections import CONNECTIONS_CHANGED, replace_secret
from blametrail.codehosts.tables import PullRequest, PullRequestFile
from blametrail.kit import live
from blametrail.kit.clock import now
from blametrail.kit.db import ScopedSession
from blametrail.kit.job_tables import JobRow
from blametrail.kit.jobs import Job, Kind, working
from tests.enriching import KEYS, PACE, TOKEN, Stage, bare, other_organization, stage
from tests.peers.github import File, Reply

__all__ = ["bare", "stage"]


@pytest.fixture(autouse=True)
def nothing_else(bare: Stage) -> Iterator[None]:
    bare.shop.commit("Start", at=ago(days=90))
    yield


def ago(**apart: float) -> datetime:
    return now() - timedelta(**apart)


async def work(stage: Stage) -> None:
    """Look at the links, then do the jobs that are due until there are none."""
    db = stage.db

    async def follow(job: Job) -> None:
        await db.write(job.organization_id, watch.follow_links)

    kinds = {
        POLL_REPOSITORY: Kind(partial(poll.poll_repository, db, KEYS)),
        COMPLETE_CHANGE: Kind(partial(poll.complete_change, db, KEYS)),
        CONNECTIONS_CHANGED: Kind(follow),
        REPOSITORIES_CHANGED: Kind(follow),
    }
    await watch.look_at_links(db)
    async with working(db, live.Hub(), kinds, PACE):
        for _ in range(1_000):
            if not stage.due():
                return
            await asyncio.sleep(0.02)
    raise AssertionError("the jobs do not end")


def later(stage: Stage) -> None:
    """Time passes until every repository is to be asked again."""
    change(stage, lambda row: setattr(row, "poll_at", ago(seconds=1)))


def change(stage: Stage, how: Callable[[WatchedRepository], None]) -> None:
    def apply(session: ScopedSession) -> None:
        for row in session.exec(select(WatchedRepository)):
            how(row)
            session.add(row)

    stage.db.write_now(stage.owner.organization_id, apply)


def known(stage: Stage) -> list[int]:
    """The numbers of all changes that are found, the newest first."""
    page = stage.db.read_now(stage.owner.organization_id, search_changes, ChangeQuery(), limit=100)
    return [each.number for each in page.changes]


def watched(stage: Stage) -> WatchedView:
    (view,) = stage.db.read_now(stage.owner.organization_id, list_watched)
    return view


def rows(stage: Stage, table: Any) -> list[Any]:
    return stage.db.read_now(stage.owner.organization_id, lambda s: list(s.exec(select(table))))


async def test_it_learns_a_month_when_a_repository_is_linked(stage: Stage) -> None:
    old = stage.shop.merge("Long ago", File("a.py"), at=ago(days=40))
    first = stage.shop.merge("Ask for more at once", File("app/db.py"), File("README.md"), at=ago(days=20), labels=("perf",))
    second = stage.shop.merge("Ask for less", File("app/db.py"), at=ago(days=2))
    stage.shop.open_pull("Not yet", File("b.py"))
    await work(stage)
    assert known(stage) == [second, first] and old not in known(stage)
    assert all(row.has_files and row.has_all_files for row in rows(stage, PullRequest))
    assert {file.path for file in rows(stage, PullRequestFile)} == {"app/db.py", "README.md"}
    view = watched(stage)
    assert view.known_since and view.polled_at and not view.fault
    assert ago(days=31) < view.known_since < ago(days=29)


async def test_it_finds_what_no_webhook_told(stage: Stage) -> None:
    await work(stage)
    number = stage.shop.merge("Missed", File("a.py"), at=ago(minutes=2))
    await work(stage)
    assert known(stage) == [], "it is not due"
    later(stage)
    await work(stage)
    assert known(stage) == [number]


async def test_it_looks_back_over_the_last_poll(stage: Stage) -> None:
    await work(stage)
    number = stage.shop.merge("Shown late", File("a.py"), at=ago(minutes=40))
    later(stage)
    await work(stage)
    assert known(stage) == [number]


async def test_it_changes_nothing_when_nothing_is_new(stage: Stage) -> None:
    stage.shop.merge("Once", File("a.py"), at=ago(minutes=10))
    await work(stage)
    before = [(row.id, row.learned_at) for row in rows(stage, PullRequest)]
    asked = len(stage.github.requests)
    for _ in range(3):
        later(stage)
        await work(stage)
    assert [(row.id, row.learned_at) for row in rows(stage, PullRequest)] == before
    assert len(stage.github.requests) == asked + 3, "one call a poll"


async def test_it_keeps_an_edit_after_the_merge(stage: Stage) -> None:
    number = stage.shop.merge("Before", File("a.py"), at=ago(minutes=10))
    await work(stage)
    pull = stage.shop.pulls[number]
    pull.title, pull.updated_at = "After", ago(minutes=1).strftime("%Y-%m-%dT%H:%M:%SZ")
    later(stage)
    await work(stage)
    assert [row.title for row in rows(stage, PullRequest)] == ["After"]


async def test_it_stops_when_nobody_links_it(stage: Stage) -> None:
    number = stage.shop.merge("Known", File("a.py"), at=ago(minutes=10))
    await work(stage)
    draft = ServiceDraft.checked(name="shop", environment="production", type="web")
    stage.db.write_now(stage.owner.organization_id, services.update, stage.owner, stage.service_id, draft)
    await work(stage)
    assert stage.db.read_now(stage.owner.organization_id, list_watched) == []
    asked = len(stage.github.requests)
    await work(stage)
    assert len(stage.github.requests) == asked
    assert known(stage) == [number], "what is known stays"


async def test_it_watches_one_repository_that_many_link_once(stage: Stage) -> None:
    for name in ("second", "third"):
        draft = ServiceDraft.checked(
            name=name, environment="production", type="web", repositories=f"{stage.github.url}/Acme/Shop folder"
        )
        stage.db.write_now(stage.owner.organization_id, services.create, KEYS, draft, "test")
    await work(stage)
    assert watched(stage).path.lower() == "acme/shop"


async def test_it_says_what_is_missing_without_a_connection(bare: Stage) -> None:
    number = bare.shop.merge("Waiting", File("a.py"), at=ago(minutes=10))
    await work(bare)
    assert "No token is set" in watched(bare).fault and "Settings" in watched(bare).remedy
    bare.connect()
    await work(bare)
    assert (known(bare), watched(bare).fault) == ([number], "")


async def test_it_asks_with_the_connection_of_a_service(bare: Stage) -> None:
    number = bare.shop.merge("Known", File("a.py"), at=ago(minutes=10))
    bare.connect(service_id=bare.service_id)
    await work(bare)
    assert known(bare) == [number]


async def test_it_shows_a_refused_token_and_goes_on_with_a_new_one(stage: Stage) -> None:
    number = stage.shop.merge("Waiting", File("a.py"), at=ago(minutes=10))
    stage.github.revoke(TOKEN)
    await work(stage)
    assert "401" in watched(stage).fault and watched(stage).remedy and known(stage) == []
    assert not [job for job in rows(stage, JobRow) if job.state == "parked"]
    stage.github.add_token("ghp_canaryCanaryCanaryCanary0003")
    connection = stage.db.read_now(stage.owner.organization_id, _connection_id)
    stage.db.write_now(
        stage.owner.organization_id, replace_secret, KEYS, stage.owner, connection, "ghp_canaryCanaryCanaryCanary0003"
    )
    await work(stage)
    assert (known(stage), watched(stage).fault) == ([number], "")


def _connection_id(session: ScopedSession) -> UUID:
    from blametrail.codehosts.tables import Connection

    return session.exec(select(Connection.id)).one()


async def test_it_shows_that_a_repository_is_not_there(stage: Stage) -> None:
    del stage.github.repositories["acme/shop"]
    await work(stage)
    assert "404" in watched(stage).fault or "cannot see" in watched(stage).fault
    assert not [job for job in rows(stage, JobRow) if job.state == "parked"]


async def test_it_waits_when_the_host_says_so(stage: Stage) -> None:
    stage.shop.merge("Waiting", File("a.py"), at=ago(minutes=10))
    stage.github.limit_rate(resets_in=timedelta(minutes=10))
    await work(stage)
    (job,) = [job for job in rows(stage, JobRow) if job.kind == POLL_REPOSITORY]
    assert job.state == "waiting" and ago(minutes=-8) < job.available_at < ago(minutes=-12)
    assert not watched(stage).fault


async def test_it_goes_on_with_files_where_it_had_to_wait(stage: Stage) -> None:
    number = stage.shop.merge("Waiting", File("a.py"), at=ago(minutes=10))
    stage.github.limit_secondary(f"/pulls/{number}/files", retry_after=1)
    await work(stage)
    assert known(stage) == [number] and all(row.has_files for row in rows(stage, PullRequest))


async def test_it_knows_a_change_whose_files_the_host_never_gives(stage: Stage) -> None:
    number = stage.shop.merge("Huge", File("a.py"), at=ago(minutes=10))
    other = stage.shop.merge("Small", File("b.py"), at=ago(minutes=9))
    stage.github.answer(f"/pulls/{number}/files", *[Reply(500, {"message": "Server Error"})] * 40)
    await work(stage)
    found = {row.number: (row.has_files, row.has_all_files) for row in rows(stage, PullRequest)}
    assert found == {number: (True, False), other: (True, True)}
    assert not [job for job in rows(stage, JobRow) if job.state == "parked"]


async def test_it_is_announced_once_whoever_looks(stage: Stage) -> None:
    """Many processes look at the same moment, again and again."""
    await asyncio.gather(*(watch.look_at_links(stage.db) for _ in range(10)))
    later(stage)
    await asyncio.gather(*(watch.look_at_links(stage.db) for _ in range(10)))
    assert len([job for job in rows(stage, JobRow) if job.kind == POLL_REPOSITORY]) == 1
    assert watched(stage)


async def test_it_tells_nobody_else(stage: Stage) -> None:
    stage.shop.merge("Ours", File("a.py"), at=ago(minutes=10))
    elsewhere = other_organization(stage)
    await work(stage)
    assert known(stage)
    assert stage.db.read_now(elsewhere, search_changes, ChangeQuery()).changes == ()
    assert stage.db.read_now(elsewhere, list_watched) == []
