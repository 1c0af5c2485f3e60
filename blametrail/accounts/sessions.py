"""Signing in and out; who is acting, asked anew at each event."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import bindparam, delete
from sqlalchemy import select as sql_select
from sqlmodel import col, select

from blametrail.accounts.organizations import normal_email, of_person
from blametrail.accounts.passwords import PasswordHash, hash_apart, verify_apart
from blametrail.accounts.roles import Actor, Role
from blametrail.accounts.tables import LoginSession, Membership, Organization, Person
from blametrail.kit.clock import now
from blametrail.kit.db import EVERY_ORGANIZATION, Database, Prepared, ScopedSession, UtcTime
from blametrail.kit.errors import Conflict, Invalid, NotFound, NotSignedIn
from blametrail.kit.keys import KeyRing
from blametrail.kit.tokens import new_token

COOKIE = "blametrail_session"
LIFETIME = timedelta(days=14)
SLIDE_AFTER = timedelta(minutes=10)
WRONG = "The e-mail address or the password is wrong."

_BY_DIGEST = Prepared(
    sql_select(
        col(LoginSession.id),
        col(Person.id),
        col(Organization.id),
        col(Organization.name),
        col(Organization.time_zone),
        col(Person.email),
        col(Person.name),
        col(Membership.role),
        col(LoginSession.seen_at),
    )
    .join(Person, col(Person.id) == col(LoginSession.person_id))
    .join(Membership, col(Membership.person_id) == col(Person.id))
    .join(Organization, col(Organization.id) == col(Membership.organization_id))
    .where(col(LoginSession.token_hash) == bindparam("digest"))
    .where(col(LoginSession.expires_at) > bindparam("now", type_=UtcTime))
    .where(col(Membership.organization_id) == col(LoginSession.organization_id)),
    finds_organization=True,
)


@dataclass(frozen=True, slots=True)
class SessionView:
    id: str
    address: str
    user_agent: str
    created_at: datetime
    seen_at: datetime
    current: bool


def find_login(session: ScopedSession, email: str) -> tuple[UUID | None, str | None]:
    """Person and password hash of an address; (None, None) when there is nobody."""
    try:
        address = normal_email(email)
    except Invalid:
        return None, None
    person = session.exec(select(Person).where(Person.email == address)).first()
    return (person.id, person.password_hash) if person else (None, None)


async def sign_in(db: Database, keys: KeyRing, *, email: str, password: str, address: str, user_agent: str) -> str:
    """Check the password and start a session; answers the cookie's token. Raises NotSignedIn and TooMany."""
    person_id, stored = await db.read(EVERY_ORGANIZATION, find_login, email)
    if not await verify_apart(stored, password) or person_id is None:
        raise NotSignedIn(WRONG)
    return await db.write(EVERY_ORGANIZATION, _start_verified, keys, person_id, stored, address, user_agent)


def _start_verified(
    session: ScopedSession, keys: KeyRing, person_id: UUID, verified: str | None, address: str, user_agent: str
) -> str:
    """`start`, unless the password was changed since it was verified: that ended all sessions, this one too."""
    if _stored_hash(session, person_id, lock=True) != verified:
        raise NotSignedIn(WRONG)
    return start(session, keys, person_id, address, user_agent)


def start(
    session: ScopedSession, keys: KeyRing, person_id: UUID, address: str, user_agent: str, organization_id: UUID | None = None
) -> str:
    """A new session of a person, in the given or the first of the organizations; answers the cookie's token."""
    if organization_id is None:
        homes = of_person(session, person_id)
        organization_id = UUID(homes[0][0]) if homes else None
    token = new_token("ses_")
    session.add(
        LoginSession(
            person_id=person_id,
            organization_id=organization_id,
            token_hash=keys.digest(token),
            address=address,
            user_agent=user_agent[:300],
            expires_at=now() + LIFETIME,
        )
    )
    session.exec(delete(LoginSession).where(col(LoginSession.expires_at) < now()))
    return token


