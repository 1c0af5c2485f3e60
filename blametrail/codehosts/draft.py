"""What an admin says of a connection to a code host, checked field by field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from blametrail.catalog.repositories import GITHUB
from blametrail.codehosts.access import Credential, Kind, Level
from blametrail.kit.errors import Invalid

LONGEST_SECRET = 16_384


@dataclass(frozen=True, slots=True)
class ConnectionDraft:
    """What an admin says of a connection, checked: make it with `checked`."""

    kind: Kind
    host_url: str
    level: Level
    credential: Credential
    secret: str
    app_id: str = ""
    installation_id: str = ""
    service_id: UUID | None = None

    def __repr__(self) -> str:
        return f"ConnectionDraft({self.kind}, {self.host_url})"

    @classmethod
    def checked(
        cls,
        *,
        kind: str,
        host_url: str,
        level: str,
        credential: str,
        secret: str,
        app_id: str = "",
        installation_id: str = "",
        service_id: UUID | None = None,
    ) -> Self:
        """Parse a form; raises Invalid naming each wrong field. An empty host means the public one."""
        wrong: dict[str, str] = {}
        if kind not in list(Kind):
            wrong["kind"] = "must be github or gitlab"
        if level not in list(Level):
            wrong["level"] = "must be read or write"
        if credential not in list(Credential) or (credential == Credential.APP and kind != Kind.GITHUB):
            wrong["credential"] = "must be token, or app on GitHub"
        host_url = _host(host_url, kind, wrong)
        secret = check_secret(secret, credential, wrong)
        if credential == Credential.APP and not app_id.strip().isdecimal():
            wrong["app_id"] = "must be the number that GitHub shows"
        if credential == Credential.APP and installation_id.strip() and not installation_id.strip().isdecimal():
            wrong["installation_id"] = "must be the number that GitHub shows, or empty while the app is installed in one place"
        if wrong:
            raise Invalid(wrong)
        return cls(
            Kind(kind),
            host_url,
            Level(level),
            Credential(credential),
            secret,
            app_id.strip() if credential == Credential.APP else "",
            installation_id.strip() if credential == Credential.APP else "",
            service_id,
        )


def host_url_of(url: str, kind: Kind) -> str:
    """The address of a host as connections and repository links name it; an empty one means the public host. Raises Invalid."""
    wrong: dict[str, str] = {}
    found = _host(url, kind, wrong)
    if wrong:
        raise Invalid(wrong)
    return found


def _host(url: str, kind: str, wrong: dict[str, str]) -> str:
    """`https://host[:port]` as repository links name it."""
    url = url.strip().rstrip("/") or (GITHUB if kind == Kind.GITHUB else "https://gitlab.com")
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        parts, port = urlsplit(""), ""
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query or parts.fragment:
        wrong["host_url"] = "must be the address of the host, such as https://github.example.com"
        return ""
    return f"{parts.scheme}://{parts.hostname}{port}{parts.path}"


def check_secret(secret: str, credential: str, wrong: dict[str, str]) -> str:
    """A token of one line, or a private key in PEM form."""
    secret = secret.strip()
    if not secret or len(secret) > LONGEST_SECRET:
        wrong["secret"] = f"must have 1 to {LONGEST_SECRET:,} characters"
    elif credential == Credential.APP and not _is_private_key(secret):
        wrong |= {"secret": "must be the app's private key, a PEM file that starts with -----BEGIN"}
    elif credential == Credential.TOKEN and (not secret.isascii() or not secret.isprintable() or " " in secret):
        wrong |= {"secret": "must be one token, without spaces or line breaks"}
    return secret


def _is_private_key(text: str) -> bool:
    try:
        return isinstance(load_pem_private_key(text.encode(), None), RSAPrivateKey)
    except (ValueError, TypeError):
        return False
