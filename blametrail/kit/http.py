"""The one door for outgoing HTTP: every call has limits in time and size, and none reaches inside unless allowed."""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import aclosing, contextmanager
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from importlib.metadata import version
from ipaddress import ip_address
from typing import Any

import anyio
import certifi
import httpcore
import httpx

from blametrail.kit.clock import now
from blametrail.kit.inside import GuardedBackend
from blametrail.kit.outbound_errors import (
    REACH,
    AddressRefused,
    OutboundError,
    RedirectRefused,
    TimedOut,
    TlsFailed,
    TooLarge,
    TooManyRedirects,
    Unreachable,
    Unreadable,
)
from blametrail.settings import HOST_NAME

TOTAL_SECONDS = 30.0
LARGEST_ANSWER = 10_000_000
MOST_REDIRECTS = 5

_DEADLINE = "blametrail.deadline"
_USER_AGENT = f"BlameTrail/{version('blametrail')}"
_CHECK = "Use the address that answers by itself."


def outbound(
    *,
    base_url: str = "",
    headers: Mapping[str, str] | None = None,
    total_seconds: float = TOTAL_SECONDS,
    connect_seconds: float = 5.0,
    read_seconds: float = 10.0,
    write_seconds: float = 10.0,
    pool_seconds: float = 5.0,
    largest_answer: int = LARGEST_ANSWER,
    tls: ssl.SSLContext | None = None,
    backend: GuardedBackend | None = None,
) -> httpx.AsyncClient:
    """A client for calls to other systems; use it with `async with`, or close it.

    `total_seconds` is for a whole request: waiting for a connection, redirects, the last byte read, and what the caller
    does in between when it streams. `largest_answer` is in bytes, as sent and as unpacked. `connect_seconds` includes
    looking up the name. At most five redirects are followed; another scheme, host or port sees none of the caller's
    headers. Raises OutboundError only, from here and from every request.
    """
    _hush()
    pool = httpcore.AsyncConnectionPool(
        ssl_context=tls or _trusted(),
        max_connections=20,
        max_keepalive_connections=10,
        keepalive_expiry=15.0,
        network_backend=backend or GuardedBackend(),
    )
    try:
        return _Client(
            _Transport(pool, largest_answer),
            total_seconds,
            base_url=base_url,
            headers=headers,
            timeout=httpx.Timeout(connect=connect_seconds, read=read_seconds, write=write_seconds, pool=pool_seconds),
        )
    except httpx.InvalidURL:
        raise _no_address() from None


class _Client(httpx.AsyncClient):
    """Gives each request its deadline, and follows redirects by our rules."""

    def __init__(self, transport: httpx.AsyncBaseTransport, total_seconds: float, **more: Any) -> None:
        no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
        super().__init__(transport=transport, trust_env=False, follow_redirects=True, cookies=no_cookies, **more)
        self._total_seconds = total_seconds

    def build_request(self, method: str, url: httpx.URL | str, **more: Any) -> httpx.Request:
        try:
            return super().build_request(method, url, **more)
        except httpx.InvalidURL:
            raise _no_address() from None

    async def send(
        self,
        request: httpx.Request,
        *,
        stream: bool = False,
        auth: Any = httpx.USE_CLIENT_DEFAULT,
        follow_redirects: Any = True,
    ) -> httpx.Response:
        # Requests that follow from redirects share these extensions, so all hops have one deadline.
        deadline = asyncio.get_running_loop().time() + self._total_seconds
        request.extensions = {**request.extensions, _DEADLINE: deadline}
        # What httpx means by its default is a mark of its own: only a plain False says no.
        answer = await self._send_along(request, auth, follow=follow_redirects is not False)
        if not stream:
            try:
                await answer.aread()
            except BaseException:
                await answer.aclose()
                raise
        return answer

    async def _send_along(self, request: httpx.Request, auth: Any, follow: bool) -> httpx.Response:
        history: list[httpx.Response] = []
        while True:
            try:
                answer = await super().send(request, stream=True, auth=auth, follow_redirects=False)
            except (httpx.InvalidURL, httpx.RemoteProtocolError):  # our transport raises neither: it is the Location
                raise RedirectRefused(f"{_host(request.url)} redirects to something that is no address.", _CHECK) from None
            answer.history = list(history)
            if not follow or answer.next_request is None:
                return answer
            await answer.aclose()
            if len(history) == MOST_REDIRECTS:
                raise TooManyRedirects(f"{_host(request.url)} redirects more than {MOST_REDIRECTS} times.", _CHECK)
            history.append(answer)
            request, auth = _following(request, answer.next_request), None


