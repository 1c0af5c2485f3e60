"""Whatever bytes come, a report is read or refused in words; nothing else ever happens."""

from __future__ import annotations

import json
import math
from datetime import datetime
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from blametrail.deploys.report import DeployReport, check_key, parse_report
from blametrail.kit.errors import Invalid

FIELDS = [*DeployReport.model_fields, "sha", "message", "author", "timestamp", "unknown"]

texts = st.one_of(
    st.text(st.characters(exclude_categories=()), max_size=20),
    st.sampled_from(
        ["abc1234", "\0", "\ud800", " ", "x" * 256, "2026-01-31T14:02:00Z", "2026-01-31", "0001-01-01T00:00:00+23:59"]
    ),
    st.datetimes(timezones=st.timezones()).map(datetime.isoformat),
)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), texts),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.one_of(st.sampled_from(FIELDS), texts), inner, max_size=8)
    ),
    max_leaves=25,
)
reports = st.dictionaries(st.sampled_from(FIELDS), st.one_of(texts, values), max_size=len(FIELDS)).map(
    lambda more: {"commit_sha": "abc1234", **more}
)


@given(st.binary())
@example(b"")
@example(b"\xef\xbb\xbf{}")
@example(b"[" * 50_000)
@example(b'{"commit_sha":"a","x":' + b"[" * 50_000 + b"]" * 50_000 + b"}")
@example(b'{"commit_sha":' + b"9" * 5_000 + b"}")
def test_it_survives_any_bytes(body: bytes) -> None:
    _read(body)


@given(values)
def test_it_survives_any_json(value: Any) -> None:
    _read(json.dumps(value).encode())


@given(reports)
@settings(max_examples=300)
def test_it_survives_any_value_in_any_field(report: dict[str, Any]) -> None:
    _read(json.dumps(report).encode())


@given(reports, st.data())
def test_it_survives_damaged_reports(report: dict[str, Any], data: st.DataObject) -> None:
    body = bytearray(json.dumps(report, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    _read(bytes(body))


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_it_keeps_any_storable_text(text: str) -> None:
    read = parse_report(json.dumps({"commit_sha": "a", "commit_message": text}).encode())
    assert read.commit_message == text


@pytest.mark.parametrize("number", ["9" * 5_000, "-" + "9" * 5_000, "1e999", "0.1"])
def test_it_ignores_any_number_in_an_unknown_field(number: str) -> None:
    assert parse_report(f'{{"commit_sha": "a", "build": {number}}}'.encode()).commit_sha == "a"


@pytest.mark.parametrize("number", ["9" * 5_000, "7", "0.5"])
def test_it_refuses_a_number_for_a_text(number: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_report(f'{{"commit_sha": {number}}}'.encode())
    assert refused.value.fields == {"commit_sha": "must be a string"}


@given(st.text())
def test_it_bounds_keys(key: str) -> None:
    try:
        kept = check_key(key)
    except Invalid as error:
        assert len(key.strip()) > 255
        assert set(error.fields) == {"X-Idempotency-Key"}
        return
    assert kept is None or 1 <= len(kept) <= 255


def _read(body: bytes) -> None:
    """A report that any database can keep, or a refusal that can be sent; every other exception fails the test."""
    try:
        report = parse_report(body)
    except Invalid as error:
        assert error.fields
        for words in (error.message, *error.fields, *error.fields.values()):
            assert words.strip()
            words.encode()
        return
    for value in _leaves(report.model_dump()):
        if isinstance(value, datetime):
            assert value.tzinfo is not None
            assert math.isfinite(value.timestamp())
        elif value is not None:
            assert isinstance(value, str)
            assert "\0" not in value
            value.encode()
    assert 1 <= len(report.commit_sha) <= 255
    assert len(report.url) <= 2_048
    assert len(report.commits) <= 100


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in _leaves(item)]
    if isinstance(value, list):
        return [leaf for item in value for leaf in _leaves(item)]
    return [value]
