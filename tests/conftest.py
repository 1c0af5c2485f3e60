"""Fixtures that every test may use: a running server with Alice's organization, a database of one's own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from blametrail.accounts import organizations
from blametrail.kit.db import EVERY_ORGANIZATION, Database
from tests.running import PASSWORD, Server, database_settings, drop_database, running

pytest_plugins = ["tests.enriching"]

DATABASES = {"db", "migrated", "server", "stage"}
SERVERS = {"running", "Server", "database_settings"}
"""Names by which a module starts a server or makes a database of its own."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On PostgreSQL, only what has a database: all else was shown on SQLite already."""
    if "TEST_POSTGRES_URL" not in os.environ:
        return
    config.hook.pytest_deselected(items=[item for item in items if not _has_database(item)])
    items[:] = filter(_has_database, items)


def _has_database(item: pytest.Item) -> bool:
    assert isinstance(item, pytest.Function)
    return not DATABASES.isdisjoint(item.fixturenames) or not SERVERS.isdisjoint(vars(item.module))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests that need no special one; Alice owns Acme."""
    with running(tmp_path_factory.mktemp("server") / "data") as server:
        server.found()
        yield server


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a database that is only migrated, for others to be copied from: migrating takes longer than most tests."""
    from blametrail.migrations import migrate
    from blametrail.settings import settings

    folder, made = tmp_path_factory.mktemp("migrated"), database_settings()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"BLAMETRAIL_DATA_DIR": str(folder), **made}.items():
            patch.setenv(name, value)
        settings.cache_clear()
        migrate()
    settings.cache_clear()
    (folder / "url").write_text(made.get("BLAMETRAIL_DATABASE_URL", ""))
    yield folder
    drop_database(made)


@pytest.fixture
def db(tmp_path: Path, migrated: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """An empty, migrated database without a server."""
    from blametrail.settings import settings

    made = database_settings(copy_of=(migrated / "url").read_text())
    if not made:
        shutil.copy(migrated / "blametrail.db", tmp_path)
    monkeypatch.setenv("BLAMETRAIL_DATA_DIR", str(tmp_path))
    for name, value in made.items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()
    database = Database(settings().sqlalchemy_url)
    yield database
    database.close()
    settings.cache_clear()
    drop_database(made)


@pytest.fixture
def alice(db: Database) -> UUID:
    """Alice, owner of Acme: her person id."""
    return db.write_now(
        EVERY_ORGANIZATION,
        lambda s: organizations.found_first(s, organization="Acme", name="Alice", email="alice@example.com", password=PASSWORD),
    )
