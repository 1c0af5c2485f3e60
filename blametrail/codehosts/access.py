"""The right to ask a code host: which one, with what secret, and whether also to write."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class Kind(StrEnum):
    GITHUB = "github"
    GITLAB = "gitlab"


class Level(StrEnum):
    """What we allow ourselves, whatever the secret would allow."""

    READ = "read"
    WRITE = "write"


class Credential(StrEnum):
    TOKEN = "token"  # noqa: S105  (the word, not one)
    APP = "app"


@dataclass(frozen=True, slots=True)
class Access:
    """A connection with its secret open, for the one who asks the host; never shown, never kept."""

    connection_id: UUID
    kind: Kind
    host_url: str
    level: Level
    credential: Credential
    secret: str
    app_id: str
    installation_id: str

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.connection_id}, {self.kind}, {self.host_url})"


class WriteAccess(Access):
    """An access whose admin chose that it may write. Only this type opens a client that has calls that write."""

    __slots__ = ()
