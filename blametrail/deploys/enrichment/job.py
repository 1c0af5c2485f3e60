"""Enrich a deploy: ask the code host what it carries, keep it, and say what is missing and how to mend it.

Every outcome is a state with its reason. What may pass by itself is tried again by the job; what a person must mend waits
until connections or repositories change, and is then tried again by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel import col, select

from blametrail.catalog.repositories import GITHUB, RepositoryLink
from blametrail.catalog.tables import Service, ServiceRepository
from blametrail.codehosts.access import Access
from blametrail.codehosts.connections import access_for, note_outcome
from blametrail.codehosts.host import CodeHost, HostError, NotVisible, RateLimited, UnknownCommit
from blametrail.codehosts.opening import open_host
from blametrail.codehosts.tables import PullRequest
from blametrail.deploys.enrichment.gather import Difference, Origins, difference, pull_requests
from blametrail.deploys.enrichment.origins import origins
from blametrail.deploys.enrichment.states import REACH_BACK, State, announce_unfinished, no_repository
from blametrail.deploys.enrichment.store import Found, store_found
from blametrail.deploys.tables import Deploy
from blametrail.kit.clock import now
from blametrail.kit.db import Database, ScopedSession
from blametrail.kit.jobs import Job, Later, finish_job
from blametrail.kit.keys import KeyRing

TRIES = 5
"""Of a code host that does not answer; the job's own waits lie between them."""

RECENT = timedelta(minutes=15)
"""For so long after a deploy its commit may still be on its way to the code host, or to a mirror of it."""

LOOK_AGAIN = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Source:
    """A repository that a deploy may be of, and the way to ask about it."""

    link: RepositoryLink
    access: Access


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be asked about a deploy."""

    deploy_id: UUID
    head: str
    base: str
    received_at: datetime
    sources: tuple[Source, ...]
    without_access: tuple[str, ...]
    service: str


async def enrich_deploy(db: Database, keys: KeyRing, job: Job) -> None:
    """The job of one deploy, whose id is the job's key."""
    plan = await db.read(job.organization_id, plan_for, keys, UUID(job.key))
    if plan is None:
        return
    if not plan.sources:
        await db.write(job.organization_id, _settle, job, plan, _not_configured(plan), None, True)
        return
    await _Enriching(db, job, plan).run()


class _Enriching:
    """One try at one deploy."""

    def __init__(self, db: Database, job: Job, plan: Plan) -> None:
        self._db, self._job, self._plan = db, job, plan

    async def run(self) -> None:
        """Take the first repository that knows the commit."""
        fault: HostError | None = None
        for source in self._plan.sources:
            async with open_host(source.access) as host:
                try:
                    found = await difference(host, source.link.path, self._plan.head, self._plan.base)
                except HostError as error:
                    await self._note(source, error)
                    fault = _worse(fault, error)
                    continue
                await self._note(source, None)
                await self._keep(source, host, found)
                return
        assert fault is not None
        state = State.FAILED if self._is_over(fault) else State.WAITING
        await self._end(Found(state, fault.reason, fault.remedy), fault)

    async def _keep(self, source: Source, host: CodeHost, found: Difference) -> None:
        commits = (*found.taken_out, *found.commits)
        by_sha = origins(commits)
        by_merge, known = await self._db.read(
            self._job.organization_id, known_pull_requests, source.link, [c.sha for c in commits], by_sha.values()
        )
        result = await pull_requests(host, source.link.path, commits, by_sha | by_merge, known)
        await self._end(_found(source, found, result, host.calls), result.fault)

    async def _end(self, found: Found, fault: HostError | None) -> None:
        """Keep what was found, then be done, or come again at a known time, or fail and be tried again."""
        again_at, is_over = self._again_at(fault), self._is_over(fault)
        await self._db.write(self._job.organization_id, _settle, self._job, self._plan, found, again_at, is_over)
        if again_at is not None and fault is not None:
            raise Later((again_at - now()).total_seconds(), fault.reason)
        if fault is not None and not is_over:
            raise fault

    def _again_at(self, fault: HostError | None) -> datetime | None:
        """When to ask again, if that is known."""
        if isinstance(fault, RateLimited):
            return fault.until
        if isinstance(fault, UnknownCommit) and now() - self._plan.received_at < RECENT:
            return now() + LOOK_AGAIN
        return None

    def _is_over(self, fault: HostError | None) -> bool:
        """Whether asking again is no use until a person does something."""
        if fault is None:
            return True
        return self._again_at(fault) is None and (not fault.is_passing or self._job.failures >= TRIES)

    async def _note(self, source: Source, fault: HostError | None) -> None:
        await self._db.write(self._job.organization_id, note_outcome, source.access.connection_id, fault)


