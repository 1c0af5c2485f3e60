"""One service: how CI posts to it, its token, what came in, its settings."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import reflex as rx

from blametrail.accounts.roles import Actor, Role
from blametrail.catalog import deploy_tokens, services
from blametrail.catalog.services import NO_SERVICE
from blametrail.catalog.snippets import snippets, try_it
from blametrail.codehosts.connections import list_connections
from blametrail.deploys import delivery_log
from blametrail.deploys.filters import Filters
from blametrail.deploys.find import count_deploys, find_deploys
from blametrail.doctor import diagnose
from blametrail.kit.clock import now
from blametrail.kit.db import ScopedSession, database
from blametrail.kit.errors import Invalid, NotFound
from blametrail.settings import settings
from blametrail.ui import live
from blametrail.ui.guard import action, tell
from blametrail.ui.pages.services import may_administer
from blametrail.ui.parts.browser import ApiForm, Confirm, CopyButton, OneTimeSecret, Tabs, When
from blametrail.ui.parts.connections import add_connection, connection_list, show_connections
from blametrail.ui.parts.deliveries import DeliveryRow, delivery_list, delivery_vars
from blametrail.ui.parts.deploys import DeployRow, deploy_row, deploy_table, environment_tag
from blametrail.ui.parts.doctor import NO_DIAGNOSIS, DiagnosisRow, diagnosis_row, setup_doctor
from blametrail.ui.parts.service_form import Other, service_fields
from blametrail.ui.parts.vars import fill
from blametrail.ui.shell import shell, show_actor

SHOWN_ONCE = "This is shown once. Store it now as the secret BLAMETRAIL_TOKEN of your CI; only its hash is kept here."


class ServiceState(rx.State):
    """The service that the address names."""

    ready: bool = False
    missing: str = ""
    id: str = ""
    name: str = ""
    environment: str = ""
    type: str = ""
    url: str = ""
    team: str = ""
    repositories: str = ""
    others: list[Other] = []
    token_start: str = ""
    token_created_at: str = ""
    token_created_by: str = ""
    token_used_at: str = ""
    token_used_from: str = ""
    ingest_url: str = ""
    try_it: str = ""
    snippets: list[dict[str, str]] = []
    rows: list[DeployRow] = []
    deploy_count: int = 0
    deliveries: list[DeliveryRow] = []
    older: str = ""
    newer: str = ""
    refused: str = ""
    diagnosis: DiagnosisRow = NO_DIAGNOSIS
    errors: dict[str, str] = {}
    saved_at: str = ""
    delete_scope: str = ""

    @rx.event
    @action(Role.VIEWER)
    async def load(self, actor: Actor) -> None:
        await show_actor(self, actor)
        wanted = str(self.service_id)
        live.subscribe(
            self, actor.organization_id, f"service:{wanted}", f"deliveries:{wanted}", "services", "connections", "deploys"
        )
        self.ready, self.errors, self.saved_at = False, {}, ""
        await self._refresh(actor)

    @rx.event
    @action(Role.ADMIN)
    async def save(self, actor: Actor, form: dict[str, Any]) -> None:
        """Change the service; errors stand beside their fields."""
        try:
            draft = services.ServiceDraft.checked(
                **{n: str(form.get(n, "")) for n in ("name", "environment", "type", "url", "owner_team", "repositories")},
                depends_on=[other["id"] for other in self.others if form.get(f"needs-{other['id']}")],
            )
            await database().write(actor.organization_id, services.update, actor, UUID(self.id), draft)
        except Invalid as error:
            self.errors, self.saved_at = {name: f"This {why}." for name, why in error.fields.items()}, ""
            return
        self.errors, self.saved_at = {}, now().isoformat()

    @rx.event
    @action(Role.ADMIN)
    async def delete(self, actor: Actor, confirmation: str) -> Any:
        await database().write(actor.organization_id, services.delete, actor, UUID(self.id))
        await tell(self, f"{self.name} is deleted, with its deploys, token and delivery log.")
        return rx.redirect("/services")

    async def _refresh(self, actor: Actor) -> None:
        try:
            wanted = UUID(str(self.service_id))
            query = self.router.url.query_parameters
            shown = await database().read(actor.organization_id, _load, wanted, query.get("before", ""), query.get("after", ""))
        except (ValueError, NotFound):
            self.ready, self.missing = True, NO_SERVICE
            return
        await show_connections(self, shown.pop("connections"), {shown["id"]: shown["name"]})
        await fill(self, ServiceState, shown)


def _load(session: ScopedSession, service_id: UUID, before: str, after: str) -> dict[str, Any]:
    """Everything the page shows, by the name of its var."""
    s = services.view(session, service_id)
    token = deploy_tokens.current(session, service_id)
    of_service = Filters(services=(service_id,))
    deploys, count = find_deploys(session, of_service, limit=8).deploys, count_deploys(session, of_service)
    log = delivery_log.list_deliveries(session, service_id, before, after)
    last = log.deliveries[0] if log.deliveries and not log.newer else None
    needs = {id_ for id_, _ in s.depends_on}
    return {
        "ready": True,
        "missing": "",
        "id": s.id,
        "name": s.name,
        "environment": s.environment,
        "type": s.type,
        "url": s.url,
        "team": s.owner_team,
        "repositories": "\n".join(str(r) for r in s.repositories),
        "others": [
            Other(id=str(id_), name=name, chosen=str(id_) in needs)
            for id_, name in sorted(services.names(session).items(), key=lambda pair: pair[1].lower())
            if id_ != service_id
        ],
        "token_start": token.start if token else "",
        "token_created_at": token.created_at.isoformat() if token else "",
        "token_created_by": token.created_by if token else "",
        "token_used_at": token.used_at.isoformat() if token and token.used_at else "",
        "token_used_from": token.used_from if token else "",
        "ingest_url": f"{settings().base_url}/api/ingest/deploy",
        "try_it": try_it(settings().base_url),
        "snippets": [{"title": x.title, "hint": x.hint, "text": x.text} for x in snippets(settings().base_url)],
        "rows": [deploy_row(d) for d in deploys],
        "deploy_count": count,
        **delivery_vars(log, str(service_id)),
        "diagnosis": diagnosis_row(diagnose(session, service_id)),
        "connections": list_connections(session, service_id),
        "refused": last.reason if last and last.status != 200 and not count else "",
        "delete_scope": f"This deletes {s.name} with its {count} deploys, its deploy token and its delivery log. "
        "CI that still posts with the token is refused. It cannot be undone.",
    }


def page() -> rx.Component:
    s = ServiceState
    return shell(
        rx.cond(s.missing != "", "No such service", rx.cond(s.ready, s.name, "Service")),
        rx.cond(
            s.missing != "",
            rx.el.p(s.missing, " ", rx.el.a("All services", href="/services"), class_name="empty"),
            rx.cond(
                s.ready,
                rx.el.div(
                    _head(),
                    setup_doctor(s.diagnosis),
                    _start(),
                    _token(),
                    _code_host(),
                    delivery_list(s.deliveries, s.older, s.newer),
                    _settings(),
                    class_name="service-page",
                ),
                rx.el.div(class_name="skeleton table-skeleton", aria_label="Loading"),
            ),
        ),
    )


def _head() -> rx.Component:
    s = ServiceState
    return rx.fragment(
        rx.el.p(
            environment_tag(s.environment),
            " ",
            s.type,
            rx.cond(s.team != "", rx.fragment(" · ", s.team), ""),
            rx.cond(s.url != "", rx.fragment(" · ", rx.el.a(s.url, href=s.url, rel="noreferrer nofollow")), ""),
            class_name="lede",
        ),
        OneTimeSecret.create(of=s.id, label="The deploy token", hint=SHOWN_ONCE),
        rx.cond(
            s.deploy_count > 0,
            rx.el.section(
                rx.el.div(
                    rx.el.h2("Latest deploys"),
                    rx.el.a("All ", s.deploy_count, href="/deploys?service=" + s.name),
                    class_name="section-head",
                ),
                deploy_table(s.rows, "Latest deploys of this service"),
            ),
            rx.el.section(
                rx.el.h2(rx.el.span(class_name="listening", aria_hidden="true"), "Listening for the first deploy"),
                rx.el.p(
                    "Paste one of these into your CI, or try it from a terminal. It appears here by itself.", role="status"
                ),
                rx.cond(
                    s.refused != "",
                    rx.el.p(
                        rx.icon("triangle-alert", size=14), " The last request was refused: ", s.refused, class_name="note"
                    ),
                    rx.el.p(
                        "Nothing after two minutes? Usually the token was cut while copying, CI cannot reach this address, or the step did not run.",
                        class_name="muted",
                    ),
                ),
                class_name="waiting",
            ),
        ),
    )


def _start() -> rx.Component:
    s = ServiceState
    return rx.el.section(
        rx.el.h2("Post deploys from CI"),
        rx.el.p(
            "Deploys go to ",
            rx.el.code(s.ingest_url, class_name="ingest-url"),
            " ",
            CopyButton.create(text=s.ingest_url, label="Copy"),
        ),
        Tabs.create(items=s.snippets, label="Snippets"),
        aria_label="Post deploys from CI",
    )


def _token() -> rx.Component:
    s = ServiceState
    return rx.el.section(
        rx.el.h2("Deploy token"),
        rx.cond(
            s.token_start != "",
            rx.el.p(
                rx.el.code(s.token_start, "…"),
                " made ",
                When.create(at=s.token_created_at),
                rx.cond(s.token_created_by != "", rx.fragment(" by ", s.token_created_by), ""),
                ". ",
                rx.cond(
                    s.token_used_at != "",
                    rx.fragment("Last used ", When.create(at=s.token_used_at), " from ", s.token_used_from, "."),
                    "Never used.",
                ),
            ),
        ),
        rx.cond(
            may_administer(),
            rx.el.details(
                rx.el.summary("Rotate the token"),
                rx.el.p(
                    "A new token is made and shown once. The old one is refused at once: deploys fail to arrive until CI has the new one."
                ),
                ApiForm.create(
                    rx.el.button("Rotate now", type="submit", class_name="button danger"),
                    action="/form/rotate",
                    extra={"service_id": s.id},
                    label="Rotate the deploy token",
                ),
                class_name="disclosure",
            ),
        ),
    )


def _code_host() -> rx.Component:
    return rx.el.section(
        rx.el.h2("Code host"),
        connection_list("The organization's connections are used."),
        rx.cond(
            may_administer(),
            rx.el.details(
                rx.el.summary("Use a token of its own for this service"),
                rx.el.p("It takes priority over the organization's, for this service only.", class_name="muted"),
                add_connection(ServiceState.id),
                class_name="disclosure",
            ),
        ),
        aria_label="Code host",
    )


def _settings() -> rx.Component:
    s = ServiceState
    return rx.cond(
        may_administer(),
        rx.el.section(
            rx.el.h2("Settings"),
            rx.el.form(
                service_fields(s.others, s),
                rx.el.div(
                    rx.el.span(rx.cond(s.saved_at != "", rx.fragment("Saved ", When.create(at=s.saved_at)), ""), role="status"),
                    rx.el.button("Save", type="submit", class_name="button primary"),
                    class_name="row end",
                ),
                on_submit=s.save,
                class_name="form",
                aria_label="Service settings",
                key=s.id,
                no_validate=True,
            ),
            rx.el.div(
                Confirm.create(
                    trigger="Delete service",
                    title="Delete this service?",
                    text=s.delete_scope,
                    action="Delete",
                    danger=True,
                    on_confirm=s.delete,
                ),
                class_name="danger-zone",
            ),
        ),
    )
