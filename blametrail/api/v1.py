"""The read API, version 1: which addresses there are. Names of fields stay; what is not known is null."""

from __future__ import annotations

from dataclasses import replace

from blametrail.api import v1_answers as answers
from blametrail.api import v1_shapes as shapes
from blametrail.api.operations import Parameter
from blametrail.api.parameters import Parameters, cursor_of
from blametrail.api.reading import Read, Reading, reads
from blametrail.api.v1_asked import (
    CURSOR,
    ENVIRONMENT,
    LIMIT,
    ON_A_PAGE,
    SERVICE,
    SINCE,
    TIME,
    UNTIL,
    cut,
    id_of,
    last_before,
    service_id_of,
    targets_of,
)
from blametrail.catalog import services as catalog
from blametrail.changes.search import MOST_PAGE, ChangeQuery
from blametrail.changes.search import search_changes as search
from blametrail.changes.views import change_detail
from blametrail.deploys import what_changed as differences
from blametrail.deploys.filters import Filters
from blametrail.deploys.find import find_deploy
from blametrail.deploys.lineage import Kind
from blametrail.deploys.live_at import live_at
from blametrail.deploys.summaries import newest_deploys, services_by_id
from blametrail.incidents import find as incidents
from blametrail.incidents.states import Severity, Status
from blametrail.kit.clock import now
from blametrail.kit.cursors import read_cursor
from blametrail.kit.db import ScopedSession


def _of(name: str, about: str, options: type[Kind | Severity | Status]) -> Parameter:
    return Parameter(name, about, {"type": "string", "enum": [option.value for option in options]})


KIND = _of("kind", "Against what was live before.", Kind)
STATUS = _of("status", "Where the incident stands.", Status)
SEVERITY = _of("severity", "How bad it is.", Severity)
BRANCH = Parameter("branch", "Part of the branch's name.")
DEPLOYED_BY = Parameter("author", "Part of the name of whoever deployed.")
DEPLOY_TEXT = Parameter(
    "text", "Part of the message, version, description, branch or deployer, or the begin of the commit's id."
)
AT = Parameter("at", "The moment; now unless it is given.", TIME)
FROM = Parameter("from", "What happened at that very moment is before it.", TIME, is_required=True)
TO = Parameter("to", "That moment included; now unless it is given.", TIME)
WORDS = Parameter(
    "text", "Words of the title, labels, author, paths or text; each must be there. Words in quotes stand in a row."
)
PATH = Parameter("path", "The begin of a changed file's path, or all of it where it has `*` or `?`.")
AUTHOR = Parameter("author", "Part of the author's name.")
REPOSITORY = Parameter("repository", "Part of the repository's name.")
LABEL = Parameter("label", "A label, whole.")
FEWER = replace(LIMIT, schema={**LIMIT.schema, "maximum": MOST_PAGE})
INCIDENT_TEXT = Parameter("text", "Part of the title, description, error message or endpoint.")
DEPLOY_ID = id_of("deploy_id", "a deploy")
SERVICE_ID = id_of("service_id", "a service")
CHANGE_ID = id_of("change_id", "a change")
INCIDENT_ID = id_of("incident_id", "an incident")


