"""Two organizations without a server."""

from __future__ import annotations

from uuid import UUID

import pytest

from blametrail.accounts import organizations
from blametrail.kit.db import EVERY_ORGANIZATION, Database, ScopedSession
from tests.running import PASSWORD


@pytest.fixture
def acme(db: Database, alice: UUID) -> UUID:
    """Alice's organization."""
    return UUID(db.read_now(EVERY_ORGANIZATION, organizations.of_person, alice)[0][0])


@pytest.fixture
def elsewhere(db: Database, acme: UUID) -> UUID:
    """An organization that must see nothing of Acme."""

    def found(session: ScopedSession) -> UUID:
        charlie = organizations.new_person(session, name="Charlie", email="charlie@example.com", password=PASSWORD)
        return organizations.found(session, charlie.id, "Elsewhere")

    return db.write_now(EVERY_ORGANIZATION, found)
