"""Passwords: argon2id, and what counts as one."""

from __future__ import annotations

from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from blametrail.kit.errors import Invalid

SHORTEST = 10
LONGEST = 200

_hasher = PasswordHasher()


def hash_password(password: str, field: str = "password") -> str:
    """The argon2id hash; raises Invalid when the password is too short, too long or one character."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise Invalid({field: f"must have {SHORTEST} to {LONGEST} characters"})
    if len(set(password)) < 4:
        raise Invalid({field: "must not repeat the same few characters"})
    return _hasher.hash(password.encode("utf-8", "surrogatepass"))


def verify_password(stored: str | None, password: str) -> bool:
    """Whether it fits; takes as long when there is no such person, so that nobody can tell."""
    try:
        _hasher.verify(stored or _nobody(), password.encode("utf-8", "surrogatepass"))
    except (VerificationError, InvalidHashError):
        return False
    return stored is not None


@cache
def _nobody() -> str:
    return _hasher.hash("no such person")
