"""The people of an organization: invite, accept, change role, remove."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel import col, select

from blametrail.accounts.organizations import new_person, normal_email, require_now
from blametrail.accounts.passwords import PasswordHash, hash_apart, verify_apart
from blametrail.accounts.roles import Actor, Role
from blametrail.accounts.tables import Invitation, Membership, Organization, Person
from blametrail.kit.clock import now
from blametrail.kit.db import EVERY_ORGANIZATION, Database, ScopedSession
from blametrail.kit.errors import Conflict, Invalid, NotFound
from blametrail.kit.keys import KeyRing
from blametrail.kit.tokens import new_token

INVITATION_LIFETIME = timedelta(days=7)
GONE = "This invitation has been used, withdrawn or is older than 7 days. Ask for a new one."
WRONG = "is not the password of your account"


@dataclass(frozen=True, slots=True)
class MemberView:
    id: str
    name: str
    email: str
    role: str
    joined_at: datetime
    is_me: bool


@dataclass(frozen=True, slots=True)
class InvitationView:
    id: str
    email: str
    role: str
    invited_by: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Welcome:
    """What an invitation says to the person who opens it."""

    organization: str
    email: str
    role: str
    has_account: bool


def list_members(session: ScopedSession, actor: Actor) -> list[MemberView]:
    rows = session.exec(
        select(Membership, Person).join(Person, col(Person.id) == col(Membership.person_id)).order_by(Person.name, Person.email)
    )
    return [MemberView(str(m.id), p.name, p.email, m.role, m.created_at, p.id == actor.person_id) for m, p in rows]


def list_invitations(session: ScopedSession) -> list[InvitationView]:
    rows = session.exec(
        select(Invitation)
        .where(col(Invitation.used_at).is_(None), col(Invitation.expires_at) > now())
        .order_by(col(Invitation.created_at).desc())
    )
    return [InvitationView(str(r.id), r.email, r.role, r.invited_by, r.expires_at) for r in rows]


def invite(session: ScopedSession, keys: KeyRing, actor: Actor, email: str, role: str) -> str:
    """Make an invitation; answers its token, shown once. One open invitation an address. Raises Invalid
    and NotAllowed."""
    require_now(session, actor, Role.ADMIN)
    address = normal_email(email)
    if role not in {Role.ADMIN, Role.RESPONDER, Role.VIEWER}:
        raise Invalid({"role": "must be admin, responder or viewer"})
    if _membership_of(session, address):
        raise Invalid({"email": "belongs to a member already"})
    for older in session.exec(select(Invitation).where(Invitation.email == address, col(Invitation.used_at).is_(None))):
        session.delete(older)
    token = new_token("inv_")
    session.add(
        Invitation(
            email=address,
            role=role,
            token_hash=keys.digest(token),
            invited_by=actor.name,
            expires_at=now() + INVITATION_LIFETIME,
        )
    )
    session.announce("people")
    return token


def withdraw(session: ScopedSession, actor: Actor, invitation_id: UUID) -> None:
    """Take an invitation back; raises NotFound and NotAllowed."""
    require_now(session, actor, Role.ADMIN)
    row = session.exec(select(Invitation).where(Invitation.id == invitation_id)).first()
    if row is None:
        raise NotFound("That invitation is gone already.")
    session.delete(row)
    session.announce("people")


def open_invitation(session: ScopedSession, keys: KeyRing, token: str) -> Welcome:
    """What the holder of the link may know; raises NotFound when it no longer opens anything."""
    row = _valid(session, keys, token)
    organization = session.get_one(Organization, row.organization_id)
    known = session.exec(select(Person.id).where(Person.email == row.email)).first()
    return Welcome(organization.name, row.email, row.role, known is not None)


async def join(db: Database, keys: KeyRing, token: str, name: str, password: str) -> tuple[UUID, UUID]:
    """Join by a link, once; somebody known proves it by the password. Answers person and organization ids;
    raises NotFound, Invalid, Conflict and TooMany."""
    stored = await db.read(EVERY_ORGANIZATION, stored_hash, keys, token)
    if stored is None:
        proof = await hash_apart(password)
    elif await verify_apart(stored, password):
        proof = PasswordHash(stored)
    else:
        raise Invalid({"password": WRONG})
    return await db.write(EVERY_ORGANIZATION, accept, keys, token, name, proof)


def stored_hash(session: ScopedSession, keys: KeyRing, token: str) -> str | None:
    """The password hash of the person an invitation is for; None when that person has no account yet.
    Raises NotFound when the invitation opens nothing."""
    row = _valid(session, keys, token)
    return session.exec(select(Person.password_hash).where(Person.email == row.email)).first()


def accept(session: ScopedSession, keys: KeyRing, token: str, name: str, proof: PasswordHash) -> tuple[UUID, UUID]:
    """Make the membership. `proof` is the hash of a new person's password, or the stored one that a known
    person's password was verified against. Raises NotFound, Conflict, and Invalid when it is not stored any more."""
    row = _valid(session, keys, token)
    person = session.exec(select(Person).where(Person.email == row.email)).first()
    if person is None:
        person = new_person(session, name=name, email=row.email, password=proof)
    elif person.password_hash != proof.value:
        raise Invalid({"password": WRONG})
    session.narrow(row.organization_id)
    if _membership_of(session, row.email):
        raise Conflict("You are a member already. Sign in.")
    row.used_at = now()
    session.add_all([row, Membership(person_id=person.id, role=row.role)])
    session.announce("people")
    return person.id, row.organization_id


def change_role(session: ScopedSession, actor: Actor, membership_id: UUID, role: str) -> None:
    """Raises Invalid, NotAllowed, NotFound, and Conflict for the owner."""
    require_now(session, actor, Role.ADMIN)
    if role not in {Role.ADMIN, Role.RESPONDER, Role.VIEWER}:
        raise Invalid({"role": "must be admin, responder or viewer"})
    row = _member(session, membership_id)
    if row.role == Role.OWNER:
        raise Conflict("The owner's role changes only by transferring the ownership.")
    row.role = role
    session.add(row)
    session.announce("people")


def remove(session: ScopedSession, actor: Actor, membership_id: UUID) -> None:
    """Remove a member, or leave; the member's open tabs are dead at their next event. Raises NotFound,
    NotAllowed, and Conflict for the owner."""
    mine = require_now(session, actor, Role.VIEWER)
    row = _member(session, membership_id)
    if row.id != mine.id:
        require_now(session, actor, Role.ADMIN)
    if row.role == Role.OWNER:
        raise Conflict("The owner cannot be removed. Transfer the ownership first.")
    session.delete(row)
    session.announce("people")


def _member(session: ScopedSession, membership_id: UUID) -> Membership:
    row = session.exec(select(Membership).where(Membership.id == membership_id)).first()
    if row is None:
        raise NotFound("That person is not a member any more.")
    return row


def _membership_of(session: ScopedSession, email: str) -> Membership | None:
    return session.exec(
        select(Membership).join(Person, col(Person.id) == col(Membership.person_id)).where(Person.email == email)
    ).first()


def _valid(session: ScopedSession, keys: KeyRing, token: str) -> Invitation:
    row = session.exec(select(Invitation).where(col(Invitation.token_hash).in_(keys.digests(token)))).first()
    if row is None or row.used_at is not None or row.expires_at < now():
        raise NotFound(GONE)
    return row
