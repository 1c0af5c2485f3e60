"""Found, rename, hand over and delete organizations."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID
from zoneinfo import available_timezones

from email_validator import EmailNotValidError, validate_email
from sqlalchemy import func
from sqlmodel import col, select

from blametrail.accounts.passwords import PasswordHash, check_password, hash_password
from blametrail.accounts.roles import Actor, Role
from blametrail.accounts.tables import LoginSession, Membership, Organization, Person
from blametrail.kit.db import ScopedSession
from blametrail.kit.errors import Conflict, Invalid, NotAllowed, NotFound

NAME_LENGTH = 100
SET_UP_LOCK = 7_305_801
"""Number of PostgreSQL's advisory lock under which the first organization is founded."""


@dataclass(frozen=True, slots=True)
class OrganizationView:
    id: str
    name: str
    time_zone: str
    lookback_hours: int
    retention_days: int


def nobody_yet(session: ScopedSession) -> bool:
    """Whether the database has no person, so that set-up is open."""
    return session.exec(select(Person.id).limit(1)).first() is None


def refuse_second_set_up(session: ScopedSession) -> None:
    """Raises Conflict once there is anybody."""
    if not nobody_yet(session):
        raise Conflict("This server is already set up. Sign in, or ask its owner for an invitation.")


def found_first(session: ScopedSession, *, organization: str, name: str, email: str, password: str | PasswordHash) -> UUID:
    """Make the first organization and its owner; answers the person's id. Raises Conflict once there is
    anybody, and Invalid."""
    if session.connection().dialect.name == "postgresql":
        # Several at once would each find nobody: there is no row yet that they could lock.
        session.execute(select(func.pg_advisory_xact_lock(SET_UP_LOCK)))
    refuse_second_set_up(session)
    person = new_person(session, name=name, email=email, password=password)
    found(session, person.id, organization)
    return person.id


def found(session: ScopedSession, person_id: UUID, name: str) -> UUID:
    """Make an organization owned by a person; answers its id."""
    organization = Organization(name=_name(name, "organization"))
    session.add(organization)
    session.flush()
    session.add(Membership(organization_id=organization.id, person_id=person_id, role=Role.OWNER))
    return organization.id


def check_newcomer(organization: str, email: str, password: str) -> None:
    """Look at all fields of a set-up before the costly hash; raises Invalid naming each wrong one."""
    wrong: dict[str, str] = {}
    _try(wrong, lambda name: _name(name, "organization"), organization)
    _try(wrong, normal_email, email)
    _try(wrong, check_password, password)
    if wrong:
        raise Invalid(wrong)


def new_person(session: ScopedSession, *, name: str, email: str, password: str | PasswordHash) -> Person:
    """A person with a valid, unused e-mail address and an acceptable password; raises Invalid. The server
    passes a hash: hashing here would hold up every other write."""
    wrong: dict[str, str] = {}
    address = _try(wrong, normal_email, email)
    hashed = password.value if isinstance(password, PasswordHash) else _try(wrong, hash_password, password)
    if address and session.exec(select(Person.id).where(Person.email == address)).first():
        wrong["email"] = "belongs to somebody already"
    if wrong:
        raise Invalid(wrong)
    person = Person(email=address, name=name.strip()[:NAME_LENGTH] or address.partition("@")[0], password_hash=hashed)
    session.add(person)
    session.flush()
    return person


def view(session: ScopedSession, organization_id: UUID) -> OrganizationView:
    row = session.get_one(Organization, organization_id)
    return OrganizationView(str(row.id), row.name, row.time_zone, row.lookback_hours, row.retention_days)


