"""Random tokens: made once, shown once, kept only as a keyed hash (see `kit/keys.py`)."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from datetime import timedelta

import jwt

from blametrail.kit.clock import now
from blametrail.kit.keys import KeyRing

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


def sign(keys: KeyRing, purpose: str, content: Mapping[str, str], lifetime: timedelta) -> str:
    """Content that travels through a browser and comes back unchanged, for one purpose and a while; it is not hidden."""
    claims = {**content, "aud": purpose, "exp": now() + lifetime}
    return jwt.encode(claims, keys.current.for_signing, algorithm="HS256")


def open_signed(keys: KeyRing, purpose: str, text: str) -> dict[str, str] | None:
    """What was signed for a purpose; None when it was changed, made for another, or its time is over."""
    for key in keys.keys:
        try:
            claims = jwt.decode(
                text, key.for_signing, algorithms=["HS256"], audience=purpose, options={"require": ["exp", "aud"]}
            )
        except jwt.PyJWTError:
            continue
        return {name: value for name, value in claims.items() if name not in {"aud", "exp"}}
    return None
