"""The change index: questions to 10,000 merged pull requests."""

from __future__ import annotations

import random
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from sqlmodel import select

from blametrail.accounts.tables import Organization
from blametrail.changes.search import ChangeQuery, search_changes
from blametrail.codehosts.facts import FileFact, Files, FileStatus, PullRequestFact, PullRequestState
from blametrail.codehosts.pull_requests import keep_files, keep_pull_request
from blametrail.kit.clock import now
from blametrail.kit.db import EVERY_ORGANIZATION, Database, ScopedSession
from tests.bench.load import quantile
from tests.bench.report import Report
from tests.cast import opened
from tests.running import running

CHANGES, BATCH, QUESTIONS = 10_000, 500, 300
VOCABULARY = 3_000
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

        def add(session: ScopedSession, first: int = first) -> None:
            for number in range(first + 1, first + BATCH + 1):
                at = end - timedelta(minutes=5 * (CHANGES - number))
                fact = PullRequestFact(
                    number=number,
                    title=" ".join(words(dice, 7)),
                    body=" ".join(words(dice, 150)),
                    author=f"person-{dice.randrange(40)}",
                    labels=("bug",) if dice.random() < 0.1 else (),
                    state=PullRequestState.MERGED,
                    url=f"https://github.com/acme/shop/pull/{number}",
                    base_branch="main",
                    head_branch="",
                    head_sha="",
                    merge_sha="",
                    created_at=at,
                    updated_at=at,
                    merged_at=at,
                )
                files = [
                    FileFact(f"src/{dice.choice(PARTS)}/{'_'.join(words(dice, 2))}.py", FileStatus.MODIFIED, 4, 2)
                    for _ in range(dice.randrange(1, 12))
                ]
                id_ = keep_pull_request(session, "https://github.com", f"acme/repository-{number % 20}", fact)
                keep_files(session, id_, Files(tuple(files), True))

        db.write_now(organization_id, add)


def words(dice: random.Random, count: int) -> list[str]:
    return [f"word{min(int(dice.paretovariate(0.6)), VOCABULARY)}" for _ in range(count)]


def questions() -> list[ChangeQuery]:
    """What people ask: rare and common words, a few letters, phrases, paths, everything at once."""
    dice = random.Random(2)
    kinds = (
        lambda: ChangeQuery(" ".join(words(dice, dice.randrange(1, 4)))),
        lambda: ChangeQuery("word1"),
        lambda: ChangeQuery("wo"),
        lambda: ChangeQuery(f"{dice.choice(PARTS)} word{dice.randrange(20)}"),
        lambda: ChangeQuery(f'"{" ".join(words(dice, 2))}"'),
        lambda: ChangeQuery(f"#{dice.randrange(CHANGES)}"),
        lambda: ChangeQuery(path=f"src/{dice.choice(PARTS)}"),
        lambda: ChangeQuery(path="*word777*"),
        lambda: ChangeQuery(author=f"person-{dice.randrange(40)}", label="bug"),
        lambda: ChangeQuery("word2", path="src/mail", start=now() - timedelta(days=20)),
        lambda: ChangeQuery(),
    )
    return [kinds[number % len(kinds)]() for number in range(QUESTIONS)]
