"""Outgoing HTTP against real servers on loopback: nothing leads inside, nothing goes on for ever, nothing is told."""

from __future__ import annotations

import asyncio
import gzip
import logging
import socket
import ssl
import threading
import time
import traceback
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path
from typing import Any

import httpcore
import httpx
import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from hypothesis import example, given
from hypothesis import settings as tries
from hypothesis import strategies as st
from pydantic import ValidationError

from blametrail.kit import http
from blametrail.kit.http import outbound
from blametrail.kit.inside import Address, Allowed, GuardedBackend, Resolver, is_inside, resolve_name
from blametrail.kit.outbound_errors import (
    AddressRefused,
    InsideRefused,
    OutboundError,
    RedirectRefused,
    TimedOut,
    TlsFailed,
    TooLarge,
    TooManyRedirects,
    Unreachable,
    Unreadable,
)
from blametrail.settings import Settings, settings
from tests.running import free_port

NOBODY = Allowed.from_text("")
LOOPBACK = Allowed.from_text("127.0.0.1, localhost, ::1")
PUBLIC = ip_address("93.184.215.14")


@dataclass
class Heard:
    """A request as a server saw it."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


Answer = Callable[[Heard, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Site:
    """A server on loopback and all that it heard."""

    port: int
    scheme: str
    heard: list[Heard] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)
    sent: int = 0

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"


@asynccontextmanager
async def serving(answer: Answer, tls: ssl.SSLContext | None = None) -> AsyncIterator[Site]:
    """Answers every request of every connection by `answer`, which writes all bytes itself."""
    tasks: set[asyncio.Task[None]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                method, target, _ = head[0].split(" ")
                headers = {n.lower(): v.strip() for n, _, v in (line.partition(":") for line in head[1:] if line)}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                heard = Heard(method, target, headers, body)
                site.heard.append(heard)
                await answer(heard, writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.CancelledError, OSError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=tls)
    site = Site(server.sockets[0].getsockname()[1], "https" if tls else "http")
    if tls:
        tls.sni_callback = lambda _socket, name, _context: site.names.append(name)
    try:
        yield site
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def written(status: int = 200, body: bytes = b"hello", **headers: str) -> bytes:
    """A whole answer; underscores of header names are dashes."""
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} Words\r\nContent-Length: {len(body)}\r\n{lines}\r\n".encode() + body


def always(status: int = 200, body: bytes = b"hello", **headers: str) -> Answer:
    async def answer(_heard: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(written(status, body, **headers))

    return answer


def one_after_another(*answers: bytes) -> Answer:
    """The last one for ever."""
    left = list(answers)

    async def answer(_heard: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(left.pop(0) if len(left) > 1 else left[0])

    return answer


def local(**more: Any) -> httpx.AsyncClient:
    """A client that may call the servers of these tests."""
    return outbound(backend=GuardedBackend(LOOPBACK), **more)


@dataclass
class Names:
    """A name server: each look-up takes the next answer, the last one for ever."""

    answers: dict[str, list[list[Address]]]
    asked: list[str] = field(default_factory=list)

    async def __call__(self, host: str, port: int) -> list[Address]:
        self.asked.append(host)
        if host not in self.answers:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        left = self.answers[host]
        return left.pop(0) if len(left) > 1 else left[0]


@dataclass
class Wires(httpcore.AsyncNetworkBackend):
    """The network: notes where it was told to connect to, and connects to a server on loopback instead."""

    port: int = 0
    dead: frozenset[str] = frozenset()
    connected: list[str] = field(default_factory=list)

    async def connect_tcp(self, host: str, *args: Any, **more: Any) -> httpcore.AsyncNetworkStream:
        self.connected.append(host)
        if host in self.dead:
            raise httpcore.ConnectError(OSError("no route"))
        return await httpcore.AnyIOBackend().connect_tcp("127.0.0.1", self.port)


def wired(names: dict[str, list[list[Address]]], wires: Wires, allowed: Allowed = NOBODY, **more: Any) -> httpx.AsyncClient:
    return outbound(backend=GuardedBackend(allowed, Names(names), wires), **more)


# Addresses


# Written from the registries of IANA, not from the code: every block that is not "globally reachable", multicast, and what
# carries addresses of IPv4.
INSIDE_V4 = """0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24
192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4"""
OUTSIDE_V6_BUT = "2001::/23 2001:db8::/32 2002::/16 3fff::/20"
SPECIAL_V6 = """::/96 ::ffff:0:0/96 64:ff9b::/96 64:ff9b:1::/48 100::/64 2000::/3 2001::/23 2001:db8::/32 2002::/16 3fff::/20
5f00::/16 fc00::/7 fe80::/10 fec0::/10 ff00::/8"""
INSIDE = [ip_network(block) for block in INSIDE_V4.split()]
V4 = st.ip_addresses(v=4) | st.sampled_from(INSIDE).flatmap(lambda block: st.ip_addresses(network=block))
V6 = st.ip_addresses(v=6) | st.sampled_from([ip_network(block) for block in SPECIAL_V6.split()]).flatmap(
    lambda block: st.ip_addresses(network=block)
)
INSIDE_ADDRESSES = V4.filter(lambda address: any(address in block for block in INSIDE))


@given(V4)
@tries(deadline=None)
def test_it_knows_every_address_of_ipv4_that_is_inside(address: Address) -> None:
    assert is_inside(address) == any(address in block for block in INSIDE)


@given(V6)
@example(ip_address("64:ff9b::7f00:1"))
@example(ip_address("2606:4700::1111"))
@tries(deadline=None)
def test_it_knows_every_address_of_ipv6_that_is_inside(address: Address) -> None:
    if address in ip_network("64:ff9b::/96"):
        assert is_inside(address) == is_inside(IPv4Address(int(address) % 2**32))
    else:
        public = address in ip_network("2000::/3") and not any(address in ip_network(b) for b in OUTSIDE_V6_BUT.split())
        assert is_inside(address) == (not public)


@pytest.mark.parametrize("address", ["1.1.1.1", "140.82.121.4", "2606:50c0:8000::154", "64:ff9b::8c52:7904"])
def test_it_lets_public_addresses_pass(address: str) -> None:
    assert not is_inside(ip_address(address))


def forms(address: Address) -> Iterator[str]:
    """The ways to write an address of IPv4, and those of IPv6 that carry it."""
    number, parts = int(address), str(address).split(".")
    last = number & 0xFFFFFF
    yield from (str(address), f"{address}.", str(number), hex(number), f"0{number:o}", f"0x{number:08X}")
    yield ".".join(f"0{int(part):o}" for part in parts)
    yield ".".join(hex(int(part)) for part in parts)
    yield f"{parts[0]}.{last}"
    yield f"0x{int(parts[0]):x}.{last}"
    yield f"{parts[0]}.{parts[1]}.{number & 0xFFFF}"
    yield "。".join(parts)
    yield "".join(f"%{ord(character):02x}" for character in str(address))
    for carrier in (f"::ffff:{address}", f"::{address}", f"64:ff9b::{address}", f"64:ff9b:1::{address}"):
        yield f"[{carrier}]"
    high, low = number >> 16, number & 0xFFFF
    yield f"[2002:{high:x}:{low:x}::1]"
    yield f"[2001:0:0102:0304:0:0:{high ^ 0xFFFF:x}:{low ^ 0xFFFF:x}]"


@given(INSIDE_ADDRESSES)
@example(ip_address("127.0.0.1"))
@example(ip_address("169.254.169.254"))
@tries(max_examples=30, deadline=None)
def test_it_refuses_an_inside_address_in_every_form(address: Address) -> None:
    async def call(form: str) -> None:
        wires = Wires()
        async with outbound(backend=GuardedBackend(NOBODY, network=wires)) as client:
            with pytest.raises(AddressRefused):
                await client.get(f"http://{form}/")
        assert not wires.connected

    for form in forms(address):
        asyncio.run(call(form))


@given(INSIDE_ADDRESSES)
@tries(max_examples=30, deadline=None)
def test_it_checks_the_address_even_when_a_form_gets_as_far_as_the_network(address: Address) -> None:
    """The system's resolver reads numbers in every base, and so must whoever checks."""

    async def connect(form: str) -> None:
        wires = Wires()
        with pytest.raises(InsideRefused):
            await GuardedBackend(NOBODY, network=wires).connect_tcp(form, 80)
        assert not wires.connected

    number = int(address)
    for form in (str(address), str(number), hex(number), f"0{number:o}", f"::ffff:{address}", f"64:ff9b::{address}"):
        asyncio.run(connect(form))


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost/",
        "http://LOCALHOST/",
        "http://127.1/",
        "http://0/",
        "http://[::1]/",
        "http://[::]/",
        "http://[fe80::1%25eth0]/",
        "http://[fe80::1%eth0]/",
        "http://[::1%25lo]/",
        "http://①②⑦.⓪.⓪.①/",
        "http://name:word@example.com/",
        "http://name@example.com/",
        "http://:word@example.com/",
        "http://example.com\\@127.0.0.1/",
        "http://127.0.0.1%2f@example.com/",
        "http://example.com%2f.internal/",
        "http://exa mple.com/",
        "http://*.example.com/",
        "http://example..com/",
        "http://example.com:0/",
        "http://example.com:65536/",
        "http://example.com:-1/",
        f"http://{'a' * 64}.com/",
        f"http://{'a.' * 130}com/",
        "http://[::1",
        "http:///etc/passwd",
        "http:127.0.0.1",
        "file:///etc/passwd",
        "ftp://example.com/",
        "gopher://127.0.0.1:6379/_FLUSHALL",
        "unix:///var/run/docker.sock",
        "ws://example.com/",
        "//example.com/",
        "/etc/passwd",
        "",
    ],
)
async def test_it_refuses_what_is_no_plain_public_address(url: str) -> None:
    wires = Wires()
    backend = GuardedBackend(NOBODY, network=wires)
    async with outbound(backend=backend) as client:
        with pytest.raises(AddressRefused):
            await client.get(url)
    assert not wires.connected


