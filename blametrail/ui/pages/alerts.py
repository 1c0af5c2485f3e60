"""Settings of the organization: where alerts come from, which service they are about, and what came in."""

from __future__ import annotations

from typing import Any, TypedDict
from uuid import UUID

import reflex as rx

from blametrail.accounts.roles import Actor, Role
from blametrail.catalog.services import NO_SERVICE, Environment, names
from blametrail.incidents.alerts import connect, deliveries, mappings
from blametrail.incidents.alerts.shapes import SourceKind
from blametrail.incidents.alerts.snippets import TITLES, snippets
from blametrail.incidents.alerts.take import Result
from blametrail.kit.db import ScopedSession, database
from blametrail.kit.errors import Invalid, NotFound
from blametrail.kit.keys import key_ring
from blametrail.settings import settings
from blametrail.ui import live
from blametrail.ui.guard import action, tell
from blametrail.ui.pages.services import may_administer
from blametrail.ui.parts.alert_log import MessageRow, UnmappedRow, message_log, unmapped_list
from blametrail.ui.parts.browser import ApiForm, Confirm, FieldError, OneTimeSecret, Tabs, When
from blametrail.ui.parts.fields import field, field_error
from blametrail.ui.parts.settings_tabs import settings_tabs
from blametrail.ui.parts.vars import count, fill
from blametrail.ui.shell import shell, show_actor

WORDS = {
    Result.OPENED: "opened an incident",
    Result.RESOLVED: "resolved an incident",
    Result.ABSORBED: "joined an incident",
    Result.UNMAPPED: "belongs to no service",
    Result.COUNTED: "counted",
    Result.NOTED: "nothing to do",
    Result.UNREADABLE: "not readable",
    Result.TEST: "test",
}
TONES = {
    Result.UNREADABLE: "bad",
    Result.UNMAPPED: "bad",
    Result.OPENED: "good",
    Result.RESOLVED: "good",
    Result.ABSORBED: "good",
}


class SourceRow(TypedDict):
    id: str
    name: str
    kind: str
    start: str
    signs: bool
    has_secret: bool
    about: str
    made: str
    by: str
    used_at: str
    used_from: str


class MappingRow(TypedDict):
    id: str
    labels: str
    service: str
    environment: str


class ServiceChoice(TypedDict):
    id: str
    name: str


class AlertsState(rx.State):
    ready: bool = False
    sources: list[SourceRow] = []
    mappings: list[MappingRow] = []
    services: list[ServiceChoice] = []
    unmapped: list[UnmappedRow] = []
    messages: list[MessageRow] = []
    snippets: list[dict[str, str]] = []
    errors: dict[str, str] = {}
    preview: str = ""

    @rx.event
    @action(Role.VIEWER)
    async def load(self, actor: Actor) -> None:
        await show_actor(self, actor)
        live.subscribe(self, actor.organization_id, "alerts", "services")
        self.errors, self.preview = {}, ""
        await self._refresh(actor)

    @rx.event
    @action(Role.ADMIN)
    async def drop(self, actor: Actor, source_id: str, confirmation: str) -> None:
        await database().write(actor.organization_id, connect.drop_source, actor, _id(source_id, connect.NO_SOURCE))
        await tell(self, "What it sends is refused from now on.")

    @rx.event
    @action(Role.ADMIN)
    async def send_test(self, actor: Actor, source_id: str) -> None:
        """Read a message such as the source's vendor would send, and say what it would do."""
        wanted = _id(source_id, connect.NO_SOURCE)
        await tell(self, await database().write(actor.organization_id, deliveries.send_test, actor, wanted))

    @rx.event
    @action(Role.ADMIN)
    async def add_mapping(self, actor: Actor, form: dict[str, Any]) -> None:
        """A mapping from the labels, service and environment of the form."""
        self.errors, self.preview = {}, ""
        labels, environment = str(form.get("labels", "")), str(form.get("environment", ""))
        try:
            service_id = _id(str(form.get("service_id", "")), NO_SERVICE)
            await database().write(actor.organization_id, mappings.add_mapping, actor, labels, service_id, environment)
        except Invalid as error:
            self.errors = error.fields
            return
        await tell(self, "Alerts with these labels are of this service from now on.")

    @rx.event
    @action(Role.VIEWER)
    async def try_labels(self, actor: Actor, form: dict[str, Any]) -> None:
        """Where an alert with these labels would go."""
        self.errors = {}
        try:
            place = await database().read(actor.organization_id, mappings.preview, str(form.get("tried", "")))
        except Invalid as error:
            self.errors = {"tried": error.fields["labels"]}
            return
        to = f"{place.service.name} in {place.environment}" if place.service else "No service"
        self.preview = f"{to}: {place.why}."

    @rx.event
    @action(Role.ADMIN)
    async def drop_mapping(self, actor: Actor, mapping_id: str) -> None:
        await database().write(actor.organization_id, mappings.drop_mapping, actor, _id(mapping_id, mappings.NO_MAPPING))

    @rx.event
    @action(Role.ADMIN)
    async def replay(self, actor: Actor, delivery_id: str) -> None:
        """Act once more on a message that is kept."""
        wanted = _id(delivery_id, deliveries.NO_DELIVERY)
        result = await database().write(actor.organization_id, deliveries.replay, key_ring(), actor, wanted)
        await tell(self, f"Replayed: {WORDS[result]}.")

    async def _refresh(self, actor: Actor) -> None:
        await fill(self, AlertsState, await database().read(actor.organization_id, _load, actor))


