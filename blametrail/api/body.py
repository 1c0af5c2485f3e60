"""Read request bodies of a bounded size in a bounded time; and who sent them."""

from __future__ import annotations

import asyncio
from ipaddress import IPv6Address, IPv6Network, ip_address

from starlette.requests import ClientDisconnect, HTTPConnection, Request

from blametrail.kit.errors import Invalid, Refused
from blametrail.settings import settings

SECONDS = 10.0


class TooLarge(Refused):
    code = "too_large"
    status = 413


class TooSlow(Invalid):
    """The body did not arrive in time; the same again may well arrive, and 503 tells clients so."""

    code = "too_slow"
    status = 503


class CutOff(TooSlow):
    """The sender ended the request in the middle of its body."""

    status = 400


async def read_body(request: Request, limit: int) -> bytes:
    """At most `limit` bytes; raises TooLarge without reading on, also for compressed bodies, of which
    nobody knows what they become; TooSlow, and CutOff."""
    if request.headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
        raise TooLarge("Compressed bodies are not accepted. Send the JSON as it is, without Content-Encoding.")
    declared = request.headers.get("content-length", "0")
    if not declared.isdigit() or int(declared[:20]) > limit:
        raise _too_large(limit)
    received = bytearray()
    try:
        async with asyncio.timeout(SECONDS):
            async for chunk in request.stream():
                received += chunk
                if len(received) > limit:
                    raise _too_large(limit)
    except TimeoutError:
        raise TooSlow({"body": f"did not arrive within {SECONDS:.0f} seconds; nothing was stored"}) from None
    except ClientDisconnect:
        raise CutOff({"body": "was cut off by the sender; nothing was stored"}) from None
    return bytes(received)


def client_address(request: HTTPConnection) -> str:
    """The sender's address: the socket's peer, or the entry of `X-Forwarded-For` that the outermost of
    our own proxies wrote. What stands before that entry is the client's word and is ignored."""
    peer = request.client.host if request.client else ""
    hops = settings().trusted_proxy_hops
    chain = [part.strip() for line in request.headers.getlist("x-forwarded-for") for part in line.split(",")]
    return (chain[-hops] if hops and len(chain) >= hops else peer)[:64]


def address_block(address: str) -> str:
    """What to count as one sender: an IPv4 address, or the /64 of an IPv6 one, which is a single customer's."""
    try:
        known = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(known, IPv6Address):
        return str(known)
    return str(known.ipv4_mapped or IPv6Network((known, 64), strict=False))


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The body is larger than {limit:,} bytes; nothing was stored. Send fewer commits or shorter messages.")