async def test_it_is_not_led_inside_by_a_last_dot() -> None:
    wires = Wires()
    async with outbound(backend=GuardedBackend(NOBODY, network=wires)) as client:
        with pytest.raises((InsideRefused, Unreachable)):  # some systems do not know the name in this form
            await client.get("http://localhost./")
    assert not wires.connected


def test_it_refuses_a_base_that_is_no_address() -> None:
    with pytest.raises(AddressRefused):
        outbound(base_url="http://[::1")


# Names


async def test_it_connects_to_the_address_that_it_checked() -> None:
    """One look-up a connection: there is no second one that could answer something else."""
    async with serving(always()) as site:
        names, wires = Names({"git.example": [[PUBLIC], [ip_address("127.0.0.1")]]}), Wires(site.port)
        async with outbound(backend=GuardedBackend(NOBODY, names, wires)) as client:
            answer = await client.get("http://git.example/", headers={"Connection": "close"})
            assert answer.text == "hello" and site.heard[0].headers["host"] == "git.example"
            assert names.asked == ["git.example"] and wires.connected == [str(PUBLIC)]
            with pytest.raises(InsideRefused):  # the name was bound to loopback meanwhile
                await client.get("http://git.example/")
        assert wires.connected == [str(PUBLIC)] and len(site.heard) == 1


