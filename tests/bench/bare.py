"""The yardstick of ingest: a bare Starlette route that commits the same row with the same durability."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

from granian.constants import Interfaces
from granian.server.embed import Server
from sqlalchemy import create_engine
from sqlalchemy.dialects import sqlite
from sqlmodel import SQLModel
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

import blametrail.migrations  # noqa: F401  (registers every table)
from blametrail.deploys.tables import Deploy
from blametrail.kit.clock import now, to_micros

NOBODY = UUID(int=0)


def application(path: str) -> Starlette:
    """One thread that owns one connection and commits each row: `sqlite3` without anything around it."""
    SQLModel.metadata.create_all(create_engine(f"sqlite:///{path}"))
    table = Deploy.__table__  # type: ignore[attr-defined]
    statement = str(table.insert().compile(dialect=sqlite.dialect()))
    columns = [column.name for column in table.columns]
    thread = ThreadPoolExecutor(1)
    connection = thread.submit(_connect, path).result()

    def store(values: list[Any]) -> None:
        connection.execute(statement, values)
        connection.commit()

    async def ingest(request: Request) -> JSONResponse:
        body = await request.json()
        row = Deploy(
            service_id=NOBODY, environment="production", deployed_at=now(), kind="deploy", commit_sha="", commit_message=""
        )
        row.commit_sha, row.commit_message = body["commit_sha"], body["commit_message"]
        row.organization_id = row.id
        values = [_plain(getattr(row, name)) for name in columns]
        await asyncio.get_running_loop().run_in_executor(thread, store, values)
        return JSONResponse({"status": "accepted", "deploy_id": str(row.id)})

    return Starlette(routes=[Route("/", ingest, methods=["POST"])])


def _connect(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, check_same_thread=False)
    for pragma in ("journal_mode=WAL", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def _plain(value: Any) -> Any:
    if hasattr(value, "hex") and not isinstance(value, float):
        return value.hex
    return to_micros(value) if hasattr(value, "tzinfo") else value


if __name__ == "__main__":
    server = Server(application(sys.argv[1]), port=int(sys.argv[2]), interface=Interfaces.ASGINL, log_enabled=False)
    asyncio.run(server.serve())
