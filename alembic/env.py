"""Alembic runs on a connection that the server hands over, or on its own from the command line."""

from sqlmodel import AutoString, SQLModel

import blametrail.migrations  # noqa: F401  (registers every table)
from alembic import context
from blametrail.kit.db import UtcTime
from blametrail.settings import settings
from sqlalchemy import create_engine, pool


def plain_type(kind: str, item: object, _context: object) -> str | bool:
    """A migration names database types only, so that it stays true when our classes change."""
    if kind == "type" and isinstance(item, UtcTime):
        return "sa.BigInteger()"
    return "sa.String()" if kind == "type" and isinstance(item, AutoString) else False


def is_ours(name: str | None, kind: str, _parents: object) -> bool:
    """The full-text table is of each database's own kind, on SQLite with further ones behind it."""
    return not (kind == "table" and (name or "").startswith("change_words"))


def run(**options: object) -> None:
    context.configure(
        target_metadata=SQLModel.metadata, compare_type=True, render_item=plain_type, include_name=is_ours, **options
    )
    with context.begin_transaction():
        context.run_migrations()


if (connection := context.config.attributes.get("connection")) is not None:
    run(connection=connection, render_as_batch=connection.dialect.name == "sqlite")
elif context.is_offline_mode():
    run(url=settings().sqlalchemy_url, literal_binds=True)
else:
    settings().data_dir.mkdir(parents=True, exist_ok=True)
    with create_engine(settings().sqlalchemy_url, poolclass=pool.NullPool).connect() as own:
        run(connection=own, render_as_batch=own.dialect.name == "sqlite")
