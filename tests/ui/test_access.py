"""Every event handler is guarded, and shows or changes nothing across organizations or above a role."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
import socketio
from reflex_base.registry import RegistrationContext
from sqlmodel import select

import blametrail.blametrail  # noqa: F401  (registers every handler)
from blametrail.accounts.roles import Role
from blametrail.accounts.tables import Invitation, LoginSession, Membership, Organization
from blametrail.catalog.tables import Service
from blametrail.changes.events.tables import ChangeEvent
from blametrail.changes.tables import WebhookDelivery, WebhookSecret
from blametrail.deploys.tables import Deploy
from blametrail.incidents.alerts.tables import AlertDelivery, AlertRoute, AlertSource
from blametrail.incidents.monitors.tables import MaintenanceWindow, Monitor
from blametrail.incidents.tables import Incident, IncidentEntry
from blametrail.kit.db import EVERY_ORGANIZATION, ScopedSession
from tests.cast import CANARY, Cast, cast, opened
from tests.running import Server, running
from tests.visitor import visiting

Payload = Callable[[Cast], dict[str, Any]]

# What a hostile caller would send to each handler: ids of Acme. A new handler needs a line here.
CASES: dict[str, Payload] = {
    "shell_state.dismiss": lambda c: {"toast_id": "x"},
    "shell_state.switch_organization": lambda c: {"organization_id": c.organization_id},
    "shell_state.search": lambda c: {"words": "canary"},
    "account_state.load": lambda c: {},
    "api_tokens_state.load": lambda c: {},
    "api_tokens_state.revoke": lambda c: {"token_id": c.members["alice"], "confirmation": ""},
    "account_state.revoke": lambda c: {"session_id": c.members["alice"]},
    "account_state.found_organization": lambda c: {"form": {"organization": ""}},
    "deploy_state.load": lambda c: {},
    "jobs_state.load": lambda c: {},
    "jobs_state.retry": lambda c: {"job_id": c.deploy_id},
    "jobs_state.drop": lambda c: {"job_id": c.deploy_id, "confirmation": ""},
    "deploy_state.open_patch": lambda c: {"key": "0"},
    "deploy_state.enrich_again": lambda c: {},
    "code_hosts_state.load": lambda c: {},
    "connections_state.check": lambda c: {"connection_id": c.connection_id},
    "connections_state.change_level": lambda c: {"connection_id": c.connection_id, "level": "write"},
    "connections_state.remove": lambda c: {"connection_id": c.connection_id, "confirmation": ""},
    "change_events_state.load": lambda c: {},
    "change_events_state.search": lambda c: {"form": {"q": "canary"}},
    "change_events_state.choose": lambda c: {"kind": "service", "value": "elsewhere"},
    "change_events_state.more": lambda c: {},
    "change_events_state.note_reading": lambda c: {"reading": True},
    "change_events_state.show_fresh": lambda c: {},
    "change_events_state.record": lambda c: {"form": {"kind": "config", "title": "", f"service-{c.service_id}": "on"}},
    "change_events_state.remove": lambda c: {"event_id": c.change_event_id, "confirmation": ""},
    "changes_state.load": lambda c: {},
    "changes_state.search": lambda c: {"form": {"q": "canary"}},
    "changes_state.choose": lambda c: {"kind": "service", "value": "elsewhere"},
    "changes_state.clear": lambda c: {},
    "changes_state.toggle": lambda c: {"change_id": c.change_id},
    "changes_state.more": lambda c: {},
    "changes_state.note_reading": lambda c: {"reading": True},
    "changes_state.show_fresh": lambda c: {},
    "alerts_state.load": lambda c: {},
    "alerts_state.drop": lambda c: {"source_id": c.alert_source_id, "confirmation": ""},
    "alerts_state.send_test": lambda c: {"source_id": c.alert_source_id},
    "alerts_state.add_mapping": lambda c: {"form": {"labels": "a=b", "service_id": c.service_id}},
    "alerts_state.try_labels": lambda c: {"form": {"tried": f"service={CANARY}-service, team={CANARY}"}},
    "alerts_state.drop_mapping": lambda c: {"mapping_id": c.alert_mapping_id},
    "alerts_state.replay": lambda c: {"delivery_id": c.alert_message_id},
    "webhooks_state.load": lambda c: {},
    "webhooks_state.drop": lambda c: {"secret_id": c.webhook_secret_id, "confirmation": ""},
    "webhooks_state.replay": lambda c: {"delivery_id": c.webhook_id},
    "deploy_filters.toggle": lambda c: {"kind": "services", "value": "elsewhere"},
    "deploy_filters.search": lambda c: {"form": {"q": "canary"}},
    "deploy_filters.clear": lambda c: {},
    "deploys_state.load": lambda c: {},
    "deploys_state.note_reading": lambda c: {"reading": True},
    "deploys_state.show_fresh": lambda c: {},
    "deploys_state.more": lambda c: {},
    "deploys_state.any_time": lambda c: {},
    "incidents_state.load": lambda c: {},
    "incidents_state.toggle": lambda c: {"kind": "services", "value": "elsewhere"},
    "incidents_state.search": lambda c: {"form": {"q": "canary"}},
    "incidents_state.clear": lambda c: {},
    "incidents_state.note_reading": lambda c: {"reading": True},
    "incidents_state.show_fresh": lambda c: {},
    "incidents_state.more": lambda c: {},
    "incident_state.load": lambda c: {},
    "incident_state.acknowledge": lambda c: {},
    "incident_state.resolve": lambda c: {"confirmation": ""},
    "incident_state.reopen": lambda c: {},
    "incident_state.note": lambda c: {"form": {"note": "taken over"}},
    "incident_state.save": lambda c: {"form": {"title": "taken over", "severity": "info"}},
    "incident_state.save_symptom": lambda c: {"form": {"error_message": "taken over"}},
    "incident_state.correct_onset": lambda c: {"earliest": 0, "at": 0, "latest": 0},
    "incident_state.merge": lambda c: {"form": {"number": "1"}},
    "new_incident_state.load": lambda c: {},
    "new_incident_state.open": lambda c: {"form": {"title": "", "severity": "info"}},
    "door_state.open_login": lambda c: {},
    "door_state.open_setup": lambda c: {},
    "services_state.load": lambda c: {},
    "service_state.load": lambda c: {},
    "service_state.save": lambda c: {"form": {"name": "taken over", "environment": "production", "type": "web"}},
    "service_state.delete": lambda c: {"confirmation": ""},
    "new_service_state.load": lambda c: {},
    "monitors_state.load": lambda c: {},
    "monitors_state.pause": lambda c: {"monitor_id": c.monitor_id},
    "monitors_state.resume": lambda c: {"monitor_id": c.monitor_id},
    "monitors_state.remove": lambda c: {"monitor_id": c.monitor_id, "confirmation": ""},
    "monitors_state.cancel_window": lambda c: {"window_id": c.window_id, "confirmation": ""},
    "people_state.load": lambda c: {},
    "organization_state.load": lambda c: {},
    "organization_state.save": lambda c: {
        "form": {"name": "taken over", "time_zone": "UTC", "lookback_hours": "1", "retention_days": "7"}
    },
    "people_state.change_role": lambda c: {"member_id": c.members["vera"], "role": "admin"},
    "people_state.remove": lambda c: {"member_id": c.members["vera"], "confirmation": ""},
    "people_state.leave": lambda c: {"member_id": c.members["vera"], "confirmation": ""},
    "people_state.withdraw": lambda c: {"invitation_id": c.members["vera"]},
    "people_state.transfer": lambda c: {"member_id": c.members["bob"], "confirmation": ""},
    "organization_state.delete": lambda c: {"typed": "Acme"},
    "timeline_state.load": lambda c: {},
    "timeline_state.show_window": lambda c: {"start": 0, "end": 1},
    "timeline_state.choose_preset": lambda c: {"preset": "30d"},
    "timeline_state.group_by": lambda c: {"group": "environment"},
    "timeline_state.only_lane": lambda c: {"key": c.service_id},
    "timeline_state.show_newest": lambda c: {},
    "what_changed_state.load": lambda c: {},
    "what_changed_state.show_moments": lambda c: {"start": 0, "end": 1},
    "what_changed_state.toggle": lambda c: {"kind": "services", "value": "elsewhere"},
    "what_changed_state.clear": lambda c: {},
}
ABOVE = {"bob": {Role.ADMIN, Role.OWNER}, "vera": {Role.RESPONDER, Role.ADMIN, Role.OWNER}}
PUBLIC = {"shell_state.dismiss", "door_state.open_login", "door_state.open_setup"}


def ours() -> dict[str, Any]:
    """Our handlers by `state.method`; `setvar` is the framework's own."""
    names = RegistrationContext.get().event_handlers
    return {
        f"{name.rsplit('.', 1)[0].rsplit('____', 1)[1]}.{name.rsplit('.', 1)[1]}": registered.handler.fn
        for name, registered in names.items()
        if "blametrail___" in name and not name.endswith(".setvar")
    }


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Cast]]:
    with running(tmp_path_factory.mktemp("stage") / "data") as server:
        server.found()
        yield server, cast(server)


