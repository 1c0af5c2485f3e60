"""Settings of the organization: webhooks of code hosts, their secrets, and what came in."""

from __future__ import annotations

from typing import Any, TypedDict
from uuid import UUID

import reflex as rx

from blametrail.accounts.roles import Actor, Role
from blametrail.changes import deliveries, webhook_secrets
from blametrail.changes.deliveries import Outcome, list_deliveries
from blametrail.changes.watch import list_watched
from blametrail.changes.webhook_secrets import SecretView, list_secrets
from blametrail.codehosts.access import Kind
from blametrail.kit.db import ScopedSession, database
from blametrail.kit.errors import NotFound
from blametrail.settings import settings
from blametrail.ui import live
from blametrail.ui.guard import action, tell
from blametrail.ui.pages.services import may_administer
from blametrail.ui.parts.browser import ApiForm, Confirm, CopyButton, OneTimeSecret, When
from blametrail.ui.parts.settings_tabs import settings_tabs
from blametrail.ui.parts.vars import count, fill
from blametrail.ui.shell import shell, show_actor

WORDS = {
    Outcome.STORED: "stored",
    Outcome.POLLED: "looked for merges",
    Outcome.NOTED: "nothing to do",
    Outcome.QUARANTINED: "not readable",
}


class SecretRow(TypedDict):
    id: str
    kind: str
    created_by: str
    created_at: str
    used_at: str
    current: bool


class RepositoryRow(TypedDict):
    id: str
    name: str
    webhook_at: str
    polled_at: str
    fault: str
    remedy: str


class WebhookRow(TypedDict):
    id: str
    at: str
    host: str
    event: str
    repository: str
    outcome: str
    bad: bool
    reason: str
    body: str


class WebhooksState(rx.State):
    ready: bool = False
    base_url: str = ""
    github: list[SecretRow] = []
    gitlab: list[SecretRow] = []
    repositories: list[RepositoryRow] = []
    rows: list[WebhookRow] = []

    @rx.event
    @action(Role.VIEWER)
    async def load(self, actor: Actor) -> None:
        await show_actor(self, actor)
        live.subscribe(self, actor.organization_id, "webhooks", "changes", "services")
        await self._refresh(actor)

    @rx.event
    @action(Role.ADMIN)
    async def drop(self, actor: Actor, secret_id: str, confirmation: str) -> None:
        await database().write(actor.organization_id, webhook_secrets.drop, actor, _id(secret_id, webhook_secrets.NO_SECRET))
        await tell(self, "What is signed with it is refused from now on.")

    @rx.event
    @action(Role.ADMIN)
    async def replay(self, actor: Actor, delivery_id: str) -> None:
        """Read one once more that could not be read."""
        wanted = _id(delivery_id, deliveries.NO_DELIVERY)
        outcome = await database().write(actor.organization_id, deliveries.replay, actor, wanted)
        await tell(self, f"Read again: {WORDS.get(outcome, outcome)}.")

    async def _refresh(self, actor: Actor) -> None:
        await fill(self, WebhooksState, await database().read(actor.organization_id, _load, actor))


