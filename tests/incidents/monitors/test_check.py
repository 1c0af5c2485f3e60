"""One check against real servers on loopback: what is wrong is said in defined words, within bounds of time and size."""

from __future__ import annotations

import asyncio
import gzip
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from blametrail.incidents.monitors.check import MOST_READ, Fault, Result, Target, check
from blametrail.incidents.monitors.expected import Expected
from blametrail.incidents.monitors.judge import Health
from blametrail.settings import settings
from tests.kit.test_http import Heard, always, certificate, endless, serving, written
from tests.running import free_port


@pytest.fixture(autouse=True)
def loopback(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The operator allows this machine."""
    monkeypatch.setenv("BLAMETRAIL_ALLOWED_PRIVATE_HOSTS", "127.0.0.1")
    settings.cache_clear()
    yield
    settings.cache_clear()


def asking(url: str, **more: Any) -> Target:
    usual: dict[str, Any] = {"method": "GET", "url": url, "expected": Expected.from_text("200-299")}
    return Target(**(usual | more))


def told(result: Result) -> tuple[Health, Fault]:
    return result.health, result.fault


async def test_it_passes_what_answers_as_expected() -> None:
    async with serving(always(204, b"")) as site:
        result = await check(asking(site.url("/health"), headers={"X-Key": "word"}))
    assert told(result) == (Health.UP, Fault.NONE) and result.status == 204 and result.reason == ""
    assert result.latency_ms is not None and 0 < result.latency_ms < 5_000
    assert site.heard[0].target == "/health" and site.heard[0].headers["x-key"] == "word"


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
async def test_it_asks_by_any_method(method: str) -> None:
    async def answer(_heard: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async with serving(answer) as site:
        assert (await check(asking(site.url(), method=method))).health is Health.UP
        assert site.heard[0].method == method


async def test_it_says_that_nobody_listens() -> None:
    result = await check(asking(f"http://127.0.0.1:{free_port()}/"))
    assert told(result) == (Health.DOWN, Fault.UNREACHABLE) and "took no connection" in result.reason
    assert result.status is None and result.latency_ms is None


async def test_it_says_that_a_name_is_unknown() -> None:
    assert told(await check(asking("http://no-such-name.invalid/"))) == (Health.DOWN, Fault.UNREACHABLE)


async def test_it_waits_no_longer_than_its_timeout() -> None:
    async def silent(_heard: Heard, _writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    async with serving(silent) as site:
        began = time.monotonic()
        result = await check(asking(site.url(), timeout_seconds=0.3))
    assert told(result) == (Health.DOWN, Fault.TIMED_OUT) and time.monotonic() - began < 5


async def test_it_names_the_status_that_was_not_expected() -> None:
    async with serving(always(503)) as site:
        result = await check(asking(site.url()))
        assert told(result) == (Health.DOWN, Fault.STATUS) and result.reason == "It answered 503, not 200-299."
        assert (await check(asking(site.url(), expected=Expected.from_text("500-503")))).health is Health.UP


async def test_it_looks_for_text_in_the_answer() -> None:
    async with serving(always(200, "tout va bien, été".encode())) as site:
        assert (await check(asking(site.url(), body_text="été"))).health is Health.UP
        assert told(await check(asking(site.url(), body_text="hiver"))) == (Health.DOWN, Fault.BODY)


async def test_it_looks_for_text_in_a_packed_answer() -> None:
    async with serving(always(200, gzip.compress(b"all is well"), Content_Encoding="gzip")) as site:
        assert (await check(asking(site.url(), body_text="is well"))).health is Health.UP


async def test_it_says_how_slow_an_answer_was() -> None:
    async def late(_heard: Heard, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.15)
        writer.write(written())

    async with serving(late) as site:
        result = await check(asking(site.url(), latency_ms=100))
        assert told(result) == (Health.SLOW, Fault.SLOW) and "more than 100 ms" in result.reason
        assert (await check(asking(site.url(), latency_ms=0))).health is Health.UP


async def test_it_trusts_no_strange_certificate(tmp_path: Path) -> None:
    tls, _ = certificate(tmp_path, ["127.0.0.1"])
    async with serving(always(), tls) as site:
        result = await check(asking(site.url()))
    assert told(result) == (Health.DOWN, Fault.TLS) and "not trusted" in result.reason


@pytest.mark.parametrize("location", ["http://169.254.169.254/latest", "http://10.0.0.1/", "http://[::1]/"])
async def test_it_is_not_led_inside_by_a_redirect(location: str) -> None:
    async with serving(always(302, Location=location)) as site:
        result = await check(asking(site.url()))
    assert told(result) == (Health.DOWN, Fault.INSIDE) and result.reason


async def test_it_follows_a_redirect_and_judges_where_it_leads() -> None:
    async def answer(heard: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(written(302, b"", Location="/there") if heard.target == "/" else written(200, b"here"))

    async with serving(answer) as site:
        assert (await check(asking(site.url(), body_text="here"))).health is Health.UP


async def test_it_says_that_redirects_never_end() -> None:
    async with serving(always(302, Location="/")) as site:
        assert told(await check(asking(site.url()))) == (Health.DOWN, Fault.REDIRECT)


async def test_it_reaches_nothing_inside_that_is_not_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLAMETRAIL_ALLOWED_PRIVATE_HOSTS", "")
    settings.cache_clear()
    async with serving(always()) as site:
        result = await check(asking(site.url()))
        assert told(result) == (Health.DOWN, Fault.INSIDE) and "BLAMETRAIL_ALLOWED_PRIVATE_HOSTS" in result.reason
        assert not site.heard


async def test_it_reads_no_more_than_its_bound() -> None:
    """The text is looked for in what was read; the rest of the answer is left where it is."""
    async with serving(always(200, b"early" + b"x" * (4 * MOST_READ) + b"late")) as site:
        assert (await check(asking(site.url(), body_text="early"))).health is Health.UP
        assert told(await check(asking(site.url(), body_text="late"))) == (Health.DOWN, Fault.BODY)
    async with serving(endless) as site:
        assert (await check(asking(site.url(), timeout_seconds=20))).health is Health.UP
        assert site.sent < 40 * MOST_READ


async def test_it_says_that_an_answer_cannot_be_unpacked() -> None:
    async with serving(always(200, b"no gzip", Content_Encoding="gzip")) as site:
        assert told(await check(asking(site.url()))) == (Health.DOWN, Fault.UNREADABLE)


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "http://user:word@127.0.0.1/", "http://0x7f.1/", "file:///etc/passwd"])
async def test_it_calls_nothing_that_is_no_plain_address(url: str) -> None:
    result = await check(asking(url))
    assert result.health is Health.DOWN and result.fault in {Fault.REFUSED_ADDRESS, Fault.UNREACHABLE, Fault.INSIDE}


async def test_it_tells_no_secret() -> None:
    target = asking("http://127.0.0.1:9/?key=hidden", headers={"Authorization": "hidden"})
    assert "hidden" not in (await check(target)).reason
    assert "Authorization" not in repr(target)