def test_it_guards_every_handler() -> None:
    unguarded = [name for name, fn in ours().items() if not hasattr(fn, "__access__")]
    assert not unguarded, "give each @action(role) or @public"


def test_it_has_a_case_for_every_handler() -> None:
    assert set(ours()) == set(CASES)
    assert {name for name, fn in ours().items() if fn.__access__ == "public"} == PUBLIC


def test_it_names_no_handler_so_that_setvar_would_call_it() -> None:
    assert not [name for name in ours() if ".set_" in name]


def paths(c: Cast, handler: str) -> str:
    return {
        "deploy_state": f"/deploys/{c.deploy_id}",
        "service_state": f"/services/{c.service_id}",
        "incident_state": f"/incidents/{c.incident_id}",
    }.get(handler.partition(".")[0], "/")


async def try_all(server: Server, c: Cast, who: str, handlers: list[str]) -> dict[str, str]:
    """What each handler sent to somebody, as text."""
    told = {}
    async with visiting(server.url, c.cookies[who]) as visitor:
        for handler in handlers:
            visitor.path = paths(c, handler)
            page = f"{handler.partition('.')[0]}.load"
            first = await visitor.call(page, settle=0.1) if page in CASES and page != handler else []
            told[handler] = repr([*first, *await visitor.call(handler, settle=0.15, **CASES[handler](c))])
    return told


