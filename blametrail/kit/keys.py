"""The keys of an installation: what hashes its tokens and seals its secrets.

They come from the settings, or from a file that only its owner can read. The first is current; the
others stay valid, so that a key can be replaced while what it made lives on. Each key has an id, which
gives nothing away, and the database knows the ids of all keys in use: started without one of them, the
server says so instead of refusing every token.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlmodel import Field, SQLModel, select

from blametrail.kit.clock import now
from blametrail.kit.db import ScopedSession, UtcTime
from blametrail.settings import settings

MIN_KEY_CHARACTERS = 32
ID_CHARACTERS = 8


class KnownKey(SQLModel, table=True):
    """A key that hashed a token or sealed a secret of this database."""

    __tablename__ = "known_key"

    id: str = Field(primary_key=True)
    first_used_at: datetime = Field(default_factory=now, sa_type=UtcTime)


@dataclass(frozen=True)
class Key:
    """One key; never printed."""

    material: bytes

    def __repr__(self) -> str:
        return f"Key({self.id})"

    @cached_property
    def id(self) -> str:
        """By which what it made is recognised."""
        return hmac.new(self.material, b"blametrail key id", hashlib.sha256).hexdigest()[:ID_CHARACTERS]

    @cached_property
    def for_sealing(self) -> bytes:
        """32 bytes derived for AES-256, so that no key serves two purposes."""
        return HKDF(SHA256(), 32, salt=None, info=b"blametrail seal v1").derive(self.material)

    @cached_property
    def for_signing(self) -> bytes:
        """32 bytes derived for HMAC-SHA256 over what travels through a browser."""
        return HKDF(SHA256(), 32, salt=None, info=b"blametrail sign v1").derive(self.material)

    def digest(self, token: str) -> str:
        return f"{self.id}:{hmac.new(self.material, token.encode('utf-8', 'surrogatepass'), hashlib.sha256).hexdigest()}"


@dataclass(frozen=True)
class KeyRing:
    """Keys, the current one first."""

    keys: tuple[Key, ...]

    @property
    def current(self) -> Key:
        return self.keys[0]

    def by_id(self, key_id: str) -> Key | None:
        return next((key for key in self.keys if key.id == key_id), None)

    def digest(self, token: str) -> str:
        """Hash to store for a new token: the key's id and 64 hexadecimal characters."""
        return self.current.digest(token)

    def digests(self, token: str) -> list[str]:
        """Every hash under which the token may be stored."""
        return [key.digest(token) for key in self.keys]


def key_ring() -> KeyRing:
    """The keys of this installation; a changed key file is read again."""
    data_dir = settings().data_dir
    try:
        changed = _key_file(data_dir).stat().st_mtime_ns  # each post asks: one call, of a path that is made once
    except OSError:
        changed = 0
    return _loaded(settings().secret_keys, data_dir, changed)


def load_key_ring(configured: str, data_dir: Path) -> KeyRing:
    """The keys from the setting, else from the key file, which is made if it is missing."""
    if configured.strip():
        return _ring([key for key in configured.split(",") if key.strip()])
    path = data_dir / "secret.key"
    if not path.exists():
        _create_key_file(path)
    lines = [line for line in path.read_text().splitlines() if line.strip()]
    if not lines:
        raise ValueError(f"the key file {path} is empty; restore it from a backup, tokens cannot be checked without it")
    return _ring(lines)


def add_key_to_file(data_dir: Path) -> None:
    """Put a new key before the others of the key file; running servers read it at their next use."""
    path = data_dir / "secret.key"
    temporary = _written(path, secrets.token_urlsafe(32) + "\n" + path.read_text())
    temporary.replace(path)


def check_known_keys(session: ScopedSession, ring: KeyRing, origin: str) -> None:
    """Note the current key; raises ValueError when one is missing that the database needs."""
    known = set(session.exec(select(KnownKey.id)))
    missing = known - {key.id for key in ring.keys}
    if missing:
        raise ValueError(
            f"the database holds tokens or secrets made with the key {', '.join(sorted(missing))}, which is not in {origin}. "
            "Put it back (from a backup, or after the new key, separated by a comma); without it they cannot be read."
        )
    if ring.current.id not in known:
        session.add(KnownKey(id=ring.current.id))


def origin_of_keys() -> str:
    """Where an operator finds the keys."""
    return "BLAMETRAIL_SECRET_KEYS" if settings().secret_keys.strip() else str(settings().data_dir / "secret.key")


@lru_cache(maxsize=8)
def _key_file(data_dir: Path) -> Path:
    return data_dir / "secret.key"


@lru_cache(maxsize=8)
def _loaded(configured: str, data_dir: Path, _changed: int) -> KeyRing:
    return load_key_ring(configured, data_dir)


def _ring(lines: list[str]) -> KeyRing:
    return KeyRing(tuple(Key(_checked(line.strip())) for line in lines))


def _checked(key: str) -> bytes:
    if len(key) < MIN_KEY_CHARACTERS:
        raise ValueError(f"a secret key has fewer than {MIN_KEY_CHARACTERS} characters")
    return key.encode()


def _create_key_file(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _written(path, secrets.token_urlsafe(32) + "\n")
    try:
        os.link(temporary, path)  # fails if another process was first: its key wins
    except FileExistsError:
        pass
    finally:
        temporary.unlink()


def _written(path: Path, text: str) -> Path:
    """A file beside `path` that only its owner can read, on disk."""
    temporary = path.with_suffix(f".{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return temporary
