"""Who may do what: four roles, each including the ones below it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from blametrail.kit.errors import NotAllowed


class Role(StrEnum):
    OWNER = "owner"
    ADMIN = "admin"
    RESPONDER = "responder"
    VIEWER = "viewer"

    def includes(self, needed: Role) -> bool:
        """Whether this role may do what `needed` may."""
        return _RANK[self] >= _RANK[needed]


_RANK = {Role.VIEWER: 0, Role.RESPONDER: 1, Role.ADMIN: 2, Role.OWNER: 3}

WHAT_ROLES_DO = {
    Role.OWNER: "Everything, and may transfer or delete the organization.",
    Role.ADMIN: "Services, tokens, code hosts, integrations, people and settings.",
    Role.RESPONDER: "Works incidents: opens, resolves, judges suspects, approves fixes.",
    Role.VIEWER: "Reads everything, changes nothing.",
}


@dataclass(frozen=True, slots=True)
class Actor:
    """A signed-in person acting in one organization; looked up anew for each event."""

    session_id: UUID
    person_id: UUID
    organization_id: UUID
    organization: str
    time_zone: str
    email: str
    name: str
    role: Role
    seen_at: datetime

    def require(self, needed: Role) -> None:
        """Raise NotAllowed, naming the role that is needed."""
        if not self.role.includes(needed):
            raise NotAllowed(
                f"This needs the role {needed}; yours is {self.role}. Ask an owner or admin of {self.organization}."
            )
