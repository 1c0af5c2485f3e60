"""A stand-in for GitLab that this process may call."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from blametrail.settings import settings
from tests.peers.gitlab import FakeGitLab


@pytest.fixture
def gitlab(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGitLab]:
    """It knows one token, which may do everything."""
    monkeypatch.setenv("BLAMETRAIL_ALLOWED_PRIVATE_HOSTS", "127.0.0.1")
    settings.cache_clear()
    with FakeGitLab() as fake:
        fake.add_token("glpat-all")
        yield fake
    settings.cache_clear()
