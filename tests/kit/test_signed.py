"""What travels through a browser comes back unchanged, for its purpose and in time, or not at all."""

from __future__ import annotations

from datetime import timedelta

import pytest

from blametrail.kit.keys import Key, KeyRing
from blametrail.kit.tokens import open_signed, sign

OLD, NEW = Key(b"o" * 32), Key(b"n" * 32)
HOUR = timedelta(hours=1)


def test_it_comes_back_as_it_was() -> None:
    assert open_signed(KeyRing((OLD,)), "app", sign(KeyRing((OLD,)), "app", {"level": "read"}, HOUR)) == {"level": "read"}


def test_a_key_before_the_current_one_counts() -> None:
    text = sign(KeyRing((OLD,)), "app", {"level": "read"}, HOUR)
    assert open_signed(KeyRing((NEW, OLD)), "app", text) == {"level": "read"}
    assert open_signed(KeyRing((NEW,)), "app", text) is None


@pytest.mark.parametrize("text", ["", "a", "a.b", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", "\x00", "é" * 9])
def test_what_nobody_signed_is_nothing(text: str) -> None:
    assert open_signed(KeyRing((OLD,)), "app", text) is None


def test_another_purpose_a_change_and_its_end_make_it_nothing() -> None:
    ring = KeyRing((OLD,))
    text = sign(ring, "app", {"level": "read"}, HOUR)
    head, body, mac = text.split(".")
    assert open_signed(ring, "other", text) is None
    assert open_signed(ring, "app", f"{head}.{body[:-1]}{'A' if body[-1] != 'A' else 'B'}.{mac}") is None
    assert open_signed(ring, "app", sign(ring, "app", {}, timedelta(seconds=-1))) is None
