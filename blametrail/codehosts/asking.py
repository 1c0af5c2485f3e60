"""How a code host is asked: one request at a time, what went wrong in words, nothing sent twice that is known already.

Answers with an ETag are kept in memory and asked for again with If-None-Match: a 304 costs nothing of the host's rate limit.
They are kept by connection, so that nobody is answered with what another credential may see.
"""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import httpx

from blametrail.codehosts.host import (
    BadAnswer,
    HostError,
    NotPermitted,
    NotVisible,
    RateLimited,
    TokenRefused,
    Unreachable,
)
from blametrail.kit.clock import now
from blametrail.kit.http import outbound, retry_after
from blametrail.kit.outbound_errors import AddressRefused, OutboundError, TlsFailed, TooLarge, Unreadable

LARGEST_ANSWER = 30_000_000
"""Bytes; a comparison of 300 files with their patches is below 10 million."""

MOST_PAGES = 1_000
KEPT_BYTES = 64_000_000
LARGEST_KEPT = 4_000_000
EACH_KEPT = 1_000
"""Bytes that an answer takes beside its own: without them, many small ones would be kept for nothing."""

DEFAULT_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class Answer:
    """A good answer: its JSON, the headers, and the address of the next page or nothing."""

    body: Any
    headers: httpx.Headers
    next_url: str


@dataclass(frozen=True, slots=True)
class _Kept:
    etag: str
    content: bytes
    link: str

    @property
    def size(self) -> int:
        return len(self.content) + len(self.etag) + len(self.link) + EACH_KEPT


class Memory:
    """Answers that hosts may be asked about again, the least recently used forgotten first; `most` is in bytes."""

    def __init__(self, most: int = KEPT_BYTES) -> None:
        self._kept: OrderedDict[tuple[UUID, str], _Kept] = OrderedDict()
        self._most, self._size = most, 0

    def get(self, connection_id: UUID, url: str) -> _Kept | None:
        kept = self._kept.get((connection_id, url))
        if kept:
            self._kept.move_to_end((connection_id, url))
        return kept

    def keep(self, connection_id: UUID, url: str, answer: _Kept) -> None:
        if old := self._kept.pop((connection_id, url), None):
            self._size -= old.size
        if answer.size > min(LARGEST_KEPT, self._most):
            return
        self._kept[connection_id, url] = answer
        self._size += answer.size
        while self._size > self._most:
            _, dropped = self._kept.popitem(last=False)
            self._size -= dropped.size


MEMORY = Memory()