def find_actor(session: ScopedSession, keys: KeyRing, token: str) -> Actor | None:
    """Who a session's token stands for; None when it is unknown, ended, or its person was removed."""
    if not token:
        return None
    moment = now()
    rows = next(filter(None, (session.run(_BY_DIGEST, digest=digest, now=moment) for digest in keys.digests(token))), None)
    if rows is None:
        return None
    session_id, person_id, organization_id, organization, time_zone, email, name, role, seen_at = rows[0]
    return Actor(session_id, person_id, organization_id, organization, time_zone, email, name, Role(role), seen_at)


def slide(session: ScopedSession, keys: KeyRing, token: str) -> None:
    """Extend a session that is in use; from here on the current key knows it."""
    login = session.exec(select(LoginSession).where(col(LoginSession.token_hash).in_(keys.digests(token)))).first()
    if login is not None:
        login.token_hash = keys.digest(token)
        login.seen_at, login.expires_at = now(), now() + LIFETIME
        session.add(login)


def switch(session: ScopedSession, actor: Actor, organization_id: UUID) -> None:
    """Act in another of the person's organizations from the next event on."""
    if str(organization_id) not in {id_ for id_, _ in of_person(session, actor.person_id)}:
        raise NotFound("You are not a member of that organization.")
    login = session.get_one(LoginSession, actor.session_id)
    login.organization_id = organization_id
    session.add(login)


def of(session: ScopedSession, actor: Actor) -> list[SessionView]:
    """The person's sessions, the last seen first."""
    rows = session.exec(
        select(LoginSession)
        .where(LoginSession.person_id == actor.person_id, col(LoginSession.expires_at) > now())
        .order_by(col(LoginSession.seen_at).desc())
    )
    return [SessionView(str(r.id), r.address, r.user_agent, r.created_at, r.seen_at, r.id == actor.session_id) for r in rows]


def revoke(session: ScopedSession, actor: Actor, session_id: UUID) -> None:
    """End one of the person's own sessions."""
    login = session.exec(
        select(LoginSession).where(LoginSession.id == session_id, LoginSession.person_id == actor.person_id)
    ).first()
    if login is None:
        raise NotFound("That session has ended already.")
    session.delete(login)


def end(session: ScopedSession, keys: KeyRing, token: str) -> None:
    """Sign out: the token is worth nothing from now on."""
    session.exec(delete(LoginSession).where(col(LoginSession.token_hash).in_(keys.digests(token))))


async def change_password(db: Database, actor: Actor, current: str, new: str) -> None:
    """Set a new password and end the person's other sessions; raises Invalid, Conflict and TooMany."""
    stored = await db.read(EVERY_ORGANIZATION, _stored_hash, actor.person_id)
    if not await verify_apart(stored, current):
        raise Invalid({"current_password": "is wrong"})
    hashed = await hash_apart(new, "new_password")
    await db.write(EVERY_ORGANIZATION, _replace_password, actor, stored, hashed)


def _stored_hash(session: ScopedSession, person_id: UUID, *, lock: bool = False) -> str | None:
    query = select(Person.password_hash).where(Person.id == person_id)
    return session.exec(query.with_for_update() if lock else query).first()


def _replace_password(session: ScopedSession, actor: Actor, verified: str | None, hashed: PasswordHash) -> None:
    """Raises Conflict when the hash that the current password was verified against is not stored any more."""
    if _stored_hash(session, actor.person_id, lock=True) != verified:
        raise Conflict("Your password was changed at the same moment. Sign in with the new one.")
    person = session.get_one(Person, actor.person_id)
    person.password_hash = hashed.value
    session.add(person)
    session.exec(
        delete(LoginSession).where(col(LoginSession.person_id) == actor.person_id, col(LoginSession.id) != actor.session_id)
    )
