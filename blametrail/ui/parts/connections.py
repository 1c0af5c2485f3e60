"""Connections to code hosts, on the page of the organization and on those of services."""

from __future__ import annotations

from typing import Any, TypedDict
from uuid import UUID

import reflex as rx

from blametrail.accounts.roles import Actor, Role
from blametrail.codehosts import connections
from blametrail.codehosts.check import Check, check_connection
from blametrail.codehosts.connections import ConnectionView
from blametrail.kit.db import database
from blametrail.kit.keys import key_ring
from blametrail.ui.guard import action, tell
from blametrail.ui.pages.services import may_administer
from blametrail.ui.parts.browser import ApiForm, Confirm, When
from blametrail.ui.parts.fields import area, field
from blametrail.ui.parts.vars import fill

LEVELS = {"read": "Read only", "write": "Read and write"}
GITHUB_RIGHTS = (
    "A fine-grained token needs Contents and Pull requests, read, for the repositories it is for; a classic one needs repo, or "
    "public_repo when all are public. To open pull requests later: Contents and Pull requests, read and write."
)
GITLAB_RIGHTS = (
    "A token of a project, a group or a service account with read_api and read_repository; to open merge requests later, api."
)
APP_RIGHTS = (
    "Permissions: Metadata, Contents, Pull requests and Members, read; to open pull requests later, Contents and Pull requests, "
    "read and write. Make a private key on the app's page, install the app, and take the installation's number from its address."
)


class CheckLine(TypedDict):
    ok: bool
    text: str
    remedy: str


class ConnectionRow(TypedDict):
    id: str
    host: str
    host_url: str
    whose: str
    credential: str
    level: str
    set_by: str
    set_at: str
    used_at: str
    expires_at: str
    expires_soon: bool
    login: str
    granted: str
    warning: str
    fault: str
    remedy: str
    checks: list[CheckLine]


class ConnectionsState(rx.State):
    """The connections that a page shows, and what tests of this tab said."""

    rows: list[ConnectionRow] = []
    _checks: dict[str, list[CheckLine]] = {}

    @rx.event
    @action(Role.ADMIN)
    async def check(self, actor: Actor, connection_id: str) -> None:
        checked = await check_connection(database(), key_ring(), actor, UUID(connection_id))
        self._checks = self._checks | {connection_id: _lines(checked)}
        self.rows = [{**row, "checks": self._checks.get(row["id"], [])} for row in self.rows]

    @rx.event
    @action(Role.ADMIN)
    async def change_level(self, actor: Actor, connection_id: str, level: str) -> None:
        await database().write(actor.organization_id, connections.change_level, actor, UUID(connection_id), level)
        await tell(self, "Saved.")

    @rx.event
    @action(Role.ADMIN)
    async def remove(self, actor: Actor, connection_id: str, confirmation: str) -> None:
        await database().write(actor.organization_id, connections.remove, actor, UUID(connection_id))
        await tell(self, "Removed. Deploys are still recorded; what they carry is not asked there any more.")


async def show_connections(page: rx.State, views: list[ConnectionView], services: dict[str, str]) -> None:
    """Show these on the page of a tab; `services` are names by id."""
    state = await page.get_state(ConnectionsState)
    rows = [_row(view, services, state._checks.get(view.id, [])) for view in views]
    await fill(page, ConnectionsState, {"rows": rows})


def _row(view: ConnectionView, services: dict[str, str], checks: list[CheckLine]) -> ConnectionRow:
    return ConnectionRow(
        id=view.id,
        host=view.host_url.partition("://")[2],
        host_url=view.host_url,
        whose=services.get(view.service_id, "") if view.service_id else "",
        credential="GitHub App" if view.credential == "app" else "token",
        level=view.level,
        set_by=view.set_by,
        set_at=view.set_at.isoformat(),
        used_at=view.used_at.isoformat() if view.used_at else "",
        expires_at=view.expires_at.isoformat() if view.expires_at else "",
        expires_soon=view.expires_soon,
        login=view.login,
        granted=view.granted,
        warning=view.warning,
        fault=view.fault,
        remedy=view.remedy,
        checks=checks,
    )


