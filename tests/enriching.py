"""A stage for what code hosts tell: Acme's service `shop`, its repository on a stand-in host, and a worker for its jobs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from uuid import UUID

import pytest
from sqlmodel import select

from blametrail.accounts import organizations, sessions
from blametrail.accounts.roles import Actor
from blametrail.catalog import services
from blametrail.catalog.deploy_tokens import TokenHolder, find
from blametrail.catalog.services import REPOSITORIES_CHANGED, ServiceDraft
from blametrail.codehosts import connections
from blametrail.codehosts.connections import CONNECTIONS_CHANGED
from blametrail.codehosts.draft import ConnectionDraft
from blametrail.deploys.enrichment import job as enrich
from blametrail.deploys.enrichment.states import ENRICH_DEPLOY
from blametrail.deploys.enrichment.views import EnrichmentView, enrichment_of
from blametrail.deploys.record import record_deploy
from blametrail.deploys.report import parse_report
from blametrail.deploys.tables import Deploy
from blametrail.kit import live
from blametrail.kit.clock import now
from blametrail.kit.db import EVERY_ORGANIZATION, Database, ScopedSession
from blametrail.kit.job_tables import JobRow
from blametrail.kit.jobs import Kind, Pace, working
from blametrail.kit.keys import Key, KeyRing
from blametrail.settings import settings
from tests.peers.github import FakeGitHub, Repository
from tests.running import PASSWORD

KEYS = KeyRing((Key(b"k" * 32),))
TOKEN = "ghp_canaryCanaryCanaryCanary0002"
PACE = Pace(poll=0.02, waits=(0.02,) * 5, grace=0.2)


@dataclass
class Stage:
    """Acme's service `shop`, its repository on a code host, and a worker for its jobs."""

    db: Database
    owner: Actor
    github: FakeGitHub
    shop: Repository
    holder: TokenHolder
    service_id: UUID
    posted: int = 0
    deploys: list[UUID] = field(default_factory=list)

    def deploy(self, sha: str, previous: str = "") -> UUID:
        """As CI posts it, each a minute after the one before."""
        body = f'{{"commit_sha": "{sha}", "previous_commit_sha": "{previous}"}}' if previous else f'{{"commit_sha": "{sha}"}}'
        self.posted += 1
        at = now() - timedelta(hours=2) + timedelta(minutes=self.posted)
        recorded = self.db.write_now(
            self.owner.organization_id, record_deploy, self.holder, parse_report(body.encode()), None, at
        )
        return recorded.deploy_id

    def connect(self, token: str = TOKEN, host_url: str = "", service_id: UUID | None = None, kind: str = "github") -> UUID:
        draft = ConnectionDraft.checked(
            kind=kind,
            host_url=host_url or self.github.url,
            level="read",
            credential="token",
            secret=token,
            service_id=service_id,
        )
        return self.db.write_now(self.owner.organization_id, connections.add, KEYS, self.owner, draft)

    def link(self, *lines: str) -> None:
        """Link the service to these repositories and no others."""
        draft = ServiceDraft.checked(name="shop", environment="production", type="web", repositories="\n".join(lines))
        self.db.write_now(self.owner.organization_id, services.update, self.owner, self.service_id, draft)

    async def work(self, until: Callable[[], bool] | None = None) -> None:
        """Do the jobs that are due, until there are none, or until something is so."""
        kinds = {
            ENRICH_DEPLOY: Kind(partial(enrich.enrich_deploy, self.db, KEYS)),
            CONNECTIONS_CHANGED: Kind(partial(enrich.enrich_again, self.db)),
            REPOSITORIES_CHANGED: Kind(partial(enrich.enrich_again, self.db)),
        }
        done = until or (lambda: not self.due())
        async with working(self.db, live.Hub(), kinds, PACE):
            for _ in range(1_000):
                if done():
                    return
                await asyncio.sleep(0.02)
        raise AssertionError("the jobs do not end")

    def due(self) -> bool:
        soon = now() + timedelta(seconds=5)
        jobs = self.db.read_now(self.owner.organization_id, lambda s: list(s.exec(select(JobRow))))
        return any(j.state == "running" or (j.available_at is not None and j.available_at < soon) for j in jobs)

    def view(self, deploy_id: UUID) -> EnrichmentView:
        def look(session: ScopedSession) -> EnrichmentView:
            return enrichment_of(session, session.get_one(Deploy, deploy_id), "shop")

        return self.db.read_now(self.owner.organization_id, look)

    async def enriched(self, sha: str, previous: str = "") -> EnrichmentView:
        deploy_id = self.deploy(sha, previous)
        await self.work()
        return self.view(deploy_id)


@pytest.fixture
def bare(db: Database, alice: UUID, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Everything but a connection."""
    monkeypatch.setenv("BLAMETRAIL_ALLOWED_PRIVATE_HOSTS", "127.0.0.1")
    settings.cache_clear()
    session = db.write_now(EVERY_ORGANIZATION, sessions.start, KEYS, alice, "127.0.0.1", "test")
    owner = db.read_now(EVERY_ORGANIZATION, sessions.find_actor, KEYS, session)
    assert owner
    with FakeGitHub() as github:
        github.add_token(TOKEN)
        shop = github.add_repository("acme/shop", private=True)
        draft = ServiceDraft.checked(name="shop", environment="production", type="web", repositories=f"{github.url}/acme/shop")
        service_id, token = db.write_now(owner.organization_id, services.create_as, KEYS, owner, draft)
        holder = db.write_now(EVERY_ORGANIZATION, find, KEYS, token)
        assert holder
        yield Stage(db, owner, github, shop, holder, service_id)


@pytest.fixture
def stage(bare: Stage) -> Stage:
    bare.connect()
    return bare


def other_organization(stage: Stage) -> UUID:
    def add(session: ScopedSession) -> UUID:
        charlie = organizations.new_person(session, name="Charlie", email="charlie@example.com", password=PASSWORD)
        return organizations.found(session, charlie.id, "Elsewhere")

    return stage.db.write_now(EVERY_ORGANIZATION, add)
