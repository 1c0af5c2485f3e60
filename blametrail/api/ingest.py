"""Posts with a deploy token: size, rate, token, content; then the answer, which waits for nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from blametrail.api.answers import answer, refusal, request_id
from blametrail.api.body import TooLarge, TooSlow, client_address, read_body
from blametrail.changes.events.record import Kept, record_change
from blametrail.changes.events.report import parse_change
from blametrail.deploys import delivery_log
from blametrail.deploys.receive import Act, Checked, Done, deploy_act, log_refusal, receive
from blametrail.deploys.record import Recorded
from blametrail.deploys.report import DeployReport, check_key, parse_report
from blametrail.incidents.cdevents import Nothing, event_key, read_cdevent
from blametrail.incidents.news import Heard, hear
from blametrail.kit.clock import now
from blametrail.kit.cloud_events import read_cloud_event
from blametrail.kit.db import EVERY_ORGANIZATION, database
from blametrail.kit.errors import Invalid, Refused, TooMany
from blametrail.kit.keys import key_ring
from blametrail.kit.limits import rate_limits
from blametrail.settings import settings

LARGEST_BODY = 102_400
LOGGED_REFUSALS = "10/minute"


Prepare = Callable[[Request, delivery_log.Request], Act]
"""What a post asks for, by its headers and its body; raises Invalid."""


async def post_deploy(request: Request) -> Response:
    """`POST /api/ingest/deploy`."""
    return await _take(request, "deploy", settings().ingest_rate_limit, _deploy)


async def post_test(request: Request) -> Response:
    """`POST /api/ingest/deploy/test`: everything is checked, nothing is stored."""
    return await _take(request, "test", settings().test_rate_limit, _deploy)


async def post_change(request: Request) -> Response:
    """`POST /api/ingest/change`: a change event."""
    return await _take(request, "change", settings().ingest_rate_limit, _change)


async def post_cdevent(request: Request) -> Response:
    """`POST /api/ingest/cdevents`: a CDEvent in a CloudEvent; its source and id are the key."""
    return await _take(request, "cdevents", settings().ingest_rate_limit, _cdevent)


async def _take(request: Request, route: str, rate: str, prepare: Prepare) -> Response:
    address = client_address(request)
    came = delivery_log.Request(route, b"", address, request_id(request), now())
    try:
        body = await read_body(request, LARGEST_BODY)
        _count(rate, route, address)
    except (TooLarge, TooSlow, TooMany) as error:
        return _refused_unread(request, came, error)
    came = delivery_log.Request(route, body, address, came.request_id, came.received_at)
    act = _prepared(prepare, request, came)
    presented = request.headers.get("x-deploy-token", "")
    outcome = await database().write(EVERY_ORGANIZATION, receive, key_ring(), presented, came, act)
    return refusal(request, outcome) if isinstance(outcome, Refused) else answer(request, _told(outcome))


def _prepared(prepare: Prepare, request: Request, came: delivery_log.Request) -> Act | Invalid:
    """What is wrong with the content is told after the token was looked at."""
    try:
        return prepare(request, came)
    except Invalid as error:
        return error


def _deploy(request: Request, came: delivery_log.Request) -> Act:
    _check_json(request)
    return deploy_act(came, parse_report(came.body), check_key(request.headers.get("x-idempotency-key")))


def _change(request: Request, came: delivery_log.Request) -> Act:
    _check_json(request)
    report, key = parse_change(came.body), check_key(request.headers.get("x-idempotency-key"))
    return lambda session, holder: record_change(session, holder, report, key, came.received_at)


def _cdevent(request: Request, came: delivery_log.Request) -> Act:
    event = read_cloud_event(request.headers, came.body)
    news, key = read_cdevent(event), event_key(event)
    if isinstance(news, Nothing):
        return lambda session, holder: Heard("ignored", reason=news.reason)
    if isinstance(news, DeployReport):
        return deploy_act(came, news, key)
    return lambda session, holder: hear(session, holder, news, key, came.received_at)


def _told(outcome: Done) -> Mapping[str, Any]:
    match outcome:
        case Checked():
            return {"status": "ok", "service": outcome.service, "environment": outcome.environment}
        case Recorded():
            return {"status": outcome.status, "deploy_id": str(outcome.deploy_id)}
        case Kept():
            return {"status": outcome.status, "change_event_id": str(outcome.change_event_id)}
        case Heard():
            found = {"incident_id": str(outcome.incident_id)} if outcome.incident_id else {}
            return {"status": outcome.outcome, **found, **({"reason": outcome.reason} if outcome.reason else {})}
    raise AssertionError(outcome)


def _count(rate: str, route: str, address: str) -> None:
    if wait := rate_limits().hit(rate, "ingest", route, address):
        raise TooMany(f"More than {rate.replace('/', ' requests per ')} from {address}. Try again in {wait} seconds.", wait)


def _check_json(request: Request) -> None:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Invalid({"Content-Type": "must be application/json"})


def _refused_unread(request: Request, came: delivery_log.Request, error: Refused) -> Response:
    """Answer at once; then, within bounds, tell the service's delivery log."""
    response = refusal(request, error)
    presented = request.headers.get("x-deploy-token", "")
    if presented and rate_limits().hit(LOGGED_REFUSALS, "refusals", came.address) is None:
        response.background = BackgroundTask(
            database().write, EVERY_ORGANIZATION, log_refusal, key_ring(), presented, came, error.status, error.message
        )
    if isinstance(error, TooLarge):
        response.headers["Connection"] = "close"
    return response


routes = [
    Route("/api/ingest/deploy", post_deploy, methods=["POST"]),
    Route("/api/ingest/deploy/test", post_test, methods=["POST"]),
    Route("/api/ingest/change", post_change, methods=["POST"]),
    Route("/api/ingest/cdevents", post_cdevent, methods=["POST"]),
]
