"""Settings of the read API: the organization's API tokens, and a form that makes one."""

from __future__ import annotations

from typing import Any, TypedDict
from uuid import UUID

import reflex as rx

from blametrail.accounts import api_tokens
from blametrail.accounts.api_tokens import ApiTokenView, TokenState
from blametrail.accounts.roles import Actor, Role
from blametrail.kit.db import ScopedSession, database
from blametrail.settings import settings
from blametrail.ui import live
from blametrail.ui.guard import action, tell
from blametrail.ui.pages.services import may_administer
from blametrail.ui.parts.browser import ApiForm, Confirm, CopyButton, OneTimeSecret, When
from blametrail.ui.parts.fields import field
from blametrail.ui.parts.settings_tabs import settings_tabs
from blametrail.ui.parts.vars import count, fill
from blametrail.ui.shell import shell, show_actor


class ApiTokenRow(TypedDict):
    id: str
    name: str
    start: str
    state: str
    created_by: str
    created_at: str
    expires_at: str
    ended_at: str
    used_at: str
    used_from: str


class ApiTokensState(rx.State):
    ready: bool = False
    valid: list[ApiTokenRow] = []
    ended: list[ApiTokenRow] = []
    example: str = ""

    @rx.event
    @action(Role.VIEWER)
    async def load(self, actor: Actor) -> None:
        await show_actor(self, actor)
        live.subscribe(self, actor.organization_id, "api-tokens")
        await self._refresh(actor)

    @rx.event
    @action(Role.ADMIN)
    async def revoke(self, actor: Actor, token_id: str, confirmation: str) -> None:
        await database().write(actor.organization_id, api_tokens.revoke, actor, UUID(token_id))
        await tell(self, "Revoked. The token is refused from now on.")

    async def _refresh(self, actor: Actor) -> None:
        await fill(self, ApiTokensState, await database().read(actor.organization_id, _load, actor))


def _load(session: ScopedSession, actor: Actor) -> dict[str, Any]:
    """Everything the page shows, by the name of its var; tokens for admins only."""
    found = api_tokens.list_tokens(session) if actor.role.includes(Role.ADMIN) else []
    return {
        "ready": True,
        "valid": [_row(one) for one in found if one.state is TokenState.VALID],
        "ended": [_row(one) for one in found if one.state is not TokenState.VALID],
        "example": f'curl -fsS -H "Authorization: Bearer $BLAMETRAIL_API_TOKEN" {settings().base_url}/api/v1/live',
    }


def _row(one: ApiTokenView) -> ApiTokenRow:
    ended_at = one.revoked_at or one.expires_at
    return ApiTokenRow(
        id=one.id,
        name=one.name,
        start=one.start,
        state=one.state.value,
        created_by=one.created_by,
        created_at=one.created_at.isoformat(),
        expires_at=one.expires_at.isoformat() if one.expires_at else "",
        ended_at=ended_at.isoformat() if ended_at else "",
        used_at=one.used_at.isoformat() if one.used_at else "",
        used_from=one.used_from,
    )


def page() -> rx.Component:
    return shell(
        "Settings",
        settings_tabs(),
        rx.cond(
            ApiTokensState.ready,
            rx.el.div(_about(), rx.cond(may_administer(), rx.fragment(_make(), _tokens())), class_name="settings-page"),
            rx.el.div(class_name="skeleton table-skeleton", aria_label="Loading"),
        ),
    )


def _about() -> rx.Component:
    return rx.el.section(
        rx.el.h2("API tokens"),
        rx.el.p(
            "A script that shows one of these reads this organization's deploys and services, as a viewer does. "
            "It changes nothing.",
            class_name="lede",
        ),
        rx.el.div(
            rx.el.pre(ApiTokensState.example, tab_index=0, aria_label="Example"),
            CopyButton.create(text=ApiTokensState.example, label="Copy"),
            class_name="snippet",
        ),
        rx.cond(may_administer(), rx.fragment(), rx.el.p("Admins make and revoke API tokens.", class_name="muted")),
    )


def _make() -> rx.Component:
    return rx.el.section(
        rx.el.h2("New token"),
        ApiForm.create(
            rx.el.div(
                field(
                    "Name",
                    "name",
                    required=True,
                    max_length=api_tokens.LONGEST_NAME,
                    auto_complete="off",
                    placeholder="grafana",
                ),
                field(
                    "Expires after, days", "days", type="number", min="1", max=str(api_tokens.MOST_DAYS), placeholder="never"
                ),
                rx.el.button("Make token", type="submit", class_name="button primary"),
                class_name="columns end",
            ),
            action="/form/api-token",
            reset_on_done=True,
            label="New token",
        ),
        OneTimeSecret.create(
            of="api-token", label="The API token", hint="It is shown this once. Keep it where the script reads its secrets."
        ),
    )


def _tokens() -> rx.Component:
    s = ApiTokensState
    return rx.el.section(
        rx.el.h2("In force"),
        rx.cond(
            count(s.valid) > 0,
            rx.el.ul(rx.foreach(s.valid, _token), class_name="people"),
            rx.el.p("No token is in force.", class_name="muted"),
        ),
        rx.cond(
            count(s.ended) > 0,
            rx.el.details(
                rx.el.summary(count(s.ended), " revoked or expired"),
                rx.el.ul(rx.foreach(s.ended, _ended_token), class_name="people"),
                class_name="disclosure",
            ),
        ),
    )


def _token(t: rx.Var[ApiTokenRow]) -> rx.Component:
    return rx.el.li(
        rx.el.div(
            *_facts(t),
            rx.el.small(
                rx.cond(
                    t["used_at"] != "",
                    rx.fragment("Last used ", When.create(at=t["used_at"]), " from ", t["used_from"]),
                    "Never used",
                ),
                rx.cond(
                    t["expires_at"] != "", rx.fragment(" · expires ", When.create(at=t["expires_at"])), " · does not expire"
                ),
                class_name="muted",
            ),
        ),
        Confirm.create(
            trigger="Revoke",
            title="Revoke the API token?",
            text=f"Whatever still shows {t['name']} ({t['start']}…) is refused at its next request. It cannot be undone.",
            action="Revoke",
            danger=True,
            on_confirm=lambda typed: ApiTokensState.revoke(t["id"], typed),
        ),
        key=t["id"],
    )


def _ended_token(t: rx.Var[ApiTokenRow]) -> rx.Component:
    return rx.el.li(
        rx.el.div(
            *_facts(t),
            rx.el.small(
                rx.cond(t["state"] == "revoked", "Revoked ", "Expired "), When.create(at=t["ended_at"]), class_name="muted"
            ),
        ),
        key=t["id"],
    )


def _facts(t: rx.Var[ApiTokenRow]) -> tuple[rx.Component, ...]:
    return (
        rx.el.strong(t["name"]),
        rx.el.span(" ", rx.el.code(t["start"], "…")),
        rx.el.br(),
        rx.el.small("by ", t["created_by"], ", ", When.create(at=t["created_at"]), class_name="muted"),
        rx.el.br(),
    )
