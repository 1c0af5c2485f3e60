"""Forms answer 400 with the field's name to whatever does not fit, never 500."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest

from blametrail.api.body import address_block
from tests.running import Server, running

BAD = [5, True, {"a": 1}, ["x"], "half a character \ud800"]
FIELDS = {
    "login": ("email", "password", "next"),
    "invitation": ("token",),
    "join": ("token", "name", "password"),
    "setup": ("organization", "name", "email", "password"),
    "password": ("current_password", "new_password"),
    "service": ("name", "environment", "type", "url", "owner_team", "repositories"),
    "rotate": ("service_id",),
    "invite": ("email", "role"),
    "api-token": ("name", "days"),
}


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, httpx.Client]]:
    with running(tmp_path_factory.mktemp("forms") / "data", BLAMETRAIL_LOGIN_RATE_LIMIT="1000/minute") as server:
        server.found()
        with closing(server.sign_in()) as client:
            yield server, client


@pytest.mark.parametrize(("form", "field"), [(form, field) for form, fields in FIELDS.items() for field in fields])
def test_it_names_a_field_that_is_no_text(office: tuple[Server, httpx.Client], form: str, field: str) -> None:
    for bad in BAD:
        assert _wrong(office, form, field, bad) == {field}


@pytest.mark.parametrize("bad", [5, True, "x", {"a": 1}, [5], ["\ud800"], [["x"]], ["no id"]])
def test_it_names_a_list_that_is_none(office: tuple[Server, httpx.Client], bad: Any) -> None:
    assert "depends_on" in _wrong(office, "service", "depends_on", bad)


def _wrong(office: tuple[Server, httpx.Client], form: str, field: str, bad: Any) -> set[str]:
    server, client = office
    # As ASCII, which is how half a character can travel.
    headers = {"Origin": server.url, "Content-Type": "application/json"}
    answer = client.post(f"{server.url}/form/{form}", content=json.dumps({field: bad}), headers=headers)
    assert answer.status_code == 400, answer.text
    return {wrong["field"] for wrong in answer.json()["error"]["fields"]}


@pytest.mark.parametrize(
    ("address", "block"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("testclient", "testclient"),
        ("", ""),
    ],
)
def test_it_counts_an_ipv6_network_as_one_sender(address: str, block: str) -> None:
    assert address_block(address) == block
