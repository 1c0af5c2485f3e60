"""A stand-in for GitHub, and connections to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from blametrail.codehosts.access import Access, Credential, Kind, Level, WriteAccess
from blametrail.settings import settings
from tests.peers.github import FakeGitHub

TOKEN = "ghp_canaryCanaryCanaryCanary0001"
FINE_GRAINED = "github_pat_canaryCanary0002"


@pytest.fixture(autouse=True)
def loopback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An operator who allows calls to this machine."""
    monkeypatch.setenv("BLAMETRAIL_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("BLAMETRAIL_ALLOWED_PRIVATE_HOSTS", "127.0.0.1")
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    with FakeGitHub() as github:
        github.add_token(TOKEN)
        yield github


Connect = Callable[..., Access]


@pytest.fixture
def connect(github: FakeGitHub) -> Connect:
    """A connection by a token, or by an app when its number is given."""

    def make(secret: str = TOKEN, *, level: Level = Level.READ, app_id: str = "", installation_id: str = "70") -> Access:
        kind = WriteAccess if level == Level.WRITE else Access
        how = Credential.APP if app_id else Credential.TOKEN
        return kind(uuid4(), Kind.GITHUB, github.url, level, how, secret, app_id, installation_id if app_id else "")

    return make