def _following(sent: httpx.Request, next_request: httpx.Request) -> httpx.Request:
    """The request that a redirect leads to; nothing that the caller meant for one server is shown to another."""
    if _origin(sent.url) == _origin(next_request.url):
        return next_request
    if next_request.method not in {"GET", "HEAD", "OPTIONS"}:
        raise RedirectRefused(f"{_host(sent.url)} sends what it was given to another server.", _CHECK)
    kept = {name: sent.extensions[name] for name in ("timeout", _DEADLINE)}
    return httpx.Request(next_request.method, next_request.url, extensions=kept)


def _origin(url: httpx.URL) -> tuple[str, bytes, int | None]:
    return url.scheme, url.raw_host, url.port or {"http": 80, "https": 443}.get(url.scheme)


class _Transport(httpx.AsyncBaseTransport):
    """httpx over our pool; what httpx does itself, with checks before and bounds after."""

    def __init__(self, pool: httpcore.AsyncConnectionPool, largest: int) -> None:
        self._pool = pool
        self._largest = largest

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        _check_address(request.url)
        request.headers["User-Agent"] = _USER_AGENT
        request.headers["Accept-Encoding"] = "gzip"  # what `_Body` unpacks within bounds; others unpack without
        host, deadline = _host(request.url), request.extensions[_DEADLINE]
        url = request.url
        sent = httpcore.Request(
            request.method,
            httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        with _in_our_words(host):
            async with asyncio.timeout_at(deadline):
                answer = await self._pool.handle_async_request(sent)
        headers = httpx.Headers(answer.headers)
        body = _Body(answer, headers.get("content-encoding", ""), host, deadline, self._largest)
        if "content-encoding" in headers:  # httpx must not unpack again, nor count what is unpacked
            headers.pop("content-encoding")
            headers.pop("content-length", None)
        return httpx.Response(answer.status, headers=headers, stream=body, extensions=answer.extensions)

    async def aclose(self) -> None:
        await self._pool.aclose()


class _Body(httpx.AsyncByteStream):
    """The bytes of an answer, unpacked, within their time and size."""

    def __init__(self, answer: httpcore.Response, encoding: str, host: str, deadline: float, largest: int) -> None:
        self._answer = answer
        self._encoding = encoding.strip().lower()
        self._host = host
        self._deadline = deadline
        self._largest = largest
        self._gzip: Any = None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        received = unpacked = 0
        async with aclosing(self._received()) as chunks:
            async for chunk in chunks:
                received += len(chunk)
                # One byte more than allowed is asked for, never all that a small chunk may unfold to.
                piece = self._unpack(chunk, self._largest - unpacked + 1)
                unpacked += len(piece)
                if max(received, unpacked) > self._largest:
                    raise TooLarge(f"{self._host} answered more than {self._largest:,} bytes.", "Ask for less at once.")
                yield piece
        if self._gzip is not None and not self._gzip.eof:
            raise self._unreadable()

    async def aclose(self) -> None:
        with _in_our_words(self._host):
            await self._answer.aclose()

    async def _received(self) -> AsyncGenerator[bytes, None]:
        """The bytes as sent. Time is kept around each step, since a reader may stop between two for good."""
        chunks = self._answer.aiter_stream()
        while True:
            with _in_our_words(self._host):
                async with asyncio.timeout_at(self._deadline):
                    chunk = await anext(chunks, None)
            if chunk is None:
                return
            yield chunk

    def _unpack(self, chunk: bytes, most: int) -> bytes:
        if self._encoding in {"", "identity"}:
            return chunk
        if self._encoding not in {"gzip", "x-gzip"}:  # several in a row, too: each multiplies what the one before unfolds
            raise self._unreadable()
        self._gzip = self._gzip or zlib.decompressobj(zlib.MAX_WBITS | 16)
        try:
            piece: bytes = self._gzip.decompress(chunk, most)
        except zlib.error:
            raise self._unreadable() from None
        if self._gzip.unused_data:
            raise self._unreadable()
        return piece

    def _unreadable(self) -> Unreadable:
        return Unreadable(f"{self._host} answered something that cannot be unpacked.", "Try again later.")


_BROKEN = (
    OSError,
    anyio.EndOfStream,
    anyio.BrokenResourceError,
    anyio.ClosedResourceError,
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
)
"""What a call ends with when the other side or the network fails; some of it slips through httpcore as anyio raised it."""


@contextmanager
def _in_our_words(host: str) -> Iterator[None]:
    """Errors of the layers below as ours, without their causes: those may hold headers and addresses."""
    try:
        yield
    except _BROKEN as error:
        raise _translated(error, host) from None


def _translated(error: Exception, host: str) -> OutboundError:
    # httpcore raises its own with the original as the only argument, and cuts the chain of causes.
    inner = error.args[0] if isinstance(error, httpcore.ConnectError) and error.args else error
    if isinstance(inner, ssl.SSLError | anyio.EndOfStream | anyio.BrokenResourceError):
        return _tls_failed(inner, host)
    if isinstance(error, httpcore.ConnectTimeout):
        return Unreachable(f"{host} took no connection in time.", REACH)
    if isinstance(error, httpcore.PoolTimeout):
        return TimedOut(f"A call to {host} waited too long for others to end.", "Try again later.")
    if isinstance(error, TimeoutError | httpcore.TimeoutException):
        return TimedOut(f"{host} did not answer in time.", "Try again later, or look why it is slow.")
    if isinstance(error, httpcore.ConnectError):
        return Unreachable(f"{host} took no connection{_why(inner)}.", REACH)
    if isinstance(error, httpcore.LocalProtocolError):  # its text would quote a header
        return OutboundError(
            f"The request to {host} cannot be written as HTTP.", "Look for line breaks in tokens and settings."
        )
    return Unreachable(f"{host} broke off, or does not speak HTTP.", REACH)


def _tls_failed(error: Exception, host: str) -> TlsFailed:
    if isinstance(error, ssl.SSLCertVerificationError):
        return TlsFailed(
            f"The certificate of {host} is not trusted: {error.verify_message.rstrip('.')}.",
            "Renew it, or name the file of the authority that signed it in SSL_CERT_FILE.",
        )
    words = (getattr(error, "reason", None) or "it broke off").replace("_", " ").lower()
    return TlsFailed(f"No encrypted connection to {host}: {words}.", "Check that this address and port speak HTTPS.")


def _why(error: object) -> str:
    """The words of the system, never its own text, which names addresses."""
    cause = getattr(error, "__cause__", None) or error
    number = getattr(cause, "errno", None)
    return f" ({os.strerror(number).lower()})" if isinstance(number, int) else ""


def _no_address() -> AddressRefused:
    return AddressRefused("This is not an address that can be called.", "Use one such as https://git.example.com.")


def _check_address(url: httpx.URL) -> None:
    """Refuse what is no plain address of http or https; where it leads is checked when its name is looked up."""
    if url.scheme not in {"http", "https"}:
        raise AddressRefused("Only addresses of http and https are called.", "Use one such as https://git.example.com.")
    if url.userinfo:
        raise AddressRefused("An address with a name or password in it is not called.", "Leave out what stands before the @.")
    if not _is_host(_host(url)) or (url.port is not None and not 0 < url.port < 65536):
        raise _no_address()


def _is_host(host: str) -> bool:
    """Whether it is a name, or an address in its plain form: no zone, no number in other bases, no escapes."""
    if HOST_NAME.fullmatch(host):
        return len(host) <= 253
    try:
        return "%" not in host and ip_address(host) is not None
    except ValueError:
        return False


def _host(url: httpx.URL) -> str:
    """As it is looked up: ASCII, without the brackets of IPv6."""
    return url.raw_host.decode("ascii")


def retry_after(header: str) -> float | None:
    """Seconds from now, by a number or a date (RFC 9110, 10.2.3); None when there is neither."""
    if header.isascii() and header.isdigit():
        return float(header[:10])
    try:
        at = parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return None
    return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - now()).total_seconds())


@cache
def _trusted() -> ssl.SSLContext:
    """The public authorities, and those that the operator added to the system or named in SSL_CERT_FILE."""
    context = ssl.create_default_context(cafile=certifi.where())
    context.load_default_certs()
    return context


def _hush() -> None:
    """Their own logs name whole addresses, and at DEBUG all headers."""
    for library in ("httpx", "httpcore"):
        logging.getLogger(library).setLevel(logging.WARNING)
