"""Open the database: in the form this version needs, with the keys that it needs."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import alembic.command
from alembic.config import Config
from sqlalchemy import create_engine, pool, text

import blametrail.accounts.tables
import blametrail.catalog.tables
import blametrail.changes.events.tables
import blametrail.changes.tables
import blametrail.codehosts.tables
import blametrail.deploys.tables
import blametrail.incidents.alerts.tables
import blametrail.incidents.event_tables
import blametrail.incidents.monitors.tables
import blametrail.incidents.tables
import blametrail.kit.job_tables  # noqa: F401  (tables register themselves)
from blametrail.kit.db import EVERY_ORGANIZATION, database
from blametrail.kit.keys import check_known_keys, key_ring, origin_of_keys
from blametrail.settings import settings

PACKAGE = Path(__file__).parent
POSTGRES_LOCK = 8_213_701_442_591_113


def open_database() -> None:
    """Migrate, and look whether every key is here that made a token or sealed a secret; raises ValueError."""
    os.umask(0o077)  # what this process writes is for its owner only: the database holds what only members may see
    key_ring()
    migrate()
    database().write_now(EVERY_ORGANIZATION, check_known_keys, key_ring(), origin_of_keys())


def migrate() -> None:
    """Apply what is missing. Other processes that start at the same moment wait."""
    packed = PACKAGE / "_migrations"
    config = Config()
    config.set_main_option("script_location", str(packed if packed.exists() else PACKAGE.parent / "alembic"))
    settings().data_dir.mkdir(parents=True, exist_ok=True)
    engine = create_engine(settings().sqlalchemy_url, poolclass=pool.NullPool)
    with _alone(), engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": POSTGRES_LOCK})
            connection.commit()
        config.attributes["connection"] = connection
        alembic.command.upgrade(config, "head")
        connection.commit()


@contextmanager
def _alone() -> Iterator[None]:
    with (settings().data_dir / "migrate.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
