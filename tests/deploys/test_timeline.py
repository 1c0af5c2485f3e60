"""The timeline counts every deploy once, whatever the window, the lanes and the filters."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blametrail.accounts import organizations
from blametrail.catalog import services
from blametrail.catalog.deploy_tokens import find
from blametrail.deploys.filters import Filters
from blametrail.deploys.record import record_deploy
from blametrail.deploys.report import DeployReport
from blametrail.deploys.slices import GroupBy
from blametrail.deploys.timeline import Mark, Window, cluster, timeline
from blametrail.deploys.views import environments
from blametrail.kit.db import EVERY_ORGANIZATION, Database, ScopedSession
from blametrail.kit.keys import Key, KeyRing

KEYS = KeyRing((Key(b"k" * 32),))
START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def acme(db: Database, alice: UUID) -> UUID:
    """300 deploys of three services and two environments within ten days."""
    acme = UUID(db.read_now(EVERY_ORGANIZATION, organizations.of_person, alice)[0][0])
    dice = random.Random(7)
    for name in ("web", "api", "mail"):
        draft = services.ServiceDraft.checked(name=name, environment="production", type="web")
        _, token = db.write_now(acme, services.create, KEYS, draft, "test")

        def fill(session: ScopedSession, token: str = token) -> None:
            holder = find(session, KEYS, token)
            assert holder is not None
            session.narrow(holder.organization_id)
            for _ in range(100):
                at = START + timedelta(days=10) * dice.random()
                report = DeployReport(
                    commit_sha=f"c{dice.randrange(40)}",
                    environment=dice.choice(["", "staging"]),
                    branch=dice.choice(["main", "fix"]),
                    commit_message=dice.choice(["Send 50%_more mails", "Send mails"]),
                    deployed_at=at.isoformat(),  # type: ignore[arg-type]
                )
                record_deploy(session, holder, report, None, at)

        db.write_now(EVERY_ORGANIZATION, fill)
    return acme


@pytest.mark.parametrize("group_by", ["service", "environment"])
def test_it_counts_every_deploy_once(db: Database, acme: UUID, group_by: GroupBy) -> None:
    whole = db.read_now(acme, timeline, Window(START, START + timedelta(days=10)), Filters(), group_by)
    assert whole.count == 300
    assert sum(mark.count for lane in whole.lanes for mark in lane.marks) == 300
    pieces = [
        db.read_now(
            acme,
            timeline,
            Window(START + timedelta(days=d), START + timedelta(days=d + 1, microseconds=-1)),
            Filters(),
            group_by,
        )
        for d in range(10)
    ]
    assert sum(piece.count for piece in pieces) == 300
    rollbacks = [sum(m.rollbacks for lane in t.lanes for m in lane.marks) for t in (whole, *pieces)]
    assert rollbacks[0] == sum(rollbacks[1:]) > 0


def test_it_gives_lone_marks_their_deploy(db: Database, acme: UUID) -> None:
    shown = db.read_now(acme, timeline, Window(START, START + timedelta(hours=6)), Filters())
    lone = [(lane, m) for lane in shown.lanes for m in lane.marks if m.count == 1]
    assert lone and all(
        m.deploy is not None and m.deploy.service == lane.label and m.start == m.deploy.deployed_at for lane, m in lone
    )


def test_it_filters(db: Database, acme: UUID) -> None:
    window = Window(START, START + timedelta(days=10))
    counts = {
        name: db.read_now(acme, timeline, window, filters).count
        for name, filters in {
            "main": Filters(branch="MAIN"),
            "fix": Filters(branch="fix"),
            "literal": Filters(text="50%_more"),
            "wild": Filters(text="%"),
            "staging": Filters(environments=("staging",)),
            "nothing": Filters(text="no such words"),
            "foreign": Filters(services=(UUID(int=1),)),
        }.items()
    }
    assert counts["main"] + counts["fix"] == 300
    assert counts["literal"] == counts["wild"] > 0
    assert 0 < counts["staging"] < 300
    assert counts["nothing"] == counts["foreign"] == 0
    assert db.read_now(acme, environments) == ["production", "staging"]


@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 50), st.integers(1, 5)), max_size=60), st.integers(1, 500))
def test_it_clusters_without_losing_any(given_marks: list[tuple[int, int, int]], room: int) -> None:
    marks = [Mark(START + timedelta(seconds=s), START + timedelta(seconds=s + length), n, 0) for s, length, n in given_marks]
    joined = cluster(marks, timedelta(seconds=room))
    assert sum(m.count for m in joined) == sum(m.count for m in marks)
    assert all(a.start <= b.start for a, b in pairwise(joined))