async def test_it_shows_nobody_anything(stage: tuple[Server, Cast]) -> None:
    server, c = stage
    before = facts(server)
    told = await try_all(server, c, "nobody", sorted(CASES))
    for handler, seen in told.items():
        assert CANARY not in seen and "alice@example.com" not in seen, handler
        if handler not in PUBLIC:
            assert "/login" in seen, handler
    assert facts(server) == before


async def test_it_shows_charlie_nothing_of_acme(stage: tuple[Server, Cast]) -> None:
    server, c = stage
    before = facts(server, organization="Acme")
    told = await try_all(server, c, "charlie", sorted(set(CASES) - {"organization_state.save", "organization_state.delete"}))
    for handler, seen in told.items():
        echoed = handler.split(".")[1] in {"toggle_service", "search"}
        assert f"{CANARY} message" not in seen and f"{CANARY} event" not in seen and "alice@example.com" not in seen, handler
        assert echoed or f"{CANARY}-service" not in seen, handler
    assert facts(server, organization="Acme") == before


@pytest.mark.parametrize("who", ["bob", "vera"])
async def test_it_lets_nobody_act_above_the_role(stage: tuple[Server, Cast], who: str) -> None:
    server, c = stage
    before = facts(server)
    above = sorted(name for name, fn in ours().items() if fn.__access__ in ABOVE[who])
    told = await try_all(server, c, who, [*above, "people_state.leave"] if who == "bob" else above)
    for handler in above:
        assert "This needs the role" in told[handler], handler
    assert facts(server) == before


