"""Random tokens: made once, shown once, kept only as a keyed hash (see `kit/keys.py`)."""

from __future__ import annotations

import hmac
import secrets

RECOGNISABLE_CHARACTERS = 8


def new_token(prefix: str) -> str:
    """`prefix` and 43 random URL-safe characters (256 bits)."""
    return prefix + secrets.token_urlsafe(32)


def recognisable(token: str) -> str:
    """The start of a token by which a person tells it from others."""
    return token[:RECOGNISABLE_CHARACTERS]


def same_digest(stored: str, computed: str) -> bool:
    """Whether two hashes are equal, in constant time."""
    return hmac.compare_digest(stored, computed)