@reads(
    "deploys",
    *(SERVICE, ENVIRONMENT, KIND, BRANCH, DEPLOYED_BY, DEPLOY_TEXT, SINCE, UNTIL, *ON_A_PAGE),
    answers=shapes.DeployList,
    service="checkout",
    since="2026-01-31T00:00:00Z",
    until="2026-02-01T00:00:00Z",
    limit="2",
)
def list_deploys(asked: Parameters) -> Read:
    """Deploys, the newest first.

    A deploy counts from when it happened, whenever it was reported."""
    service, environment, kind = asked.text(SERVICE), asked.text(ENVIRONMENT), asked.choice(KIND)
    filters = Filters(branch=asked.text(BRANCH), author=asked.text(DEPLOYED_BY), text=asked.text(DEPLOY_TEXT))
    since, until = asked.time(SINCE), asked.time(UNTIL)
    limit, after = asked.number(LIMIT), asked.moment_and_id(CURSOR)

    def read(session: ScopedSession) -> shapes.DeployList:
        services = services_by_id(session)
        found = newest_deploys(
            session,
            services,
            service_id=service_id_of(services, service),
            environment=environment,
            kind=kind,
            filters=filters,
            since=since,
            until=until,
            after=after,
            limit=limit + 1,
        )
        page, last = found[:limit], found[limit - 1].deploy if len(found) > limit else None
        following = cursor_of(last.deployed_at.isoformat(), last.id) if last else None
        return {"deploys": [answers.deploy(one) for one in page], "next_cursor": following}

    return read


@reads("deploys/{deploy_id}", DEPLOY_ID, answers=shapes.DeployDetail, deploy_id="0193f6b2-0000-4000-8000-00000000d002")
def get_deploy(asked: Parameters) -> Read:
    """One deploy with what it carries.

    `commits` are those that CI named; `enrichment` is what the code host says that the deploy carries, and what is not known
    of it."""
    wanted = asked.id(DEPLOY_ID)
    return lambda session: answers.deploy_detail(find_deploy(session, wanted))


@reads("services", *ON_A_PAGE, answers=shapes.ServiceList, limit="2")
def list_services(asked: Parameters) -> Read:
    """Services, by name."""
    limit, after = asked.number(LIMIT), asked.cursor(CURSOR, 1)

    def read(session: ScopedSession) -> shapes.ServiceList:
        known = sorted(catalog.list_services(session), key=lambda one: one.name.lower())
        page, following = cut(known, limit, lambda one: (one.name.lower(),), after)
        return {"services": [answers.service(one) for one in page], "next_cursor": following}

    return read


@reads("services/{service_id}", SERVICE_ID, answers=shapes.Service, service_id="0193f6b2-0000-4000-8000-00000000a001")
def get_service(asked: Parameters) -> Read:
    """One service."""
    wanted = asked.id(SERVICE_ID)
    return lambda session: answers.service(catalog.view(session, wanted))


@reads(
    "live",
    *(AT, SERVICE, ENVIRONMENT, *ON_A_PAGE),
    answers=shapes.LiveList,
    at="2026-01-31T14:30:00Z",
    environment="production",
)
def what_was_live(asked: Parameters) -> Read:
    """What was live at a moment.

    There is one entry for each service and each environment that it was deployed to or is said to live in. Where no deploy is
    known, `deploy` is null and `reason` says why."""
    moment = asked.time_or(AT, now())
    wanted = targets_of(asked)

    def read(session: ScopedSession) -> shapes.LiveList:
        services = services_by_id(session)
        page, following = wanted(session, services)
        found = [answers.live(one) for one in live_at(session, services, page, moment)]
        return {"at": answers.time(moment), "live": found, "next_cursor": following}

    return read


@reads(
    "changes",
    *(FROM, TO, SERVICE, ENVIRONMENT, *ON_A_PAGE),
    answers=shapes.DifferenceList,
    from_="2026-01-31T14:00:00Z",
    to="2026-01-31T15:00:00Z",
    service="checkout",
)
def what_changed(asked: Parameters) -> Read:
    """What changed between two moments.

    There is one entry for each service and environment, changed or not."""
    end = asked.time_or(TO, now())
    start = asked.time_or(FROM, end)
    if start > end:
        asked.fault(FROM, "must come before `to`, which is now unless it is given")
    wanted = targets_of(asked)

    def read(session: ScopedSession) -> shapes.DifferenceList:
        services = services_by_id(session)
        page, following = wanted(session, services)
        found = [answers.difference(one) for one in differences.what_changed(session, services, page, start, end)]
        return {"from": answers.time(start), "to": answers.time(end), "changes": found, "next_cursor": following}

    return read


