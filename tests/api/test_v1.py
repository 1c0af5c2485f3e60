"""The read API over HTTP: what it answers, to whom, and what it says to whatever does not fit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.cast import CANARY, Cast, cast
from tests.running import PASSWORD, Server, running

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
FAST = {"BLAMETRAIL_API_RATE_LIMIT": "1000000/minute"}
PARAMETERS = {
    "deploys": ("service", "environment", "kind", "since", "until", "limit", "cursor"),
    "services": ("limit", "cursor"),
    "live": ("at", "service", "environment", "limit", "cursor"),
    "changes": ("from", "to", "service", "environment", "limit", "cursor"),
}
FIELDS_OF_A_DEPLOY = {
    "id", "service", "environment", "kind", "commit_sha", "title", "version", "branch", "deployed_by", "deployed_at",
    "commit_count", "page_url", "previous_commit_sha", "rollback_of_id", "received_at", "compare_url",
}  # fmt: skip


@dataclass
class Api:
    """A server where Acme deployed two services, and tokens by first name."""

    server: Server
    cast: Cast
    tokens: dict[str, str]
    web: dict[str, Any]

    def get(self, path: str, who: str = "alice", **parameters: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.tokens[who]}"}
        renamed = {name.rstrip("_"): value for name, value in parameters.items()}
        return httpx.get(f"{self.server.url}/api/v1/{path}", params=renamed, headers=headers, timeout=30)

    def read(self, path: str, who: str = "alice", **parameters: Any) -> Any:
        answer = self.get(path, who, **parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def refused(self, path: str, **parameters: Any) -> set[str]:
        answer = self.get(path, **parameters)
        assert answer.status_code == 400, answer.text
        error = answer.json()["error"]
        assert error["code"] == "invalid_request" and answer.json()["request_id"] == answer.headers["x-request-id"]
        return {wrong["field"] for wrong in error["fields"]}


def token_of(server: Server, email: str, name: str = "script", **fields: str) -> str:
    with closing(server.sign_in(email, PASSWORD)) as client:
        answer = server.form(client, "api-token", name=name, **fields)
    assert answer.status_code == 200, answer.text
    token: str = answer.json()["secret"]
    return token


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with running(tmp_path_factory.mktemp("v1") / "data", BLAMETRAIL_TRUSTED_PROXY_HOPS="1", **FAST) as server:
        server.found()
        c = cast(server)
        tokens = {name: token_of(server, f"{name}@example.com") for name in ("alice", "charlie")}
        web = server.service("web", "production", "--repository", "acme/web", "--owner-team", "Shop")
        for minute, (sha, environment) in enumerate((("a", ""), ("b", "staging"), ("b", ""), ("a", ""), ("c", ""))):
            body = {
                "commit_sha": sha,
                "commit_message": f"Change {sha}\n\nAnd why.",
                "environment": environment,
                "deployed_at": (NOON + timedelta(minutes=minute)).isoformat(),
                "commits": [{"sha": f"{sha}{minute}", "message": "One\ntwo", "author": "Ann"}],
                "version": f"v{minute}",
            }
            assert server.post(web["deploy_token"], body).status_code == 200
        yield Api(server, c, tokens, web)


def shas(answer: Any) -> list[str]:
    return [one["commit_sha"] for one in answer["deploys"]]


def test_it_lists_deploys_newest_first(api: Api) -> None:
    found = api.read("deploys", service="web")
    assert shas(found) == ["c", "a", "b", "b", "a"] and found["next_cursor"] is None
    newest, rollback = found["deploys"][:2]
    assert set(newest) == FIELDS_OF_A_DEPLOY
    assert newest["service"] == {"id": api.web["id"], "name": "web"}
    assert (newest["title"], newest["version"], newest["branch"]) == ("Change c", "v4", None)
    assert newest["deployed_at"] == "2026-03-01T12:04:00.000000Z"
    assert newest["compare_url"] == "https://github.com/acme/web/compare/a...c"
    assert newest["page_url"].endswith(f"/deploys/{newest['id']}")
    assert (rollback["kind"], rollback["rollback_of_id"]) == ("rollback", found["deploys"][4]["id"])


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"service": "WEB", "environment": "staging"}, ["b"]),
        ({"service": "web", "kind": "rollback"}, ["a"]),
        ({"service": "web", "since": "2026-03-01T12:02:00Z"}, ["c", "a", "b"]),
        ({"service": "web", "until": "2026-03-01T12:02:00Z"}, ["b", "a"]),
        ({"service": "web", "since": "2026-03-01T13:02:00+01:00", "until": "2026-03-01 12:03:00Z"}, ["b"]),
        ({"environment": "nowhere"}, []),
    ],
)
def test_it_filters_deploys(api: Api, filters: dict[str, str], expected: list[str]) -> None:
    assert shas(api.read("deploys", **filters)) == expected


def test_it_takes_a_plus_that_was_not_escaped(api: Api) -> None:
    answer = httpx.get(
        f"{api.server.url}/api/v1/deploys?service=web&since=2026-03-01T13:03:00+01:00",
        headers={"Authorization": f"Bearer {api.tokens['alice']}"},
    )
    assert shas(answer.json()) == ["c", "a"]


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("deploys", {}),
        ("deploys", {"service": "web"}),
        ("services", {}),
        ("live", {}),
        ("changes", {"from_": "2026-01-01T00:00:00Z", "to": "2027-01-01T00:00:00Z"}),
    ],
)
def test_it_pages_without_losing_or_repeating(api: Api, path: str, parameters: dict[str, str]) -> None:
    name = path
    whole = api.read(path, limit=200, **parameters)[name]
    pages, cursor = [], ""
    for _ in range(len(whole) + 1):
        page = api.read(path, limit=1, **parameters, **({"cursor": cursor} if cursor else {}))
        pages += page[name]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert pages == whole and len(whole) > 1


def test_it_tells_all_of_one_deploy(api: Api) -> None:
    found = api.read("deploys", service="web")["deploys"]
    one = api.read(f"deploys/{found[1]['id']}")
    assert {name: one[name] for name in FIELDS_OF_A_DEPLOY} == found[1]
    assert one["commit_message"] == "Change a\n\nAnd why."
    assert one["commits"] == [
        {"sha": "a3", "title": "One", "author": "Ann", "timestamp": None, "url": "https://github.com/acme/web/commit/a3"}
    ]
    assert (one["previous_id"], one["next_id"]) == (found[2]["id"], found[0]["id"])


def test_it_lists_services(api: Api) -> None:
    found = api.read("services")["services"]
    assert [one["name"] for one in found] == [f"{CANARY}-service", "web"]
    web = found[1]
    assert (web["id"], web["environment"], web["type"], web["owner_team"]) == (api.web["id"], "production", "web", "Shop")
    assert web["repositories"] == [{"url": "https://github.com/acme/web", "path_prefix": None}]


def test_it_says_what_was_live(api: Api) -> None:
    found = api.read("live", at="2026-03-01T12:02:30Z", service="web")
    assert found["at"] == "2026-03-01T12:02:30.000000Z"
    assert [(one["environment"], one["deploy"]["commit_sha"], one["reason"]) for one in found["live"]] == [
        ("production", "b", None),
        ("staging", "b", None),
    ]
    early, never = (
        api.read("live", at="2026-03-01T12:00:30Z", service=api.web["id"], environment="staging")["live"][0],
        api.read("live", at="2020-01-01T00:00:00Z", service=f"{CANARY}-service")["live"][0],
    )
    assert early["deploy"] is None and early["reason"]["code"] == "deployed_later"
    assert "2026-03-01T12:01:00" in early["reason"]["message"]
    assert never["deploy"] is None and never["reason"]["code"] == "deployed_later"
    now = api.read("live", service="web", environment="production")["live"]
    assert [one["deploy"]["commit_sha"] for one in now] == ["c"]


def test_it_says_what_changed(api: Api) -> None:
    moments = {"from_": "2026-03-01T12:00:30Z", "to": "2026-03-01T12:04:00Z"}
    production, staging = api.read("changes", service="web", **moments)["changes"]
    assert (production["base_commit_sha"], production["head_commit_sha"]) == ("a", "c")
    assert (production["before"]["commit_sha"], production["after"]["commit_sha"]) == ("a", "c")
    assert production["compare_url"] == "https://github.com/acme/web/compare/a...c"
    assert (production["deploy_count"], production["rollback_count"], shas(production)) == (3, 1, ["c", "a", "b"])
    assert [one["sha"] for one in production["commits"]] == ["c4", "a3", "b2"] and production["has_all_commits"]
    assert staging["before"] is None and staging["base_commit_sha"] is None and staging["changed"]
    (same,) = api.read("changes", service="web", environment="staging", from_="2026-03-01T12:02:00Z")["changes"]
    assert not same["changed"] and same["before"] == same["after"] and same["deploys"] == []


def test_it_shows_nobody_of_another_organization_anything(api: Api) -> None:
    deploy_id = api.cast.deploy_id
    assert CANARY in api.get(f"deploys/{deploy_id}").text
    for path, parameters in (("deploys", {}), ("services", {}), ("live", {}), ("changes", {"from_": "2020-01-01T00:00:00Z"})):
        found = api.get(path, "charlie", **parameters)
        assert found.status_code == 200 and found.json()[path] == [] and CANARY not in found.text
    assert api.get(f"deploys/{deploy_id}", "charlie").status_code == 404
    for wanted in (api.cast.service_id, f"{CANARY}-service"):
        answer = api.get("deploys", "charlie", service=wanted)
        assert answer.status_code == 400 and CANARY not in answer.text


@pytest.mark.parametrize("path", [*PARAMETERS, "deploys/00000000-0000-0000-0000-000000000000"])
@pytest.mark.parametrize("sent", ["", "Bearer", "Bearer bt_wrong", "Basic Ym9iOmJvYg==", "bt_wrong", "Bearer \x80"])
def test_it_reads_for_nobody_without_a_token(api: Api, path: str, sent: str) -> None:
    # Each path from an address of its own: wrong tokens are counted.
    headers = [(b"Authorization", sent.encode("latin-1")), (b"X-Forwarded-For", f"198.51.100.{len(path)}".encode())]
    answer = httpx.get(f"{api.server.url}/api/v1/{path}", headers=headers)
    assert answer.status_code == 401, answer.text
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json()["error"]["code"] == "not_signed_in"


def test_it_takes_neither_cookies_nor_other_tokens(api: Api) -> None:
    for headers in ({"Cookie": api.cast.cookies["alice"]}, {"X-Deploy-Token": api.cast.token}):
        assert httpx.get(f"{api.server.url}/api/v1/deploys", headers=headers).status_code == 401


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_it_only_reads(api: Api, method: str) -> None:
    headers = {"Authorization": f"Bearer {api.tokens['alice']}"}
    for path in (*PARAMETERS, f"deploys/{api.cast.deploy_id}"):
        answer = httpx.request(method, f"{api.server.url}/api/v1/{path}", headers=headers)
        assert answer.status_code == 405 and answer.json()["error"]["code"] == "method_not_allowed"


BAD_TIMES = ("yesterday", "2026-03-01", "2026-03-01T12:00", "1", "0001-01-01T00:00:00+14:00", "2026-13-01T00:00:00Z", "x" * 300)


@pytest.mark.parametrize("bad", BAD_TIMES)
def test_it_names_a_time_that_is_none(api: Api, bad: str) -> None:
    assert api.refused("deploys", since=bad, until=bad) == {"since", "until"}
    assert api.refused("live", at=bad) == {"at"}
    assert api.refused("changes", from_=bad, to=bad) == {"from", "to"}


@pytest.mark.parametrize(
    ("path", "parameters", "fields"),
    [
        ("deploys", {"limit": "0"}, {"limit"}),
        ("deploys", {"limit": "201"}, {"limit"}),
        ("deploys", {"limit": "-1"}, {"limit"}),
        ("deploys", {"limit": "9" * 100}, {"limit"}),
        ("deploys", {"kind": "release"}, {"kind"}),
        ("deploys", {"cursor": "next"}, {"cursor"}),
        ("deploys", {"cursor": "WyJhIl0="}, {"cursor"}),
        ("deploys", {"cursor": "WyJhIiwiYiJd"}, {"cursor"}),
        ("services", {"cursor": "WzFd"}, {"cursor"}),
        ("live", {"cursor": "e30="}, {"cursor"}),
        ("deploys", {"enviroment": "production", "limit": "many"}, {"enviroment", "limit"}),
        ("deploys", {"environment": ["production", "staging"]}, {"environment"}),
        ("deploys", {"environment": "a\0b"}, {"environment"}),
        ("deploys", {"service": "no such service"}, {"service"}),
        ("deploys/x", {}, {"deploy_id"}),
        ("deploys/00000000-0000-0000-0000-000000000000", {"limit": "1"}, {"limit"}),
        ("changes", {}, {"from"}),
        ("changes", {"from_": "2026-03-02T00:00:00Z", "to": "2026-03-01T00:00:00Z"}, {"from"}),
        ("changes", {"from_": "9999-01-01T00:00:00Z"}, {"from"}),
    ],
)
def test_it_names_what_does_not_fit(api: Api, path: str, parameters: dict[str, Any], fields: set[str]) -> None:
    assert api.refused(path, **parameters) == fields


values = st.one_of(
    st.text(max_size=40),
    st.datetimes().map(str),
    st.datetimes(timezones=st.timezones()).map(lambda t: t.isoformat()),
    st.integers().map(str),
    st.sampled_from(
        ["web", "production", "rollback", "\0", "%00", "WyJhIiwiYiJd", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"]
    ),
)
queries = st.sampled_from(sorted(PARAMETERS)).flatmap(
    lambda path: st.tuples(
        st.just(path), st.dictionaries(st.one_of(st.sampled_from(PARAMETERS[path]), st.text(max_size=8)), values, max_size=5)
    )
)


@given(queries)
@example(("changes", {"from": "0001-01-01T00:00:00Z", "to": "9999-12-31T23:59:59Z"}))
@example(("live", {"at": "9999-12-31T23:59:59.999999Z"}))
@settings(max_examples=150, deadline=None)
def test_it_answers_any_query_with_an_answer_or_with_names(api: Api, query: tuple[str, dict[str, str]]) -> None:
    path, parameters = query
    headers = {"Authorization": f"Bearer {api.tokens['alice']}"}
    answer = httpx.get(f"{api.server.url}/api/v1/{path}", params=parameters, headers=headers, timeout=30)
    assert answer.status_code in {200, 400}, (answer.status_code, answer.text)
    if answer.status_code == 400:
        assert {wrong["field"] for wrong in answer.json()["error"]["fields"]} <= {*parameters, "from"}
    else:
        assert answer.json()[path] is not None


def test_it_limits_each_token_by_itself(tmp_path: Path) -> None:
    with running(tmp_path / "data", BLAMETRAIL_API_RATE_LIMIT="5/hour") as server:
        server.found()
        one, other = (token_of(server, "alice@example.com", name) for name in ("one", "other"))
        answers = [get(server, one) for _ in range(7)]
        assert [a.status_code for a in answers] == [200] * 5 + [429] * 2
        assert answers[-1].json()["error"]["code"] == "rate_limited" and int(answers[-1].headers["retry-after"]) > 0
        assert get(server, other).status_code == 200


def test_it_limits_wrong_tokens_by_address(tmp_path: Path) -> None:
    with running(tmp_path / "data", BLAMETRAIL_TRUSTED_PROXY_HOPS="1", **FAST) as server:
        server.found()
        token = token_of(server, "alice@example.com")
        guesses = [get(server, f"bt_guess{n}", "192.0.2.7").status_code for n in range(32)]
        assert guesses == [401] * 30 + [429] * 2
        assert get(server, token, "192.0.2.7").status_code == 429
        assert get(server, token, "192.0.2.8").status_code == 200
        # What stands before the entry that our own proxy wrote is the client's word.
        assert get(server, "bt_guess", "192.0.2.99, 192.0.2.7").status_code == 429
        assert [get(server, token, "192.0.2.9").status_code for _ in range(40)] == [200] * 40


def get(server: Server, token: str, forwarded: str = "") -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}", **({"X-Forwarded-For": forwarded} if forwarded else {})}
    return httpx.get(f"{server.url}/api/v1/services", headers=headers)
