"""Lanes of the timeline as the browser draws them; times in milliseconds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from blametrail.changes.events.find import event_href
from blametrail.changes.events.lanes import EVERYWHERE, EventMark, EventsShown
from blametrail.deploys.slices import GroupBy
from blametrail.deploys.timeline import MOST_LANES, Lane, Mark
from blametrail.incidents.find import IncidentView
from blametrail.kit.clock import to_micros
from blametrail.ui.parts.change_events import KINDS


def merged(lanes: Sequence[Lane], events: EventsShown) -> list[dict[str, Any]]:
    """Deploys and change events of a lane side by side; a lane may have change events alone, and one is of all."""
    found = {
        lane.key: _lane(lane.key, lane.label) | {"count": lane.count, "marks": [_mark(m) for m in lane.marks]} for lane in lanes
    }
    for lane in events.lanes:
        if lane.key in found or lane.key == EVERYWHERE or len(found) < MOST_LANES:
            known = found.setdefault(lane.key, _lane(lane.key, lane.label))
            known |= {"event_count": lane.count, "events": [_event_mark(m) for m in lane.marks]}
    return sorted(found.values(), key=lambda lane: (lane["key"] != EVERYWHERE, lane["label"].lower()))


def with_incidents(
    lanes: list[dict[str, Any]], incidents: Sequence[IncidentView], group_by: GroupBy
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The lanes, with those that incidents alone touch, and the incidents as spans: `lanes` are keys, none for all; `e` is 0
    while an incident goes on."""
    spans = [_span(i, group_by) for i in incidents]
    known = {lane["key"] for lane in lanes}
    touched = {key: label for span in spans for key, label in span["touches"] if key not in known}
    more = [_lane(key, label) for key, label in list(touched.items())[: max(0, MOST_LANES - len(lanes))]]
    drawn = sorted([*lanes, *more], key=lambda lane: (lane["key"] != EVERYWHERE, lane["label"].lower()))
    return drawn, [{**span, "lanes": [key for key, _ in span.pop("touches")]} for span in spans]


def _span(i: IncidentView, group_by: GroupBy) -> dict[str, Any]:
    return {
        "id": i.id,
        "number": i.number,
        "title": i.title,
        "severity": i.severity,
        "status": i.status,
        "services": ", ".join(name for _, name in i.services),
        "s": in_ms(i.onset_at),
        "e": in_ms(i.resolved_at) if i.resolved_at else 0,
        "touches": i.services if group_by == "service" else tuple((name, name) for name in i.environments),
    }


def _lane(key: str, label: str) -> dict[str, Any]:
    return {"key": key, "label": label, "count": 0, "marks": [], "event_count": 0, "events": []}


def _event_mark(mark: EventMark) -> dict[str, Any]:
    shown: dict[str, Any] = {"s": in_ms(mark.start), "e": in_ms(mark.end), "n": mark.count, "id": ""}
    if e := mark.event:
        shown |= {
            "id": e.id,
            "href": event_href(e.id),
            "kind": e.kind,
            "word": KINDS.get(e.kind, e.kind),
            "title": e.title,
            "service": "All services" if e.is_of_all_services else ", ".join(name for _, name in e.services),
            "environment": ", ".join(e.environments),
            "by": e.who,
        }
    return shown


def _mark(mark: Mark) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "s": in_ms(mark.start),
        "e": in_ms(mark.end),
        "n": mark.count,
        "r": mark.rollbacks,
        "id": "",
    }
    if d := mark.deploy:
        shown |= {
            "id": d.id,
            "kind": d.kind,
            "service": d.service,
            "environment": d.environment,
            "title": d.title,
            "sha": d.short_sha,
            "version": d.version,
            "by": d.deployed_by,
        }
    return shown


def in_ms(moment: datetime) -> int:
    return to_micros(moment) // 1000
