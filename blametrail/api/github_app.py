"""Make a GitHub App by its manifest: the browser carries it to GitHub, and comes back with a code for the app's key.

What travels through the browser is signed, for one person, one organization and an hour; the key never passes it.
https://docs.github.com/en/apps/sharing-github-apps/registering-a-github-app-from-a-manifest
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from html import escape
from urllib.parse import quote, urlsplit
from uuid import UUID

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from blametrail.accounts.roles import Actor, Role
from blametrail.api.answers import answer
from blametrail.api.forms.form import Fields, actor_of, routes_of, text
from blametrail.codehosts import connections
from blametrail.codehosts.access import Credential, Kind, Level
from blametrail.codehosts.check import check_connection
from blametrail.codehosts.draft import ConnectionDraft, host_url_of
from blametrail.codehosts.github.app import convert_manifest
from blametrail.kit.db import database
from blametrail.kit.errors import BlameTrailError, Invalid, NotAllowed
from blametrail.kit.keys import key_ring
from blametrail.kit.tokens import open_signed, sign
from blametrail.settings import settings

PURPOSE = "github-app"
LIFETIME = timedelta(hours=1)
SETTINGS_PAGE = "/settings/code-hosts"
LONGEST_NAME = 34
"""Characters of an app's name that GitHub takes."""


async def start(request: Request, form: Fields) -> Response:
    """Where to go on: the page that carries the manifest to GitHub."""
    actor = await actor_of(request, Role.ADMIN)
    wanted = {name: text(form, name).strip() for name in ("host_url", "account", "level")}
    wanted["host_url"] = host_url_of(wanted["host_url"], Kind.GITHUB)
    if wanted["level"] not in list(Level):
        raise Invalid({"level": "must be read or write"})
    if await database().read(actor.organization_id, connections.has_connection, wanted["host_url"]):
        raise Invalid({"host_url": "has a connection already; remove it first"})
    content = {**wanted, "organization": str(actor.organization_id), "person": str(actor.person_id)}
    state = sign(key_ring(), PURPOSE, content, LIFETIME)
    return answer(request, {"location": f"/form/github-app/leave?state={quote(state)}"})


async def leave(request: Request) -> Response:
    """A page with one button, whose form may go to that host only."""
    actor, state, wanted = await _opened(request)
    host, account = wanted["host_url"], wanted["account"]
    place = f"/organizations/{quote(account, safe='')}/settings/apps/new" if account else "/settings/apps/new"
    manifest = escape(json.dumps(_manifest(actor, wanted["level"])))
    name = escape(host.partition("://")[2])
    parts = urlsplit(host)
    return _page(
        "Make a GitHub App",
        f"Your browser goes to {name}, which asks you to confirm the app's name, and comes back. The app's private key goes "
        "from there to this server, and is kept encrypted. Then you choose which repositories the app may see.",
        f"""<form action="{escape(f"{host}{place}?state={quote(state)}")}" method="post">
<input type="hidden" name="manifest" value="{manifest}">
<button class="button primary" type="submit">Continue at {name}</button></form>""",
        leads_to=f"{parts.scheme}://{parts.netloc}",
    )


async def come_back(request: Request) -> Response:
    """With a code, which is exchanged for the app and its key; then the app is still to be installed."""
    actor, _, wanted = await _opened(request)
    made = await convert_manifest(wanted["host_url"], request.query_params.get("code", ""))
    draft = ConnectionDraft.checked(
        kind=Kind.GITHUB,
        host_url=wanted["host_url"],
        level=wanted["level"],
        credential=Credential.APP,
        secret=made.app.private_key,
        app_id=made.app.app_id,
    )
    connection_id = await database().write(actor.organization_id, connections.add, key_ring(), actor, draft)
    await check_connection(database(), key_ring(), actor, connection_id)
    return _page(
        "The app is made",
        "Its key is saved here. One more step: install it, and choose which repositories it may see.",
        f'<p><a class="button primary" href="{escape(made.url)}/installations/new">Install it</a></p>',
    )


async def installed(request: Request) -> Response:
    """From GitHub, after somebody installed the app: where that is, the app itself is asked."""
    actor = await actor_of(request, Role.ADMIN)
    for view in await database().read(actor.organization_id, connections.list_connections):
        if view.credential == Credential.APP and view.fault:
            await check_connection(database(), key_ring(), actor, UUID(view.id))
    return RedirectResponse(SETTINGS_PAGE, 303)


def _in_a_page(handle: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """People come here by links: what goes wrong is a page, too."""

    async def endpoint(request: Request) -> Response:
        try:
            return await handle(request)
        except BlameTrailError as error:
            return _page("This did not work", escape(error.message), "", status=error.status)

    endpoint.__name__ = handle.__name__
    return endpoint


def _page(title: str, words: str, more: str, *, leads_to: str = "'none'", status: int = 200) -> Response:
    """A page without a script; `words` and `more` are HTML. A form in it goes to `leads_to` only."""
    policy = f"default-src 'none'; style-src 'self'; form-action {leads_to}; frame-ancestors 'none'"
    return HTMLResponse(
        f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · BlameTrail</title><link rel="stylesheet" href="/blametrail.css"></head>
<body><main class="door"><div class="door-card"><h1>{title}</h1><p>{words}</p>{more}
<p class="muted"><a href="{SETTINGS_PAGE}">Back to the settings</a></p></div></main></body></html>""",
        status,
        headers={"Content-Security-Policy": policy, "Cache-Control": "no-store"},
    )


async def _opened(request: Request) -> tuple[Actor, str, dict[str, str]]:
    """Who comes, and what that person began here."""
    actor = await actor_of(request, Role.ADMIN)
    state = request.query_params.get("state", "")
    wanted = open_signed(key_ring(), PURPOSE, state)
    if not wanted or (wanted["organization"], wanted["person"]) != (str(actor.organization_id), str(actor.person_id)):
        raise NotAllowed("This was not begun here, or more than an hour ago. Begin again under Settings, Code hosts.")
    return actor, state, wanted


def _manifest(actor: Actor, level: str) -> dict[str, object]:
    base = settings().base_url
    code = "write" if level == Level.WRITE else "read"
    return {
        "name": f"BlameTrail {actor.organization}"[:LONGEST_NAME],
        "url": base,
        "redirect_url": f"{base}/form/github-app/made",
        "setup_url": f"{base}/form/github-app/installed",
        "public": False,
        "hook_attributes": {"url": f"{base}/api/github/webhook", "active": False},
        "default_permissions": {"metadata": "read", "members": "read", "contents": code, "pull_requests": code},
    }


routes = [
    *routes_of({"github-app": start}),
    Route("/form/github-app/leave", _in_a_page(leave), methods=["GET"]),
    Route("/form/github-app/made", _in_a_page(come_back), methods=["GET"]),
    Route("/form/github-app/installed", _in_a_page(installed), methods=["GET"]),
]