class Asker:
    """Asks one host below `api_url` for one connection. `explain` knows the host's own ways to say what is wrong: it may answer
    a HostError for a refused response, or None for the common ones below. `sign` gives headers that change with time."""

    def __init__(
        self,
        connection_id: UUID,
        api_url: str,
        headers: Mapping[str, str],
        explain: Callable[[httpx.Response], HostError | None],
        memory: Memory = MEMORY,
        sign: Callable[[], Awaitable[Mapping[str, str]]] | None = None,
    ) -> None:
        self.calls = 0
        self.host = urlsplit(api_url).hostname or ""
        self._connection_id, self._api_url, self._memory, self._explain = connection_id, api_url.rstrip("/"), memory, explain
        self._sign = sign
        self._client = outbound(headers=headers, largest_answer=LARGEST_ANSWER, total_seconds=60.0, read_seconds=30.0)

    async def aclose(self) -> None:
        await self._client.aclose()

    async def get(self, path_or_url: str, **params: str | int) -> Answer:
        """GET an address below the API, or one of a next page; raises HostError."""
        url = self._address(path_or_url, params)
        kept = self._memory.get(self._connection_id, url)
        return await self._get(url, kept)

    async def get_anew(self, path: str) -> Answer:
        """GET as if nothing were known: for answers whose headers are what is asked for."""
        return await self._get(self._address(path, {}), None)

    async def _get(self, url: str, kept: _Kept | None) -> Answer:
        response = await self._send("GET", url, {"If-None-Match": kept.etag} if kept else {})
        if response.status_code == httpx.codes.NOT_MODIFIED and kept:
            return self._answer(kept.content, kept.link, response.headers)
        if not response.is_success:
            raise self._refusal(response)
        link, etag = response.headers.get("link", ""), response.headers.get("etag", "")
        answer = self._answer(response.content, link, response.headers)
        if etag:
            self._memory.keep(self._connection_id, url, _Kept(etag, response.content, link))
        return answer

    async def pages(self, path: str, **params: str | int) -> AsyncIterator[Answer]:
        """All pages of a list, asked for as they are needed; a list that never ends ends at MOST_PAGES."""
        answer = await self.get(path, **params)
        yield answer
        for _ in range(MOST_PAGES - 1):
            if not answer.next_url:
                return
            answer = await self.get(answer.next_url)
            yield answer

    async def post(self, path: str, body: Mapping[str, Any]) -> Answer:
        """POST JSON, once; raises HostError."""
        response = await self._send("POST", self._address(path, {}), {}, body)
        if not response.is_success:
            raise self._refusal(response)
        return self._answer(response.content, "", response.headers)

    def _address(self, path_or_url: str, params: Mapping[str, str | int]) -> str:
        """A next page must be on the API that was asked: a host must not send the credential elsewhere."""
        if "://" in path_or_url:
            if not path_or_url.startswith(f"{self._api_url}/"):
                raise BadAnswer(f"{self.host} names a next page that is elsewhere.", "Check the address of the connection.")
            return path_or_url
        return str(httpx.URL(self._api_url + path_or_url, params=params) if params else self._api_url + path_or_url)

    async def _send(
        self, method: str, url: str, headers: Mapping[str, str], body: Mapping[str, Any] | None = None
    ) -> httpx.Response:
        signed = {**headers, **(await self._sign() if self._sign else {})}
        self.calls += 1
        try:
            response = await self._client.request(method, url, headers=signed, json=body)
        except (AddressRefused, TlsFailed) as error:
            raise Unreachable(error.reason, error.remedy, is_passing=False) from None
        except (TooLarge, Unreadable) as error:
            raise BadAnswer(error.reason, error.remedy) from None
        except OutboundError as error:
            raise Unreachable(error.reason, error.remedy) from None
        self.calls += len(response.history)
        return response

    def _answer(self, content: bytes, link: str, headers: httpx.Headers) -> Answer:
        try:
            body = json.loads(content)
        except (ValueError, RecursionError):
            raise BadAnswer(
                f"{self.host} answered something that is not JSON.", "Check that the address is that of the code host."
            ) from None
        return Answer(body, headers, next_page(link))

    def _refusal(self, response: httpx.Response) -> HostError:
        """What a status means when the host says nothing more exact."""
        status, host = response.status_code, self.host
        if known := self._explain(response):
            return known
        if status == httpx.codes.UNAUTHORIZED:
            return TokenRefused(
                f"{host} refused the token: it is wrong, expired or revoked (401).",
                "Make a new token there and replace the saved one.",
            )
        if status == httpx.codes.TOO_MANY_REQUESTS:
            return rate_limited(host, wait_of(response.headers))
        if status == httpx.codes.FORBIDDEN:
            return NotPermitted(f"{host} does not allow this with the token (403).", "Give the token the right to read code.")
        if status in {httpx.codes.NOT_FOUND, httpx.codes.GONE}:
            return NotVisible(f"{host} does not have this, or the token cannot see it (404).", "Check the repository's name.")
        return BadAnswer(f"{host} answered {status}.", "It is tried again later.")


def rate_limited(host: str, until: datetime) -> RateLimited:
    return RateLimited(
        f"The rate limit of {host} is used up until {until:%H:%M} UTC.", "It is tried again then, by itself.", until
    )


def wait_of(headers: httpx.Headers) -> datetime:
    """When to ask again, by Retry-After, else by the reset of a limit that is used up, else in a minute; never later than in
    two hours."""
    moment = now()
    asked = retry_after(headers.get("retry-after", ""))
    until = _reset(headers) or moment + DEFAULT_WAIT if asked is None else moment + timedelta(seconds=min(asked, 86_400))
    return min(max(until, moment + timedelta(seconds=1)), moment + LONGEST_WAIT)


def _reset(headers: httpx.Headers) -> datetime | None:
    written = headers.get("x-ratelimit-reset") or headers.get("ratelimit-reset") or ""
    # Another limit than this one may have been reached: its reset says nothing then.
    if headers.get("x-ratelimit-remaining", headers.get("ratelimit-remaining", "0")) != "0":
        return None
    return datetime.fromtimestamp(int(written), UTC) if re.fullmatch(r"\d{9,11}", written) else None


def next_page(link: str) -> str:
    """The address that a Link header calls next (RFC 8288), or nothing."""
    answer = httpx.Response(200, headers=[(b"link", link.encode("utf-8", "replace"))])
    return str(answer.links.get("next", {}).get("url", "")) if link else ""
