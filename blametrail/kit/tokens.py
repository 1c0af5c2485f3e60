"""Random tokens: made once, shown once, kept only as a keyed hash (see `kit/keys.py`)."""

from __future__ import annotations

import base64
import hmac
import json
import secrets
from collections.abc import Mapping
from datetime import timedelta

from blametrail.kit.clock import from_micros, now, to_micros
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
    fields = {**content, "until": str(to_micros(now() + lifetime))}
    written = base64.urlsafe_b64encode(json.dumps(fields).encode()).decode()
    return f"{written}.{keys.digest(f'{purpose}:{written}')}"


def open_signed(keys: KeyRing, purpose: str, text: str) -> dict[str, str] | None:
    """What was signed for a purpose; None when it was changed, made for another, or its time is over."""
    written, _, digest = text.partition(".")
    if not any(same_digest(known, digest) for known in keys.digests(f"{purpose}:{written}")):
        return None
    fields: dict[str, str] = json.loads(base64.urlsafe_b64decode(written))
    return fields if now() < from_micros(int(fields.pop("until"))) else None
