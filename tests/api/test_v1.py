"""The read API over HTTP: what it answers, to whom, and what it says to whatever does not fit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from blametrail.codehosts.tables import PullRequest, PullRequestFile
from blametrail.incidents import act
from blametrail.incidents.open import open_incident
from blametrail.incidents.reports import Onset, Report, Symptom
from blametrail.incidents.states import IncidentType, Severity
from blametrail.kit.db import ScopedSession
from tests.cast import CANARY, Cast, cast, opened
from tests.running import PASSWORD, Server, running

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
FAST = {"BLAMETRAIL_API_RATE_LIMIT": "1000000/minute"}
PARAMETERS = {
    "deploys": ("service", "environment", "kind", "branch", "author", "text", "since", "until", "limit", "cursor"),
    "services": ("limit", "cursor"),
    "live": ("at", "service", "environment", "limit", "cursor"),
    "changes": ("from", "to", "service", "environment", "limit", "cursor"),
    "changes/search": ("text", "path", "author", "service", "repository", "label", "since", "until", "limit", "cursor"),
    "incidents": ("service", "environment", "status", "severity", "text", "since", "until", "limit", "cursor"),
}
OF_ONE = {"deploys": "deploy_id", "services": "service_id", "changes": "change_id", "incidents": "incident_id"}
NO_ID = "00000000-0000-0000-0000-000000000000"
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
    incidents: list[str]

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
        web = server.service("web", repository="acme/web", owner_team="Shop")
        for minute, (sha, environment) in enumerate((("a", ""), ("b", "staging"), ("b", ""), ("a", ""), ("c", ""))):
            body = {
                "commit_sha": sha,
                "commit_message": f"Change {sha}\n\nAnd why.",
                "environment": environment,
                "deployed_at": (NOON + timedelta(minutes=minute)).isoformat(),
                "commits": [{"sha": f"{sha}{minute}", "message": "One\ntwo", "author": "Ann"}],
                "version": f"v{minute}",
                "branch": "main" if minute < 4 else "hotfix/100%",
                "deployed_by": "Efua" if minute else "CI",
            }
            assert server.post(web["deploy_token"], body).status_code == 200
        with opened(server) as db:
            planted = db.write_now(UUID(c.organization_id), plant, UUID(web["id"]))
        yield Api(server, c, tokens, web, planted)


def plant(session: ScopedSession, web: UUID) -> list[str]:
    """Changes of the service `web`, one an hour, and incidents, one a minute; answers the ids of these."""
    for number in (1, 2, 3):
        at = NOON + timedelta(hours=number)
        file: dict[str, Any] = {"status": "modified", "added": 2, "removed": 1, "category": "tests", "relevance": 1.0}
        change = PullRequest(
            id=uuid4(),
            host_url="https://github.com",
            repository="acme/web",
            number=number,
            title=f"Retry {'payments' if number < 3 else 'mails'}",
            author="ann" if number == 1 else "ben",
            labels="urgent" if number == 2 else "",
            state="merged",
            url=f"https://github.com/acme/web/pull/{number}",
            created_at=at,
            updated_at=at,
            merged_at=at,
            has_files=True,
            has_all_files=True,
        )
        session.add(PullRequestFile(pull_request_id=change.id, position=0, path=f"src/part{number}.py", **file))
        session.add(change)
        session.flush()
    return [str(open_incident(session, report(minute, web))) for minute in range(3)]


def report(minute: int, web: UUID) -> Report:
    at = NOON + timedelta(minutes=minute)
    return Report(
        type=IncidentType.MANUAL,
        severity=list(Severity)[minute],
        title=f"{CANARY} number {minute}",
        onset=Onset(at - timedelta(minutes=1), at - timedelta(minutes=2), at, "somebody said so"),
        detected_at=at,
        who="Bob",
        symptom=Symptom(stack_trace='  File "/app/a.py", line 7, in pay\nPaymentError: no'),
        service_ids=(web,) if minute else (),
        environments=("production",),
    )


def list_of(path: str) -> str:
    """The name of the list that an address answers."""
    return path.partition("/")[0]


def shas(answer: Any) -> list[str]:
    return [one["commit_sha"] for one in answer["deploys"]]


def test_it_lists_deploys_newest_first(api: Api) -> None:
    found = api.read("deploys", service="web")
    assert shas(found) == ["c", "a", "b", "b", "a"] and found["next_cursor"] is None
    newest, rollback = found["deploys"][:2]
    assert set(newest) == FIELDS_OF_A_DEPLOY
    assert newest["service"] == {"id": api.web["id"], "name": "web"}
    assert (newest["title"], newest["version"], newest["branch"]) == ("Change c", "v4", "hotfix/100%")
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
        ({"service": "web", "branch": "100%"}, ["c"]),
        ({"service": "web", "branch": "HOTFIX", "author": "efua"}, ["c"]),
        ({"author": "ci", "service": "web"}, ["a"]),
        ({"text": "change B", "service": "web"}, ["b", "b"]),
        ({"text": "v3"}, ["a"]),
        ({"text": "nothing like it"}, []),
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
        ("deploys", {"text": "change"}),
        ("changes/search", {}),
        ("changes/search", {"text": "retry"}),
        ("incidents", {}),
    ],
)
def test_it_pages_without_losing_or_repeating(api: Api, path: str, parameters: dict[str, str]) -> None:
    name = list_of(path)
    whole = api.read(path, limit=100, **parameters)[name]
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


def test_it_tells_all_of_one_service(api: Api) -> None:
    assert api.read(f"services/{api.web['id']}") == api.read("services")["services"][1]


def titles(answer: Any) -> list[str]:
    return [one["title"] for one in answer["changes"]]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"text": "retry"}, ["Retry mails", "Retry payments", "Retry payments"]),
        ({"text": '"retry payments"', "author": "ANN"}, ["Retry payments"]),
        ({"text": "part3"}, ["Retry mails"]),
        ({"path_": "src/part?.py", "label": "urgent"}, ["Retry payments"]),
        ({"repository": "acme/web", "service": "web", "until": "2026-03-01T14:00:00Z"}, ["Retry payments"]),
        ({"since": "2026-03-01T14:00:00Z", "until": "2026-03-01T15:00:00Z"}, ["Retry payments"]),
        ({"service": f"{CANARY}-service"}, []),
        ({"text": "***"}, []),
        ({"since": "0001-01-01T00:00:00Z", "until": "0001-01-01T00:00:00Z"}, []),
    ],
)
def test_it_searches_changes(api: Api, filters: dict[str, str], expected: list[str]) -> None:
    found = api.read("changes/search", **filters)
    assert titles(found) == expected and found["count"] == len(expected)


def test_it_tells_all_of_one_change(api: Api) -> None:
    (found,) = api.read("changes/search", text="mails")["changes"]
    one = api.read(f"changes/{found['id']}")
    assert {name: one[name] for name in found} == found | {"matched_files": [], "excerpt": None}
    assert found["services"] == [{"id": api.web["id"], "name": "web"}] and found["file_count"] == 1
    assert [file["path"] for file in one["files"]] == ["src/part3.py"] and one["has_all_files"]
    unknown = api.read(f"changes/{api.cast.change_id}")
    assert unknown["file_count"] is None and not unknown["has_all_files"] and unknown["url"] is None


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"until": "2026-03-02T00:00:00Z"}, [2, 1, 0]),
        ({"service": "web"}, [2, 1]),
        ({"severity": "critical", "until": "2026-03-02T00:00:00Z"}, [0]),
        ({"status": "acknowledged"}, []),
        ({"status": "resolved"}, [1]),
        ({"environment": "staging"}, []),
        ({"text": "NUMBER 2"}, [2]),
        ({"since": "2026-03-01T12:01:00Z", "until": "2026-03-01T12:02:00Z"}, [1]),
    ],
)
def test_it_lists_incidents_newest_first(api: Api, filters: dict[str, str], expected: list[int]) -> None:
    with opened(api.server) as db:
        db.write_now(UUID(api.cast.organization_id), act.resolve, UUID(api.incidents[1]), "Bob")
    found = api.read("incidents", **filters)["incidents"]
    assert [one["id"] for one in found] == [api.incidents[n] for n in expected]


def test_it_tells_all_of_one_incident(api: Api) -> None:
    one = api.read(f"incidents/{api.incidents[2]}")
    (listed,) = api.read("incidents", text="number 2")["incidents"]
    assert {name: one[name] for name in listed} == listed
    assert one["onset"] == {
        "at": "2026-03-01T12:01:00.000000Z",
        "earliest": "2026-03-01T12:00:00.000000Z",
        "latest": "2026-03-01T12:02:00.000000Z",
        "basis": "somebody said so",
        "set_by": None,
    }
    assert (one["severity"], one["status"], one["resolved_at"]) == ("warning", "open", None)
    assert one["symptom"]["exception"] == "PaymentError" and one["symptom"]["frames"][0]["line"] == 7
    assert [(entry["kind"], entry["who"]) for entry in one["entries"]] == [("opened", "Bob")]
    assert one["page_url"].endswith(f"/incidents/{one['id']}")


def test_it_shows_nobody_of_another_organization_anything(api: Api) -> None:
    ids = {
        "deploys": api.cast.deploy_id,
        "services": api.cast.service_id,
        "changes": api.cast.change_id,
        "incidents": api.incidents[0],
    }
    assert set(ids) == set(OF_ONE)
    for path in PARAMETERS:
        found = api.get(path, "charlie", **({"from_": "2020-01-01T00:00:00Z"} if path == "changes" else {}))
        assert found.status_code == 200 and found.json()[list_of(path)] == [] and CANARY not in found.text
    for path, id_ in ids.items():
        assert CANARY in api.get(f"{path}/{id_}").text
        answer = api.get(f"{path}/{id_}", "charlie")
        assert answer.status_code == 404 and CANARY not in answer.text
    for wanted in (api.cast.service_id, f"{CANARY}-service"):
        answer = api.get("deploys", "charlie", service=wanted)
        assert answer.status_code == 400 and CANARY not in answer.text


@pytest.mark.parametrize("path", [*PARAMETERS, *(f"{path}/{NO_ID}" for path in OF_ONE)])
@pytest.mark.parametrize("sent", ["", "Bearer", "Bearer bt_wrong", "Basic Ym9iOmJvYg==", "bt_wrong", "Bearer \x80"])
def test_it_reads_for_nobody_without_a_token(api: Api, path: str, sent: str) -> None:
    # Each from an address of its own: wrong tokens are counted.
    address = f"198.51.100.{(*PARAMETERS, *OF_ONE).index(path.partition(f'/{NO_ID}')[0])}"
    headers = [(b"Authorization", sent.encode("latin-1")), (b"X-Forwarded-For", address.encode())]
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
    for path in (*PARAMETERS, *(f"{path}/{NO_ID}" for path in OF_ONE)):
        answer = httpx.request(method, f"{api.server.url}/api/v1/{path}", headers=headers)
        assert answer.status_code == 405 and answer.json()["error"]["code"] == "method_not_allowed"


BAD_TIMES = ("yesterday", "2026-03-01", "2026-03-01T12:00", "1", "0001-01-01T00:00:00+14:00", "2026-13-01T00:00:00Z", "x" * 300)


@pytest.mark.parametrize("bad", BAD_TIMES)
def test_it_names_a_time_that_is_none(api: Api, bad: str) -> None:
    assert api.refused("deploys", since=bad, until=bad) == {"since", "until"}
    assert api.refused("live", at=bad) == {"at"}
    assert api.refused("changes", from_=bad, to=bad) == {"from", "to"}
    assert api.refused("changes/search", since=bad, until=bad) == {"since", "until"}
    assert api.refused("incidents", since=bad, until=bad) == {"since", "until"}


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
        *((f"{path}/x", {}, {name}) for path, name in OF_ONE.items()),
        *((f"{path}/{NO_ID}", {"limit": "1"}, {"limit"}) for path in OF_ONE),
        ("incidents", {"status": "closed", "severity": "bad"}, {"status", "severity"}),
        ("incidents", {"cursor": "WyJhIl0="}, {"cursor"}),
        ("incidents", {"cursor": "WyJhIiwiYiJd"}, {"cursor"}),
        ("changes/search", {"cursor": "WyJhIl0="}, {"cursor"}),
        ("changes/search", {"cursor": "0~1~x"}, {"cursor"}),
        ("changes/search", {"limit": "101"}, {"limit"}),
        ("changes/search", {"service": "no such service"}, {"service"}),
        ("incidents", {"service": "no such service"}, {"service"}),
        ("deploys", {"text": "x" * 256}, {"text"}),
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
        [
            "web",
            "production",
            "rollback",
            "open",
            "critical",
            '"pay',
            "src/*",
            "WyIxIl0=",
            "\0",
            "%00",
            "WyJhIiwiYiJd",
            "9999-12-31T23:59:59Z",
            "0001-01-01T00:00:00Z",
        ]
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
@example(("changes/search", {"since": "9999-12-31T23:59:59.999999Z", "until": "0001-01-01T00:00:00Z"}))
@example(("incidents", {"until": "0001-01-01T00:00:00Z"}))
@settings(max_examples=150, deadline=None)
def test_it_answers_any_query_with_an_answer_or_with_names(api: Api, query: tuple[str, dict[str, str]]) -> None:
    path, parameters = query
    headers = {"Authorization": f"Bearer {api.tokens['alice']}"}
    answer = httpx.get(f"{api.server.url}/api/v1/{path}", params=parameters, headers=headers, timeout=30)
    assert answer.status_code in {200, 400}, (answer.status_code, answer.text)
    if answer.status_code == 400:
        assert {wrong["field"] for wrong in answer.json()["error"]["fields"]} <= {*parameters, "from"}
    else:
        assert answer.json()[list_of(path)] is not None


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