async def test_it_serves_alice(stage: tuple[Server, Cast]) -> None:
    """The same probes reach what they ask for with the right cookie: the tests above can fail."""
    server, c = stage
    told = await try_all(
        server,
        c,
        "alice",
        [
            "timeline_state.load",
            "deploy_state.load",
            "service_state.load",
            "incident_state.load",
            "shell_state.search",
            "change_events_state.load",
        ],
    )
    assert all(CANARY in seen for seen in told.values())


async def test_it_gives_a_state_to_its_own_session_only(stage: tuple[Server, Cast]) -> None:
    server, c = stage
    token = "11111111-1111-4111-8111-111111111111"
    async with visiting(server.url, c.cookies["alice"], token=token) as visitor:
        await visitor.call("timeline_state.load")
        assert CANARY in visitor.seen()
    for thief in ("charlie", "nobody"):
        async with visiting(server.url, c.cookies[thief], token=token) as visitor:
            await visitor.call("shell_state.dismiss", toast_id="x")
            assert CANARY not in visitor.seen()


async def test_it_refuses_sockets_of_other_origins(stage: tuple[Server, Cast]) -> None:
    server, c = stage
    for origin in ("https://evil.example", "null", f"{server.url}.evil.example", "http://127.0.0.1:1"):
        with pytest.raises(socketio.exceptions.ConnectionError):
            async with visiting(server.url, c.cookies["alice"], origin=origin):
                pass


async def test_it_ignores_unlisted_handlers_and_forged_storage(stage: tuple[Server, Cast]) -> None:
    server, c = stage
    before = facts(server)
    async with visiting(server.url, c.cookies["vera"]) as visitor:
        for name in ("timeline_state._refresh", "shell_state.__init__", "organization_state.no_such", "shell_state.reset"):
            await visitor.call(f"reflex___state____state.blametrail___ui___shell____{name}", settle=0.1)
        prefix = "reflex___state____state.blametrail___ui___shell____shell_state"
        await visitor.call(
            "reflex___state____state.reflex___state____update_vars_internal_state.update_vars_internal",
            vars={f"{prefix}.role": "owner", f"{prefix}._owner": "x"},
        )
        await visitor.call(f"{prefix}.setvar", var_name="role", value="owner")
        await visitor.call("people_state.change_role", member_id=c.members["vera"], role="admin")
        assert "'owner'" not in visitor.seen()
    assert facts(server) == before


async def test_it_cuts_off_a_removed_member_at_the_next_event(stage: tuple[Server, Cast]) -> None:
    server, _ = stage
    with opened(server) as db:
        db.write_now(EVERY_ORGANIZATION, _add_dave)
    from tests.cast import cookie_of

    async with visiting(server.url, cookie_of(server, "dave@example.com")) as visitor:
        await visitor.call("timeline_state.load")
        assert CANARY in visitor.seen()
        with opened(server) as db:
            db.write_now(EVERY_ORGANIZATION, _remove_dave)
        visitor.updates.clear()
        await visitor.call("timeline_state.load")
        assert CANARY not in visitor.seen() and "/login" in visitor.seen()


async def test_it_writes_no_cookie_to_the_log(stage: tuple[Server, Cast]) -> None:
    server, c = stage
    async with visiting(server.url, c.cookies["alice"]) as visitor:
        await visitor.call("reflex___state____state.no_such_handler", secret="x")
        await visitor.call("timeline_state.choose_preset", preset=[1, 2])
    assert c.cookies["alice"].partition("=")[2] not in server.log.read_text()
    assert c.token not in server.log.read_text()


def facts(server: Server, organization: str = "") -> list[Any]:
    """What attackers might have changed."""

    def read(session: ScopedSession) -> list[Any]:
        wanted = {o.id for o in session.exec(select(Organization)) if o.name == organization or not organization}
        rows: list[Any] = [(o.name, o.retention_days) for o in session.exec(select(Organization)) if o.id in wanted]
        for table in (
            Membership,
            Service,
            Deploy,
            ChangeEvent,
            Invitation,
            WebhookSecret,
            WebhookDelivery,
            Incident,
            IncidentEntry,
            Monitor,
            MaintenanceWindow,
            AlertSource,
            AlertRoute,
            AlertDelivery,
        ):
            found: list[Any] = list(session.exec(select(table)))
            rows += sorted(
                (
                    str(r.id),
                    getattr(r, "role", ""),
                    getattr(r, "name", ""),
                    getattr(r, "status", ""),
                    getattr(r, "next_at", None),
                )
                for r in found
                if r.organization_id in wanted
            )
        return [*rows, len(session.exec(select(LoginSession)).all()) if organization else 0]

    with opened(server) as db:
        return db.read_now(EVERY_ORGANIZATION, read)


