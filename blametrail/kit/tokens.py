"""Random tokens: made once, shown once, kept only as a keyed hash.

The key ring comes from the settings or from a file that only its owner can read. The first key is
current; hashes under the others stay valid, so that a key can be replaced while tokens live on.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from blametrail.settings import settings

MIN_KEY_CHARACTERS = 32
RECOGNISABLE_CHARACTERS = 8


@dataclass(frozen=True, slots=True)
class KeyRing:
    """Keys, the current one first; never printed."""

    keys: tuple[bytes, ...]

    def __repr__(self) -> str:
        return f"KeyRing({len(self.keys)} keys)"

    def digest(self, token: str) -> str:
        """Hash to store for a new token: 64 hexadecimal characters."""
        return _digest(self.keys[0], token)

    def digests(self, token: str) -> list[str]:
        """Every hash under which the token may be stored."""
        return [_digest(key, token) for key in self.keys]


def new_token(prefix: str) -> str:
    """`prefix` and 43 random URL-safe characters (256 bits)."""
    return prefix + secrets.token_urlsafe(32)


def recognisable(token: str) -> str:
    """The start of a token by which a person tells it from others."""
    return token[:RECOGNISABLE_CHARACTERS]


def load_key_ring(configured: str, data_dir: Path) -> KeyRing:
    """The keys from the setting, else from the key file, which is made if it is missing."""
    if configured.strip():
        return KeyRing(tuple(_checked(key.strip()) for key in configured.split(",") if key.strip()))
    path = data_dir / "secret.key"
    if not path.exists():
        _create_key_file(path)
    lines = [line.strip() for line in path.read_text().splitlines() if line.strip()]
    if not lines:
        raise ValueError(f"the key file {path} is empty; restore it from a backup, tokens cannot be checked without it")
    return KeyRing(tuple(_checked(line) for line in lines))


def same_digest(stored: str, computed: str) -> bool:
    """Whether two hashes are equal, in constant time."""
    return hmac.compare_digest(stored, computed)


def _create_key_file(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(32) + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(temporary, path)  # fails if another process was first: its key wins
    except FileExistsError:
        pass
    finally:
        temporary.unlink()


def _checked(key: str) -> bytes:
    if len(key) < MIN_KEY_CHARACTERS:
        raise ValueError(f"a secret key has fewer than {MIN_KEY_CHARACTERS} characters")
    return key.encode()


def _digest(key: bytes, token: str) -> str:
    return hmac.new(key, token.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


@cache
def key_ring() -> KeyRing:
    """The keys of this process."""
    return load_key_ring(settings().secret_keys, settings().data_dir)
