"""Words are cut as code is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blametrail.changes.paths import PathPattern
from blametrail.changes.words import LONGEST_WORD, Piece, excerpt, highlighted, terms_of, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("retryPolicy", ["retry", "policy", "retrypolicy"]),
        ("retry_policy", ["retry", "policy", "retrypolicy"]),
        ("HTTPServer2", ["http", "server2", "httpserver2"]),
        ("v1.2.3", ["v1", "2", "3"]),
        ("#123 and !45", ["123", "and", "45", "number123", "number45"]),
        ("a#1b", ["a", "1b"]),
        ("Café ﬁnance", ["cafe", "finance"]),
        ("__ -- !!", []),
        ("日本語", ["日本語"]),
    ],
)
def test_it_cuts_text_into_parts_and_wholes(text: str, words: list[str]) -> None:
    assert words_of(text, 100) == words


def test_it_keeps_a_bounded_number_of_bounded_words() -> None:
    words = words_of("camelCase " * 5_000 + "x" * 5_000, 100)
    assert len(words) <= 200 and max(map(len, words)) <= LONGEST_WORD


def test_it_leaves_the_last_word_open() -> None:
    assert [term.is_open for term in terms_of("fix retr")] == [False, True]
    assert [term.is_open for term in terms_of('"fix retr"')] == [False]
    assert [term.is_open for term in terms_of("x")] == [False]
    assert [term.ways for term in terms_of("#12")] == [(("number12",),)]


@given(st.text(max_size=400))
def test_it_makes_harmless_words_of_any_text(text: str) -> None:
    for term in terms_of(text):
        assert term.ways
        assert all(word.isalnum() and word == word.casefold() for way in term.ways for word in way)
    assert all(word.isalnum() for word in words_of(text, 50))
    assert "".join(piece.text for piece in highlighted(text, terms_of(text))) == text


def test_it_marks_what_matches() -> None:
    def marked(text: str, asked: str) -> list[str]:
        return [piece.text for piece in highlighted(text, terms_of(asked)) if piece.is_match]

    assert marked("Fix retryPolicy, retry-policy and retries", "retry_policy") == ["retryPolicy", "retry-policy"]
    assert marked("See GitHub", "hub x") == ["Hub"]
    assert marked("Mends #12, not #123", "#12") == ["#12"]
    assert marked("supper", "up") == []
    assert marked("<b>bold</b>", "bold") == ["bold"]


def test_it_cuts_out_the_place_that_matches() -> None:
    pieces = excerpt("a " * 500 + "the needle here" + " b" * 500, terms_of("needle"))
    assert Piece("needle", True) in pieces and len("".join(piece.text for piece in pieces)) < 210
    assert excerpt("nothing of it", terms_of("needle")) == ()


@pytest.mark.parametrize(
    ("asked", "path", "fits"),
    [
        ("src/pay", "src/payments/retry.py", True),
        ("SRC/Pay", "src/payments/retry.py", True),
        ("pay", "src/payments/retry.py", False),
        ("*.sql", "db/1.sql", True),
        ("*.sql", "db/1.sql.md", False),
        ("src/*/retry.p?", "src/payments/retry.py", True),
        ("**/retry.py", "src/payments/retry.py", True),
        ("100%", "100%.md", True),
        ("a_b", "aXb", False),
        ("a[1]", "a[1].txt", True),
        ("a*a", "a", False),
    ],
)
def test_it_reads_paths_as_people_write_them(asked: str, path: str, fits: bool) -> None:
    assert PathPattern(asked).fits(path) is fits


def test_it_never_searches_a_path_for_long() -> None:
    assert PathPattern("*a*a*a*a*a*a*a*a*a*b").fits("a" * 100_000) is True  # the later stars are not asked for
    assert PathPattern("*a*a*b").fits("a" * 100_000) is False
