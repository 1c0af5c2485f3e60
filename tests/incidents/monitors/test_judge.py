"""Three checks in a row of one kind turn a monitor, and nothing else does; checks are spread and hold to their moments."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blametrail.incidents.monitors.expected import Expected
from blametrail.incidents.monitors.judge import Health, Standing, after, due, turned
from blametrail.incidents.monitors.recent import MOST, read_recent, with_newest
from blametrail.incidents.monitors.spread import next_slot

START = datetime(2026, 3, 1, tzinfo=UTC)
KINDS = {".": Health.UP, "x": Health.DOWN, "s": Health.SLOW}


def told(words: str) -> list[tuple[int, Health, int]]:
    """Which check turned the monitor to what, since which check."""
    standing, turns = Standing.fresh(START), []
    for n, word in enumerate(words):
        standing = after(standing, KINDS[word], START + n * timedelta(minutes=1))
        if health := due(standing):
            standing = turned(standing)
            turns.append((n, health, (standing.since - START) // timedelta(minutes=1)))
    return turns


@pytest.mark.parametrize(
    ("words", "turns"),
    [
        ("", []),
        ("...", []),
        ("xx.xx.xx", []),
        ("xxs", []),
        ("xsxsxs", []),
        (".xxx", [(3, Health.DOWN, 1)]),
        ("xxxxxx", [(2, Health.DOWN, 0)]),
        ("sss", [(2, Health.SLOW, 0)]),
        ("xxx...", [(2, Health.DOWN, 0), (5, Health.UP, 3)]),
        ("xxx..x..", [(2, Health.DOWN, 0)]),
        ("sssxxx", [(2, Health.SLOW, 0), (5, Health.DOWN, 3)]),
        ("xxxsss...", [(2, Health.DOWN, 0), (5, Health.SLOW, 3), (8, Health.UP, 6)]),
    ],
)
def test_it_turns_at_the_third_in_a_row(words: str, turns: list[tuple[int, Health, int]]) -> None:
    assert told(words) == turns


@given(st.text(alphabet=".xs", max_size=60))
def test_it_turns_exactly_when_the_last_three_agree(words: str) -> None:
    health, turns = ".", []
    for n in range(2, len(words)):
        last = words[n - 2 : n + 1]
        if len(set(last)) == 1 and last[0] != health:
            health = last[0]
            turns.append((n, KINDS[health]))
    assert [(n, kind) for n, kind, _ in told(words)] == turns


def test_it_stays_due_until_it_is_done() -> None:
    standing = Standing.fresh(START)
    for n in range(5):
        standing = after(standing, Health.DOWN, START + n * timedelta(minutes=1))
    assert due(standing) is Health.DOWN and turned(standing).since == START
    assert due(turned(standing)) is None


def test_it_counts_anew_after_a_pause() -> None:
    standing = Standing.fresh(START, Health.DOWN)
    assert due(after(after(standing, Health.UP, START), Health.UP, START)) is None


@given(st.uuids(), st.integers(10, 86_400), st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1)))
def test_it_holds_to_its_moments(monitor_id: UUID, seconds: int, naive: datetime) -> None:
    moment, interval = naive.replace(tzinfo=UTC), timedelta(seconds=seconds)
    slot = next_slot(monitor_id, interval, moment)
    assert moment < slot <= moment + interval
    assert next_slot(monitor_id, interval, slot) == slot + interval
    assert next_slot(monitor_id, interval, slot - timedelta(microseconds=1)) == slot


def test_it_spreads_many() -> None:
    space = UUID(int=7)
    slots = [next_slot(uuid5(space, str(n)), timedelta(seconds=30), START) for n in range(500)]
    assert max(Counter(slot.replace(microsecond=0) for slot in slots).values()) <= 35  # 17 would be even


def test_it_keeps_the_newest_checks_in_short() -> None:
    recent = ""
    for n in range(MOST + 10):
        recent = with_newest(recent, Health.UP, n)
    recent = with_newest(with_newest(recent, Health.SLOW, 2400.4), Health.DOWN, None)
    assert len(read_recent(recent)) == MOST
    assert read_recent(recent)[-3:] == [(Health.UP, 49), (Health.SLOW, 2400), (Health.DOWN, None)]


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [("200", [200], [199, 201]), ("200-299", [200, 204, 299], [300]), ("200, 301 - 303", [200, 302], [201, 304])],
)
def test_it_expects_statuses_and_ranges(text: str, inside: list[int], outside: list[int]) -> None:
    expected = Expected.from_text(text)
    assert all(status in expected for status in inside) and not any(status in expected for status in outside)
    assert Expected.from_text(str(expected)) == expected


@pytest.mark.parametrize("text", ["", "20", "2000", "abc", "299-200", "200-", "-200", "200,,201", "600", "٢٠٠"])
def test_it_expects_nothing_that_is_no_status(text: str) -> None:
    with pytest.raises(ValueError, match="must be a status"):
        Expected.from_text(text)
