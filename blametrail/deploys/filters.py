"""Which deploys a page shows: the same filters for the timeline and the list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import or_
from sqlmodel import col

from blametrail.deploys.tables import Deploy


@dataclass(frozen=True, slots=True)
class Filters:
    """Empty fields filter nothing."""

    services: tuple[UUID, ...] = ()
    environments: tuple[str, ...] = ()
    branch: str = ""
    author: str = ""
    text: str = ""

    def conditions(self) -> list[Any]:
        """What a deploy must fulfil, as SQL."""
        found: list[Any] = []
        if self.services:
            found.append(col(Deploy.service_id).in_(self.services))
        if self.environments:
            found.append(col(Deploy.environment).in_(self.environments))
        if self.branch:
            found.append(col(Deploy.branch).icontains(self.branch, autoescape=True))
        if self.author:
            found.append(col(Deploy.deployed_by).icontains(self.author, autoescape=True))
        if self.text:
            columns = (Deploy.commit_message, Deploy.version, Deploy.description, Deploy.branch, Deploy.deployed_by)
            found.append(
                or_(
                    col(Deploy.commit_sha).istartswith(self.text, autoescape=True),
                    *(col(c).icontains(self.text, autoescape=True) for c in columns),
                )
            )
        return found