def update(
    session: ScopedSession, actor: Actor, *, name: str, time_zone: str, lookback_hours: int, retention_days: int
) -> None:
    """Change an organization's settings; raises Invalid naming each field, and NotAllowed."""
    require_now(session, actor, Role.ADMIN)
    wrong: dict[str, str] = {}
    name = _try(wrong, _name, name)
    if time_zone not in available_timezones():
        wrong["time_zone"] = "must be a time zone such as Europe/Berlin"
    if not 1 <= lookback_hours <= 24 * 30:
        wrong["lookback_hours"] = "must be 1 to 720 hours"
    if not 7 <= retention_days <= 3_650:
        wrong["retention_days"] = "must be 7 to 3650 days"
    if wrong:
        raise Invalid(wrong)
    row = session.get_one(Organization, actor.organization_id)
    row.name, row.time_zone = name, time_zone
    row.lookback_hours, row.retention_days = lookback_hours, retention_days
    session.add(row)
    session.announce("organization")


def transfer(session: ScopedSession, actor: Actor, membership_id: UUID) -> None:
    """Make another member the owner; the old owner becomes admin. Raises NotAllowed and NotFound."""
    mine = require_now(session, actor, Role.OWNER)
    heir = session.exec(select(Membership).where(Membership.id == membership_id)).first()
    if heir is None or heir.person_id == actor.person_id:
        raise NotFound("Choose another member of this organization.")
    heir.role, mine.role = Role.OWNER, Role.ADMIN
    session.add_all([heir, mine])
    session.announce("people")


def delete(session: ScopedSession, actor: Actor, typed_name: str) -> None:
    """Delete the organization and everything in it; raises Invalid unless the name is typed as it is, and
    NotAllowed."""
    require_now(session, actor, Role.OWNER)
    row = session.get_one(Organization, actor.organization_id)
    if typed_name.strip() != row.name:
        raise Invalid({"typed_name": f"must be {row.name}"})
    members = session.exec(select(Membership.person_id)).all()
    session.delete(row)
    session.flush()
    session.announce("organization")
    _forget_the_homeless(session, list(members))


def require_now(session: ScopedSession, actor: Actor, needed: Role) -> Membership:
    """The actor's membership as it is in this transaction; raises NotAllowed when its role does not include
    `needed`. The actor was looked up before, and another change may have come in between.

    The organization's row is locked until the end, so that changes of its people run one after another.
    Locks on two memberships could wait for each other."""
    session.exec(select(Organization).where(Organization.id == actor.organization_id).with_for_update(key_share=True)).first()
    row = session.exec(
        select(Membership).where(Membership.person_id == actor.person_id, Membership.organization_id == actor.organization_id)
    ).first()
    if row is None:
        raise NotAllowed(f"You are not a member of {actor.organization} any more.")
    replace(actor, role=Role(row.role)).require(needed)
    return row


def of_person(session: ScopedSession, person_id: UUID) -> list[tuple[str, str]]:
    """(id, name) of each organization of a person, by name."""
    rows = session.exec(
        select(Organization.id, Organization.name)
        .join(Membership, col(Membership.organization_id) == col(Organization.id))
        .where(Membership.person_id == person_id)
        .order_by(func.lower(Organization.name), col(Organization.id))
    )
    return [(str(id_), name) for id_, name in rows]


def normal_email(email: str) -> str:
    """The address in one spelling, lower case; raises Invalid."""
    try:
        return validate_email(email.strip(), check_deliverability=False, test_environment=True).normalized.lower()
    except EmailNotValidError:
        raise Invalid({"email": "must be an e-mail address"}) from None


def _forget_the_homeless(session: ScopedSession, person_ids: list[UUID]) -> None:
    """People without any organization cannot sign in anywhere: their accounts go too."""
    session.widen()
    for person_id in person_ids:
        if session.exec(select(Membership.id).where(Membership.person_id == person_id)).first() is None:
            for login in session.exec(select(LoginSession).where(LoginSession.person_id == person_id)):
                session.delete(login)
            session.delete(session.get_one(Person, person_id))


def _name(name: str, field: str = "name") -> str:
    if not 1 <= len(name.strip()) <= NAME_LENGTH:
        raise Invalid({field: f"must have 1 to {NAME_LENGTH} characters"})
    return name.strip()


def _try(wrong: dict[str, str], check: Any, value: str) -> str:
    try:
        return str(check(value))
    except Invalid as error:
        wrong.update(error.fields)
        return ""
