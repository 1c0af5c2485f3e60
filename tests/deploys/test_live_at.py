"""What was live at a moment and what changed between two: compared with the whole history, and answered by indexes."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import select

from blametrail.accounts import organizations
from blametrail.catalog import deploy_tokens
from blametrail.catalog import services as catalog
from blametrail.deploys.carried import MOST_COMMITS
from blametrail.deploys.live_at import Live, Target, live_at, targets
from blametrail.deploys.record import record_deploy
from blametrail.deploys.report import DeployReport, ReportedCommit
from blametrail.deploys.summaries import newest_deploys, services_by_id
from blametrail.deploys.tables import Deploy
from blametrail.deploys.what_changed import MOST_DEPLOYS, Change, what_changed
from blametrail.kit.db import EVERY_ORGANIZATION, Database, ScopedSession
from blametrail.kit.keys import Key, KeyRing

KEYS = KeyRing((Key(b"a key of tests that is long enough"),))
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass
class Acme:
    """An organization with services by name and a clock that counts minutes from noon."""

    db: Database
    id: UUID
    tokens: dict[str, str]

    def add(self, name: str, environment: str = "production", repositories: str = "") -> None:
        draft = catalog.ServiceDraft.checked(name=name, environment=environment, type="web", repositories=repositories)
        _, self.tokens[name] = self.db.write_now(self.id, catalog.create, KEYS, draft, "tests")

    def deploy(self, service: str, sha: str, minute: float, environment: str = "", *commits: str) -> None:
        def record(session: ScopedSession) -> None:
            holder = deploy_tokens.find(session, KEYS, self.tokens[service])
            assert holder is not None
            report = DeployReport(
                commit_sha=sha,
                environment=environment,
                deployed_at=at(minute).isoformat(),  # type: ignore[arg-type]
                commits=[ReportedCommit(sha=one, message=f"{one} of {service}") for one in commits],
            )
            record_deploy(session, holder, report, None, NOON + timedelta(days=2))

        self.db.write_now(self.id, record)

    def live(self, minute: float, service: str = "", environment: str = "") -> list[Live]:
        found: list[Live] = self._read(service, environment, lambda s, known, wanted: live_at(s, known, wanted, at(minute)))
        return found

    def changes(self, start: float, end: float, service: str = "", environment: str = "") -> list[Change]:
        moments = at(start), at(end)
        found: list[Change] = self._read(
            service, environment, lambda s, known, wanted: what_changed(s, known, wanted, *moments)
        )
        return found

    def _read(self, service: str, environment: str, ask: Callable[[ScopedSession, Any, Sequence[Target]], Any]) -> Any:
        def read(session: ScopedSession) -> Any:
            known = services_by_id(session)
            only = [id_ for id_, one in known.items() if one.name == service]
            return ask(session, known, targets(session, known, only, [environment] if environment else []))

        return self.db.read_now(self.id, read)


def at(minute: float) -> datetime:
    return NOON + timedelta(minutes=minute)


def told(lives: Sequence[Live]) -> dict[tuple[str, str], str]:
    return {
        (one.target.service, one.target.environment): one.deploy.deploy.commit_sha if one.deploy else "nothing" for one in lives
    }


@pytest.fixture
def acme(db: Database, alice: UUID) -> Acme:
    return Acme(db, UUID(db.read_now(EVERY_ORGANIZATION, organizations.of_person, alice)[0][0]), {})


def test_it_says_what_was_live_in_each_environment(acme: Acme) -> None:
    acme.add("web")
    acme.add("api")
    acme.deploy("web", "a", 0)
    acme.deploy("web", "b", 10)
    acme.deploy("web", "c", 5, "staging")
    assert told(acme.live(-1)) == {
        ("api", "production"): "nothing",
        ("web", "production"): "nothing",
        ("web", "staging"): "nothing",
    }
    assert told(acme.live(7)) == {("api", "production"): "nothing", ("web", "production"): "a", ("web", "staging"): "c"}
    assert told(acme.live(10)) == {("api", "production"): "nothing", ("web", "production"): "b", ("web", "staging"): "c"}
    assert told(acme.live(9.999, "web", "production")) == {("web", "production"): "a"}


def test_it_says_why_nothing_is_known(acme: Acme) -> None:
    acme.add("api")
    acme.add("web")
    acme.deploy("web", "a", 3)
    never, later = acme.live(0)
    assert (never.deploy, never.first_at) == (None, None)
    assert (later.deploy, later.first_at) == (None, at(3))


def test_it_counts_a_late_report_by_when_it_happened(acme: Acme) -> None:
    acme.add("web")
    acme.deploy("web", "second", 10)
    acme.deploy("web", "first", 1)
    assert [told(acme.live(minute))["web", "production"] for minute in (0, 5, 11)] == ["nothing", "first", "second"]


def test_it_counts_the_first_moment_out_and_the_second_in(acme: Acme) -> None:
    acme.add("web")
    for minute, sha in enumerate("abcd"):
        acme.deploy("web", sha, minute)
    (change,) = acme.changes(1, 3)
    assert (change.base_sha, change.head_sha) == ("b", "d")
    assert [one.deploy.commit_sha for one in change.deploys] == ["d", "c"]
    (same,) = acme.changes(3, 30)
    assert (same.deploy_count, same.base_sha, same.head_sha, same.deploys) == (0, "d", "d", ())


def test_it_tells_of_rollbacks_and_where_to_compare(acme: Acme) -> None:
    acme.add("web", repositories="acme/web")
    for minute, sha in enumerate("aba"):
        acme.deploy("web", sha, minute, "", f"{sha}-commit", "shared")
    (change,) = acme.changes(0, 1)
    assert change.compare_url == "https://github.com/acme/web/compare/a...b"
    assert change.rollback_count == 0
    (back,) = acme.changes(0, 5)
    assert (back.deploy_count, back.rollback_count, back.compare_url) == (2, 1, "")
    assert [commit.sha for commit in back.carried.commits] == ["a-commit", "shared", "b-commit"]
    assert back.carried.commits[0].url == "https://github.com/acme/web/commit/a-commit" and back.carried.is_whole


def test_it_counts_all_and_shows_the_newest(acme: Acme) -> None:
    acme.add("web")
    acme.deploy("web", "z", 0)
    for number in range(MOST_DEPLOYS + 4):
        acme.deploy("web", "yz"[number % 2], number + 1, "", *(f"{number}-{n}" for n in range(4)))
    (change,) = acme.changes(0, 100)
    assert (len(change.deploys), change.deploy_count, change.rollback_count) == (
        MOST_DEPLOYS,
        MOST_DEPLOYS + 4,
        MOST_DEPLOYS + 3,
    )
    assert change.deploys[0].deploy.deployed_at == at(MOST_DEPLOYS + 4)
    assert len(change.carried.commits) == MOST_COMMITS and not change.carried.is_whole


def test_it_shows_nothing_of_another_organization(acme: Acme) -> None:
    acme.add("web")
    acme.deploy("web", "a", 0)
    known = acme.db.read_now(acme.id, services_by_id)
    mine = acme.db.read_now(acme.id, targets, known)
    bob = acme.db.write_now(
        EVERY_ORGANIZATION, lambda s: organizations.new_person(s, name="Bob", email="bob@example.com", password="long words").id
    )
    other = acme.db.write_now(EVERY_ORGANIZATION, organizations.found, bob, "Elsewhere")
    assert acme.db.read_now(other, lambda s: targets(s, services_by_id(s))) == []
    # Even asked for what it should not know of.
    stolen = acme.db.read_now(other, live_at, known, mine, at(5))
    assert [(one.deploy, one.first_at) for one in stolen] == [(None, None)]
    (change,) = acme.db.read_now(other, what_changed, known, mine, at(-5), at(5))
    assert (change.after, change.deploy_count) == (None, 0)
    assert acme.db.read_now(other, lambda s: newest_deploys(s, known, limit=9)) == []


history = st.lists(
    st.tuples(st.integers(0, 6), st.sampled_from("abc"), st.sampled_from(["production", "staging"])), max_size=10
)


@given(history, st.integers(-1, 7), st.integers(0, 8))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_it_agrees_with_the_whole_history(acme: Acme, arriving: list[tuple[int, str, str]], start: int, length: int) -> None:
    name = uuid4().hex
    acme.add(name)
    for minute, sha, environment in arriving:
        acme.deploy(name, sha, minute, environment)
    service_id = acme_service(acme, name)
    mine = acme.db.read_now(acme.id, lambda s: s.exec(select(Deploy).where(Deploy.service_id == service_id)).all())
    end = start + length
    found = {change.target.environment: change for change in acme.changes(start, end, name)}
    assert set(found) == {"production"} | {row.environment for row in mine}
    for environment, change in found.items():
        here = sorted(
            (row for row in mine if row.environment == environment), key=lambda r: (r.deployed_at, r.commit_sha, r.id)
        )
        ends = [[str(row.id) for row in here if row.deployed_at <= at(moment)][-1:] for moment in (start, end)]
        assert [[one.deploy.id] if one else [] for one in (change.before, change.after)] == ends
        between = [row for row in here if at(start) < row.deployed_at <= at(end)]
        assert [one.deploy.id for one in reversed(change.deploys)] == [str(row.id) for row in between]
        assert change.rollback_count == sum(row.kind == "rollback" for row in between)


def acme_service(acme: Acme, name: str) -> UUID:
    return next(id_ for id_, one in acme.db.read_now(acme.id, services_by_id).items() if one.name == name)


FILTERS: list[dict[str, Any]] = [
    {},
    {"service_id": UUID(int=1)},
    {"environment": "production"},
    {"kind": "rollback"},
    {"service_id": UUID(int=1), "environment": "production"},
    {"service_id": UUID(int=1), "kind": "rollback"},
    {"environment": "production", "kind": "rollback"},
    {"since": NOON, "until": at(5)},
    {"after": (NOON, UUID(int=1))},
    {"service_id": UUID(int=1), "environment": "production", "kind": "first", "since": NOON, "after": (NOON, UUID(int=1))},
]


@pytest.mark.parametrize("filters", FILTERS, ids=lambda f: "+".join(f) or "none")
def test_it_lists_deploys_by_an_index(acme: Acme, filters: dict[str, Any]) -> None:
    """Neither reads every deploy nor sorts more than those of one moment."""
    plans = plans_of(acme, lambda session: newest_deploys(session, {}, limit=51, **filters))
    assert len(plans) == 1
    for plan in plans:
        assert re.search(r"SEARCH deploy USING INDEX ix_deploy_\w+ \(organization_id=", plan), plan
        assert "SCAN" not in plan and "TEMP B-TREE FOR ORDER BY" not in plan, plan


def test_it_finds_what_was_live_by_indexes_alone(acme: Acme) -> None:
    acme.add("web")
    for number in range(MOST_DEPLOYS + 1):
        acme.deploy("web", "ab"[number % 2], number)

    def ask(session: ScopedSession) -> None:
        known = services_by_id(session)
        wanted = targets(session, known)
        live_at(session, known, wanted, at(-1))
        what_changed(session, known, wanted, at(-1), at(100))

    plans = [plan for plan in plans_of(acme, ask) if "deploy " in plan]
    searches = [step for plan in plans for step in plan.split("; ") if re.search(r"(SEARCH|SCAN) deploy\b", step)]
    assert len(searches) >= 8
    for step in searches:
        by_id = "sqlite_autoindex_deploy_1 (id=?)" in step
        alone = re.search(r"USING COVERING INDEX ix_deploy_(lineage|commit|kind) \(organization_id=\? AND \w+=\?", step)
        assert by_id or alone, step


def plans_of(acme: Acme, ask: Callable[[ScopedSession], Any]) -> list[str]:
    """How SQLite runs each statement about deploys, in its words."""
    if not acme.db.is_sqlite:
        pytest.skip("SQLite tells its plan in words")

    def traced(session: ScopedSession) -> list[str]:
        statements: list[str] = []
        connection: Any = session.connection().connection.dbapi_connection
        connection.set_trace_callback(statements.append)
        try:
            ask(session)
        finally:
            connection.set_trace_callback(None)
        about = [text for text in statements if re.search(r"\b(FROM|JOIN) deploy", text)]
        return [
            "; ".join(row[3] for row in session.connection().exec_driver_sql("EXPLAIN QUERY PLAN " + text.replace("%", "%%")))
            for text in about
        ]

    return acme.db.read_now(acme.id, traced)
