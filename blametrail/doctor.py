"""What keeps a service from being explained: each step from a deploy to its changes, by what is known here.

Nothing is asked outside: the answers are what the last deploy, the last test and the last webhook left behind.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlmodel import col, select

from blametrail.catalog.repositories import RepositoryLink
from blametrail.catalog.services import ServiceView, list_services, view
from blametrail.changes.tables import WatchedRepository
from blametrail.codehosts.connections import connection_for
from blametrail.codehosts.tables import Connection
from blametrail.deploys.enrichment.states import State
from blametrail.deploys.tables import Delivery, Deploy, Enrichment
from blametrail.kit.db import ScopedSession
from blametrail.kit.errors import NotFound
from blametrail.kit.terminal import printable


class Health(StrEnum):
    GOOD = "good"
    TO_DO = "to do"
    WRONG = "wrong"
    OPTIONAL = "optional"
    UNKNOWN = "not known yet"


_MARKS = {Health.GOOD: "ok", Health.TO_DO: "->", Health.WRONG: "!!", Health.OPTIONAL: " .", Health.UNKNOWN: " ?"}


@dataclass(frozen=True, slots=True)
class Step:
    """One question; when it is not answered well, what to do and on which page."""

    question: str
    health: Health
    finding: str
    remedy: str = ""
    page: str = ""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    service: str
    steps: tuple[Step, ...]

    @property
    def next(self) -> Step | None:
        """The first thing to do, if there is any."""
        return next((step for step in self.steps if step.health in {Health.WRONG, Health.TO_DO}), None)

    def as_json(self) -> dict[str, Any]:
        return {"service": self.service, "next": self.next and asdict(self.next), "steps": [asdict(s) for s in self.steps]}

    def in_words(self) -> str:
        """For a terminal: a line for each step."""
        lines = [printable(self.service)]
        lines += [f"  {_MARKS[s.health]} {printable(f'{s.question} {s.finding} {s.remedy}')}" for s in self.steps]
        return "\n".join(lines)


def diagnose(session: ScopedSession, service_id: UUID) -> Diagnosis:
    """Look at one service; raises NotFound."""
    service = view(session, service_id)
    latest = session.exec(
        select(Deploy).where(Deploy.service_id == service_id).order_by(col(Deploy.deployed_at).desc()).limit(1)
    ).first()
    enrichment = session.get(Enrichment, latest.id) if latest else None
    connections = {link.host_url: connection_for(session, link, service_id) for link in service.repositories}
    works = _works(service, connections.values())
    return Diagnosis(
        service.name,
        (
            _deploys(session, service_id, latest),
            _repository(service),
            _token(service, connections),
            works,
            _commit(enrichment, works),
            _comparison(enrichment),
            _webhook(session, service.repositories),
        ),
    )


def diagnose_all(session: ScopedSession, name: str = "") -> list[Diagnosis]:
    """Look at all services, by name, or at one; raises NotFound."""
    wanted = [s for s in list_services(session) if not name or s.name.lower() == name.lower()]
    if name and not wanted:
        raise NotFound(f"There is no service {name}.")
    return [diagnose(session, UUID(service.id)) for service in wanted]


def _deploys(session: ScopedSession, service_id: UUID, latest: Deploy | None) -> Step:
    question, here = "Do deploys arrive?", f"/services/{service_id}"
    if latest:
        return Step(question, Health.GOOD, f"The newest is of {latest.deployed_at:%Y-%m-%d %H:%M} UTC.")
    refused = session.exec(
        select(Delivery)
        .where(Delivery.service_id == service_id, Delivery.status != 200, Delivery.route != "change")
        .order_by(col(Delivery.received_at).desc())
        .limit(1)
    ).first()
    if refused:
        return Step(question, Health.WRONG, f"The last request was refused: {refused.reason}", "See the delivery log.", here)
    return Step(
        question, Health.TO_DO, "Nothing has come yet.", "Add one of the snippets to CI, or try it from a terminal.", here
    )


def _repository(service: ServiceView) -> Step:
    question = "Is a repository linked?"
    if service.repositories:
        return Step(question, Health.GOOD, ", ".join(str(link) for link in service.repositories) + ".")
    return Step(question, Health.TO_DO, "None is.", "Add it in the service's settings.", f"/services/{service.id}")


def _token(service: ServiceView, connections: dict[str, Connection | None]) -> Step:
    question = "Is there a token for its code host?"
    missing = [url.partition("://")[2] for url, row in connections.items() if row is None]
    if not service.repositories:
        return Step(question, Health.UNKNOWN, "It is not known which host that is.")
    if missing:
        return Step(question, Health.TO_DO, f"None for {' and '.join(missing)}.", "Add one.", "/settings/code-hosts")
    own = any(row and row.service_id for row in connections.values())
    return Step(question, Health.GOOD, "Yes, one of this service." if own else "Yes, the organization's.")


def _works(service: ServiceView, connections: Iterable[Connection | None]) -> Step:
    question = "Does the token work?"
    rows = [row for row in connections if row]
    faulty = next((row for row in rows if row.fault), None)
    if faulty:
        page = f"/services/{service.id}" if faulty.service_id else "/settings/code-hosts"
        return Step(question, Health.WRONG, faulty.fault, faulty.remedy, page)
    if rows and all(row.used_at or row.checked_at for row in rows):
        return Step(question, Health.GOOD, "It did when it was used last.")
    return Step(question, Health.UNKNOWN, "It was not used yet.", "Test the connection.", "/settings/code-hosts")


def _commit(enrichment: Enrichment | None, works: Step) -> Step:
    question = "Does the code host know the newest deploy's commit?"
    if enrichment is None or enrichment.state == State.NOT_CONFIGURED or works.health == Health.WRONG:
        return Step(question, Health.UNKNOWN, "It could not be asked yet.")
    if enrichment.repository:
        return Step(question, Health.GOOD, f"Yes, in {enrichment.repository}.")
    return _unanswered(question, enrichment)


def _comparison(enrichment: Enrichment | None) -> Step:
    question = "Is it known what the newest deploy carries?"
    if enrichment is None or not enrichment.repository:
        return Step(question, Health.UNKNOWN, "It was not asked yet.")
    if enrichment.state == State.COMPLETE:
        return Step(question, Health.GOOD, "Yes, all of it.")
    if enrichment.state == State.PARTIAL and enrichment.relation:
        return Step(question, Health.GOOD, f"In part. {_line(enrichment.reason)}")
    return _unanswered(question, enrichment)


def _unanswered(question: str, enrichment: Enrichment) -> Step:
    health = Health.WRONG if enrichment.state == State.FAILED else Health.UNKNOWN
    page = f"/deploys/{enrichment.deploy_id}"
    return Step(question, health, _line(enrichment.reason) or "It is being asked.", _line(enrichment.remedy), page)


def _webhook(session: ScopedSession, links: Iterable[RepositoryLink]) -> Step:
    question = "Do webhooks tell of merged pull requests?"
    watched = [
        session.exec(
            select(WatchedRepository).where(WatchedRepository.host_url == link.host_url, WatchedRepository.path == link.path)
        ).first()
        for link in links
    ]
    seen = [row.webhook_at for row in watched if row and row.webhook_at]
    if watched and len(seen) == len(watched):
        return Step(question, Health.GOOD, f"The last one came {max(seen):%Y-%m-%d %H:%M} UTC.")
    return Step(
        question,
        Health.OPTIONAL,
        "None was seen. Merged pull requests are then found by asking every few minutes.",
        "Set one up to know them at once.",
        "/settings/webhooks",
    )


def _line(text: str) -> str:
    return text.partition("\n")[0]
