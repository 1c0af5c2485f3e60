"""The onset lies where the series changed, between bounds that hold it."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import settings as tries
from hypothesis import strategies as st

from blametrail.incidents.onset import Sample, estimate_onset
from blametrail.incidents.states import IncidentType

START = datetime(2026, 3, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DOWN, SLOW = IncidentType.AVAILABILITY, IncidentType.LATENCY


def series(words: str, interval: timedelta = MINUTE) -> list[Sample]:
    """A check for each letter: `.` passes, `x` fails, and at a space there was none."""
    return [Sample(START + n * interval, w == ".", 100.0 if w == "." else None) for n, w in enumerate(words) if w != " "]


def answering(latencies: list[float], slow_from: float = 1_000) -> list[Sample]:
    return [Sample(START + n * MINUTE, ms < slow_from, ms) for n, ms in enumerate(latencies)]


def minutes(moment: datetime) -> float:
    return (moment - START) / MINUTE


def test_it_lies_between_the_last_pass_and_the_first_failure() -> None:
    onset = estimate_onset(series("." * 60 + "xxx"), DOWN)
    assert minutes(onset.earliest) == 59 and minutes(onset.at) == 59.5 and minutes(onset.latest) == 60
    assert "the last check that passed" in onset.basis


def test_it_lasts_until_the_first_failed_check_was_answered() -> None:
    failed = [Sample(START + n * MINUTE, False, 2_000.0) for n in (60, 61, 62)]
    assert estimate_onset([*series("." * 60), *failed], DOWN).latest == START + 60 * MINUTE + timedelta(seconds=2)


@pytest.mark.parametrize("before", ["." * 20 + "x" + "." * 30, "x" + "." * 50, "." * 10 + "x" + "." * 15 + "x" + "." * 30])
def test_it_passes_over_lone_failures_long_before(before: str) -> None:
    assert minutes(estimate_onset(series(before + "xxx"), DOWN).at) == len(before) - 0.5


def test_it_begins_with_the_first_of_many_failures() -> None:
    onset = estimate_onset(series("." * 60 + "x.xx.xx.xxx"), DOWN)
    assert minutes(onset.at) == 59.5 and "some that passed" in onset.basis


def test_it_spans_the_checks_that_are_missing() -> None:
    onset = estimate_onset(series("." * 60 + " " * 20 + "xxx"), DOWN)
    assert minutes(onset.earliest) == 59 and minutes(onset.latest) == 80 and onset.earliest < onset.at < onset.latest


def test_it_says_when_it_may_have_begun_before_the_first_check() -> None:
    onset = estimate_onset(series("xxx"), DOWN)
    assert onset.at == START and "may have begun before" in onset.basis


def test_it_finds_where_answers_became_slow_at_once() -> None:
    onset = estimate_onset(answering([*([100, 110, 95, 105] * 15), 3_000, 2_900, 3_100]), SLOW)
    assert 59 <= minutes(onset.at) <= 60 and minutes(onset.earliest) <= 59.5 <= minutes(onset.latest)


@pytest.mark.parametrize("length", [5, 10, 20])
def test_it_finds_where_answers_began_to_be_slower(length: int) -> None:
    """Long before they were slow enough to count."""
    chance = random.Random(length)
    usual = [100 * chance.uniform(0.9, 1.1) for _ in range(60)]
    rising = [(100 + 1_200 * n / length) * chance.uniform(0.9, 1.1) for n in range(1, length + 3)]
    onset = estimate_onset(answering([*usual, *rising]), SLOW)
    assert abs(minutes(onset.at) - 59) <= 1 and onset.earliest <= START + 59 * MINUTE <= onset.latest


def test_it_finds_where_answers_began_to_be_slower_before_checks_failed() -> None:
    rising = [100 + 900 * n for n in range(1, 10)]
    answered = answering([*([100, 110, 95, 105] * 15), *rising], slow_from=1e9)
    failed = [Sample(START + n * MINUTE, False, None) for n in range(69, 72)]
    onset = estimate_onset([*answered, *failed], DOWN)
    assert abs(minutes(onset.at) - 59) <= 1 and "until checks failed" in onset.basis


def test_it_takes_a_lone_slow_answer_for_none() -> None:
    before = [100.0, 104.0] * 15 + [4_000.0] + [101.0, 99.0] * 15
    failed = [Sample(START + n * MINUTE, False, None) for n in range(61, 64)]
    assert minutes(estimate_onset([*answering(before, slow_from=1e9), *failed], DOWN).at) == 60.5


def test_it_is_near_the_failures_when_answers_are_hardly_slower() -> None:
    onset = estimate_onset(answering([*([990.0, 985.0] * 30), 1_001, 1_002, 1_001]), SLOW)
    assert minutes(onset.at) == 59.5


@given(st.integers(3, 200), st.floats(0.001, 0.999), st.integers(10, 3_600), st.integers(3, 6))
def test_it_is_half_an_interval_from_any_sudden_outage_at_most(passes: int, part: float, seconds: int, fails: int) -> None:
    interval = timedelta(seconds=seconds)
    truth = START + (passes - 1 + part) * interval
    onset = estimate_onset(series("." * passes + "x" * fails, interval), DOWN)
    assert onset.earliest <= truth <= onset.latest and abs(onset.at - truth) <= interval / 2


CHECKS = st.lists(st.tuples(st.integers(1, 500), st.booleans(), st.none() | st.floats(0, 60_000)), min_size=1, max_size=80)


def built(checks: list[tuple[int, bool, float | None]]) -> list[Sample]:
    """Checks some seconds apart, with a failed one at the end."""
    at, samples = START, []
    for seconds, passed, latency in [*checks, (30, False, None)]:
        at += timedelta(seconds=seconds)
        samples.append(Sample(at, passed, latency))
    return samples


@given(CHECKS, st.sampled_from([DOWN, SLOW]))
@tries(deadline=None)
def test_it_answers_any_series_with_ordered_bounds(checks: list[tuple[int, bool, float | None]], of: IncidentType) -> None:
    samples = built(checks)
    onset = estimate_onset(samples, of)
    assert onset.earliest <= onset.at <= onset.latest and onset.basis
    longest = max(b.at - a.at for a, b in pairwise(samples))
    assert samples[0].at - longest <= onset.at <= samples[-1].at + longest


@given(CHECKS, st.randoms(use_true_random=False), st.integers(-(10**8), 10**8))
@tries(deadline=None, max_examples=30)
def test_it_depends_on_neither_order_nor_date(
    checks: list[tuple[int, bool, float | None]], chance: random.Random, seconds: int
) -> None:
    samples = built(checks)
    moved = [Sample(s.at + timedelta(seconds=seconds), s.passed, s.latency_ms) for s in samples]
    chance.shuffle(moved)
    onset, later = estimate_onset(samples, SLOW), estimate_onset(moved, SLOW)
    assert abs(later.at - onset.at - timedelta(seconds=seconds)) < timedelta(milliseconds=1)
