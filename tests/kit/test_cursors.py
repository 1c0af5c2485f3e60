"""A place in a list comes back from an address as it was, and any other text is the first page."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from blametrail.kit.cursors import cursor_of, read_cursor


@given(st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)), st.uuids())
def test_it_comes_back_as_it_was(at: datetime, id_: UUID) -> None:
    assert read_cursor(cursor_of(at, id_)) == (at, id_)


@given(st.text() | st.from_regex(r"-?\d{0,40}~[0-9a-f-]{0,40}"))
def test_any_text_is_a_place_or_the_first_page(text: str) -> None:
    place = read_cursor(text)
    assert place is None or place[0].tzinfo is not None