def _lines(checked: Check) -> list[CheckLine]:
    if checked.reason:
        return [CheckLine(ok=False, text=checked.reason, remedy=checked.remedy)]
    works = CheckLine(ok=True, text=f"It works; the host knows it as {checked.login}.", remedy="")
    return [
        works,
        *(
            CheckLine(ok=not seen.reason, text=f"{seen.path}: {seen.reason or 'can be read.'}", remedy=seen.remedy)
            for seen in checked.repositories
        ),
    ]


def connection_list(none: str) -> rx.Component:
    """The connections of the page, or `none` in words."""
    rows = ConnectionsState.rows
    return rx.cond(
        rows.length() > 0,  # type: ignore[attr-defined]
        rx.el.ul(rx.foreach(rows, _connection), class_name="connections"),
        rx.el.p(none, class_name="muted"),
    )


def _connection(c: rx.Var[ConnectionRow]) -> rx.Component:
    return rx.el.li(
        rx.el.div(
            rx.el.strong(c["host"]),
            rx.cond(c["whose"] != "", rx.el.span(" · only ", c["whose"]), rx.el.span(" · the whole organization")),
            rx.el.span(" · ", c["credential"], rx.cond(c["login"] != "", rx.fragment(" of ", c["login"]), "")),
            class_name="lede",
        ),
        rx.cond(
            c["fault"] != "",
            rx.el.p(rx.icon("triangle-alert", size=14), rx.el.strong(c["fault"]), " ", c["remedy"], class_name="note"),
        ),
        rx.cond(c["warning"] != "", rx.el.p(rx.icon("triangle-alert", size=14), c["warning"], class_name="note")),
        rx.cond(
            c["expires_soon"],
            rx.el.p(
                rx.icon("triangle-alert", size=14),
                rx.el.span("It expires ", When.create(at=c["expires_at"]), ". Replace it before."),
                class_name="note",
            ),
        ),
        rx.el.dl(
            _fact("Set", When.create(at=c["set_at"]), " by ", c["set_by"]),
            _fact("Last used", rx.cond(c["used_at"] != "", When.create(at=c["used_at"]), "never")),
            rx.cond(c["granted"] != "", _fact("May, says the host", rx.el.code(c["granted"]))),
            rx.cond(c["expires_at"] != "", _fact("Expires", When.create(at=c["expires_at"]))),
            _fact("Used for", rx.cond(may_administer(), _level(c), rx.cond(c["level"] == "write", *reversed(LEVELS.values())))),
            class_name="facts",
        ),
        rx.cond(
            c["checks"].length() > 0,
            rx.el.ul(rx.foreach(c["checks"], _check_line), class_name="checks", role="status"),
        ),
        rx.cond(may_administer(), _tools(c)),
        key=c["id"],
    )


def _level(c: rx.Var[ConnectionRow]) -> rx.Component:
    return rx.el.select(
        *(rx.el.option(words, value=level) for level, words in LEVELS.items()),
        value=c["level"],
        on_change=lambda level: ConnectionsState.change_level(c["id"], level),
        aria_label="What this connection is used for",
    )


def _tools(c: rx.Var[ConnectionRow]) -> rx.Component:
    return rx.fragment(
        rx.el.div(
            rx.el.button("Test connection", type="button", on_click=ConnectionsState.check(c["id"]), class_name="button"),
            Confirm.create(
                trigger="Remove",
                title="Remove this connection?",
                text=f"Its secret is deleted here. Deploys are still recorded, but nothing more is asked of {c['host']} with it.",
                action="Remove",
                danger=True,
                on_confirm=lambda typed: ConnectionsState.remove(c["id"], typed),
            ),
            class_name="row",
        ),
        rx.el.details(
            rx.el.summary("Replace the secret"),
            ApiForm.create(
                rx.cond(c["credential"] == "token", _secret("New token"), _key("New private key")),
                rx.el.div(rx.el.button("Replace", type="submit", class_name="button primary"), class_name="row"),
                action="/form/connection-secret",
                extra={"connection_id": c["id"]},
                reset_on_done=True,
                label="Replace the secret",
                class_name="form",
            ),
            class_name="disclosure",
        ),
    )


