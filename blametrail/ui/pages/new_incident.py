"""Open an incident by hand."""

from __future__ import annotations

from typing import Any

import reflex as rx

from blametrail.accounts.roles import Actor, Role
from blametrail.catalog import services
from blametrail.deploys.views import environments
from blametrail.incidents.open import open_incident
from blametrail.incidents.reports import IncidentDraft, Onset, Report, Symptom
from blametrail.incidents.states import IncidentType, Severity
from blametrail.kit.clock import now
from blametrail.kit.db import ScopedSession, database
from blametrail.kit.errors import Invalid
from blametrail.ui import live
from blametrail.ui.guard import action
from blametrail.ui.parts.incident_form import Choice, extent_fields, read_draft, symptom_fields, word_fields
from blametrail.ui.shell import shell, show_actor


class NewIncidentState(rx.State):
    """What there is to choose from, and what was wrong with the last try."""

    title: str = ""
    severity: str = Severity.ERROR.value
    description: str = ""
    service_choices: list[Choice] = []
    environment_choices: list[Choice] = []
    errors: dict[str, str] = {}

    @rx.event
    @action(Role.VIEWER)
    async def load(self, actor: Actor) -> None:
        await show_actor(self, actor)
        live.unsubscribe(self)
        self.errors = {}
        wanted = self.router.url.query_parameters.get("service", "")
        self.service_choices, self.environment_choices = await database().read(actor.organization_id, _choices, wanted)

    @rx.event
    @action(Role.RESPONDER)
    async def open(self, actor: Actor, form: dict[str, Any]) -> Any:
        """Open it; errors stand beside their fields."""
        try:
            draft = read_draft(form, self.service_choices, self.environment_choices)
        except Invalid as error:
            self.errors = {name: f"This {why}." for name, why in error.fields.items()}
            return None
        incident_id = await database().write(actor.organization_id, open_incident, _report(draft, form, actor.name))
        return rx.redirect(f"/incidents/{incident_id}")


def _choices(session: ScopedSession, wanted: str) -> tuple[list[Choice], list[Choice]]:
    named = sorted(services.names(session).items(), key=lambda pair: pair[1].lower())
    offered = [Choice(id=str(id_), name=name, chosen=name == wanted) for id_, name in named]
    return offered, [Choice(id=name, name=name, chosen=name == "production") for name in environments(session)]


def _report(draft: IncidentDraft, form: dict[str, Any], who: str) -> Report:
    moment = now()
    return Report(
        type=IncidentType.MANUAL,
        severity=Severity(draft.severity),
        title=draft.title,
        onset=Onset(moment, moment, moment, "it was opened then; correct it when more is known"),
        detected_at=moment,
        who=who,
        description=draft.description,
        symptom=Symptom(
            **{name: str(form.get(name, "")) for name in ("error_message", "stack_trace", "log_excerpt", "endpoint")}
        ),
        service_ids=draft.service_ids,
        environments=draft.environments,
    )


def page() -> rx.Component:
    s = NewIncidentState
    return shell(
        "Open an incident",
        rx.el.form(
            word_fields(s),
            extent_fields(s),
            symptom_fields(),
            rx.el.div(
                rx.el.a("Cancel", href="/incidents", class_name="button"),
                rx.el.button("Open", type="submit", class_name="button primary"),
                class_name="row end",
            ),
            on_submit=s.open,
            class_name="form",
            aria_label="Open an incident",
            no_validate=True,
        ),
    )