@pytest.mark.parametrize("inside", ["127.0.0.1", "10.1.2.3", "::1", "fe80::1%eth0", "::ffff:10.0.0.1", "169.254.169.254"])
@pytest.mark.parametrize("place", [0, 1, 5])
async def test_it_refuses_a_name_with_one_address_inside(inside: str, place: int) -> None:
    addresses = [PUBLIC] * 5
    addresses.insert(place, ip_address(inside))
    wires = Wires()
    async with wired({"git.example": [addresses]}, wires) as client:
        with pytest.raises(InsideRefused) as refused:
            await client.get("http://git.example/")
    assert not wires.connected
    assert "git.example" in refused.value.reason and inside not in str(refused.value)


async def test_it_names_the_setting_that_would_allow_it() -> None:
    async with serving(always()) as site, outbound(backend=GuardedBackend(NOBODY)) as client:
        with pytest.raises(InsideRefused) as refused:
            await client.get(site.url(host="localhost"))
        assert "add localhost to BLAMETRAIL_ALLOWED_PRIVATE_HOSTS" in refused.value.remedy
        assert not site.heard


@pytest.mark.parametrize(
    ("allowed", "host", "passes"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "localhost", True),  # an address is allowed whatever it is called
        ("127.0.0.0/8", "127.0.0.1", True),
        ("localhost", "localhost", True),
        (" LocalHost. , 10.0.0.0/8", "LOCALHOST", True),
        ("localhost", "127.0.0.1", False),  # a name allows what it leads to, under that name only
        ("host", "localhost", False),
        ("10.0.0.0/8,fd00::/8", "127.0.0.1", False),
        ("127.0.0.2", "127.0.0.1", False),
        ("", "127.0.0.1", False),
    ],
)
async def test_it_calls_inside_what_an_operator_allowed(
    allowed: str, host: str, passes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BLAMETRAIL_ALLOWED_PRIVATE_HOSTS", allowed)
    settings.cache_clear()
    try:
        async with serving(always()) as site, outbound() as client:
            if passes:
                assert (await client.get(site.url(host=host))).text == "hello"
            else:
                with pytest.raises(InsideRefused):
                    await client.get(site.url(host=host))
    finally:
        settings.cache_clear()


@pytest.mark.parametrize(
    "entry", ["10.0.0.0/33", "10.0.0.1/8", "http://git.example", "git.example:80", "0x7f.1", "127.1", "a b"]
)
def test_it_starts_with_no_setting_that_it_cannot_read(entry: str) -> None:
    with pytest.raises(ValidationError, match="must list host names"):
        Settings(allowed_private_hosts=f"git.example, {entry}")


@pytest.mark.parametrize(
    "metadata",
    [
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "fd00:ec2::254",
        "100.100.100.200",
    ],
)
async def test_it_never_calls_the_metadata_of_a_cloud(metadata: str) -> None:
    everything = Allowed.from_text("0.0.0.0/0, ::/0, metadata.example")
    wires = Wires()
    async with wired({"metadata.example": [[ip_address(metadata)]]}, wires, everything) as client:
        with pytest.raises(InsideRefused, match="never called"):
            await client.get("http://metadata.example/latest/meta-data/")
    assert not wires.connected


async def test_it_refuses_azure_though_its_address_looks_public() -> None:
    wires = Wires()
    async with wired({"a.example": [[ip_address("168.63.129.16")]]}, wires) as client:
        with pytest.raises(InsideRefused):
            await client.get("http://a.example/")


async def test_it_tries_the_other_addresses_of_a_name() -> None:
    first, second = ip_address("2606:4700::1"), PUBLIC
    async with serving(always()) as site:
        wires = Wires(site.port, dead=frozenset({str(first)}))
        async with wired({"git.example": [[first, second]]}, wires) as client:
            assert (await client.get("http://git.example/")).status_code == 200
        assert wires.connected == [str(first), str(second)]


async def test_it_tries_four_addresses_at_most() -> None:
    addresses: list[Address] = [IPv6Address(int(IPv6Address("2606:4700::")) + n) for n in range(100)]
    wires = Wires(dead=frozenset(str(address) for address in addresses))
    async with wired({"git.example": [addresses]}, wires) as client:
        with pytest.raises(Unreachable):
            await client.get("http://git.example/")
    assert len(wires.connected) == 4


@pytest.mark.parametrize("names", [{}, {"git.example": [[]]}])
async def test_it_says_that_a_name_was_not_found(names: dict[str, list[list[Address]]]) -> None:
    async with wired(names, Wires()) as client:
        with pytest.raises(Unreachable, match=r"^The name git\.example was not found\. Check the address"):
            await client.get("http://git.example/")


async def test_it_waits_for_a_name_server_no_longer_than_for_a_connection() -> None:
    async def never(_host: str, _port: int) -> list[Address]:
        await asyncio.sleep(60)
        return []

    async with outbound(backend=GuardedBackend(NOBODY, never), connect_seconds=0.2) as client:
        with pytest.raises(Unreachable, match="took no connection in time"):
            await client.get("http://git.example/")


async def test_it_finds_names_while_others_are_looked_up_in_vain(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name server that does not answer holds its own callers up, and nobody else's thread."""
    done = threading.Event()
    real = socket.getaddrinfo

    def slow(host: Any, *args: Any, **more: Any) -> Any:
        return real("127.0.0.1", *args, **more) if host == "slow.example" and done.wait(60) else real(host, *args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    waiting = [asyncio.create_task(resolve_name("slow.example", 80)) for _ in range(100)]
    try:
        await asyncio.sleep(0.1)
        async with asyncio.timeout(10):
            assert await resolve_name("127.0.0.1", 80) == [ip_address("127.0.0.1")]
            assert await asyncio.to_thread(lambda: "free") == "free"
            waiting[0].cancel()
            await asyncio.wait(waiting[:1])
    finally:
        done.set()
        await asyncio.gather(*waiting, return_exceptions=True)


async def test_it_says_that_nobody_listens() -> None:
    async with local() as client:
        with pytest.raises(Unreachable, match=r"127\.0\.0\.1 took no connection \(connection refused\)\."):
            await client.get(f"http://127.0.0.1:{free_port()}/")


@given(st.text(max_size=60))
@tries(max_examples=200, deadline=None)
def test_it_answers_any_text_as_an_address_with_its_own_error(text: str) -> None:
    async def call() -> None:
        async with wired({}, Wires()) as client:
            for url in (text, f"http://{text}", f"http://[{text}]/"):
                with pytest.raises((AddressRefused, Unreachable)):
                    await client.get(url)

    asyncio.run(call())


# Redirects


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.1/",
        "http://[::ffff:127.0.0.1]/",
        "http://2130706433/",
        "//127.0.0.2/",
        "http://inside.example/",
        "http://name:word@public.example/",
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "http://[::1/",
        "http://public.example:99999/",
        "http://public.example:x/",
    ],
)
async def test_it_follows_no_redirect_to_what_it_would_not_call(location: str) -> None:
    names: dict[str, list[list[Address]]] = {"public.example": [[PUBLIC]], "inside.example": [[ip_address("192.168.1.1")]]}
    async with serving(always(302, Location=location)) as site:
        wires = Wires(site.port)
        backend = GuardedBackend(NOBODY, _with_numbers(Names(names)), wires)
        async with outbound(backend=backend) as client:
            with pytest.raises((AddressRefused, RedirectRefused)):
                await client.get("http://public.example/")
        assert wires.connected == [str(PUBLIC)] and len(site.heard) == 1


def _with_numbers(names: Names) -> Resolver:
    """Names as told, addresses as the system reads them."""

    async def resolve(host: str, port: int) -> list[Address]:
        return await names(host, port) if host in names.answers else await resolve_name(host, port)

    return resolve


SECRETS = {"Authorization": "Bearer word", "PRIVATE-TOKEN": "word", "X-Api-Key": "word", "Cookie": "session=word"}


@pytest.mark.parametrize("elsewhere", ["host", "port", "scheme"])
async def test_it_tells_another_server_nothing(elsewhere: str, tmp_path: Path) -> None:
    tls, trusting = certificate(tmp_path, ["127.0.0.1"])
    async with serving(always(200, b"there"), tls if elsewhere == "scheme" else None) as there:
        target = there.url("/b", host="localhost" if elsewhere == "host" else "127.0.0.1")
        async with (
            serving(always(302, Location=target)) as here,
            local(headers={"X-Client": "word"}, tls=trusting) as client,
        ):
            answer = await client.get(here.url("/a"), headers=SECRETS, auth=("name", "word"))
    assert answer.text == "there" and str(answer.url) == target and [str(a.url) for a in answer.history] == [here.url("/a")]
    assert {"authorization", "private-token", "x-api-key", "x-client"} <= here.heard[0].headers.keys()
    seen = there.heard[0].headers
    assert seen.keys() == {"host", "user-agent", "accept-encoding"}
    assert seen["host"] == target.partition("://")[2].removesuffix("/b")


async def test_it_keeps_headers_on_the_same_server() -> None:
    answers = one_after_another(written(302, Location="/b?x=1"), written(200))
    async with serving(answers) as site, local() as client:
        await client.get(site.url("/a"), headers=SECRETS)
    assert [heard.target for heard in site.heard] == ["/a", "/b?x=1"]
    assert site.heard[1].headers["authorization"] == "Bearer word" and site.heard[1].headers["private-token"] == "word"


async def test_it_does_not_come_back_with_headers_it_dropped() -> None:
    """From here to there and here again: what was dropped stays dropped."""
    async with serving(one_after_another(written(302, Location="x"), written(200))) as here:

        async def back(_heard: Heard, writer: asyncio.StreamWriter) -> None:
            writer.write(written(302, Location=here.url("/again")))

        async with serving(back) as there:

            async def leave(heard: Heard, writer: asyncio.StreamWriter) -> None:
                writer.write(written(302, Location=there.url("/")) if heard.target == "/" else written(200))

            async with serving(leave) as start:
                here.port = start.port
                async with local() as client:
                    await client.get(start.url("/"), headers=SECRETS)
    assert [heard.target for heard in start.heard] == ["/", "/again"]
    assert "authorization" in start.heard[0].headers and "authorization" not in start.heard[1].headers


async def test_it_follows_five_redirects_and_no_sixth() -> None:
    async def count(heard: Heard, writer: asyncio.StreamWriter) -> None:
        left = int(heard.target[1:])
        writer.write(written(302, Location=f"/{left - 1}") if left else written())

    async with serving(count) as site, local() as client:
        assert (await client.get(site.url("/5"))).text == "hello"
        assert len(site.heard) == 6
        with pytest.raises(TooManyRedirects, match="more than 5 times"):
            await client.get(site.url("/6"))
        assert len(site.heard) == 12


@pytest.mark.parametrize(
    ("status", "method", "body"), [(307, "POST", b"word"), (308, "POST", b"word"), (302, "GET", b""), (303, "GET", b"")]
)
async def test_it_repeats_a_body_on_the_same_server_only(status: int, method: str, body: bytes) -> None:
    async with serving(always()) as there:
        answers = one_after_another(written(status, Location="/b"), written(), written(status, Location=there.url("/")))
        async with serving(answers) as here, local() as client:
            await client.post(here.url("/a"), content=b"word")
            assert (here.heard[1].method, here.heard[1].body) == (method, body)
            if body:
                with pytest.raises(RedirectRefused, match="another server"):
                    await client.post(here.url("/a"), content=b"word")
                assert not there.heard
            else:
                await client.post(here.url("/a"), content=b"word")
                assert (there.heard[0].method, there.heard[0].body) == ("GET", b"")


async def test_it_shows_a_redirect_to_who_asks_for_it() -> None:
    async with serving(always(302, b"away", Location="http://10.0.0.1/")) as site, local() as client:
        answer = await client.get(site.url(), follow_redirects=False)
        assert (answer.status_code, answer.text, answer.headers["location"]) == (302, "away", "http://10.0.0.1/")
        assert len(site.heard) == 1


@given(st.binary(max_size=40).filter(lambda b: not set(b) & set(b"\r\n\0")))
@tries(max_examples=60, deadline=None)
def test_it_answers_any_location_with_its_own_error(location: bytes) -> None:
    async def answer(_heard: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 302 Words\r\nContent-Length: 0\r\nLocation: " + location + b"\r\n\r\n")

    async def call() -> None:
        async with serving(answer) as site, wired({"a.example": [[PUBLIC]]}, Wires(site.port)) as client:
            with suppress(OutboundError):
                await client.get("http://a.example/")

    asyncio.run(call())


# Size


async def endless(_heard: Heard, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(b"x" * 65536)
        await writer.drain()


async def test_it_stops_reading_an_endless_answer() -> None:
    async with serving(endless) as site, local(largest_answer=1_000_000) as client:
        with pytest.raises(TooLarge, match=r"more than 1,000,000 bytes"):
            await client.get(site.url())
        received = 0
        with pytest.raises(TooLarge):
            async with client.stream("GET", site.url()) as answer:
                async for chunk in answer.aiter_bytes():
                    received += len(chunk)
        assert received <= 1_000_000


@pytest.mark.parametrize("over", [0, 1])
@pytest.mark.parametrize("packed", [False, True])
async def test_it_counts_to_the_byte(over: int, packed: bool) -> None:
    body = b"x" * (1000 + over)
    answer = always(200, gzip.compress(body), Content_Encoding="gzip") if packed else always(200, body)
    async with serving(answer) as site, local(largest_answer=1000) as client:
        if over:
            with pytest.raises(TooLarge):
                await client.get(site.url())
        else:
            assert (await client.get(site.url())).content == body


async def test_it_unpacks_gzip_once() -> None:
    body = bytes(range(256)) * 2000
    packed = gzip.compress(body)
    async with serving(always(200, packed, Content_Encoding="GZip")) as site, local() as client:
        answer = await client.get(site.url())
        assert answer.content == body and "content-encoding" not in answer.headers
        head = await client.head(site.url())
        assert head.content == b""
    assert site.heard[0].headers["accept-encoding"] == "gzip"


async def test_it_unpacks_no_bomb() -> None:
    """200 MB in a fifth of one: refused with hardly more memory than the bound."""
    packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    bomb = b"".join(packer.compress(b"\0" * 10_000_000) for _ in range(20)) + packer.flush()
    assert len(bomb) < 300_000
    async with serving(always(200, bomb, Content_Encoding="gzip")) as site, local(largest_answer=1_000_000) as client:
        tracemalloc.start()
        try:
            with pytest.raises(TooLarge):
                await client.get(site.url())
            assert tracemalloc.get_traced_memory()[1] < 20_000_000
        finally:
            tracemalloc.stop()


async def test_it_counts_what_is_sent_when_nothing_unfolds() -> None:
    """Blocks of deflate may be empty, for ever."""

    async def empty(_heard: Heard, writer: asyncio.StreamWriter) -> None:
        packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + packer.compress(b"x"))
        while True:
            writer.write(packer.flush(zlib.Z_FULL_FLUSH) + b"\0\0\0\xff\xff" * 10_000)
            await writer.drain()

    async with serving(empty) as site, local(largest_answer=500_000) as client:
        with pytest.raises(TooLarge):
            await client.get(site.url())


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip, gzip", gzip.compress(gzip.compress(b"hello", mtime=0), mtime=0)),
        ("deflate", zlib.compress(b"hello")),
        ("br", b"\x0b\x02\x80hello\x03"),
        ("zstd", b"hello"),
        ("gzip", b"hello"),
        ("gzip", gzip.compress(b"hello", mtime=0)[:-4]),
        ("gzip", gzip.compress(b"hello", mtime=0) + b"more"),
    ],
)
async def test_it_refuses_what_it_cannot_unpack_within_bounds(encoding: str, body: bytes) -> None:
    async with serving(always(200, body, Content_Encoding=encoding)) as site, local() as client:
        with pytest.raises(Unreadable):
            await client.get(site.url())


