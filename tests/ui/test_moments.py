"""The address of "What changed" says all that the page shows, and whatever does not fit falls back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blametrail.ui.address import Address
from blametrail.ui.moments import A_DAY, PATH, Moments, between, from_the_whole_second_after, read_moments

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
moments = st.datetimes(timezones=st.just(UTC))
names = st.lists(
    st.text(st.characters(codec="utf-8", exclude_characters="~"), min_size=1, max_size=20), max_size=3, unique=True
)


def query_of(href: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(href).query))


@given(st.none() | moments, st.none() | moments, st.booleans(), names, names)
def test_it_reads_back_what_it_wrote(
    start: datetime | None, end: datetime | None, is_one: bool, services: list[str], environments: list[str]
) -> None:
    chosen = Address(services=tuple(services), environments=tuple(environments))
    asked = Moments(None if is_one else start, end, is_one, chosen)
    assert read_moments(query_of(asked.href())) == asked


@given(st.dictionaries(st.sampled_from(["from", "to", "at", "service", "env", "x"]), st.text(max_size=40)), moments)
def test_it_shows_two_moments_in_order_whatever_it_is_given(query: dict[str, str], now: datetime) -> None:
    asked = read_moments(query)
    start, end = asked.span(now)
    assert start <= end
    assert asked.earlier(now).span(now)[0] <= start
    assert asked.href().startswith(PATH)


def test_it_shows_the_last_day_unless_told_otherwise() -> None:
    assert read_moments({}).span(NOW) == (NOW - A_DAY, NOW)
    assert read_moments({}).follows_now and read_moments({}).href() == PATH
    assert read_moments({"to": "2026-01-02T00:00:00Z"}).span(NOW)[0] == datetime(2026, 1, 1, tzinfo=UTC)
    assert read_moments({"from": "soon", "to": "2026-01-02T00:00"}) == Moments()


def test_it_puts_moments_the_wrong_way_round_in_order() -> None:
    asked = read_moments({"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"})
    assert asked.span(NOW) == (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1e30, -1e30])
def test_it_stays_where_it_is_for_moments_that_are_none(bad: float) -> None:
    asked = Moments(NOW, NOW)
    assert asked.at(bad, 0) == asked.at(0, bad) == asked


def test_it_takes_over_the_filters_of_another_page() -> None:
    other = Address(preset="7d", group="environment", services=("web",), environments=("staging",), texts={"q": "x"})
    assert query_of(between(NOW, None, other)) == {"from": "2026-03-01T12:00:00Z", "service": "web", "env": "staging"}


def test_it_rounds_up_to_a_second_that_can_be_typed() -> None:
    assert from_the_whole_second_after(NOW) == NOW
    assert from_the_whole_second_after(NOW + timedelta(microseconds=1)) == NOW + timedelta(seconds=1)
    end_of_time = datetime.max.replace(tzinfo=UTC)
    assert from_the_whole_second_after(end_of_time) == end_of_time
