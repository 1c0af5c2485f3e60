"""An API token is shown once, kept as a keyed hash, compared in constant time, refused at once when revoked, and in no log."""

from __future__ import annotations

import ast
import asyncio
import hashlib
import hmac
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlmodel import SQLModel, select

import blametrail.blametrail  # noqa: F401  (registers every handler and every table)
from blametrail.accounts.tables import ApiToken
from blametrail.kit.db import EVERY_ORGANIZATION, ScopedSession
from tests.cast import Cast, cast, opened
from tests.running import ROOT, Server, running
from tests.visitor import visiting

KEY = "a key of forty characters or so for p23 1"


@pytest.fixture
def acme(tmp_path: Path) -> Any:
    settings = {"BLAMETRAIL_LOG_LEVEL": "DEBUG", "BLAMETRAIL_SECRET_KEYS": KEY, "BLAMETRAIL_API_RATE_LIMIT": "1000/minute"}
    with running(tmp_path / "data", **settings) as server:
        server.found()
        yield server, cast(server)


def make(server: Server, who: str = "alice@example.com") -> str:
    with closing(server.sign_in(who)) as client:
        token: str = server.form(client, "api-token", name="script").json()["secret"]
    return token


def read(server: Server, token: str, path: str = "deploys", **more: Any) -> httpx.Response:
    return httpx.get(f"{server.url}/api/v1/{path}", headers={"Authorization": f"Bearer {token}"}, **more)


def rows(server: Server) -> list[ApiToken]:
    with opened(server) as db:
        return list(db.read_now(EVERY_ORGANIZATION, lambda s: s.exec(select(ApiToken)).all()))


def dump(server: Server) -> str:
    """All that the database holds, as text."""

    def everything(session: ScopedSession) -> str:
        tables = SQLModel.metadata.sorted_tables
        return "\n".join(f"{table.name} {row!r}" for table in tables for row in session.connection().execute(table.select()))

    with opened(server) as db:
        return db.read_now(EVERY_ORGANIZATION, everything)


async def test_it_shows_a_token_once_and_keeps_only_its_hash(acme: tuple[Server, Cast], tmp_path: Path) -> None:
    server, c = acme
    token = make(server)
    assert token.startswith("bt_")
    assert [read(server, token, path).status_code for path in ("deploys", "services", "live")] == [200] * 3
    read(server, token, "deploys", params={"cursor": token, "kind": token})
    read(server, token + "x")
    httpx.get(f"{server.url}/api/v1/{token}", params={"token": token}, headers={"Authorization": f"Bearer {token}"})
    httpx.post(f"{server.url}/api/v1/deploys", content=token, headers={"Authorization": f"bearer {token}"})
    async with visiting(server.url, c.cookies["alice"]) as visitor:
        await visitor.call("api_tokens_state.load")
        assert token[:8] in visitor.seen()
        frames = visitor.seen()
    (row,) = await until(lambda: [row for row in rows(server) if row.used_at])
    _, _, stored = row.token_hash.partition(":")
    assert hmac.compare_digest(stored, hmac.new(KEY.encode(), token.encode(), hashlib.sha256).hexdigest())
    assert row.used_from == "127.0.0.1" and row.created_by == "alice"

    places = {"dump": dump(server), "log": server.log.read_text(), "socket": frames}
    places |= {f.name: f.read_bytes().decode("latin-1") for f in (tmp_path / "data").rglob("*") if f.is_file()}
    assert "script" in places["dump"]  # the dump holds the row, so that it could hold the token
    assert [name for name, text in places.items() if token in text or token.removeprefix("bt_")[8:] in text] == []


async def until(found: Any) -> Any:
    """What becomes true after an answer has gone out."""
    for _ in range(100):
        if result := found():
            return result
        await asyncio.sleep(0.05)
    raise AssertionError("it did not become true within 5 seconds")


async def test_it_refuses_a_token_at_once_when_it_is_revoked(acme: tuple[Server, Cast]) -> None:
    server, c = acme
    token, other = make(server), make(server)
    token_id = next(str(row.id) for row in rows(server) if token.startswith(row.start))
    for who in ("bob", "vera", "charlie", "nobody"):
        async with visiting(server.url, c.cookies[who]) as visitor:
            await visitor.call("api_tokens_state.revoke", token_id=token_id, confirmation="")
        assert read(server, token).status_code == 200, who
    with httpx.Client() as client:  # one connection, kept open: nothing remembers that the token was good
        headers = {"Authorization": f"Bearer {token}"}
        assert client.get(f"{server.url}/api/v1/deploys", headers=headers).status_code == 200
        async with visiting(server.url, c.cookies["alice"]) as visitor:
            await visitor.call("api_tokens_state.revoke", token_id=token_id, confirmation="")
        answer = client.get(f"{server.url}/api/v1/deploys", headers=headers)
    assert answer.status_code == 401 and "revoked on" in answer.json()["error"]["message"]
    assert read(server, other).status_code == 200


async def test_it_shows_tokens_to_admins_only(acme: tuple[Server, Cast]) -> None:
    server, c = acme
    start = make(server)[:8]
    for who, sees in (("alice", True), ("bob", False), ("vera", False), ("charlie", False), ("nobody", False)):
        async with visiting(server.url, c.cookies[who]) as visitor:
            await visitor.call("api_tokens_state.load")
            assert (start in visitor.seen()) is sees, who


def test_it_compares_hashes_in_constant_time() -> None:
    """Whatever the database answers is compared by the one function that takes the same time for every difference."""
    compared = ast.parse((ROOT / "blametrail/kit/tokens.py").read_text())
    same = next(n for n in ast.walk(compared) if isinstance(n, ast.FunctionDef) and n.name == "same_digest")
    assert "hmac.compare_digest(stored, computed)" in ast.unparse(same)
    checking = ast.parse((ROOT / "blametrail/accounts/api_tokens.py").read_text())
    check = next(n for n in ast.walk(checking) if isinstance(n, ast.FunctionDef) and n.name == "check")
    assert "same_digest(r.token_hash, one)" in ast.unparse(check)
    by_python = [n for n in ast.walk(checking) if isinstance(n, ast.Compare) and "token_hash" in ast.unparse(n)]
    assert by_python == []