async def test_it_bounds_headers() -> None:
    async def many(_heard: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"X-More: words\r\n" * 5000)
            await writer.drain()

    async with serving(many) as site, local() as client:
        with pytest.raises(Unreachable):
            await client.get(site.url())


# Time


def dripping(head: bytes, drop: bytes) -> Answer:
    async def answer(_heard: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(drop)
            await writer.drain()
            await asyncio.sleep(0.05)

    return answer


@pytest.mark.parametrize(
    ("head", "drop"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\n", b"X-More: words\r\n"),
        (b"", b"HTTP/1.1 102 Processing\r\n\r\n"),
        (b"", b""),
    ],
)
async def test_it_ends_a_slow_drip_in_the_time_of_the_whole(head: bytes, drop: bytes) -> None:
    started = time.monotonic()
    async with serving(dripping(head, drop)) as site, local(total_seconds=0.5) as client:
        with pytest.raises(TimedOut, match="did not answer in time"):
            await client.get(site.url())
        with pytest.raises(TimedOut):
            async with client.stream("GET", site.url()) as answer:
                async for _ in answer.aiter_raw():
                    pass
    assert time.monotonic() - started < 10


async def test_it_gives_all_redirects_one_deadline() -> None:
    async def slow(_heard: Heard, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.4)
        writer.write(written(302, Location="/"))

    async with serving(slow) as site, local(total_seconds=1) as client:
        with pytest.raises(TimedOut):
            await client.get(site.url())
        assert 2 <= len(site.heard) <= 4


async def test_it_gives_each_request_its_own_deadline() -> None:
    async with serving(always()) as site, local(total_seconds=1) as client:
        request = client.build_request("GET", site.url())
        for _ in range(3):
            assert (await client.send(request)).text == "hello"
            await asyncio.sleep(0.5)


async def test_it_waits_for_the_next_byte_no_longer_than_asked() -> None:
    async with serving(dripping(b"HTTP/1.1 200 OK\r\n\r\n", b"")) as site, local(read_seconds=0.2) as client:
        with pytest.raises(TimedOut):
            await client.get(site.url())


async def test_it_waits_for_a_free_connection_no_longer_than_asked() -> None:
    async with serving(dripping(b"HTTP/1.1 200 OK\r\n\r\n", b"x")) as site, local(pool_seconds=0.2) as client:
        held = [await client.send(client.build_request("GET", site.url()), stream=True) for _ in range(20)]
        with pytest.raises(TimedOut, match="waited too long for others"):
            await client.get(site.url())
        for answer in held:
            await answer.aclose()
        async with client.stream("GET", site.url()) as answer:  # and what was given back is used again
            assert answer.status_code == 200


# TLS


def certificate(folder: Path, names: Iterable[str], days: int = 1, name: str = "site") -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The context of a server with a self-signed certificate, and that of a client that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "BlameTrail tests")])
    ends = datetime.now(UTC) + timedelta(days=days)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(ends - timedelta(days=9))
        .not_valid_after(ends)
        .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    (folder / f"{name}.pem").write_bytes(made.public_bytes(Encoding.PEM))
    (folder / f"{name}.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    return server, ssl.create_default_context(cafile=folder / f"{name}.pem")


def _general(name: str) -> x509.GeneralName:
    return x509.IPAddress(ip_address(name)) if name[0].isdigit() else x509.DNSName(name)


async def test_it_trusts_no_stranger(tmp_path: Path) -> None:
    server, _ = certificate(tmp_path, ["127.0.0.1"])
    async with serving(always(), server) as site, local() as client:
        with pytest.raises(TlsFailed) as failed:
            await client.get(site.url())
        assert failed.value.reason == "The certificate of 127.0.0.1 is not trusted: self-signed certificate."
        assert "SSL_CERT_FILE" in failed.value.remedy
        assert not site.heard


async def test_it_trusts_who_the_operator_trusts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server, _ = certificate(tmp_path, ["127.0.0.1"])
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "site.pem"))
    http._trusted.cache_clear()
    try:
        async with serving(always(), server) as site, local() as client:
            assert (await client.get(site.url())).text == "hello"
    finally:
        http._trusted.cache_clear()