def _id(text: str, missing: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise NotFound(missing) from None


def _load(session: ScopedSession, actor: Actor) -> dict[str, Any]:
    """Everything the page shows, by the name of its var; bodies for admins only."""
    secrets = [_secret(view) for view in list_secrets(session)]
    is_admin = actor.role.includes(Role.ADMIN)
    return {
        "ready": True,
        "base_url": settings().base_url,
        "github": [row for row in secrets if row["kind"] == Kind.GITHUB],
        "gitlab": [row for row in secrets if row["kind"] == Kind.GITLAB],
        "repositories": [
            RepositoryRow(
                id=one.id,
                name=f"{one.host_url.partition('://')[2]}/{one.path}",
                webhook_at=one.webhook_at.isoformat() if one.webhook_at else "",
                polled_at=one.polled_at.isoformat() if one.polled_at else "",
                fault=one.fault,
                remedy=one.remedy,
            )
            for one in list_watched(session)
        ],
        "rows": [
            WebhookRow(
                id=one.id,
                at=one.received_at.isoformat(),
                host="GitHub" if one.kind == Kind.GITHUB else "GitLab",
                event=one.event,
                repository=one.repository,
                outcome=WORDS.get(Outcome(one.outcome), one.outcome),
                bad=one.outcome == Outcome.QUARANTINED,
                reason=one.reason,
                body=one.body if is_admin else "",
            )
            for one in list_deliveries(session)
        ],
    }


def _secret(view: SecretView) -> SecretRow:
    return SecretRow(
        id=view.id,
        kind=view.kind,
        created_by=view.created_by,
        created_at=view.created_at.isoformat(),
        used_at=view.used_at.isoformat() if view.used_at else "",
        current=view.is_current,
    )


def page() -> rx.Component:
    s = WebhooksState
    return shell(
        "Settings",
        settings_tabs(),
        rx.cond(
            s.ready,
            rx.el.div(
                rx.el.section(
                    rx.el.h2("Webhooks"),
                    rx.el.p(
                        "With a webhook, a merge is known the moment it happens. Without one, every linked repository is asked "
                        "every five minutes; nothing is lost, it is only later.",
                        class_name="lede",
                    ),
                    _repositories(),
                ),
                _host(
                    "GitHub",
                    "github",
                    s.github,
                    "In the repository or organization: Settings, Webhooks, Add webhook. Content type application/json, the "
                    "secret below, and these events:",
                    "Pull requests and Pushes",
                ),
                _host(
                    "GitLab",
                    "gitlab",
                    s.gitlab,
                    "In the project or group: Settings, Webhooks, Add new webhook. The secret below as the signing token, or as "
                    "the secret token where there is no such field; and these triggers:",
                    "Merge request events and Push events",
                ),
                _came_in(),
                class_name="settings-page",
            ),
            rx.el.div(class_name="skeleton table-skeleton", aria_label="Loading"),
        ),
    )


def _repositories() -> rx.Component:
    s = WebhooksState
    return rx.cond(
        count(s.repositories) > 0,
        rx.el.ul(rx.foreach(s.repositories, _repository), class_name="connections"),
        rx.el.p("No service links a repository yet. ", rx.el.a("Link one", href="/services"), class_name="muted"),
    )


def _repository(r: rx.Var[RepositoryRow]) -> rx.Component:
    return rx.el.li(
        rx.el.strong(r["name"]),
        rx.el.br(),
        rx.el.small(
            rx.cond(r["webhook_at"] != "", rx.fragment("Last webhook ", When.create(at=r["webhook_at"])), "No webhook yet"),
            " · ",
            rx.cond(r["polled_at"] != "", rx.fragment("asked ", When.create(at=r["polled_at"])), "not asked yet"),
            class_name="muted",
        ),
        rx.cond(r["fault"] != "", rx.el.p(r["fault"], " ", r["remedy"], class_name="gap")),
        key=r["id"],
    )


def _host(title: str, kind: str, secrets: rx.Var[list[SecretRow]], how: str, events: str) -> rx.Component:
    address = WebhooksState.base_url + f"/api/{kind}/webhook"
    return rx.el.section(
        rx.el.h2(title),
        rx.el.p(how, " ", rx.el.strong(events), "."),
        rx.el.div(
            rx.el.pre(address, tab_index=0, aria_label=f"Address for {title}"),
            CopyButton.create(text=address, label="Copy"),
            class_name="snippet",
        ),
        rx.cond(
            count(secrets) > 0,
            rx.el.ul(rx.foreach(secrets, _kept_secret), class_name="people"),
            rx.el.p("There is no secret yet: whatever comes in is refused.", class_name="muted"),
        ),
        rx.cond(
            may_administer(),
            rx.fragment(
                OneTimeSecret.create(
                    of=f"webhook-{kind}",
                    label=f"The secret for {title}",
                    hint=f"It is shown this once. Set it at {title}; then drop the old one here, if there is one.",
                ),
                rx.cond(
                    count(secrets) < webhook_secrets.MOST_OF_A_KIND,
                    ApiForm.create(
                        rx.el.button(
                            rx.cond(count(secrets) > 0, "Replace the secret", "Make a secret"),
                            type="submit",
                            class_name="button",
                        ),
                        action="/form/webhook-secret",
                        extra={"kind": kind},
                        label=f"Secret for {title}",
                    ),
                ),
            ),
            rx.el.p("Admins make and drop secrets.", class_name="muted"),
        ),
        id=kind,
    )


def _kept_secret(one: rx.Var[SecretRow]) -> rx.Component:
    return rx.el.li(
        rx.el.div(
            rx.el.strong(rx.cond(one["current"], "Secret", "Old secret, still taken")),
            rx.el.br(),
            rx.el.small(
                "by ",
                one["created_by"],
                ", ",
                When.create(at=one["created_at"]),
                rx.cond(one["used_at"] != "", rx.fragment(" · last used ", When.create(at=one["used_at"])), " · never used"),
                class_name="muted",
            ),
        ),
        rx.cond(
            may_administer(),
            Confirm.create(
                trigger="Drop",
                title="Drop this secret?",
                text="Webhooks signed with it are refused from then on. What they tell of is found by asking, minutes later.",
                action="Drop",
                danger=True,
                on_confirm=lambda typed: WebhooksState.drop(one["id"], typed),
            ),
        ),
        key=one["id"],
    )


def _came_in() -> rx.Component:
    s = WebhooksState
    return rx.el.section(
        rx.el.h2("Last webhooks"),
        rx.el.p("The last 50 that were signed; each is kept for 30 days. ", class_name="muted"),
        rx.cond(
            count(s.rows) > 0,
            rx.el.ol(rx.foreach(s.rows, _webhook), class_name="webhook-log"),
            rx.el.p(
                rx.el.span(class_name="listening", aria_hidden="true"),
                "Listening. GitHub sends a first one the moment its webhook is added; at GitLab, press Test.",
            ),
        ),
    )


def _webhook(w: rx.Var[WebhookRow]) -> rx.Component:
    return rx.el.li(
        rx.el.details(
            rx.el.summary(
                rx.el.span(w["outcome"], class_name=rx.cond(w["bad"], "status bad", "status good")),
                " ",
                rx.el.span(w["host"], " ", w["event"], class_name="muted"),
                " ",
                rx.el.small(When.create(at=w["at"]), class_name="muted"),
            ),
            rx.el.p(rx.cond(w["repository"] != "", rx.fragment(rx.el.strong(w["repository"]), ": ")), w["reason"]),
            rx.cond(
                w["body"] != "",
                rx.fragment(
                    rx.el.pre(w["body"], tab_index=0, aria_label="Body, secrets masked"),
                    rx.el.button("Read it again", type="button", class_name="button", on_click=WebhooksState.replay(w["id"])),
                ),
            ),
        ),
        key=w["id"],
    )
