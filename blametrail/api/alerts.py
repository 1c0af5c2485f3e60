"""Alerts of monitoring: rate, size, token or signature; then the answer, which waits for nothing outside.

What is from a known source is answered well whatever it says, and kept with the reason when it cannot be read: a sender
that is refused gives up, and what it told would be lost.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Awaitable, Callable
from uuid import UUID

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from blametrail.api.answers import answer, refusal, request_id
from blametrail.api.body import TooLarge, address_block, client_address, read_body
from blametrail.incidents.alerts import sns
from blametrail.incidents.alerts.connect import find_by_secret
from blametrail.incidents.alerts.receive import FAULT_OF_OURS, Came, Message, Received, read_message, receive
from blametrail.incidents.alerts.shapes import SourceKind
from blametrail.incidents.alerts.signatures import VERIFY
from blametrail.incidents.alerts.take import Result
from blametrail.kit.clock import now
from blametrail.kit.db import EVERY_ORGANIZATION, database
from blametrail.kit.errors import Conflict, NotSignedIn, Refused, TooMany, Unavailable
from blametrail.kit.keys import key_ring
from blametrail.kit.limits import rate_limits
from blametrail.settings import settings

log = structlog.get_logger(__name__)
LARGEST_BODY = 1_000_000
SMALL_BODY = 8_000
"""What is read and masked in less time than it takes to hand it to another thread, in bytes."""

WRONG_SENDERS = "30/minute"
"""Wrong tokens and signatures of one address, before it is not listened to any more for a while."""

TRIES = 3
NOT_KNOWN = (
    "There is no alert token, and no signature that a secret here makes. Send the source's token in X-Alert-Token, as Bearer or "
    "as the password of basic authentication, or set the vendor's secret on the page Alerts."
)


async def _take(request: Request, kind: SourceKind) -> Response:
    address = client_address(request)
    try:
        _count(address)
        body = await read_body(request, LARGEST_BODY)
        shown = _token(request) or await _signer(request, kind, body)
        outcome: Received | Refused = NotSignedIn(NOT_KNOWN) if not shown else await _store(request, kind, shown, body)
    except TooLarge as error:
        response = refusal(
            request, TooLarge(f"A message may have {LARGEST_BODY:,} bytes; nothing was stored. {_FEWER}"), error.status
        )
        response.headers["Connection"] = "close"
        return response
    if isinstance(outcome, Refused):
        return _not_signed_in(request, kind, address, outcome)
    body_of_answer = {"status": outcome.result.value, "delivery_id": str(outcome.delivery_id), "reason": outcome.reason}
    return answer(request, body_of_answer, 202 if outcome.result is Result.UNREADABLE else 200)


_FEWER = "Send fewer alerts at once."


def _count(address: str) -> None:
    """Raises TooMany."""
    rate = settings().alert_rate_limit
    if wait := rate_limits().full(WRONG_SENDERS, "alert", address_block(address)):
        raise TooMany(f"Too many wrong tokens or signatures from this address. Try again in {wait} seconds.", wait)
    if wait := rate_limits().hit(rate, "alerts", address):
        raise TooMany(f"More than {rate.replace('/', ' messages per ')} from {address}. Try again in {wait} seconds.", wait)


def _token(request: Request) -> str:
    """Where a sender can put a token; Alertmanager has Authorization only, and SNS the user and password of an address."""
    if token := request.headers.get("x-alert-token", "").strip():
        return token
    scheme, _, rest = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(rest.strip(), validate=True).decode().partition(":")[2]
        except (binascii.Error, ValueError):
            return ""
    return ""


async def _signer(request: Request, kind: SourceKind, body: bytes) -> UUID | None:
    """The source whose secret signed it."""
    if kind is SourceKind.CLOUDWATCH:
        return await _signer_at_amazon(body)
    header, verify = VERIFY.get(kind, ("", None))
    if verify is None or not request.headers.get(header):
        return None

    def signs(secret: str) -> bool:
        return verify(secret, request.headers, body)

    return await database().read(EVERY_ORGANIZATION, find_by_secret, key_ring(), kind, len(body), signs)


async def _signer_at_amazon(body: bytes) -> UUID | None:
    """Raises Unavailable while the certificate is being fetched: SNS sends again."""
    envelope = sns.read_envelope(body)
    if envelope is None or not sns.is_genuine_certificate(envelope.certificate_url):
        return None
    seen = await database().read(EVERY_ORGANIZATION, sns.look_up, key_ring(), envelope)
    if seen is None:
        return None
    if seen.pem is None:
        await database().write(seen.organization_id, sns.ask_for_certificate, envelope.certificate_url)
        raise Unavailable(
            "The certificate that signs this is being fetched; nothing was stored. Send it again in a few seconds."
        )
    return seen.source_id if sns.is_signed(envelope, seen.pem) else None


async def _store(request: Request, kind: SourceKind, shown: str | UUID, body: bytes) -> Received | Refused:
    """A fault of ours in acting on a message is kept with it, and is not the sender's."""
    came = Came(client_address(request), request_id(request), now())
    message = read_message(kind, body) if len(body) <= SMALL_BODY else await asyncio.to_thread(read_message, kind, body)
    try:
        return await _write(kind, shown, came, message)
    except Unavailable:
        raise
    except Exception:
        log.exception("an alert could not be acted on", kind=kind, request_id=came.request_id)
        return await _write(kind, shown, came, Message(message.payload, unreadable=FAULT_OF_OURS))


async def _write(kind: SourceKind, shown: str | UUID, came: Came, message: Message) -> Received | Refused:
    for left in reversed(range(TRIES)):
        try:
            return await database().write(EVERY_ORGANIZATION, receive, key_ring(), kind, shown, came, message)
        except Conflict:
            if not left:
                raise
    raise AssertionError("unreachable")


def _not_signed_in(request: Request, kind: SourceKind, address: str, error: Refused) -> Response:
    rate_limits().hit(WRONG_SENDERS, "alert", address_block(address))
    response = refusal(request, error)
    if kind is SourceKind.CLOUDWATCH:  # SNS shows the password of an address only to those who ask for it
        response.headers["WWW-Authenticate"] = 'Basic realm="alerts"'
    return response


def _endpoint(kind: SourceKind) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        return await _take(request, kind)

    endpoint.__name__ = f"from_{kind}"
    return endpoint


routes = [Route(f"/api/alerts/{kind}", _endpoint(kind), methods=["POST"]) for kind in SourceKind]