async def test_it_shows_the_name_to_tls_and_the_address_to_the_network(tmp_path: Path) -> None:
    server, trusting = certificate(tmp_path, ["git.example"])
    async with serving(always(), server) as site:
        wires = Wires(site.port)
        async with wired({"git.example": [[PUBLIC]], "other.example": [[PUBLIC]]}, wires, tls=trusting) as client:
            assert (await client.get("https://git.example/")).text == "hello"
            with pytest.raises(TlsFailed, match=r"certificate is not valid for 'other\.example'"):
                await client.get("https://other.example/")
        assert site.names == ["git.example", "other.example"] and len(site.heard) == 1
        assert wires.connected == [str(PUBLIC)] * 2


async def test_it_asks_another_server_for_its_own_certificate(tmp_path: Path) -> None:
    """A caller may name who it expects; that is not who a redirect leads to."""
    server, trusting = certificate(tmp_path, ["git.example"])
    async with serving(always(302, Location="https://other.example/"), server) as site:
        names = {"git.example": [[PUBLIC]], "other.example": [[PUBLIC]], "10.example": [[PUBLIC]]}
        async with wired(names, Wires(site.port), tls=trusting) as client:
            with pytest.raises(TlsFailed, match=r"not valid for 'other\.example'"):
                await client.get("https://10.example/", extensions={"sni_hostname": "git.example"})
        assert site.names == ["git.example", "other.example"]


