"""A host is asked once for what it said already, and nothing that it says leads the credential elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from hypothesis import given
from hypothesis import settings as tries
from hypothesis import strategies as st

from blametrail.codehosts.asking import EACH_KEPT, LARGEST_KEPT, MOST_PAGES, Asker, Memory, next_page, wait_of
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
from blametrail.settings import settings
from tests.peers.github import FakeGitHub, Reply
from tests.running import free_port

SECRET = "canaryCanaryCanary0003"


@pytest.fixture(autouse=True)
def loopback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    monkeypatch.setenv("BLAMETRAIL_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("BLAMETRAIL_ALLOWED_PRIVATE_HOSTS", "127.0.0.1")
    settings.cache_clear()
    yield monkeypatch
    settings.cache_clear()


@pytest.fixture
def host() -> Iterator[FakeGitHub]:
    """Any host: all its answers are scripted here."""
    with FakeGitHub() as host:
        yield host


def asker(url: str, *, memory: Memory | None = None, connection: UUID | None = None, **more: Any) -> Asker:
    headers = {"Authorization": f"Bearer {SECRET}"}
    return Asker(connection or uuid4(), url, headers, more.pop("explain", lambda _: None), memory or Memory(), **more)


def ok(body: Any = None, **headers: str) -> Reply:
    return Reply(200, {} if body is None else body, {name.replace("_", "-"): value for name, value in headers.items()})


# What is known already


async def test_it_asks_whether_an_answer_still_holds(host: FakeGitHub) -> None:
    link = f'<{host.api}/b?page=2>; rel="next"'
    host.answer("/b", ok([1], ETag='"one"', Link=link), Reply(304, None, {"X-Left": "7"}), ok([2], ETag='"two"'), Reply(304))
    ask = asker(host.api)
    first, again = await ask.get("/b"), await ask.get("/b")
    assert first.body == again.body == [1] and again.next_url == first.next_url == f"{host.api}/b?page=2"
    assert again.headers["x-left"] == "7", "the headers are those of now"
    assert [(await ask.get("/b")).body, (await ask.get("/b")).body] == [[2], [2]]
    assert [seen.headers.get("if-none-match") for seen in host.requests] == [None, '"one"', '"one"', '"two"']
    assert ask.calls == 4
    await ask.aclose()


async def test_it_does_not_give_out_what_it_keeps(host: FakeGitHub) -> None:
    host.answer("/b", ok([1], ETag='"one"'), Reply(304))
    ask = asker(host.api)
    (await ask.get("/b")).body.append(2)
    assert (await ask.get("/b")).body == [1]
    await ask.aclose()


async def test_it_keeps_answers_apart_by_connection_and_question(host: FakeGitHub) -> None:
    memory, connection = Memory(), uuid4()
    host.answer("/b", *[ok([1], ETag='"one"')] * 4)
    one, other = asker(host.api, memory=memory, connection=connection), asker(host.api, memory=memory)
    await one.get("/b")
    await other.get("/b")
    await one.get("/b", page=2)
    await one.get("/b", page=1)
    assert all("if-none-match" not in seen.headers for seen in host.requests)
    host.answer("/b", Reply(304))
    same = asker(host.api, memory=memory, connection=connection)
    assert (await same.get("/b")).body == [1]
    for ask in (one, other, same):
        await ask.aclose()


async def test_it_asks_anew_for_what_is_in_headers(host: FakeGitHub) -> None:
    host.answer("/b", ok([1], ETag='"one"'), ok([2], ETag='"two"'))
    ask = asker(host.api)
    assert [(await ask.get_anew("/b")).body, (await ask.get_anew("/b")).body] == [[1], [2]]
    assert all("if-none-match" not in seen.headers for seen in host.requests)
    await ask.aclose()


async def test_it_keeps_nothing_that_is_no_answer(host: FakeGitHub) -> None:
    host.answer("/b", Reply(200, b"<html>", {"ETag": '"bad"'}), Reply(500, {}, {"ETag": '"bad"'}), ok([1]), ok([2]))
    ask = asker(host.api)
    for _ in range(2):
        with pytest.raises(BadAnswer):
            await ask.get("/b")
    await ask.get("/b")
    await ask.get("/b")
    assert all("if-none-match" not in seen.headers for seen in host.requests)
    await ask.aclose()


async def test_it_forgets_what_was_not_asked_for_longest(host: FakeGitHub) -> None:
    body = "x" * 10_000
    memory = Memory(most=3 * (10_000 + EACH_KEPT + 100))
    ask = asker(host.api, memory=memory)
    for path in ("/a", "/b", "/c", "/a", "/d", "/a", "/b"):
        host.answer(path, ok(body, ETag=f'"{path}"'))
        await ask.get(path)
    known = [(seen.path, "if-none-match" in seen.headers) for seen in host.requests]
    assert known[3:] == [("/a", True), ("/d", False), ("/a", True), ("/b", False)]
    await ask.aclose()


async def test_it_keeps_no_giant_and_no_crowd(host: FakeGitHub) -> None:
    memory = Memory(most=20 * EACH_KEPT)
    ask = asker(host.api, memory=memory)
    for number in range(100):
        host.answer("/", ok([], ETag='"e"'))
        await ask.get(f"/{number}")
    host.answer("/", ok([], ETag='"e"'))
    await ask.get("/0")
    assert "if-none-match" not in host.requests[-1].headers, "small answers take room, too"
    roomy = asker(host.api, memory=Memory())
    host.answer("/giant", *[ok("x" * LARGEST_KEPT, ETag='"e"')] * 2)
    await roomy.get("/giant")
    await roomy.get("/giant")
    assert "if-none-match" not in host.requests[-1].headers
    await ask.aclose()
    await roomy.aclose()


async def test_it_drops_what_grew_too_large(host: FakeGitHub) -> None:
    ask = asker(host.api)
    host.answer("/b", ok("small", ETag='"one"'), ok("x" * LARGEST_KEPT, ETag='"two"'), ok("small", ETag='"three"'))
    for _ in range(3):
        await ask.get("/b")
    assert [seen.headers.get("if-none-match") for seen in host.requests] == [None, '"one"', None]
    await ask.aclose()


# Pages


async def test_it_asks_for_pages_as_they_are_needed(host: FakeGitHub) -> None:
    host.answer("page=2", ok([2], Link=f'<{host.api}/b?page=1>; rel="prev"'))
    host.answer("/b", ok([1], Link=f'<{host.api}/b?page=9>; rel="last", <{host.api}/b?page=2>; rel="next"'))
    ask = asker(host.api)
    found = []
    async for page in ask.pages("/b", per_page=1):
        found.append(page.body)
        assert len(host.requests) == len(found)
    assert found == [[1], [2]] and host.requests[0].query == {"per_page": "1"}
    await ask.aclose()


async def test_it_ends_a_list_that_never_ends(host: FakeGitHub) -> None:
    host.answer("/b", *[ok([], Link=f'<{host.api}/b?page=2>; rel="next"')] * (MOST_PAGES + 1))
    ask = asker(host.api)
    assert len([page async for page in ask.pages("/b")]) == MOST_PAGES == ask.calls
    await ask.aclose()


@pytest.mark.parametrize("elsewhere", ["http://127.0.0.2/api/v3/b", "https://127.0.0.1/api/v3/b", "{root}/b", "{api}.evil/b"])
async def test_it_follows_no_page_to_elsewhere(elsewhere: str, host: FakeGitHub) -> None:
    url = elsewhere.format(root=host.url, api=host.api)
    host.answer("/b", ok([1], Link=f'<{url}>; rel="next"'))
    ask = asker(host.api)
    with pytest.raises(BadAnswer, match="elsewhere"):
        _ = [page async for page in ask.pages("/b")]
    assert len(host.requests) == 1
    await ask.aclose()


async def test_it_shows_the_credential_to_no_other_server(host: FakeGitHub) -> None:
    with FakeGitHub() as other:
        other.answer("/b", ok({"public": True}))
        host.answer("/b", Reply(302, None, {"Location": f"{other.api}/b"}))
        ask = asker(host.api)
        assert (await ask.get("/b")).body == {"public": True} and ask.calls == 2
        assert SECRET in host.requests[0].headers["authorization"] and "authorization" not in other.requests[0].headers
        await ask.aclose()


@given(st.text(st.characters(max_codepoint=255, exclude_categories=["Cc"])))
@tries(deadline=None)
def test_it_reads_any_link(header: str) -> None:
    assert isinstance(next_page(header), str)


@pytest.mark.parametrize(
    ("header", "url"),
    [
        ("", ""),
        ('<https://a/b?page=2>; rel="next"', "https://a/b?page=2"),
        ('<https://a/1>; rel="prev", <https://a/3>; rel="next", <https://a/9>; rel="last"', "https://a/3"),
        ("<https://a/b,c>; rel=next", "https://a/b,c"),
        ('<https://a/b>; rel="last"', ""),
        ("nonsense", ""),
    ],
)
def test_it_reads_the_next_page_of_a_link(header: str, url: str) -> None:
    assert next_page(header) == url


# What goes wrong


@pytest.mark.parametrize(
    ("reply", "kind", "is_passing"),
    [
        (Reply(401, {}), TokenRefused, False),
        (Reply(403, {}), NotPermitted, False),
        (Reply(404, {}), NotVisible, False),
        (Reply(410, {}), NotVisible, False),
        (Reply(429, {}), RateLimited, True),
        (Reply(500, {}), BadAnswer, True),
        (Reply(503, b"<html>"), BadAnswer, True),
        (Reply(418, {}), BadAnswer, True),
        (Reply(200, b"nothing"), BadAnswer, True),
        (Reply(200, b"x", {"Content-Encoding": "br"}), BadAnswer, True),
        (Reply(302, None, {"Location": "http://10.0.0.1/"}), Unreachable, False),
    ],
    ids=lambda value: str(value.status) if isinstance(value, Reply) else None,
)
async def test_it_says_what_went_wrong(reply: Reply, kind: type[HostError], is_passing: bool, host: FakeGitHub) -> None:
    host.answer("/b", reply, reply)
    ask = asker(host.api)
    for asked in (ask.get("/b"), ask.post("/b", {})):
        with pytest.raises(kind) as error:
            await asked
        assert error.value.is_passing == is_passing and error.value.reason and error.value.remedy
        assert SECRET not in str(error.value)
    await ask.aclose()


async def test_it_asks_the_host_s_own_words_first(host: FakeGitHub) -> None:
    host.answer("/b", *[Reply(404, {"message": "Teapot"})] * 2)

    def explain(response: httpx.Response) -> HostError | None:
        return NotPermitted("It is a teapot.", "Bring coffee.") if response.json()["message"] == "Teapot" else None

    ask = asker(host.api, explain=explain)
    with pytest.raises(NotPermitted, match="teapot"):
        await ask.get("/b")
    await ask.aclose()


async def test_it_says_that_a_host_is_not_reached(loopback: pytest.MonkeyPatch) -> None:
    ask = asker(f"http://127.0.0.1:{free_port()}/api")
    with pytest.raises(Unreachable, match="refused") as error:
        await ask.get("/b")
    assert error.value.is_passing
    await ask.aclose()
    loopback.delenv("BLAMETRAIL_ALLOWED_PRIVATE_HOSTS")
    settings.cache_clear()
    ask = asker(f"http://127.0.0.1:{free_port()}/api")
    with pytest.raises(Unreachable, match="BLAMETRAIL_ALLOWED_PRIVATE_HOSTS") as error:
        await ask.get("/b")
    assert not error.value.is_passing, "time alone does not change what an operator allows"
    await ask.aclose()


async def test_it_signs_each_request_anew(host: FakeGitHub) -> None:
    count = iter(range(10))

    async def sign() -> Mapping[str, str]:
        return {"X-Signed": str(next(count))}

    host.answer("/b", *[ok()] * 3)
    ask = asker(host.api, sign=sign)
    await ask.get("/b")
    await ask.post("/b", {"a": 1})
    await ask.get("/b")
    assert [seen.headers["x-signed"] for seen in host.requests] == ["0", "1", "2"]
    assert (host.requests[1].method, host.requests[1].body) == ("POST", {"a": 1})
    await ask.aclose()


# When to come back

SOON = {"retry-after": "90"}


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 60),
        (SOON, 90),
        ({"retry-after": "0"}, 1),
        ({"retry-after": "soon"}, 60),
        ({"retry-after": "99999999999"}, 7_200),
        ({"retry-after": "Fri, 31 Dec 2199 23:59:59 GMT"}, 7_200),
        ({"x-ratelimit-reset": "in 30 minutes", "x-ratelimit-remaining": "0"}, 1_800),
        ({"x-ratelimit-reset": "in 30 minutes", "x-ratelimit-remaining": "12"}, 60),
        ({"ratelimit-reset": "in 30 minutes", "ratelimit-remaining": "0"}, 1_800),
        ({"ratelimit-reset": "in 30 minutes"}, 1_800),
        ({"x-ratelimit-reset": "in 30 minutes", "x-ratelimit-remaining": "0"} | SOON, 90),
        ({"x-ratelimit-reset": "in 600 minutes"}, 7_200),
        ({"x-ratelimit-reset": "in -5 minutes"}, 1),
        ({"x-ratelimit-reset": "never"}, 60),
    ],
    ids=str,
)
def test_it_comes_back_when_it_may(headers: dict[str, str], seconds: int) -> None:
    def written(value: str) -> str:
        minutes = value.removeprefix("in ").removesuffix(" minutes")
        return value if minutes == value else str(int((now() + timedelta(minutes=float(minutes))).timestamp()))

    until = wait_of(httpx.Headers({name: written(value) for name, value in headers.items()}))
    assert abs((until - now()).total_seconds() - seconds) < 2


HEADER = st.text(st.characters(max_codepoint=255, exclude_categories=["Cc"]))


@given(HEADER, HEADER | st.integers().map(str), st.sampled_from(["", "0", "5"]))
@tries(deadline=None)
def test_it_waits_within_bounds_whatever_is_said(after: str, reset: str, remaining: str) -> None:
    headers = {"retry-after": after, "x-ratelimit-reset": reset, "x-ratelimit-remaining": remaining}
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    wait = wait_of(httpx.Headers(raw)) - now()
    assert timedelta(0) < wait <= timedelta(hours=2)