def _id(text: str, missing: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise NotFound(missing) from None


def _load(session: ScopedSession, actor: Actor) -> dict[str, Any]:
    """Everything the page shows, by the name of its var; payloads for admins only."""
    is_admin = actor.role.includes(Role.ADMIN)
    return {
        "ready": True,
        "sources": [_source(view) for view in connect.list_sources(session)],
        "mappings": [
            MappingRow(id=m.id, labels=m.labels, service=m.service, environment=m.environment)
            for m in mappings.list_mappings(session)
        ],
        "services": sorted(
            (ServiceChoice(id=str(id_), name=name) for id_, name in names(session).items()), key=lambda s: s["name"].lower()
        ),
        "unmapped": [_unmapped(view) for view in deliveries.list_unmapped(session)],
        "messages": [_message(view, is_admin) for view in deliveries.list_deliveries(session)],
        "snippets": [{"title": s.title, "hint": s.hint, "text": s.text} for s in snippets(settings().base_url)],
    }


def _source(view: connect.SourceView) -> SourceRow:
    about = " in ".join(filter(None, (view.service, view.environment)))
    unmapped = "opens incidents of no service" if view.opens_unmapped else "keeps what belongs to no service"
    return SourceRow(
        id=view.id,
        name=view.name,
        kind=TITLES[SourceKind(view.kind)],
        start=view.token_start,
        signs=SourceKind(view.kind) in connect.SIGNING,
        has_secret=view.has_secret,
        about=f"of {about}" if view.service else f"by labels{f', in {about}' if about else ''}; {unmapped}",
        made=view.created_at.isoformat(),
        by=view.created_by,
        used_at=view.used_at.isoformat() if view.used_at else "",
        used_from=view.used_from,
    )


def _unmapped(view: deliveries.UnmappedView) -> UnmappedRow:
    return UnmappedRow(
        id=view.id,
        title=view.title,
        severity=view.severity,
        source=view.source,
        labels=view.labels,
        told=f"told {view.count} times" if view.count > 1 else "told once",
        at=view.last_seen_at.isoformat(),
    )


def _message(view: deliveries.DeliveryView, is_admin: bool) -> MessageRow:
    result = Result(view.result)
    return MessageRow(
        id=view.id,
        at=view.received_at.isoformat(),
        source=view.source,
        result=WORDS[result],
        tone=TONES.get(result, ""),
        reason=view.reason,
        payload=view.payload if is_admin else "",
        incident=view.incident_id,
        replayable=result is not Result.TEST,
    )


def page() -> rx.Component:
    s = AlertsState
    return shell(
        "Settings",
        settings_tabs(),
        rx.cond(
            s.ready,
            rx.el.div(
                _sources(),
                rx.cond(may_administer(), _new_source()),
                rx.el.section(
                    rx.el.h2("Connect a vendor"),
                    rx.el.p("Put the source's token in the place of $TOKEN.", class_name="muted"),
                    Tabs.create(items=s.snippets, label="Vendors"),
                ),
                _mappings(),
                unmapped_list(s.unmapped),
                message_log(s.messages, s.replay),
                class_name="settings-page",
            ),
            rx.el.div(class_name="skeleton table-skeleton", aria_label="Loading"),
        ),
    )


def _sources() -> rx.Component:
    s = AlertsState
    return rx.el.section(
        rx.el.h2("Alerts"),
        rx.el.p(
            "Each source is one system that sends alerts here. They open incidents, add to them and end them by themselves.",
            class_name="lede",
        ),
        rx.cond(
            count(s.sources) > 0,
            rx.el.ul(rx.foreach(s.sources, _source_item), class_name="connections"),
            rx.el.p("There is no source yet: whatever comes in is refused.", class_name="muted"),
        ),
        rx.cond(may_administer(), rx.fragment(), rx.el.p("Admins make and drop sources.", class_name="muted")),
    )


def _source_item(one: rx.Var[SourceRow]) -> rx.Component:
    return rx.el.li(
        rx.el.strong(one["name"]),
        rx.el.span(" ", one["kind"], " · ", rx.el.code(one["start"], "…")),
        rx.el.br(),
        rx.el.small(
            one["about"],
            " · by ",
            one["by"],
            ", ",
            When.create(at=one["made"]),
            rx.cond(
                one["used_at"] != "",
                rx.fragment(" · last message ", When.create(at=one["used_at"]), " from ", one["used_from"]),
                " · no message yet",
            ),
            class_name="muted",
        ),
        rx.cond(may_administer(), _source_tools(one)),
        key=one["id"],
    )


def _source_tools(one: rx.Var[SourceRow]) -> rx.Component:
    return rx.fragment(
        OneTimeSecret.create(of=one["id"], label="The new token", hint="It is shown this once. Set it where the old one was."),
        rx.el.div(
            rx.el.button("Send a test", type="button", class_name="button", on_click=AlertsState.send_test(one["id"])),
            ApiForm.create(
                rx.el.button("Rotate token", type="submit", class_name="button"),
                action="/form/alert-token",
                extra={"source_id": one["id"]},
                label="Rotate token",
            ),
            Confirm.create(
                trigger="Drop",
                title="Drop this source?",
                text="What it sends is refused from then on, and the messages it sent are forgotten. Incidents stay.",
                action="Drop",
                danger=True,
                on_confirm=lambda typed: AlertsState.drop(one["id"], typed),
            ),
            class_name="row",
        ),
        rx.cond(
            one["signs"],
            rx.el.details(
                rx.el.summary(rx.cond(one["has_secret"], "Replace the vendor's secret", "Set the vendor's secret")),
                ApiForm.create(
                    field(
                        "Vendor's secret",
                        "secret",
                        type="password",
                        auto_complete="off",
                        hint="For CloudWatch the topic's ARN. Empty: only the token counts.",
                    ),
                    rx.el.button("Save", type="submit", class_name="button"),
                    action="/form/alert-secret",
                    extra={"source_id": one["id"]},
                    reset_on_done=True,
                    label="Vendor's secret",
                ),
                class_name="disclosure",
            ),
        ),
    )


def _new_source() -> rx.Component:
    return rx.el.section(
        rx.el.h2("New source"),
        ApiForm.create(
            rx.el.div(
                field("Name", "name", required=True, max_length=60, auto_complete="off", placeholder="production"),
                _select("Kind", "kind", *(rx.el.option(title, value=kind.value) for kind, title in TITLES.items())),
                _select(
                    "Service",
                    "service_id",
                    rx.el.option("By labels and mappings", value=""),
                    rx.foreach(AlertsState.services, lambda one: rx.el.option(one["name"], value=one["id"])),
                ),
                _environments(),
                field(
                    "Vendor's secret, if it signs",
                    "secret",
                    type="password",
                    auto_complete="off",
                    hint="Sentry, PagerDuty, Grafana; for CloudWatch the topic's ARN.",
                ),
                class_name="columns",
            ),
            rx.el.label(
                rx.el.input(type="checkbox", name="opens_unmapped"),
                " Open an incident also for what belongs to no service",
                class_name="check",
            ),
            rx.el.div(rx.el.button("Make source", type="submit", class_name="button primary"), class_name="row end"),
            action="/form/alert-source",
            reset_on_done=True,
            label="New source",
        ),
        OneTimeSecret.create(
            of="alert-source",
            label="The alert token",
            hint="It is shown this once. Put it where the vendor sends from, as shown below.",
        ),
    )


def _mappings() -> rx.Component:
    s = AlertsState
    return rx.el.section(
        rx.el.h2("Mappings"),
        rx.el.p(
            "An alert is of the service of its source; else of the one that its label service, job or app names; else of the "
            "first mapping whose labels it all has. A * stands for anything.",
            class_name="muted",
        ),
        rx.cond(
            count(s.mappings) > 0,
            rx.el.ul(rx.foreach(s.mappings, _mapping), class_name="people"),
            rx.el.p("There is no mapping yet.", class_name="muted"),
        ),
        rx.cond(may_administer(), _new_mapping()),
        rx.el.form(
            field("What would these labels map to?", "tried", placeholder="team=payments, job=api-7", auto_complete="off"),
            field_error(s.errors, "tried"),
            rx.el.div(rx.el.button("Look", type="submit", class_name="button"), class_name="row"),
            rx.el.p(s.preview, role="status"),
            on_submit=s.try_labels,
            class_name="form",
            aria_label="Try labels",
            no_validate=True,
        ),
        id="mappings",
    )


def _mapping(m: rx.Var[MappingRow]) -> rx.Component:
    return rx.el.li(
        rx.el.div(
            rx.el.code(m["labels"]),
            " is ",
            rx.el.strong(m["service"]),
            rx.cond(m["environment"] != "", rx.fragment(" in ", m["environment"])),
        ),
        rx.cond(
            may_administer(),
            rx.el.button("Drop", type="button", class_name="button", on_click=AlertsState.drop_mapping(m["id"])),
        ),
        key=m["id"],
    )


def _new_mapping() -> rx.Component:
    s = AlertsState
    return rx.el.form(
        rx.el.div(
            field("Labels", "labels", placeholder="team=payments, job=api-*", auto_complete="off"),
            _select(
                "Service of these labels",
                "service_id",
                rx.foreach(s.services, lambda one: rx.el.option(one["name"], value=one["id"])),
            ),
            _environments(),
            class_name="columns",
        ),
        field_error(s.errors, "labels"),
        rx.el.div(rx.el.button("Add mapping", type="submit", class_name="button"), class_name="row end"),
        on_submit=s.add_mapping,
        reset_on_submit=True,
        class_name="form",
        aria_label="New mapping",
        no_validate=True,
    )


def _environments() -> rx.Component:
    own = rx.el.option("As labels or the service say", value="")
    return _select("Environment", "environment", own, *(rx.el.option(name, value=name) for name in Environment))


def _select(label: str, name: str, *options: rx.Component) -> rx.Component:
    return rx.el.label(rx.el.span(label), rx.el.select(*options, name=name), FieldError.create(name=name), class_name="field")
