"""Webhooks of code hosts: rate, size, signature; then the answer, which waits for nothing outside.

Whoever's secret signed it is the organization that it is for. What is signed is answered well whatever it says: a code
host stops sending to an address that refuses.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from blametrail.api.answers import answer, refusal
from blametrail.api.body import TooLarge, address_block, client_address, read_body
from blametrail.changes import signatures
from blametrail.changes.deliveries import Delivery, Outcome, take_delivery
from blametrail.changes.told import Told, Unreadable, read_payload
from blametrail.changes.webhook_secrets import Signer, find_signer
from blametrail.codehosts.access import Kind
from blametrail.kit.db import EVERY_ORGANIZATION, database
from blametrail.kit.errors import Conflict, NotSignedIn, TooMany, Unavailable
from blametrail.kit.keys import key_ring
from blametrail.kit.limits import rate_limits

log = structlog.get_logger(__name__)

LARGEST_BODY = 25_000_000
"""What GitHub sends at most, in bytes."""

SMALL_BODY = 1_000_000
ROOMS, SECONDS_TO_ROOM = 4, 5.0
"""Larger bodies than small that are held at a time, whoever sends them, and how long one more waits."""

WRONG_SIGNATURES = "30/minute"
"""Of one address, before it is not listened to any more for a while."""

TRIES = 3
NOT_SIGNED = (
    "The signature is missing, or no secret here makes it. Set the webhook's secret to the one that the page Webhooks showed."
)
Verify = Callable[[str, Mapping[str, str], bytes], bool]


async def from_github(request: Request) -> Response:
    """`POST /api/github/webhook`."""
    name, event = request.headers.get("x-github-delivery", ""), request.headers.get("x-github-event", "")
    return await _take(request, Kind.GITHUB, signatures.is_signed_by_github, name, event)


async def from_gitlab(request: Request) -> Response:
    """`POST /api/gitlab/webhook`. One event of GitLab may go to several webhooks; each has a key of its own."""
    headers = request.headers
    name = headers.get("webhook-id") or headers.get("idempotency-key") or headers.get("x-gitlab-event-uuid", "")
    return await _take(request, Kind.GITLAB, signatures.is_signed_by_gitlab, name, headers.get("x-gitlab-event", ""))


async def _take(request: Request, kind: Kind, verify: Verify, name: str, event: str) -> Response:
    address = address_block(client_address(request))
    if wait := rate_limits().full(WRONG_SIGNATURES, "webhook", address):
        return refusal(request, TooMany(f"Too many wrong signatures from this address. Try again in {wait} seconds.", wait))
    if not signatures.is_presented(request.headers):
        return _not_signed(request, address)
    try:
        async with _room(request):
            body = await read_body(request, LARGEST_BODY)
            signer = await _signer(request, kind, verify, body)
            if signer is None:
                return _not_signed(request, address)
            delivery = Delivery(kind, name or hashlib.sha256(body).hexdigest(), event, body)
            outcome = await _act(signer, delivery)
    except TooLarge as error:
        response = refusal(request, error)
        response.headers["Connection"] = "close"
        return response
    return answer(request, {"status": outcome}, 202 if outcome == Outcome.QUARANTINED else 200)


async def _signer(request: Request, kind: Kind, verify: Verify, body: bytes) -> Signer | None:
    def signs(secret: str) -> bool:
        return verify(secret, request.headers, body)

    return await database().read(EVERY_ORGANIZATION, find_signer, key_ring(), kind, len(body), signs)


async def _act(signer: Signer, delivery: Delivery) -> Outcome:
    """Do what it asks for. A fault of ours in doing so is kept with the webhook, and is not the sender's."""
    told = await asyncio.to_thread(read_payload, delivery.kind, delivery.event, delivery.body)
    try:
        return await _store(signer, delivery, told)
    except Unavailable:
        raise
    except Exception:
        log.exception("a webhook could not be acted on", delivery=delivery.id[:80], kind=delivery.kind)
        return await _store(signer, delivery, Unreadable("It could not be acted on: a fault of ours, which is in the log."))


async def _store(signer: Signer, delivery: Delivery, told: Told) -> Outcome:
    """Two that meet are done one after the other."""
    for left in reversed(range(TRIES)):
        try:
            return await database().write(signer.organization_id, take_delivery, signer, delivery, told)
        except Conflict:
            if not left:
                raise
    raise AssertionError("unreachable")


def _not_signed(request: Request, address: str) -> Response:
    rate_limits().hit(WRONG_SIGNATURES, "webhook", address)
    return refusal(request, NotSignedIn(NOT_SIGNED))


_rooms = asyncio.Semaphore(ROOMS)


@asynccontextmanager
async def _room(request: Request) -> AsyncIterator[None]:
    """A place for a body that is large, or does not say how large it is: nobody has signed it yet, and memory is not endless."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared[:20]) <= SMALL_BODY:
        yield
        return
    try:
        await asyncio.wait_for(_rooms.acquire(), SECONDS_TO_ROOM)
    except TimeoutError:
        raise Unavailable("Too many large webhooks come in at once; nothing was stored. Send it again in a minute.") from None
    try:
        yield
    finally:
        _rooms.release()


routes = [
    Route("/api/github/webhook", from_github, methods=["POST"]),
    Route("/api/gitlab/webhook", from_gitlab, methods=["POST"]),
]