@reads(
    "changes/search",
    *(WORDS, PATH, AUTHOR, SERVICE, REPOSITORY, LABEL, SINCE, UNTIL, FEWER, CURSOR),
    answers=shapes.ChangeList,
    text="retry payments",
    service="checkout",
)
def search_changes(asked: Parameters) -> Read:
    """Search merged pull requests.

    Changes that have every word in the title come first, then those that need labels, author and paths, then those that need
    the text; among equals, the one merged last. Without words, the one merged last comes first. Times are those of the
    merge."""
    query = ChangeQuery(
        text=asked.text(WORDS),
        path=asked.text(PATH),
        author=asked.text(AUTHOR),
        repository=asked.text(REPOSITORY),
        label=asked.text(LABEL),
        start=asked.time(SINCE),
        end=last_before(asked.time(UNTIL)),
    )
    service, limit = asked.text(SERVICE), asked.number(FEWER)
    cursor = asked.cursor_that(lambda text: read_cursor(text.partition("~")[2]), CURSOR)

    def read(session: ScopedSession) -> shapes.ChangeList:
        wanted = replace(query, service_id=service_id_of(services_by_id(session), service))
        page = search(session, wanted, cursor, limit)
        following = cursor_of(page.next_cursor) if page.next_cursor else None
        return {"changes": [answers.change(one) for one in page.changes], "count": page.count, "next_cursor": following}

    return read


@reads("changes/{change_id}", CHANGE_ID, answers=shapes.ChangeDetail, change_id="0193f6b2-0000-4000-8000-00000000c001")
def get_change(asked: Parameters) -> Read:
    """One merged pull request with its files."""
    wanted = asked.id(CHANGE_ID)
    return lambda session: answers.change_detail(change_detail(session, wanted))


@reads(
    "incidents",
    *(SERVICE, ENVIRONMENT, STATUS, SEVERITY, INCIDENT_TEXT, SINCE, UNTIL, *ON_A_PAGE),
    answers=shapes.IncidentList,
    status="open",
    service="checkout",
)
def list_incidents(asked: Parameters) -> Read:
    """Incidents, those detected last first.

    What was merged into another is found there. Times are those of the detection."""
    filters = incidents.IncidentFilters(
        environments=_only(asked.text(ENVIRONMENT)),
        statuses=_only(asked.choice(STATUS)),
        severities=_only(asked.choice(SEVERITY)),
        text=asked.text(INCIDENT_TEXT),
        since=asked.time(SINCE),
        until=last_before(asked.time(UNTIL)),
    )
    service, limit, cursor = asked.text(SERVICE), asked.number(LIMIT), asked.cursor_that(read_cursor, CURSOR)

    def read(session: ScopedSession) -> shapes.IncidentList:
        wanted = service_id_of(services_by_id(session), service)
        page = incidents.list_incidents(session, replace(filters, services=(wanted,) if wanted else ()), cursor, limit)
        following = cursor_of(page.next_cursor) if page.next_cursor else None
        return {"incidents": [answers.incident(one) for one in page.incidents], "next_cursor": following}

    return read


def _only(value: str) -> tuple[str, ...]:
    return (value,) if value else ()


@reads(
    "incidents/{incident_id}", INCIDENT_ID, answers=shapes.IncidentDetail, incident_id="0193f6b2-0000-4000-8000-00000000e001"
)
def get_incident(asked: Parameters) -> Read:
    """One incident with its symptom and what happened to it."""
    wanted = asked.id(INCIDENT_ID)
    return lambda session: answers.incident_detail(incidents.incident_detail(session, wanted))


readings: tuple[Reading, ...] = (
    list_deploys,
    get_deploy,
    list_services,
    get_service,
    what_was_live,
    what_changed,
    search_changes,
    get_change,
    list_incidents,
    get_incident,
)
routes = [reading.route for reading in readings]
