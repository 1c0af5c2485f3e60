"""The read API, version 1. Names of fields stay; what is not known is null; times are ISO 8601 in UTC."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

from starlette.requests import Request
from starlette.routing import Route

from blametrail.api.parameters import Parameters, cursor_of
from blametrail.api.reading import Read, reads
from blametrail.catalog.services import ServiceView
from blametrail.deploys.enrichment.views import EnrichmentView
from blametrail.deploys.find import CommitView, DeployDetail, find_deploy
from blametrail.deploys.lineage import Kind
from blametrail.deploys.live_at import Live, Target, live_at, targets
from blametrail.deploys.summaries import DeploySummary, Services, newest_deploys, services_by_id
from blametrail.deploys.views import DeployView, title_of
from blametrail.deploys.what_changed import Change, what_changed
from blametrail.kit.clock import now
from blametrail.kit.db import ScopedSession
from blametrail.kit.errors import Invalid
from blametrail.settings import settings

PAGE, LONGEST_PAGE = 50, 200
ON_A_PAGE = ("limit", "cursor")

Json = dict[str, Any]
T = TypeVar("T")


def deploys(request: Request) -> Read:
    """`GET /api/v1/deploys`: the newest first."""
    asked = Parameters(request, ("service", "environment", "kind", "since", "until", *ON_A_PAGE))
    service, environment = asked.text("service"), asked.text("environment")
    kind = asked.choice("kind", [kind.value for kind in Kind])
    since, until = asked.time("since"), asked.time("until")
    limit, after = asked.number("limit", PAGE, LONGEST_PAGE), asked.moment_and_id("cursor")
    asked.check()

    def read(session: ScopedSession) -> Json:
        services = services_by_id(session)
        found = newest_deploys(
            session,
            services,
            service_id=_service_id(services, service),
            environment=environment,
            kind=kind,
            since=since,
            until=until,
            after=after,
            limit=limit + 1,
        )
        return _page("deploys", [_deploy(one) for one in found[:limit]], _after_deploy(found[:limit], len(found) > limit))

    return read


def deploy(request: Request) -> Read:
    """`GET /api/v1/deploys/{deploy_id}`."""
    Parameters(request, ()).check()
    try:
        wanted = UUID(request.path_params["deploy_id"])
    except ValueError:
        raise Invalid({"deploy_id": "must be the id of a deploy"}) from None
    return lambda session: _detail(find_deploy(session, wanted))


def services(request: Request) -> Read:
    """`GET /api/v1/services`: by name."""
    asked = Parameters(request, ON_A_PAGE)
    limit, after = asked.number("limit", PAGE, LONGEST_PAGE), asked.cursor("cursor", 1)
    asked.check()

    def read(session: ScopedSession) -> Json:
        known = sorted(services_by_id(session).values(), key=_name)
        page, following = _cut(known, limit, lambda service: (_name(service),), after)
        return _page("services", [_service(one) for one in page], following)

    return read


def live(request: Request) -> Read:
    """`GET /api/v1/live`: what was live at a moment, per service and environment."""
    asked = Parameters(request, ("at", "service", "environment", *ON_A_PAGE))
    moment = asked.time_or("at", now())
    wanted = _targets_of(asked)

    def read(session: ScopedSession) -> Json:
        services = services_by_id(session)
        page, following = wanted(session, services)
        found = [_live(one) for one in live_at(session, services, page, moment)]
        return {"at": _time(moment), **_page("live", found, following)}

    return read


def changes(request: Request) -> Read:
    """`GET /api/v1/changes`: what changed between two moments, per service and environment."""
    asked = Parameters(request, ("from", "to", "service", "environment", *ON_A_PAGE))
    end = asked.time_or("to", now())
    start = asked.needed_time("from", end)
    if start > end:
        asked.wrong.setdefault("from", "must come before `to`, which is now unless it is given")
    wanted = _targets_of(asked)

    def read(session: ScopedSession) -> Json:
        services = services_by_id(session)
        page, following = wanted(session, services)
        found = [_change(one) for one in what_changed(session, services, page, start, end)]
        return {"from": _time(start), "to": _time(end), **_page("changes", found, following)}

    return read


def _targets_of(asked: Parameters) -> Callable[[ScopedSession, Services], tuple[Sequence[Target], str]]:
    """A page of services and environments that a request asks about, and the cursor of the next; checks the request."""
    service, environment = asked.text("service"), asked.text("environment")
    limit, after = asked.number("limit", PAGE, LONGEST_PAGE), asked.cursor("cursor", 2)
    asked.check()

    def find(session: ScopedSession, services: Services) -> tuple[Sequence[Target], str]:
        service_id = _service_id(services, service)
        only = [service_id] if service_id else []
        found = targets(session, services, only, [environment] if environment else [])
        return _cut(found, limit, lambda target: target.place, after)

    return find


def _service_id(services: Services, wanted: str) -> UUID | None:
    """A service by its name or id, None for none; raises Invalid when there is no such one."""
    if not wanted:
        return None
    for id_, service in services.items():
        if wanted.lower() in {str(id_), service.name.lower()}:
            return id_
    raise Invalid({"service": "must be the name or the id of a service of this organization"})


def _cut(
    items: Sequence[T], limit: int, place: Callable[[T], tuple[str, ...]], after: tuple[str, ...]
) -> tuple[Sequence[T], str]:
    """The page of sorted items behind a place, and the cursor of the next one."""
    rest = [item for item in items if place(item) > after]
    return rest[:limit], cursor_of(*place(rest[limit - 1])) if len(rest) > limit else ""


def _page(name: str, items: list[Json], next_cursor: str) -> Json:
    return {name: items, "next_cursor": next_cursor or None}


def _after_deploy(page: Sequence[DeploySummary], more: bool) -> str:
    return cursor_of(page[-1].deploy.deployed_at.isoformat(), page[-1].deploy.id) if more else ""


def _deploy(one: DeploySummary) -> Json:
    d = one.deploy
    return {
        **_deploy_itself(d),
        "previous_commit_sha": one.previous_sha or None,
        "rollback_of_id": one.rollback_of_id or None,
        "received_at": _time(one.received_at),
        "compare_url": one.compare_url or None,
    }


def _deploy_itself(d: DeployView) -> Json:
    return {
        "id": d.id,
        "service": {"id": d.service_id, "name": d.service},
        "environment": d.environment,
        "kind": d.kind,
        "commit_sha": d.commit_sha,
        "title": d.title,
        "version": d.version or None,
        "branch": d.branch or None,
        "deployed_by": d.deployed_by or None,
        "deployed_at": _time(d.deployed_at),
        "commit_count": d.commit_count,
        "page_url": f"{settings().base_url}/deploys/{d.id}",
    }


def _detail(found: DeployDetail) -> Json:
    return {
        **_deploy_itself(found.deploy),
        "previous_commit_sha": found.from_sha or None,
        "rollback_of_id": found.rollback_of.id if found.rollback_of else None,
        "received_at": _time(found.received_at),
        "compare_url": found.compare_url or None,
        "commit_url": found.commit_url or None,
        "commit_message": found.message or None,
        "description": found.description or None,
        "url": found.url or None,
        "remarks": list(found.remarks),
        "previous_id": found.previous.id if found.previous else None,
        "next_id": found.next.id if found.next else None,
        "commits": [_commit(commit) for commit in found.commits],
        "enrichment": _enrichment(found.enrichment),
    }


def _enrichment(known: EnrichmentView) -> Json:
    """What the code host says that the deploy carries, and what is missing."""
    return {
        "state": known.state,
        "missing": list(known.reasons),
        "remedies": list(known.remedies),
        "relation": known.relation or None,
        "pull_requests": [
            {"number": p.number, "title": p.title, "author": p.author or None, "url": p.url, "taken_out": p.is_taken_out}
            for p in known.pull_requests
        ],
        "commits": [
            {
                "sha": c.sha,
                "title": title_of(c.message) or None,
                "author": c.author or None,
                "url": c.url or None,
                "pull_request": c.pull_request,
                "taken_out": c.is_taken_out,
            }
            for c in known.commits
        ],
        "files": [
            {"path": f.path, "status": f.status, "added": f.added, "removed": f.removed, "category": group.category}
            for group in known.groups
            for f in group.files
        ],
    }


def _commit(commit: CommitView) -> Json:
    return {
        "sha": commit.sha,
        "title": title_of(commit.message) or None,
        "author": commit.author or None,
        "timestamp": _time(commit.authored_at) if commit.authored_at else None,
        "url": commit.url or None,
    }


def _service(service: ServiceView) -> Json:
    return {
        "id": service.id,
        "name": service.name,
        "environment": service.environment,
        "type": service.type,
        "url": service.url or None,
        "owner_team": service.owner_team or None,
        "repositories": [
            {"url": f"{link.host_url}/{link.path}", "path_prefix": link.path_prefix or None} for link in service.repositories
        ],
        "depends_on": [{"id": id_, "name": name} for id_, name in service.depends_on],
        "created_at": _time(service.created_at),
        "page_url": f"{settings().base_url}/services/{service.id}",
    }


def _target(target: Target) -> Json:
    return {"service": {"id": str(target.service_id), "name": target.service}, "environment": target.environment}


def _live(one: Live) -> Json:
    return {
        **_target(one.target),
        "deploy": _deploy(one.deploy) if one.deploy else None,
        "reason": None if one.deploy else _why_nothing(one.first_at),
    }


def _why_nothing(first_at: datetime | None) -> Json:
    if first_at is None:
        return {"code": "nothing_deployed", "message": "No deploy to this environment is known."}
    return {"code": "deployed_later", "message": f"The first deploy that is known came later, at {_time(first_at)}."}


def _change(one: Change) -> Json:
    return {
        **_target(one.target),
        "changed": one.deploy_count > 0,
        "before": _deploy(one.before) if one.before else None,
        "after": _deploy(one.after) if one.after else None,
        "base_commit_sha": one.base_sha or None,
        "head_commit_sha": one.head_sha or None,
        "compare_url": one.compare_url or None,
        "deploy_count": one.deploy_count,
        "rollback_count": one.rollback_count,
        "deploys": [_deploy(deploy) for deploy in one.deploys],
        "commits": [_commit(commit) for commit in one.carried.commits],
        "pull_requests": [asdict(pull_request) for pull_request in one.carried.pull_requests],
        "has_all_commits": one.carried.is_whole,
    }


def _name(service: ServiceView) -> str:
    return service.name.lower()


def _time(moment: datetime) -> str:
    """Always of the same width, so that times can be compared as text."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


routes = [
    Route(f"/api/v1/{path}", reads(prepare), methods=["GET"])
    for path, prepare in {
        "deploys": deploys,
        "deploys/{deploy_id}": deploy,
        "services": services,
        "live": live,
        "changes": changes,
    }.items()
]
