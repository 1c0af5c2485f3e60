"""The pages put together, and what runs beside them; `server.py` puts the API in front."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import reflex as rx
from reflex.app import default_error_boundary

from blametrail.background import JOBS, PERIODIC, look_at_links
from blametrail.incidents.monitors.run import checking
from blametrail.kit.db import database
from blametrail.kit.errors import Unavailable
from blametrail.kit.jobs import working
from blametrail.kit.keys import key_ring
from blametrail.kit.live import hub
from blametrail.kit.schedule import ticking
from blametrail.ui import live
from blametrail.ui.guard import OneSessionOnly, on_stray_error
from blametrail.ui.pages import (
    account,
    alerts,
    api_tokens,
    change_events,
    changes,
    code_hosts,
    deploy,
    deploys,
    doors,
    incident,
    incidents,
    jobs,
    lost,
    monitors,
    new_incident,
    new_service,
    organization,
    people,
    service,
    services,
    timeline,
    webhooks,
    what_changed,
)
from blametrail.ui.socket import check_sockets, on_page_error


@asynccontextmanager
async def beside_the_pages() -> AsyncIterator[None]:
    """What lives as long as the server: the live pages, the clock, the worker of jobs, the monitors, the database."""
    async with (
        live.refreshing(app),
        ticking(PERIODIC),
        working(database(), hub(), JOBS),
        checking(database(), key_ring()),
    ):
        with suppress(Unavailable):  # the clock comes to it again
            await look_at_links()
        yield
    hub().close()
    database().close()


app = rx.App(
    stylesheets=["/blametrail.css"],
    app_wraps={(55, "ErrorBoundary"): lambda stateful: default_error_boundary()},
    toaster=None,
    backend_exception_handler=on_stray_error,
    frontend_exception_handler=on_page_error,
    html_lang="en",
    head_components=[
        rx.el.meta(name="description", content="Which change broke it? Every deploy on one live timeline."),
        rx.el.meta(name="theme-color", content="#0f6b5c"),
        rx.el.link(rel="icon", href="/favicon.svg", type="image/svg+xml"),
    ],
)
check_sockets(app)
app.add_middleware(OneSessionOnly())
app.register_lifespan_task(beside_the_pages)

for page, route, title, load in (
    (timeline.page, "/", "Timeline", timeline.TimelineState.load),
    (deploys.page, "/deploys", "Deploys", deploys.DeploysState.load),
    (deploy.page, "/deploys/[deploy_id]", "Deploy", deploy.DeployState.load),
    (incidents.page, "/incidents", "Incidents", incidents.IncidentsState.load),
    (new_incident.page, "/incidents/new", "Open an incident", new_incident.NewIncidentState.load),
    (incident.page, "/incidents/[incident_id]", "Incident", incident.IncidentState.load),
    (monitors.page, "/monitors", "Monitors", monitors.MonitorsState.load),
    (services.page, "/services", "Services", services.ServicesState.load),
    (new_service.page, "/services/new", "New service", new_service.NewServiceState.load),
    (service.page, "/services/[service_id]", "Service", service.ServiceState.load),
    (people.page, "/settings", "People", people.PeopleState.load),
    (organization.page, "/settings/organization", "Organization", organization.OrganizationState.load),
    (code_hosts.page, "/settings/code-hosts", "Code hosts", code_hosts.CodeHostsState.load),
    (api_tokens.page, "/settings/api-tokens", "API tokens", api_tokens.ApiTokensState.load),
    (alerts.page, "/settings/alerts", "Alerts", alerts.AlertsState.load),
    (webhooks.page, "/settings/webhooks", "Webhooks", webhooks.WebhooksState.load),
    (changes.page, "/changes", "Changes", changes.ChangesState.load),
    (change_events.page, "/changes/events", "Change events", change_events.ChangeEventsState.load),
    (what_changed.page, "/changes/between", "What changed", what_changed.WhatChangedState.load),
    (jobs.page, "/settings/jobs", "Jobs", jobs.JobsState.load),
    (account.page, "/account", "Your account", account.AccountState.load),
    (doors.login, "/login", "Sign in", doors.DoorState.open_login),
    (doors.setup, "/setup", "Set up", doors.DoorState.open_setup),
):
    app.add_page(page, route=route, title=f"{title} · BlameTrail", on_load=load)
app.add_page(doors.join, route="/join", title="Join · BlameTrail")
app.add_page(lost.page, route="/404", title="Nothing is here · BlameTrail")
