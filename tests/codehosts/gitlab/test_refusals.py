"""What people are told when GitLab does not answer, and what its token may do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from blametrail.codehosts.gitlab.client import GitLab
from blametrail.codehosts.gitlab.parse import NO_CLONES
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
from tests.codehosts.gitlab.asking import access, ask
from tests.peers.gitlab import FakeGitLab
from tests.running import free_port

SHOP = "acme/web/shop"


@contextmanager
def refused(kind: type[HostError], *, is_passing: bool, words: str = "") -> Iterator[None]:
    """Exactly this error, with something to do and no secret in it."""
    with pytest.raises(HostError) as raised:
        yield
    error = raised.value
    assert isinstance(error, kind), error
    assert words in str(error)
    assert error.is_passing == is_passing
    assert error.reason.endswith(".")
    assert error.remedy.endswith(".")
    assert "glpat" not in f"{error!r} {error.__cause__!r} {error.__context__!r}"


@asynccontextmanager
async def listening() -> AsyncIterator[tuple[int, list[bytes]]]:
    """A port of an address that nobody allowed, and what was said to it."""
    heard: list[bytes] = []

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(10_000))
        writer.close()

    server = await asyncio.start_server(hear, "127.0.0.2", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], heard


class TestTokens:
    async def test_it_tells_whose_a_token_is_and_what_it_may(self, gitlab: FakeGitLab) -> None:
        gitlab.add_token("glpat-new", "api", "read_repository", username="group_7_bot", expires_at=date(2099, 3, 1))
        found = await ask(gitlab, lambda client: client.token(), "glpat-new")
        assert (found.login, found.granted) == ("group_7_bot", ("api", "read_repository"))
        assert (found.may_read, found.may_write) == (True, True)
        assert found.expires_at == datetime(2099, 3, 1, tzinfo=UTC)

    @pytest.mark.parametrize(
        ("scopes", "granted", "may_read", "may_write"),
        [
            (["api"], ("api",), True, True),
            (["read_api"], ("read_api", NO_CLONES), True, False),
            (["read_api", "read_repository"], ("read_api", "read_repository"), True, False),
            (["read_repository"], ("read_repository",), False, False),
            (["read_user"], ("read_user", NO_CLONES), False, False),
            (["granular"], ("granular",), None, None),
        ],
    )
    async def test_it_judges_scopes(
        self, gitlab: FakeGitLab, scopes: list[str], granted: tuple[str, ...], may_read: bool | None, may_write: bool | None
    ) -> None:
        gitlab.add_token("glpat-new", *scopes)
        found = await ask(gitlab, lambda client: client.token(), "glpat-new")
        assert (found.granted, found.may_read, found.may_write) == (granted, may_read, may_write)
        assert found.expires_at is None

    async def test_it_knows_no_name_where_the_token_may_not_ask(self, gitlab: FakeGitLab) -> None:
        gitlab.add_token("glpat-new", "read_repository")
        assert (await ask(gitlab, lambda client: client.token(), "glpat-new")).login == ""

    async def test_it_works_before_tokens_could_ask_about_themselves(self, gitlab: FakeGitLab) -> None:
        gitlab.fail(404, {"error": "404 Not Found"}, where="/personal_access_tokens/self")
        found = await ask(gitlab, lambda client: client.token())
        assert (found.login, found.granted, found.may_read, found.may_write) == ("blametrail-bot", (), None, None)


class TestRefusals:
    async def test_it_says_that_a_token_is_wrong(self, gitlab: FakeGitLab) -> None:
        with refused(TokenRefused, is_passing=False, words="wrong, expired or revoked"):
            await ask(gitlab, lambda client: client.repository(SHOP), "glpat-unknown")

    async def test_it_says_that_a_token_was_revoked(self, gitlab: FakeGitLab) -> None:
        gitlab.add_token("glpat-new", is_revoked=True)
        with refused(TokenRefused, is_passing=False, words="was revoked"):
            await ask(gitlab, lambda client: client.token(), "glpat-new")

    async def test_it_says_that_a_token_has_expired(self, gitlab: FakeGitLab) -> None:
        gitlab.add_token("glpat-new", expires_at=date(2020, 1, 1))
        with refused(TokenRefused, is_passing=False, words="has expired"):
            await ask(gitlab, lambda client: client.repository(SHOP), "glpat-new")

    async def test_it_names_the_scope_that_is_missing(self, gitlab: FakeGitLab) -> None:
        gitlab.add_project(SHOP)
        gitlab.add_token("glpat-new", "read_repository")
        with refused(NotPermitted, is_passing=False, words="api or read_api"):
            await ask(gitlab, lambda client: client.repository(SHOP), "glpat-new")

    async def test_it_names_no_scope_that_is_none(self, gitlab: FakeGitLab) -> None:
        gitlab.fail(403, {"error": "insufficient_scope", "scope": "<b>api</b>"})
        with refused(NotPermitted, is_passing=False, words="this needs api or read_api"):
            await ask(gitlab, lambda client: client.repository(SHOP))

    async def test_it_says_which_role_a_guest_lacks(self, gitlab: FakeGitLab) -> None:
        sha = gitlab.add_project(SHOP).commit("Begin")
        gitlab.add_token("glpat-new", "read_api", role="guest")
        with refused(NotPermitted, is_passing=False, words="Reporter"):
            await ask(gitlab, lambda client: client.commit(SHOP, sha), "glpat-new")

    async def test_it_says_that_a_404_may_be_a_private_project(self, gitlab: FakeGitLab) -> None:
        gitlab.add_project(SHOP)
        gitlab.add_token("glpat-new", "read_api", projects=())
        questions: list[Any] = [
            lambda client: client.repository(SHOP),
            lambda client: client.compare(SHOP, "a" * 40, "b" * 40),
            lambda client: client.pull_request(SHOP, 1),
            lambda client: client.pull_requests_of(SHOP, "a" * 40),
            lambda client: client.pull_request_files(SHOP, 1),
        ]
        for question in questions:
            with refused(NotVisible, is_passing=False, words=f"the project {SHOP}"):
                await ask(gitlab, question, "glpat-new")
        assert len(gitlab.requests) == len(questions)

    async def test_it_does_not_take_another_server_for_a_missing_merge_request(self, gitlab: FakeGitLab) -> None:
        gitlab.fail(404, b"<html>nginx</html>")
        with refused(NotVisible, is_passing=False, words=SHOP):
            await ask(gitlab, lambda client: client.pull_request(SHOP, 1))

    async def test_it_comes_back_when_the_limit_says_so(self, gitlab: FakeGitLab) -> None:
        gitlab.fail(429, b"Retry later\n", headers={"Retry-After": "120", "RateLimit-Reset": "1"})
        asked = now()
        with pytest.raises(RateLimited) as raised:
            await ask(gitlab, lambda client: client.repository(SHOP))
        assert timedelta(seconds=119) < raised.value.until - asked < timedelta(seconds=180)
        assert raised.value.is_passing

    async def test_it_comes_back_at_the_reset_of_the_limit(self, gitlab: FakeGitLab) -> None:
        reset = (now() + timedelta(minutes=9)).replace(microsecond=0)
        gitlab.fail(429, b"Retry later\n", headers={"RateLimit-Reset": str(int(reset.timestamp()))})
        with pytest.raises(RateLimited) as raised:
            await ask(gitlab, lambda client: client.repository(SHOP))
        assert raised.value.until == reset

    @pytest.mark.parametrize("status", [500, 502, 503])
    async def test_it_takes_a_failing_host_for_something_that_passes(self, gitlab: FakeGitLab, status: int) -> None:
        gitlab.fail(status, b"<html>Whoops, something went wrong</html>", headers={"Content-Type": "text/html"})
        with refused(BadAnswer, is_passing=True, words=str(status)):
            await ask(gitlab, lambda client: client.repository(SHOP))

    async def test_it_says_that_an_answer_is_no_json(self, gitlab: FakeGitLab) -> None:
        gitlab.fail(200, b"\xff\xfe<html>", headers={"Content-Type": "application/json"})
        with refused(BadAnswer, is_passing=True, words="not JSON"):
            await ask(gitlab, lambda client: client.repository(SHOP))

    @pytest.mark.parametrize(
        "body", [[], {}, None, 7, {"path_with_namespace": 7}, {"path_with_namespace": "a/b", "visibility": None}]
    )
    async def test_it_refuses_json_of_another_shape(self, gitlab: FakeGitLab, body: Any) -> None:
        gitlab.fail(200, body)
        with refused(BadAnswer, is_passing=True, words="not shaped as this code host's"):
            await ask(gitlab, lambda client: client.repository(SHOP))

    async def test_it_refuses_a_list_of_another_shape(self, gitlab: FakeGitLab) -> None:
        gitlab.fail(200, {"message": "hello"})
        for question in (
            lambda client: client.pull_requests_of(SHOP, "a" * 40),
            lambda client: client.pull_request_files(SHOP, 1),
            lambda client: client.compare(SHOP, "a" * 40, "b" * 40),
        ):
            with refused(BadAnswer, is_passing=True):
                await ask(gitlab, question)


class TestConnections:
    async def test_it_waits_for_a_slow_host(self, gitlab: FakeGitLab) -> None:
        gitlab.add_project(SHOP)
        gitlab.fail(0, seconds=0.3)
        assert (await ask(gitlab, lambda client: client.repository(SHOP))).path == SHOP

    async def test_it_says_that_a_host_broke_off(self, gitlab: FakeGitLab) -> None:
        gitlab.fail(200, {"path_with_namespace": SHOP}, breaks_off=True)
        with refused(Unreachable, is_passing=True):
            await ask(gitlab, lambda client: client.repository(SHOP))

    async def test_it_says_that_nobody_is_there(self, gitlab: FakeGitLab) -> None:
        async with GitLab(access(f"http://127.0.0.1:{free_port()}")) as client:
            with refused(Unreachable, is_passing=True):
                await client.repository(SHOP)

    async def test_it_says_that_the_host_speaks_no_https(self, gitlab: FakeGitLab) -> None:
        async with GitLab(access(gitlab.url.replace("http:", "https:"))) as client:
            with refused(Unreachable, is_passing=False, words="No encrypted connection"):
                await client.repository(SHOP)

    async def test_it_does_not_call_inside_unless_allowed(self, gitlab: FakeGitLab, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("BLAMETRAIL_ALLOWED_PRIVATE_HOSTS", "")
        settings.cache_clear()
        with refused(Unreachable, is_passing=False, words="BLAMETRAIL_ALLOWED_PRIVATE_HOSTS"):
            await ask(gitlab, lambda client: client.repository(SHOP))
        assert gitlab.requests == []

    async def test_it_does_not_follow_a_redirect_inside(self, gitlab: FakeGitLab) -> None:
        async with listening() as (port, heard):
            gitlab.fail(301, headers={"Location": f"http://127.0.0.2:{port}/latest/meta-data"})
            with refused(Unreachable, is_passing=False, words="127.0.0.2"):
                await ask(gitlab, lambda client: client.repository(SHOP))
            assert heard == []

    async def test_it_shows_the_token_to_no_other_server(self, gitlab: FakeGitLab) -> None:
        with FakeGitLab() as other:
            gitlab.fail(301, headers={"Location": f"{other.url}/api/v4/projects/1"})
            with refused(Unreachable, is_passing=False, words=other.url):
                await ask(gitlab, lambda client: client.repository(SHOP))
            assert "private-token" not in other.requests[0].headers

    async def test_it_does_not_follow_a_next_page_to_another_server(self, gitlab: FakeGitLab) -> None:
        with FakeGitLab() as other:
            gitlab.fail(200, [], headers={"Link": f'<{other.url}/api/v4/projects?page=2>; rel="next"'})
            with refused(BadAnswer, is_passing=True, words="next page"):
                await ask(gitlab, lambda client: client.pull_request_files(SHOP, 1))
            assert other.requests == []
