"""Who may call an event handler. A browser can call any public method of any state with any
arguments, so each carries `@action(role)` or `@public`, and its arguments are parsed."""

from __future__ import annotations

import functools
import hashlib
import inspect
from collections.abc import Awaitable, Callable
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import reflex as rx
import structlog
from pydantic import ValidationError, create_model
from reflex.middleware import Middleware

from blametrail.accounts import organizations, sessions
from blametrail.accounts.roles import Actor, Role
from blametrail.kit.clock import now
from blametrail.kit.db import EVERY_ORGANIZATION, database
from blametrail.kit.errors import BlameTrailError
from blametrail.kit.keys import key_ring

log = structlog.get_logger(__name__)
Handler = Callable[..., Awaitable[Any]]


def action(needed: Role) -> Callable[[Handler], Handler]:
    """Mark `async def handler(self, actor, …)`: runs for members with the role only, looked up in the
    database at each call; what goes wrong is told in a toast."""

    def decorate(handler: Handler) -> Handler:
        hints = inspect.get_annotations(handler, eval_str=True)
        parameters = list(inspect.signature(handler).parameters.values())
        passed = [parameters[0], *parameters[2:]]
        fields: dict[str, Any] = {p.name: (hints[p.name], ... if p.default is p.empty else p.default) for p in passed[1:]}
        arguments: Any = create_model(f"{handler.__qualname__}Arguments", **fields)

        @functools.wraps(handler)
        async def guarded(self: rx.State, *args: Any, **kwargs: Any) -> Any:
            actor = await current_actor(self)
            if actor is None:
                return await _to_the_door(self)
            try:
                actor.require(needed)
                named = dict(zip([p.name for p in passed[1:]], args, strict=False)) | kwargs
                parsed = arguments(**named)
                return await handler(self, actor, *(getattr(parsed, p.name) for p in passed[1:]))
            except BlameTrailError as error:
                await tell(self, error.message, "error")
            except ValidationError:
                await tell(self, "The page sent something that does not fit. Reload it and try again.", "error")
            except Exception as error:
                quoted = uuid4().hex[:12]
                log.error("event failed", id=quoted, handler=handler.__qualname__, exc_info=error)
                await tell(
                    self, f"Something went wrong; nothing was changed. Quote {quoted} to whoever runs the server.", "error"
                )
            return None

        guarded.__signature__ = inspect.Signature(passed)  # type: ignore[attr-defined]
        guarded.__annotations__ = {p.name: hints[p.name] for p in passed[1:]}
        guarded.__access__ = needed  # type: ignore[attr-defined]
        return guarded

    return decorate


def public(handler: Handler) -> Handler:
    """Mark a handler that runs for everybody: it must show and change nothing that belongs to anyone."""
    handler.__access__ = "public"  # type: ignore[attr-defined]
    return handler


async def current_actor(state: rx.State) -> Actor | None:
    """Who the browser behind a state is signed in as, at this moment."""
    return await _actor_of(session_token(state))


async def _actor_of(token: str) -> Actor | None:
    if not token:
        return None
    actor = await database().read(EVERY_ORGANIZATION, sessions.find_actor, key_ring(), token)
    if actor and now() - actor.seen_at > sessions.SLIDE_AFTER:
        await database().write(EVERY_ORGANIZATION, sessions.slide, key_ring(), token)
    return actor


def session_token(state: rx.State) -> str:
    """The HttpOnly cookie of the socket's handshake; it never reaches the page."""
    return _cookie(state.router.headers.cookie)


def _cookie(header: str) -> str:
    try:
        morsel = SimpleCookie(header).get(sessions.COOKIE)
    except CookieError:
        return ""
    return morsel.value if morsel else ""


class OneSessionOnly(Middleware):
    """The state of a tab belongs to the session that made it. The token that names a state is the client's
    word: whoever presents it with another session, or with none, finds the state empty."""

    async def preprocess(self, app: Any, state: Any, event: Any) -> None:
        from blametrail.ui.shell import ShellState

        headers = event.router_data.get("headers")
        if headers is None:
            return  # an event that a handler of ours queued; those of a browser always carry its headers
        owner = hashlib.sha256(_cookie(headers.get("cookie", "")).encode()).hexdigest()
        shell = await state.get_state(ShellState)
        if shell._owner not in {"", owner} or (event.name.endswith(".hydrate") and not await _is_still(headers, shell)):
            while state.parent_state is not None:
                state = state.parent_state
            state.reset()
        shell._owner = owner


async def _is_still(headers: dict[str, str], shell: Any) -> bool:
    """Whether what a tab remembers is still its person's to see: a session may have ended meanwhile."""
    if not shell.organization_id:
        return True
    actor = await _actor_of(_cookie(headers.get("cookie", "")))
    return actor is not None and str(actor.organization_id) == shell.organization_id


def on_stray_error(exception: Exception) -> None:
    """What no handler of ours caught, such as an event with an unknown name: one line in the log."""
    log.warning("event refused", reason=f"{type(exception).__name__}: {exception}"[:300])


async def tell(state: rx.State, text: str, kind: str = "done") -> None:
    """Show a message on the page: `done` or `error`."""
    from blametrail.ui.shell import ShellState

    shell = await state.get_state(ShellState)
    shell.toasts = [*shell.toasts, {"id": uuid4().hex, "text": text, "kind": kind}][-4:]


async def _to_the_door(state: rx.State) -> Any:
    """To set-up while there is nobody, else to the login page and back here after it."""
    if await database().read(EVERY_ORGANIZATION, organizations.nobody_yet):
        return rx.redirect("/setup")
    here = state.router.url.path + (f"?{state.router.url.query}" if state.router.url.query else "")
    return rx.redirect(f"/login?next={quote(here, safe='')}" if here not in {"", "/"} else "/login")