def _add_dave(session: ScopedSession) -> None:
    from blametrail.accounts.organizations import new_person
    from tests.running import PASSWORD

    dave = new_person(session, name="dave", email="dave@example.com", password=PASSWORD)
    acme = next(o for o in session.exec(select(Organization)) if o.name == "Acme")
    session.add(Membership(organization_id=acme.id, person_id=dave.id, role="viewer"))


def _remove_dave(session: ScopedSession) -> None:
    from blametrail.accounts.tables import Person

    dave = session.exec(select(Person).where(Person.email == "dave@example.com")).one()
    session.delete(session.exec(select(Membership).where(Membership.person_id == dave.id)).one())


async def test_it_pushes_nothing_to_whoever_takes_a_token_over(stage: tuple[Server, Cast]) -> None:
    """The tab is closed; somebody else connects with its token and sends no event."""
    server, c = stage
    service = server.service("watched-by-alice")
    token = str(uuid4())
    async with visiting(server.url, c.cookies["alice"], token=token) as alice:
        await alice.call("timeline_state.load")
        await post(server, service, "first")
        assert "first of watched" in alice.seen()
    for thief in ("nobody", "charlie", "alice"):
        async with visiting(server.url, c.cookies[thief], token=token, hydrates=False) as visitor:
            await post(server, service, f"seen by {thief}")
            assert "of watched" not in visitor.seen()


async def test_it_forgets_what_a_tab_showed_when_its_session_ends(stage: tuple[Server, Cast]) -> None:
    server, _ = stage
    client = server.sign_in()
    cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    token = str(uuid4())
    async with visiting(server.url, cookie, token=token) as tab:
        await tab.call("people_state.load")
        assert "alice@example.com" in tab.seen()
    server.form(client, "logout")
    async with visiting(server.url, cookie, token=token) as tab:
        assert "alice@example.com" not in tab.seen()


async def test_it_refuses_forged_connects_and_shapes_that_no_page_sends(stage: tuple[Server, Cast]) -> None:
    server, c = stage
    async with visiting(server.url, c.cookies["alice"]) as visitor:
        await visitor.send("connect", {"QUERY_STRING": f"token={uuid4()}", "asgi.scope": {"headers": []}})
        await visitor.send("disconnect")
        shapes: tuple[Any, ...] = (
            None,
            1,
            "text",
            [],
            {},
            {"name": 1},
            {"name": "x", "payload": []},
            {"name": "x", "router_data": "y"},
        )
        for shape in shapes:
            await visitor.send("event", shape)
        assert CANARY in repr(await visitor.call("timeline_state.load"))


async def test_it_stays_awake_whatever_a_page_reports(stage: tuple[Server, Cast]) -> None:
    """The framework matches reports of browsers with patterns whose time grows with the cube of their length."""
    server, _ = stage
    handler = "reflex___state____state.reflex___state____frontend_event_exception_state.handle_frontend_exception"
    async with visiting(server.url) as visitor:
        info = ('TypeError: can\'t access property "", ' * 2000)[:48_000]
        await visitor.send("event", {"name": handler, "payload": {"info": info, "component_stack": ""}, "router_data": {}})
        async with httpx.AsyncClient(timeout=10) as client:
            assert (await client.get(f"{server.url}/livez")).status_code == 200


async def post(server: Server, service: dict[str, Any], what: str) -> None:
    """A deploy, and the time a push needs to reach whoever gets it."""
    body = {"commit_sha": uuid4().hex, "commit_message": f"{what} of watched"}
    assert (await asyncio.to_thread(server.post, service["deploy_token"], body)).status_code == 200
    await asyncio.sleep(1)
