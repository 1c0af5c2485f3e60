"""The change index: questions to 10,000 merged pull requests."""

from __future__ import annotations

import random
import tempfile
import time
from datetime import datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import insert
from sqlmodel import select

from blametrail.accounts.tables import Organization
from blametrail.changes.index import index_change
from blametrail.changes.search import ChangeQuery, search_changes
from blametrail.codehosts.tables import PullRequest, PullRequestFile
from blametrail.kit.clock import now
from blametrail.kit.db import EVERY_ORGANIZATION, Database, ScopedSession
from tests.bench.load import quantile
from tests.bench.report import Report
from tests.cast import opened
from tests.running import running

CHANGES, BATCH, QUESTIONS = 10_000, 500, 300
SYLLABLES = (
    "ba",
    "co",
    "de",
    "fi",
    "gu",
    "ha",
    "je",
    "ki",
    "lo",
    "mu",
    "na",
    "pe",
    "qui",
    "ro",
    "sa",
    "te",
    "vu",
    "wa",
    "xi",
    "yo",
)
VOCABULARY = ["".join(syllables) for syllables in product(SYLLABLES, repeat=3)]
PARTS = ("payments", "checkout", "orders", "mail", "users", "billing", "search", "reports")


def bench(report: Report) -> None:
    with tempfile.TemporaryDirectory() as folder, running(Path(folder) / "data") as server:
        server.found()
        with opened(server) as db:
            organization_id = db.read_now(EVERY_ORGANIZATION, lambda s: s.exec(select(Organization.id)).one())
            began = time.perf_counter()
            fill(db, organization_id)
            report.line(f"storing and indexing {CHANGES:,} pull requests", time.perf_counter() - began, "s")
            took = []
            for query in questions():
                began = time.perf_counter()
                db.read_now(organization_id, search_changes, query)
                took.append(time.perf_counter() - began)
            report.line(f"search in {CHANGES:,} changes, median", quantile(took, 0.5) * 1e3, "ms")
            report.line(f"search in {CHANGES:,} changes, p95", quantile(took, 0.95) * 1e3, "ms", at_most=50)
            report.line(f"search in {CHANGES:,} changes, worst", max(took) * 1e3, "ms")


def fill(db: Database, organization_id: UUID) -> None:
    """Pull requests whose words are as unevenly frequent as those of people, by a fixed seed."""
    dice, end = random.Random(1), now()
    for first in range(0, CHANGES, BATCH):
        rows = [change(dice, end, number) for number in range(first, first + BATCH)]
        files = [file(dice, row, place) for row in rows for place in range(dice.randrange(1, 12))]

        def add(session: ScopedSession, rows: Any = rows, files: Any = files) -> None:
            session.execute(insert(PullRequest), [row | {"organization_id": organization_id} for row in rows])
            session.execute(insert(PullRequestFile), [row | {"organization_id": organization_id} for row in files])
            for row in rows:
                index_change(session, PullRequest(organization_id=organization_id, **row))

        db.write_now(organization_id, add)


def change(dice: random.Random, end: datetime, number: int) -> dict[str, Any]:
    at = end - timedelta(minutes=5 * (CHANGES - number))
    return {
        "id": uuid4(),
        "host_url": "https://github.com",
        "repository": f"acme/repository-{number % 20}",
        "number": number,
        "title": " ".join(words(dice, 7)),
        "body": " ".join(words(dice, 150)),
        "author": f"person-{dice.randrange(40)}",
        "labels": "bug" if dice.random() < 0.1 else "",
        "state": "merged",
        "url": f"https://github.com/acme/shop/pull/{number}",
        "base_branch": "main",
        "head_sha": "",
        "merge_sha": "",
        "created_at": at,
        "updated_at": at,
        "merged_at": at,
        "learned_at": at,
        "has_files": True,
        "has_all_files": True,
    }


def file(dice: random.Random, change: dict[str, Any], position: int) -> dict[str, Any]:
    return {
        "pull_request_id": change["id"],
        "position": position,
        "path": f"src/{dice.choice(PARTS)}/{'_'.join(words(dice, 2))}.py",
        "old_path": "",
        "status": "modified",
        "added": 4,
        "removed": 2,
        "category": "application logic",
        "relevance": 4.0,
        "patch": "@@ -1,2 +1,4 @@\n context\n" + "+added\n" * 40,
    }


def words(dice: random.Random, count: int) -> list[str]:
    ranks = (min(int(dice.paretovariate(0.6)), len(VOCABULARY)) for _ in range(count))
    return [VOCABULARY[-rank * 1_237 % len(VOCABULARY)] for rank in ranks]


def questions() -> list[ChangeQuery]:
    """What people ask: rare and common words, a few letters, phrases, paths, everything at once."""
    dice = random.Random(2)
    kinds = (
        lambda: ChangeQuery(" ".join(words(dice, dice.randrange(1, 4)))),
        lambda: ChangeQuery(VOCABULARY[-1_237]),
        lambda: ChangeQuery("ba"),
        lambda: ChangeQuery(f"{dice.choice(PARTS)} {words(dice, 1)[0]}"),
        lambda: ChangeQuery(f'"{" ".join(words(dice, 2))}"'),
        lambda: ChangeQuery(f"#{dice.randrange(CHANGES)}"),
        lambda: ChangeQuery(path=f"src/{dice.choice(PARTS)}"),
        lambda: ChangeQuery(path="*yoyoyo*"),
        lambda: ChangeQuery(author=f"person-{dice.randrange(40)}", label="bug"),
        lambda: ChangeQuery(VOCABULARY[-1_237], path="src/mail", start=now() - timedelta(days=20)),
        ChangeQuery,
    )
    return [kinds[number % len(kinds)]() for number in range(QUESTIONS)]