async def test_it_trusts_no_certificate_past_its_end(tmp_path: Path) -> None:
    server, trusting = certificate(tmp_path, ["127.0.0.1"], days=-1)
    async with serving(always(), server) as site, local(tls=trusting) as client:
        with pytest.raises(TlsFailed, match="certificate has expired"):
            await client.get(site.url())


@pytest.mark.parametrize("says", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b""])
async def test_it_says_that_no_tls_is_spoken(says: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(says)
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, local() as client:
        with pytest.raises(TlsFailed, match=r"No encrypted connection to 127\.0\.0\.1: .+ Check that this address and port"):
            await client.get(f"https://127.0.0.1:{port}/")


# Manners


async def test_it_says_who_it_is(tmp_path: Path) -> None:
    async with serving(always()) as site, local(headers={"User-Agent": "other"}) as client:
        await client.get(site.url(), headers={"User-Agent": "another", "Accept-Encoding": "br, zstd"})
    assert site.heard[0].headers["user-agent"].startswith("BlameTrail/")
    assert site.heard[0].headers["accept-encoding"] == "gzip"


async def test_it_keeps_no_cookies() -> None:
    answers = one_after_another(written(302, Set_Cookie="a=1; Path=/", Location="/b"), written(200, Set_Cookie="b=2"))
    async with serving(answers) as site, local() as client:
        await client.get(site.url())
        await client.get(site.url())
        assert len(site.heard) == 3 and not any("cookie" in heard.headers for heard in site.heard)
        assert not list(client.cookies.jar)


async def test_it_takes_no_proxy_and_no_login_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login name password word\n")
    netrc.chmod(0o600)
    async with serving(always(200, b"proxy")) as proxy, serving(always()) as site:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url())
        monkeypatch.setenv("NETRC", str(netrc))
        async with local() as client:
            assert (await client.get(site.url())).text == "hello"
        assert not proxy.heard and "authorization" not in site.heard[0].headers


