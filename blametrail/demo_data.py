"""What the demo keeps in the database: services whose names say what they are, and deploys with keys of their own."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from datetime import timedelta

from sqlalchemy import ColumnElement, func
from sqlmodel import col, select

from blametrail.accounts.organizations import found_first, nobody_yet
from blametrail.accounts.passwords import PasswordHash, hash_password
from blametrail.accounts.tables import Membership, Organization, Person
from blametrail.catalog import deploy_tokens, services
from blametrail.catalog.repositories import parse_repository
from blametrail.catalog.tables import DeployToken, Service
from blametrail.deploys.tables import Deploy
from blametrail.kit.clock import now
from blametrail.kit.db import EVERY_ORGANIZATION, Database, ScopedSession
from blametrail.kit.keys import KeyRing

OWNER, ORGANIZATION, MAKER = "demo@example.com", "Demo", "demo"
SERVICES = {"web": "demo-web", "api": "demo-api", "worker": "demo-worker"}
"""Names of the services, by their type."""
MARGIN = timedelta(hours=2)
KEY = "demo:"
"""The start of every idempotency key."""


def found_if_empty(database: Database) -> str:
    """Make an organization when there is nobody yet; answers its owner's password, else nothing."""
    if not database.read_now(EVERY_ORGANIZATION, nobody_yet):
        return ""
    password = secrets.token_urlsafe(12)
    hashed = PasswordHash(hash_password(password))  # here, because every other write would wait for it
    database.write_now(
        EVERY_ORGANIZATION, found_first, organization=ORGANIZATION, name=ORGANIZATION, email=OWNER, password=hashed
    )
    return password


def has_own_owner(session: ScopedSession) -> bool:
    """Whether the organization belongs to the demo's own person."""
    owner = select(Membership.id).join(Person, col(Person.id) == col(Membership.person_id)).where(Person.email == OWNER)
    return session.exec(owner).first() is not None


def sent_keys(session: ScopedSession) -> set[str]:
    """What earlier runs sent; a key itself holds only under its token, and every run has tokens of its own."""
    return {key or "" for key in session.exec(select(Deploy.idempotency_key).where(_is_ours()))}


def query_of_all(session: ScopedSession) -> str:
    """The query string of a timeline that shows every deploy of the demo."""
    first, last = session.exec(select(func.min(Deploy.deployed_at), func.max(Deploy.deployed_at)).where(_is_ours())).one()
    if first is None:
        return ""
    start, end = (at.strftime("%Y-%m-%dT%H:%M:%SZ") for at in (first - MARGIN, last + MARGIN))
    return f"?from={start}&to={end}"


def open_services(session: ScopedSession, keys: KeyRing, origin: str) -> tuple[dict[str, str], list[str]]:
    """A token for each service by its type, and those of them that are of services that were there before."""
    present = {name.lower(): id_ for id_, name in services.names(session).items()}
    link = _link(origin)
    tokens: dict[str, str] = {}
    for type_, name in SERVICES.items():
        if name in present:
            tokens[type_] = deploy_tokens.issue(session, keys, present[name], MAKER)
        else:
            draft = services.ServiceDraft.checked(name=name, environment="production", type=type_, repositories=link)
            tokens[type_] = services.create(session, keys, draft, MAKER)[1]
    return tokens, [tokens[type_] for type_, name in SERVICES.items() if name in present]


def end_tokens(session: ScopedSession, keys: KeyRing, tokens: Iterable[str]) -> None:
    """End the tokens that were made for a run beside the ones in use."""
    for row in session.exec(select(DeployToken).where(col(DeployToken.token_hash).in_([keys.digest(t) for t in tokens]))):
        row.rotated_at = now()
        session.add(row)


def remove(session: ScopedSession) -> list[str]:
    """Delete the demo's services with all that is in them, and its organization when that holds nothing else;
    answers what became of each, in words. A service that got deploys from elsewhere stays."""
    told = []
    for service in session.exec(select(Service).where(col(Service.name).in_(SERVICES.values()))).all():
        deploys = select(func.count()).select_from(Deploy).where(Deploy.service_id == service.id)
        if others := session.exec(deploys.where(~_is_ours())).one():
            told.append(f"{service.name} stays: {others} of its deploys are not of the demo.")
            continue
        told.append(f"{service.name} is removed, with {session.exec(deploys).one()} deploys.")
        session.delete(service)
    session.flush()
    session.announce("services")
    session.announce("deploys")
    return [*told, *_remove_organization(session)] or ["There is nothing of the demo."]


def _remove_organization(session: ScopedSession) -> list[str]:
    members = session.exec(select(Membership)).all()
    if len(members) != 1 or not has_own_owner(session) or session.exec(select(Service.id)).first():
        return []
    organization = session.exec(select(Organization).where(Organization.id == members[0].organization_id)).one()
    name = organization.name
    session.delete(organization)
    session.delete(session.get_one(Person, members[0].person_id))
    return [f"The organization {name} and {OWNER} are removed."]


def _is_ours() -> ColumnElement[bool]:
    return func.coalesce(Deploy.idempotency_key, "").startswith(KEY)


def _link(origin: str) -> str:
    """The origin as a service links to it; an address that is none, or holds a password, is left out."""
    origin = re.sub(r"\s.*", "", origin, flags=re.DOTALL)
    try:
        parse_repository(origin)
    except ValueError:
        return ""
    return origin