def _worse(known: HostError | None, error: HostError) -> HostError:
    """Of faults at several repositories, the one that says most: that a repository or a commit is not there says least."""
    return error if known is None or isinstance(known, NotVisible | UnknownCommit) else known


def _found(source: Source, found: Difference, came_by: Origins, calls: int) -> Found:
    gaps = (*found.gaps, *came_by.gaps)
    return Found(
        State.PARTIAL if gaps else State.COMPLETE,
        "\n".join(gap.reason for gap in gaps),
        "\n".join(dict.fromkeys(gap.remedy for gap in gaps)),
        link=source.link,
        difference=found,
        origins=came_by,
        calls=calls,
    )


def _settle(session: ScopedSession, job: Job, plan: Plan, found: Found, again_at: datetime | None, is_over: bool) -> None:
    """Store a state with what was found; together with the job's end, when nothing is left to try."""
    store_found(session, plan.deploy_id, found, plan.base, again_at)
    if is_over:
        finish_job(session, job)


def plan_for(session: ScopedSession, keys: KeyRing, deploy_id: UUID) -> Plan | None:
    """What to ask about a deploy, the service's repositories in their order; None when the deploy is gone."""
    deploy = session.exec(select(Deploy).where(Deploy.id == deploy_id)).first()
    if deploy is None:
        return None
    links = _links(session, deploy.service_id)
    accesses = [(link, access_for(session, keys, link, deploy.service_id)) for link in links]
    return Plan(
        deploy_id,
        deploy.commit_sha,
        deploy.stated_previous_sha or deploy.previous_sha,
        deploy.received_at,
        tuple(Source(link, access) for link, access in accesses if access),
        tuple(dict.fromkeys(link.host_url for link, access in accesses if not access)),
        session.exec(select(Service.name).where(Service.id == deploy.service_id)).one(),
    )


def _links(session: ScopedSession, service_id: UUID) -> list[RepositoryLink]:
    of_service = select(ServiceRepository).where(ServiceRepository.service_id == service_id)
    rows = session.exec(of_service.order_by(col(ServiceRepository.position)))
    return [RepositoryLink(row.host_url, row.path, row.path_prefix) for row in rows]


def _not_configured(plan: Plan) -> Found:
    if not plan.without_access:
        return Found(State.NOT_CONFIGURED, *no_repository(plan.service))
    hosts = " and ".join(url.partition("://")[2] for url in plan.without_access)
    secret = "a token or a GitHub App" if plan.without_access == (GITHUB,) else "a token"
    return Found(
        State.NOT_CONFIGURED,
        f"No token is set for {hosts}, so what this deploy carries cannot be asked there.",
        f"Add {secret} under Settings, Code hosts. Deploys of the last {REACH_BACK.days} days are then filled in by themselves.",
    )


def known_pull_requests(
    session: ScopedSession, link: RepositoryLink, shas: Iterable[str], numbers: Iterable[int]
) -> tuple[dict[str, int], set[int]]:
    """Merged pull requests of a repository that need no asking: their numbers by the commit that merged them, and which of
    `numbers` they are."""
    merged = select(PullRequest.merge_sha, PullRequest.number).where(
        PullRequest.host_url == link.host_url,
        PullRequest.repository == link.path,
        col(PullRequest.merged_at).is_not(None),
        col(PullRequest.merge_sha).in_(list(shas)) | col(PullRequest.number).in_(set(numbers)),
    )
    rows = session.exec(merged).all()
    wanted = set(shas)
    return {sha: number for sha, number in rows if sha in wanted}, {number for _, number in rows}


async def enrich_again(db: Database, job: Job) -> None:
    """After connections or repositories changed: try once more what is not complete of the last weeks."""
    await db.write(job.organization_id, announce_unfinished)
