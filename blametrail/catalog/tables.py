"""Rows of services and what hangs on them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid4

from sqlmodel import Field, UniqueConstraint

from blametrail.kit.clock import now
from blametrail.kit.db import Tenanted, UtcTime


class Service(Tenanted, table=True):
    """Something that is deployed and can break."""

    __table_args__ = (UniqueConstraint("organization_id", "name"),)

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    name: str
    environment: str
    type: str
    url: str = ""
    owner_team: str = ""
    created_at: datetime = Field(default_factory=now, sa_type=UtcTime)


class ServiceRepository(Tenanted, table=True):
    """A repository (or a folder of one) whose changes a service's deploys carry."""

    __tablename__ = "service_repository"

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    service_id: UUID = Field(foreign_key="service.id", ondelete="CASCADE", index=True)
    host_url: str
    path: str
    path_prefix: str = ""
    position: int = 0


class ServiceDependency(Tenanted, table=True):
    """`service_id` calls or needs `depends_on_id`."""

    __tablename__ = "service_dependency"

    service_id: UUID = Field(foreign_key="service.id", ondelete="CASCADE", primary_key=True)
    depends_on_id: UUID = Field(foreign_key="service.id", ondelete="CASCADE", primary_key=True, index=True)


class DeployToken(Tenanted, table=True):
    """What CI shows to post deploys of one service; only its hash is kept."""

    __tablename__ = "deploy_token"

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    service_id: UUID = Field(foreign_key="service.id", ondelete="CASCADE", index=True)
    token_hash: str = Field(unique=True)
    start: str
    created_at: datetime = Field(default_factory=now, sa_type=UtcTime)
    created_by: str = ""
    rotated_at: datetime | None = Field(default=None, sa_type=UtcTime)
    used_at: datetime | None = Field(default=None, sa_type=UtcTime)
    used_from: str = ""