def _check_line(line: rx.Var[CheckLine]) -> rx.Component:
    return rx.el.li(
        rx.cond(line["ok"], rx.icon("check", size=14), rx.icon("triangle-alert", size=14)),
        rx.el.span(line["text"], rx.cond(line["remedy"] != "", rx.fragment(" ", line["remedy"]), "")),
        class_name=rx.cond(line["ok"], "good", "bad"),
    )


def add_connection(service_id: Any = "") -> rx.Component:
    """Forms for a new connection, one for each kind, for admins; of a service, if its id is given."""
    extra = {"service_id": service_id}
    return rx.cond(
        may_administer(),
        rx.fragment(
            _form("GitHub, with a token", "github", "token", GITHUB_RIGHTS, "https://github.com", _secret("Token"), extra),
            *([_made_by_github()] if isinstance(service_id, str) else []),
            _form(
                "GitHub, as a GitHub App that is there",
                "github",
                "app",
                APP_RIGHTS,
                "https://github.com",
                rx.fragment(
                    rx.el.div(
                        field("App id", "app_id", input_mode="numeric"),
                        field(
                            "Installation id",
                            "installation_id",
                            input_mode="numeric",
                            hint="Empty while it is installed in one place.",
                        ),
                        class_name="columns",
                    ),
                    _key("Private key"),
                ),
                extra,
            ),
            _form("GitLab, with a token", "gitlab", "token", GITLAB_RIGHTS, "https://gitlab.com", _secret("Token"), extra),
        ),
    )


def _made_by_github() -> rx.Component:
    """An app with the right permissions, made at GitHub in three clicks."""
    return rx.el.details(
        rx.el.summary("GitHub, as a new GitHub App"),
        ApiForm.create(
            rx.el.p(
                "The best way for an organization: the app belongs to no person, sees only the repositories that you choose, and "
                "its tokens live for an hour. GitHub makes it with the right permissions; you confirm.",
                class_name="muted",
            ),
            rx.el.div(
                field(
                    "Address of the host",
                    "host_url",
                    type="url",
                    placeholder="https://github.com",
                    hint="Empty for the public one.",
                ),
                field("Organization there", "account", placeholder="acme", hint="Empty for your own account."),
                class_name="columns",
            ),
            _level_field(),
            rx.el.div(rx.el.button("Continue", type="submit", class_name="button primary"), class_name="row end"),
            action="/form/github-app",
            hard=True,
            label="GitHub, as a new GitHub App",
            class_name="form",
        ),
        class_name="disclosure",
    )


def _level_field() -> rx.Component:
    return rx.el.label(
        rx.el.span("Used for"),
        rx.el.select(*(rx.el.option(words, value=level) for level, words in LEVELS.items()), name="level"),
        rx.el.small("Everything works read-only but opening pull requests.", class_name="muted"),
    )


def _form(
    title: str, kind: str, credential: str, rights: str, host: str, secret: rx.Component, extra: dict[str, Any]
) -> rx.Component:
    return rx.el.details(
        rx.el.summary(title),
        ApiForm.create(
            rx.el.p(rights, class_name="muted"),
            field("Address of the host", "host_url", type="url", placeholder=host, hint="Empty for the public one."),
            secret,
            _level_field(),
            rx.el.div(rx.el.button("Save and test", type="submit", class_name="button primary"), class_name="row end"),
            action="/form/connection",
            extra={"kind": kind, "credential": credential, **extra},
            reset_on_done=True,
            label=title,
            class_name="form",
        ),
        class_name="disclosure",
    )


def _secret(label: str) -> rx.Component:
    return field(
        label, "secret", type="password", auto_complete="off", hint="Kept encrypted. It can be replaced, never read again."
    )


def _key(label: str) -> rx.Component:
    return area(
        label,
        "secret",
        rows="4",
        auto_complete="off",
        spell_check=False,
        placeholder="-----BEGIN RSA PRIVATE KEY-----",
        hint="The PEM file of the app. Kept encrypted; it can be replaced, never read again.",
    )


def _fact(name: str, *value: Any) -> rx.Component:
    return rx.fragment(rx.el.dt(name), rx.el.dd(*value))
