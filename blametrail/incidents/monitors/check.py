"""One check: ask an address, and say in defined words what is wrong with the answer."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

import httpx

from blametrail.incidents.monitors.expected import Expected
from blametrail.incidents.monitors.judge import Health
from blametrail.kit.clock import now
from blametrail.kit.http import outbound
from blametrail.kit.outbound_errors import (
    AddressRefused,
    InsideRefused,
    OutboundError,
    RedirectRefused,
    TimedOut,
    TlsFailed,
    TooLarge,
    Unreachable,
    Unreadable,
)

MOST_READ = 1_000_000
"""Bytes of an answer; what comes after them is not looked at."""


class Fault(StrEnum):
    """What can be wrong with a check."""

    NONE = ""
    REFUSED_ADDRESS = "address"
    INSIDE = "inside"
    UNREACHABLE = "unreachable"
    TIMED_OUT = "timeout"
    TLS = "tls"
    REDIRECT = "redirect"
    UNREADABLE = "unreadable"
    STATUS = "status"
    BODY = "body"
    SLOW = "slow"
    OTHER = "other"


_FAULTS: tuple[tuple[type[OutboundError], Fault], ...] = (
    (InsideRefused, Fault.INSIDE),
    (AddressRefused, Fault.REFUSED_ADDRESS),
    (Unreachable, Fault.UNREACHABLE),
    (TimedOut, Fault.TIMED_OUT),
    (TlsFailed, Fault.TLS),
    (RedirectRefused, Fault.REDIRECT),
    (Unreadable, Fault.UNREADABLE),
)


@dataclass(frozen=True, slots=True)
class Target:
    """What to ask and what to expect; the headers may be secret."""

    method: str
    url: str
    expected: Expected
    body_text: str = ""
    timeout_seconds: float = 10.0
    latency_ms: int = 0
    headers: dict[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Result:
    """What a check found; `latency_ms` is until the answer was read, None when there was none."""

    at: datetime
    health: Health
    fault: Fault = Fault.NONE
    reason: str = ""
    status: int | None = None
    latency_ms: float | None = None


async def check(target: Target) -> Result:
    """Ask once, on a connection of its own, as somebody would who comes for the first time."""
    at, began = now(), time.perf_counter()
    seconds = target.timeout_seconds
    try:
        async with outbound(
            headers=target.headers,
            total_seconds=seconds,
            connect_seconds=seconds,
            read_seconds=seconds,
            write_seconds=seconds,
            pool_seconds=seconds,
            largest_answer=MOST_READ,
        ) as client:
            answer = await client.send(client.build_request(target.method, target.url), stream=True)
            try:
                body = await _read(answer)
            finally:
                await answer.aclose()
    except OutboundError as error:
        fault = next((fault for kind, fault in _FAULTS if isinstance(error, kind)), Fault.OTHER)
        remedy = f" {error.remedy}" if isinstance(error, AddressRefused | RedirectRefused) else ""
        return Result(at, Health.DOWN, fault, error.reason + remedy)
    return _judged(target, at, answer.status_code, body, (time.perf_counter() - began) * 1000)


async def _read(answer: httpx.Response) -> bytes:
    """The body, or as much of it as is looked at."""
    pieces = []
    try:
        async for piece in answer.aiter_bytes():
            pieces.append(piece)
    except TooLarge:
        pass
    return b"".join(pieces)


def _judged(target: Target, at: datetime, status: int, body: bytes, took: float) -> Result:
    if status not in target.expected:
        reason = f"It answered {status}, not {target.expected}."
        return Result(at, Health.DOWN, Fault.STATUS, reason, status, took)
    if target.body_text and target.body_text.encode() not in body:
        return Result(at, Health.DOWN, Fault.BODY, "The expected text is not in the answer.", status, took)
    if target.latency_ms and took > target.latency_ms:
        reason = f"It took {took:,.0f} ms, more than {target.latency_ms:,} ms."
        return Result(at, Health.SLOW, Fault.SLOW, reason, status, took)
    return Result(at, Health.UP, status=status, latency_ms=took)
