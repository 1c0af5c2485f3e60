"""What can go wrong, one tree; each error says what happened and what to do.

Refused            the request cannot be done, and saying why helps its sender
├── Invalid        named fields are wrong; nothing was stored
├── NotSignedIn    no session, or it ended
├── NotAllowed     signed in, but the role does not allow it
├── NotFound       no such thing in this organization
├── Conflict       the state of things forbids it
├── TakesTooLong   a read over its time limit
└── TooMany        over a rate limit; carries the wait in seconds
Outside            what we asked outside did not do it; with what to do
Unavailable        our side cannot serve now; try again
"""

from __future__ import annotations

from collections.abc import Mapping


class BlameTrailError(Exception):
    """Base of all; `message` is shown to people as it is."""

    code = "error"
    status = 500

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Refused(BlameTrailError):
    code = "refused"
    status = 400


class Invalid(Refused):
    """Fields by name with what is wrong with each."""

    code = "invalid_request"

    def __init__(self, fields: Mapping[str, str], message: str = "") -> None:
        super().__init__(message or "; ".join(f"{name} {why}" for name, why in fields.items()))
        self.fields = dict(fields)


class NotSignedIn(Refused):
    code = "not_signed_in"
    status = 401


class NotAllowed(Refused):
    code = "not_allowed"
    status = 403


class NotFound(Refused):
    code = "not_found"
    status = 404


class Conflict(Refused):
    code = "conflict"
    status = 409


class TakesTooLong(Refused):
    code = "takes_too_long"
    status = 503

    def __init__(self) -> None:
        super().__init__("This takes too long. Narrow the time range or the filter.")


class TooMany(Refused):
    """Over a rate limit; `retry_after` is in whole seconds."""

    code = "rate_limited"
    status = 429

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = max(1, retry_after)


class Outside(BlameTrailError):
    """Something that we asked outside did not do it: `reason` says what happened, `remedy` what to do. Neither holds a secret."""

    code = "outside"
    status = 502

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason} {remedy}")
        self.reason = reason
        self.remedy = remedy


class Unavailable(BlameTrailError):
    code = "unavailable"
    status = 503
