"""Rows of organizations, people and their sessions."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid4

from sqlmodel import Field, SQLModel, UniqueConstraint

from blametrail.kit.clock import now
from blametrail.kit.db import Tenanted, UtcTime


class Organization(SQLModel, table=True):
    """The tenant: everything else belongs to exactly one."""

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    name: str
    time_zone: str = "UTC"
    lookback_hours: int = 72
    retention_days: int = 400
    created_at: datetime = Field(default_factory=now, sa_type=UtcTime)


class Person(SQLModel, table=True):
    """Somebody who can sign in; may belong to several organizations."""

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    email: str = Field(unique=True)
    name: str
    password_hash: str
    created_at: datetime = Field(default_factory=now, sa_type=UtcTime)


class Membership(Tenanted, table=True):
    """A person's role in an organization."""

    __table_args__ = (UniqueConstraint("organization_id", "person_id"),)

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    person_id: UUID = Field(foreign_key="person.id", ondelete="CASCADE", index=True)
    role: str
    created_at: datetime = Field(default_factory=now, sa_type=UtcTime)


class Invitation(Tenanted, table=True):
    """A link by which one person may join, once, until it expires."""

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    email: str
    role: str
    token_hash: str = Field(unique=True)
    invited_by: str
    created_at: datetime = Field(default_factory=now, sa_type=UtcTime)
    expires_at: datetime = Field(sa_type=UtcTime)
    used_at: datetime | None = Field(default=None, sa_type=UtcTime)


class LoginSession(SQLModel, table=True):
    """A signed-in browser; the cookie holds a token of which only the hash is here."""

    __tablename__ = "login_session"

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    person_id: UUID = Field(foreign_key="person.id", ondelete="CASCADE", index=True)
    organization_id: UUID | None = Field(default=None, foreign_key="organization.id", ondelete="SET NULL")
    token_hash: str = Field(unique=True)
    address: str = ""
    user_agent: str = ""
    created_at: datetime = Field(default_factory=now, sa_type=UtcTime)
    seen_at: datetime = Field(default_factory=now, sa_type=UtcTime)
    expires_at: datetime = Field(sa_type=UtcTime, index=True)


class ApiToken(Tenanted, table=True):
    """What a script shows to read an organization's data; only its hash is kept."""

    __tablename__ = "api_token"

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    name: str
    token_hash: str = Field(unique=True)
    start: str
    created_by: str
    created_at: datetime = Field(default_factory=now, sa_type=UtcTime)
    expires_at: datetime | None = Field(default=None, sa_type=UtcTime)
    revoked_at: datetime | None = Field(default=None, sa_type=UtcTime)
    used_at: datetime | None = Field(default=None, sa_type=UtcTime)
    used_from: str = ""
