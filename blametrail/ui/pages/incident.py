"""One incident: what it shows, since when, what went live before, what happened; live until it is over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, TypedDict
from uuid import UUID

import reflex as rx

from blametrail.accounts import organizations
from blametrail.accounts.roles import Actor, Role
from blametrail.catalog import services
from blametrail.deploys.filters import Filters
from blametrail.deploys.find import find_deploys
from blametrail.deploys.timeline import Window
from blametrail.deploys.views import environments
from blametrail.incidents import act
from blametrail.incidents.find import IncidentDetail, id_of_number, incident_detail
from blametrail.incidents.reports import Onset, Symptom
from blametrail.incidents.symptom import Frame
from blametrail.kit.db import ScopedSession, database
from blametrail.kit.errors import Invalid, NotFound
from blametrail.ui import live
from blametrail.ui.address import Address
from blametrail.ui.guard import action, tell
from blametrail.ui.moments import between
from blametrail.ui.parts.deploys import DeployRow, deploy_row
from blametrail.ui.parts.incident_form import Choice, read_draft
from blametrail.ui.parts.incident_page import incident_page
from blametrail.ui.parts.incidents import IncidentRow, Named, incident_row, span_words
from blametrail.ui.parts.vars import fill
from blametrail.ui.shell import show_actor

LISTED = 15
SYMPTOM = ("error_message", "stack_trace", "log_excerpt", "endpoint")


class FrameRow(TypedDict):
    place: str
    function: str
    is_ours: bool


class EntryRow(TypedDict):
    at: str
    kind: str
    who: str
    text: str


class IncidentState(rx.State):
    """The incident that the address names."""

    ready: bool = False
    missing: str = ""
    id: str = ""
    number: int = 0
    title: str = ""
    type: str = ""
    severity: str = ""
    status: str = ""
    description: str = ""
    services: list[Named] = []
    environments: list[str] = []
    service_choices: list[Choice] = []
    environment_choices: list[Choice] = []
    error_message: str = ""
    stack_trace: str = ""
    log_excerpt: str = ""
    endpoint: str = ""
    exception: str = ""
    message: str = ""
    frames: list[FrameRow] = []
    files: list[str] = []
    identifiers: list[str] = []
    onset_at: str = ""
    onset_ms: list[int] = [0, 0, 0]
    onset_width: str = ""
    onset_basis: str = ""
    onset_by: str = ""
    detected_at: str = ""
    acknowledged_at: str = ""
    acknowledged_by: str = ""
    resolved_at: str = ""
    resolved_by: str = ""
    lasted: str = ""
    entries: list[EntryRow] = []
    merged: list[IncidentRow] = []
    into: list[IncidentRow] = []
    rows: list[DeployRow] = []
    lookback: str = ""
    between_href: str = ""
    timeline_href: str = ""
    errors: dict[str, str] = {}
    drafts: int = 0

    @rx.event
    @action(Role.VIEWER)
    async def load(self, actor: Actor) -> None:
        await show_actor(self, actor)
        wanted = str(self.incident_id)
        live.subscribe(self, actor.organization_id, f"incident:{wanted}", "services", "deploys")
        self.ready, self.errors = False, {}
        await self._refresh(actor)

    @rx.event
    @action(Role.RESPONDER)
    async def acknowledge(self, actor: Actor) -> None:
        await database().write(actor.organization_id, act.acknowledge, UUID(self.id), actor.name)

    @rx.event
    @action(Role.RESPONDER)
    async def resolve(self, actor: Actor, confirmation: str) -> None:
        await database().write(actor.organization_id, act.resolve, UUID(self.id), actor.name)

    @rx.event
    @action(Role.RESPONDER)
    async def reopen(self, actor: Actor) -> None:
        await database().write(actor.organization_id, act.reopen, UUID(self.id), actor.name)

    @rx.event
    @action(Role.RESPONDER)
    async def note(self, actor: Actor, form: dict[str, Any]) -> None:
        await database().write(actor.organization_id, act.add_note, UUID(self.id), str(form.get("note", "")), actor.name)
        self.drafts += 1

    @rx.event
    @action(Role.RESPONDER)
    async def save(self, actor: Actor, form: dict[str, Any]) -> None:
        """Other words, another extent; errors stand beside their fields."""
        try:
            draft = read_draft(form, self.service_choices, self.environment_choices)
        except Invalid as error:
            self.errors = {name: f"This {why}." for name, why in error.fields.items()}
            return
        await database().write(actor.organization_id, act.edit, UUID(self.id), draft, actor.name)
        self.errors = {}
        await tell(self, "Saved.")

    @rx.event
    @action(Role.RESPONDER)
    async def save_symptom(self, actor: Actor, form: dict[str, Any]) -> None:
        symptom = Symptom(**{name: str(form.get(name, "")) for name in SYMPTOM})
        await database().write(actor.organization_id, act.set_symptom, UUID(self.id), symptom, actor.name)
        await tell(self, "Saved. What was recognised in it stands above.")

    @rx.event
    @action(Role.RESPONDER)
    async def correct_onset(self, actor: Actor, earliest: float, at: float, latest: float) -> None:
        onset = Onset(_moment(at), _moment(earliest), _moment(latest), "somebody who knows said so")
        await database().write(actor.organization_id, act.correct_onset, UUID(self.id), onset, actor.name)
        await tell(self, "Saved. From here on no estimate moves it.")

    @rx.event
    @action(Role.RESPONDER)
    async def merge(self, actor: Actor, form: dict[str, Any]) -> Any:
        """Into the incident of a number; that one is shown then."""
        number = str(form.get("number", "")).strip().lstrip("#")
        wanted = int(number) if number.isdecimal() and len(number) < 10 else 0
        into = await database().read(actor.organization_id, id_of_number, wanted)
        if into is None:
            raise NotFound("There is no incident of that number here. Nothing was merged.")
        await database().write(actor.organization_id, act.merge, UUID(self.id), into, actor.name)
        return rx.redirect(f"/incidents/{into}")

    async def _refresh(self, actor: Actor) -> None:
        try:
            wanted = UUID(str(self.incident_id))
            shown = await database().read(actor.organization_id, _load, actor, wanted)
        except (ValueError, NotFound):
            self.ready, self.missing = True, act.NO_INCIDENT
            return
        await fill(self, IncidentState, shown)


def _moment(milliseconds: float) -> datetime:
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        raise Invalid({"onset": "is no moment"}) from None


def _load(session: ScopedSession, actor: Actor, incident_id: UUID) -> dict[str, Any]:
    """Everything the page shows, by the name of its var."""
    found = incident_detail(session, incident_id)
    i = found.incident
    chosen = {id_ for id_, _ in i.services}
    named = sorted(services.names(session).items(), key=lambda pair: pair[1].lower())
    return {
        "ready": True,
        "missing": "",
        "id": i.id,
        "number": i.number,
        "title": i.title,
        "type": i.type,
        "severity": i.severity,
        "status": i.status,
        "description": found.description,
        "services": [Named(id=id_, name=name) for id_, name in i.services],
        "environments": list(i.environments),
        "service_choices": [Choice(id=str(id_), name=name, chosen=str(id_) in chosen) for id_, name in named],
        "environment_choices": [
            Choice(id=name, name=name, chosen=name in i.environments)
            for name in sorted({*environments(session), *i.environments})
        ],
        **{name: getattr(found, name) for name in SYMPTOM},
        "exception": found.recognised.exception,
        "message": found.recognised.message,
        "frames": [_frame(f) for f in found.recognised.frames],
        "files": list(found.recognised.files),
        "identifiers": list(found.recognised.identifiers),
        "entries": [EntryRow(at=e.at.isoformat(), kind=e.kind, who=e.who, text=e.text) for e in found.entries],
        "merged": [incident_row(other) for other in found.merged],
        "into": [incident_row(found.into)] if found.into else [],
        **_times(found),
        **_before(session, actor, found),
    }


def _times(found: IncidentDetail) -> dict[str, Any]:
    i = found.incident
    width = (found.onset_latest - found.onset_earliest).total_seconds()
    return {
        "onset_at": i.onset_at.isoformat(),
        "onset_ms": [round(m.timestamp() * 1000) for m in (found.onset_earliest, i.onset_at, found.onset_latest)],
        "onset_width": span_words(width) if width >= 60 else "",
        "onset_basis": found.onset_basis,
        "onset_by": found.onset_by,
        "detected_at": i.detected_at.isoformat(),
        "acknowledged_at": i.acknowledged_at.isoformat() if i.acknowledged_at else "",
        "acknowledged_by": found.acknowledged_by,
        "resolved_at": i.resolved_at.isoformat() if i.resolved_at else "",
        "resolved_by": found.resolved_by,
        "lasted": span_words((i.resolved_at - i.onset_at).total_seconds()) if i.resolved_at else "",
    }


def _before(session: ScopedSession, actor: Actor, found: IncidentDetail) -> dict[str, Any]:
    """What went live before it began, in the services and environments it affects."""
    i, hours = found.incident, organizations.view(session, actor.organization_id).lookback_hours
    window = Window(i.onset_at - timedelta(hours=hours), found.onset_latest)
    filters = Filters(services=tuple(UUID(id_) for id_, _ in i.services), environments=i.environments)
    chosen = Address(services=tuple(name for _, name in i.services), environments=i.environments)
    around = chosen.with_window(
        (window.start.timestamp()) * 1e3, ((i.resolved_at or i.detected_at) + timedelta(hours=1)).timestamp() * 1e3
    )
    return {
        "rows": [deploy_row(d) for d in find_deploys(session, filters, window, limit=LISTED).deploys],
        "lookback": span_words(hours * 3600),
        "between_href": between(window.start, window.end, chosen),
        "timeline_href": f"/{around.query()}",
    }


def _frame(frame: Frame) -> FrameRow:
    place = f"{frame.path}:{frame.line}" if frame.line else frame.path
    return FrameRow(place=place, function=frame.function, is_ours=frame.is_ours)


def page() -> rx.Component:
    return incident_page(IncidentState)
