"""Deploy posts from CI: size, rate, token, content; then the answer, which waits for nothing else."""

from __future__ import annotations

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from blametrail.api.answers import answer, refusal, request_id
from blametrail.api.body import TooLarge, TooSlow, client_address, read_body
from blametrail.deploys import delivery_log
from blametrail.deploys.receive import Checked, log_refusal, receive
from blametrail.deploys.record import Recorded
from blametrail.deploys.report import DeployReport, check_key, parse_report
from blametrail.kit.clock import now
from blametrail.kit.db import EVERY_ORGANIZATION, database
from blametrail.kit.errors import Invalid, Refused, TooMany
from blametrail.kit.keys import key_ring
from blametrail.kit.limits import rate_limits
from blametrail.settings import settings

LARGEST_BODY = 102_400
LOGGED_REFUSALS = "10/minute"


async def post_deploy(request: Request) -> Response:
    """`POST /api/ingest/deploy`."""
    return await _take(request, "deploy", settings().ingest_rate_limit)


async def post_test(request: Request) -> Response:
    """`POST /api/ingest/deploy/test`: everything is checked, nothing is stored."""
    return await _take(request, "test", settings().test_rate_limit)


async def _take(request: Request, route: str, rate: str) -> Response:
    address = client_address(request)
    came = delivery_log.Request(route, b"", address, request_id(request), now())
    try:
        body = await read_body(request, LARGEST_BODY)
        _count(rate, route, address)
    except (TooLarge, TooSlow, TooMany) as error:
        return _refused_unread(request, came, error)
    came = delivery_log.Request(route, body, address, came.request_id, came.received_at)
    content = _content(request, body)
    key = _key(request) if isinstance(content, DeployReport) else None
    if isinstance(key, Invalid):
        content, key = key, None
    presented = request.headers.get("x-deploy-token", "")
    outcome = await database().write(EVERY_ORGANIZATION, receive, key_ring(), presented, came, content, key)
    if isinstance(outcome, Refused):
        return refusal(request, outcome)
    if isinstance(outcome, Checked):
        return answer(request, {"status": "ok", "service": outcome.service, "environment": outcome.environment})
    assert isinstance(outcome, Recorded)
    return answer(request, {"status": outcome.status, "deploy_id": str(outcome.deploy_id)})


def _count(rate: str, route: str, address: str) -> None:
    if wait := rate_limits().hit(rate, "ingest", route, address):
        raise TooMany(f"More than {rate.replace('/', ' requests per ')} from {address}. Try again in {wait} seconds.", wait)


def _content(request: Request, body: bytes) -> DeployReport | Invalid:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        return Invalid({"Content-Type": "must be application/json"})
    try:
        return parse_report(body)
    except Invalid as error:
        return error


def _key(request: Request) -> str | Invalid | None:
    try:
        return check_key(request.headers.get("x-idempotency-key"))
    except Invalid as error:
        return error


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
]