async def test_it_uses_a_connection_again() -> None:
    async with serving(always()) as site:
        wires = Wires(site.port)
        async with wired({"git.example": [[PUBLIC]]}, wires) as client:
            for _ in range(3):
                await client.get("http://git.example/")
        assert len(wires.connected) == 1 and len(site.heard) == 3


async def test_it_goes_on_after_every_failure() -> None:
    """A pool of twenty connections that lost one to each error would be empty after twenty."""

    async def answer(heard: Heard, writer: asyncio.StreamWriter) -> None:
        await {"/endless": endless, "/drip": dripping(b"HTTP/1.1 200 OK\r\n\r\n", b"x")}.get(heard.target, always())(
            heard, writer
        )

    async with serving(answer) as site, local(largest_answer=1000, total_seconds=0.2) as client:
        for _ in range(12):
            for path in ("/endless", "/drip"):
                with pytest.raises((TooLarge, TimedOut)):
                    await client.get(site.url(path))
            with pytest.raises(InsideRefused):
                await client.get("http://10.0.0.1/")
        assert (await client.get(site.url())).text == "hello"


WORD = "hunter2-word"


async def test_it_tells_no_secret(caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Not in words, not in tracebacks, not in logs at their most talkative."""
    caplog.set_level(logging.DEBUG)
    tls, _ = certificate(tmp_path, ["other.example"])

    async def leaky(heard: Heard, writer: asyncio.StreamWriter) -> None:
        answers = {
            "/large": written(200, WORD.encode() * 1000),
            "/packed": written(200, WORD.encode(), Content_Encoding="gzip"),
            "/broken": f"HTTP/1.1 {WORD}\r\n{WORD}\r\n\r\n".encode(),
            "/short": f"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{WORD}".encode(),
            "/away": written(302, Location=f"http://[{WORD}?{WORD}"),
            "/inside": written(302, Location=f"http://10.0.0.1/{WORD}?{WORD}"),
            "/circle": written(302, Location=f"/circle?token={WORD}", Set_Cookie=WORD),
            "/busy": written(503, WORD.encode(), X_Word=WORD),
        }
        writer.write(answers.get(heard.target.partition("?")[0], b""))
        await writer.drain()
        writer.close()

    async with serving(leaky) as site, serving(always(), tls) as sealed, local(largest_answer=5000) as client:
        urls = [
            f"{site.url(path)}?token={WORD}"
            for path in ["/large", "/packed", "/broken", "/short", "/away", "/inside", "/circle", "/none"]
        ]
        urls += [
            f"{sealed.url()}?{WORD}",
            f"http://127.0.0.1:{free_port()}/{WORD}",
            f"http://{WORD}:{WORD}@127.0.0.1/",
            f"http://[{WORD}/",
            f"{WORD}://x/",
        ]
        for url in urls:
            with pytest.raises(OutboundError) as error:
                await client.get(url, headers={"Authorization": WORD, "Cookie": WORD})
            words = [str(error.value), repr(error.value), error.value.reason, error.value.remedy]
            assert WORD not in "".join([*words, *traceback.format_exception(error.value, chain=False)]), url
            assert error.value.__suppress_context__ or error.value.__context__ is None, url
        with pytest.raises(OutboundError, match="cannot be written"):
            await client.get(site.url(), headers={"Authorization": f"{WORD}\r\nX: y"})
        assert (await client.get(f"{site.url('/busy')}?{WORD}")).status_code == 503
    told = "\n".join(f"{record.getMessage()} {record.args}" for record in caplog.records if "asyncio" not in record.name)
    assert WORD not in told + "".join(capsys.readouterr())


def test_it_serves_under_uvloop(tmp_path: Path) -> None:
    """The loop of the server is another one than that of these tests, with other errors of its own."""
    tls, _ = certificate(tmp_path, ["127.0.0.1"])

    async def calls() -> None:
        async with serving(always()) as site, serving(always(), tls) as sealed, serving(endless) as large, local() as client:
            assert (await client.get(site.url(host="localhost"))).text == "hello"
            with pytest.raises(TlsFailed, match="self-signed"):
                await client.get(sealed.url())
            with pytest.raises(TooLarge):
                await client.get(large.url())
            with pytest.raises(Unreachable, match=r"\(connection refused\)"):
                await client.get(f"http://127.0.0.1:{free_port()}/")
            with pytest.raises(InsideRefused):
                await client.get("http://127.0.0.2/")
        slow = dripping(b"HTTP/1.1 200 OK\r\n\r\n", b"x")
        async with serving(slow) as site, local(total_seconds=0.3) as client:
            with pytest.raises(TimedOut):
                await client.get(site.url())

    uvloop.run(calls())
