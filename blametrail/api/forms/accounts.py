"""Signing in and out, joining, inviting: forms with a password, a session or an invitation link in them."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from blametrail.accounts import members, organizations, passwords, sessions
from blametrail.accounts.roles import Actor, Role
from blametrail.api.answers import answer
from blametrail.api.body import address_block, client_address
from blametrail.api.forms.form import Fields, actor_of, routes_of, text
from blametrail.kit import mail
from blametrail.kit.db import EVERY_ORGANIZATION, database
from blametrail.kit.errors import Invalid, TooMany
from blametrail.kit.keys import key_ring
from blametrail.kit.limits import rate_limits
from blametrail.settings import settings

COOKIE_SECONDS = 400 * 86_400  # how long a session lives is decided by its row, not by the browser


async def set_up(request: Request, form: Fields) -> Response:
    """First run: the first organization and its owner."""
    wanted = {name: text(form, name) for name in ("organization", "name", "email", "password")}
    await database().read(EVERY_ORGANIZATION, organizations.refuse_second_set_up)
    password = wanted.pop("password")
    organizations.check_newcomer(wanted["organization"], wanted["email"], password)
    hashed = await passwords.hash_apart(password)
    person_id = await database().write(EVERY_ORGANIZATION, lambda s: organizations.found_first(s, **wanted, password=hashed))
    return await _signed_in(request, person_id, "/services/new")


async def log_in(request: Request, form: Fields) -> Response:
    email, password, location = text(form, "email"), text(form, "password"), _inside(text(form, "next"))
    _count_sender(request)
    _count_guess(email)
    token = await sessions.sign_in(
        database(),
        key_ring(),
        email=email,
        password=password,
        address=client_address(request),
        user_agent=request.headers.get("user-agent", ""),
    )
    _forget_guesses(email)
    return _with_cookie(answer(request, {"location": location}), token)


async def log_out(request: Request, form: Fields) -> Response:
    await database().write(EVERY_ORGANIZATION, sessions.end, key_ring(), request.cookies.get(sessions.COOKIE, ""))
    response = answer(request, {"location": "/login"})
    response.delete_cookie(sessions.COOKIE, path="/")
    return response


async def look_at_invitation(request: Request, form: Fields) -> Response:
    """What the holder of an invitation link may know before joining."""
    welcome = await database().read(EVERY_ORGANIZATION, members.open_invitation, key_ring(), text(form, "token"))
    return answer(
        request,
        {
            "organization": welcome.organization,
            "email": welcome.email,
            "role": welcome.role,
            "has_account": welcome.has_account,
        },
    )


async def join(request: Request, form: Fields) -> Response:
    """By an invitation; of somebody who has an account, it checks the password like a login."""
    token, name, password = (text(form, field) for field in ("token", "name", "password"))
    _count_sender(request)
    welcome = await database().read(EVERY_ORGANIZATION, members.open_invitation, key_ring(), token)
    _count_guess(welcome.email)
    person_id, organization_id = await members.join(database(), key_ring(), token, name, password)
    return await _signed_in(request, person_id, "/", organization_id)


async def change_password(request: Request, form: Fields) -> Response:
    actor = await actor_of(request)
    current, new = text(form, "current_password"), text(form, "new_password")
    _count_guess(actor.email)
    await sessions.change_password(database(), actor, current, new)
    return answer(request, {"message": "Your password is changed. Your other sessions have ended."})


async def invite(request: Request, form: Fields) -> Response:
    """An invitation, as a link that this answer alone shows; by e-mail too where that is configured."""
    actor = await actor_of(request, Role.ADMIN)
    email = text(form, "email")
    token = await database().write(actor.organization_id, members.invite, key_ring(), actor, email, text(form, "role"))
    # Behind #, a browser keeps the token out of requests, logs and referrers.
    link = f"{settings().base_url}/join#{token}"
    sent = mail.can_send() and await asyncio.to_thread(_send_invitation, actor, email, link)
    told = f"Sent to {email}." if sent else "Pass the link on yourself; no e-mail was sent."
    return answer(request, {"secret": link, "secret_of": "invitation", "message": told})


def _send_invitation(actor: Actor, email: str, link: str) -> bool:
    text = f"{actor.name} invites you to {actor.organization} on BlameTrail.\n\n{link}\n\nThe link works once, for 7 days."
    return mail.send(email, f"Join {actor.organization} on BlameTrail", text)


async def _signed_in(request: Request, person_id: UUID, location: str, organization_id: UUID | None = None) -> Response:
    token = await database().write(
        EVERY_ORGANIZATION,
        sessions.start,
        key_ring(),
        person_id,
        client_address(request),
        request.headers.get("user-agent", ""),
        organization_id,
    )
    return _with_cookie(answer(request, {"location": location}), token)


def _with_cookie(response: Response, token: str) -> Response:
    response.set_cookie(
        sessions.COOKIE, token, max_age=COOKIE_SECONDS, path="/", httponly=True, samesite="lax", secure=settings().over_tls
    )
    return response


def _count_sender(request: Request) -> None:
    """Count an attempt of an address; raises TooMany."""
    rate = _ten_times(settings().login_rate_limit)
    _refuse(rate_limits().hit(rate, "login-address", address_block(client_address(request))))


def _count_guess(email: str) -> None:
    """Count a password tried for a person, by whichever form; raises TooMany. It counts before the password
    is verified: attempts at the same time would all pass a limit that counts what came of them."""
    try:
        person = organizations.normal_email(email)
    except Invalid:
        return  # nobody has such an address
    _refuse(rate_limits().hit(settings().login_rate_limit, "login", person))


def _forget_guesses(email: str) -> None:
    """Whoever knows the password is not guessing it."""
    rate_limits().forget(settings().login_rate_limit, "login", organizations.normal_email(email))


def _refuse(wait: int | None) -> None:
    if wait:
        raise TooMany(f"Too many attempts. Try again in {wait} seconds.", wait)


def _ten_times(rate: str) -> str:
    amount, _, rest = rate.partition("/")
    return f"{10 * int(amount)}/{rest}" if rest else rate


def _inside(path: str) -> str:
    """A path of ours to go on to; anything that could leave the site becomes the home page."""
    try:
        parts = urlsplit(path)
    except ValueError:
        return "/"
    bad = parts.scheme or parts.netloc or not path.startswith("/") or path.startswith("//") or "\\" in path
    return "/" if bad or any(ord(c) < 32 for c in path) else path


routes = routes_of(
    {
        "setup": set_up,
        "login": log_in,
        "logout": log_out,
        "invitation": look_at_invitation,
        "join": join,
        "password": change_password,
        "invite": invite,
    }
)
