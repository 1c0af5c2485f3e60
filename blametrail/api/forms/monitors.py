"""Monitors and maintenance windows: forms that bring header values in; no answer holds one."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from blametrail.accounts.roles import Role
from blametrail.api.answers import answer
from blametrail.api.forms.form import Fields, actor_of, id_of, routes_of, text, texts
from blametrail.incidents.monitors import edit, maintenance
from blametrail.incidents.monitors.draft import MonitorDraft
from blametrail.incidents.monitors.maintenance import WindowDraft
from blametrail.kit.db import database
from blametrail.kit.keys import key_ring

FIELDS = (
    "name", "service_id", "environment", "method", "url", "headers", "drop_headers", "expected_status", "body_text",
    "interval_seconds", "timeout_seconds", "latency_ms", "severity",
)  # fmt: skip


async def save_monitor(request: Request, form: Fields) -> Response:
    """A new monitor, or other settings for the one of `monitor_id`; headers that are not sent stay as they are."""
    actor = await actor_of(request, Role.ADMIN)
    monitor_id = id_of(form, "monitor_id", edit.NO_MONITOR) if form.get("monitor_id") else None
    draft = MonitorDraft.checked({name: text(form, name) for name in FIELDS})
    if monitor_id:
        await database().write(actor.organization_id, edit.change, key_ring(), actor, monitor_id, draft)
    else:
        await database().write(actor.organization_id, edit.add, key_ring(), actor, draft)
    return answer(request, {"location": "/monitors"})


async def plan_maintenance(request: Request, form: Fields) -> Response:
    actor = await actor_of(request, Role.ADMIN)
    draft = WindowDraft.checked(
        **{name: text(form, name) for name in ("starts", "minutes", "note")},
        services=texts(form, "services"),
        time_zone=actor.time_zone,
    )
    await database().write(actor.organization_id, maintenance.plan, actor, draft)
    return answer(request, {"message": "Planned. Monitors go on checking in it, and open nothing."})


routes = routes_of({"monitor": save_monitor, "maintenance": plan_maintenance})
