"""What the palette finds: services by name, incidents by number or words, deploys by commit, version or words."""

from __future__ import annotations

from uuid import UUID

from blametrail.catalog import services
from blametrail.deploys.filters import Filters
from blametrail.deploys.find import find_deploys
from blametrail.incidents.find import IncidentFilters, id_of_number, incident_detail, list_incidents
from blametrail.kit.db import ScopedSession, database

MOST = 8


async def search_everything(organization_id: UUID, words: str) -> list[dict[str, str]]:
    """Items of `title`, `kind`, `href`, the nearest first."""
    return await database().read(organization_id, _search, words.strip()[:200])


def _search(session: ScopedSession, words: str) -> list[dict[str, str]]:
    if not words:
        return []
    named = [
        {"title": name, "kind": "Service", "href": f"/services/{id_}"}
        for id_, name in services.names(session).items()
        if words.lower() in name.lower()
    ]
    deploys = [
        {
            "title": f"{d.service} {d.version or d.short_sha}: {d.title}"[:120],
            "kind": f"Deploy to {d.environment}",
            "href": f"/deploys/{d.id}",
        }
        for d in find_deploys(session, Filters(text=words), limit=MOST).deploys
    ]
    return named[:MOST] + _incidents(session, words) + deploys


def _incidents(session: ScopedSession, words: str) -> list[dict[str, str]]:
    """Those with the words, or the one of the number."""
    number = words.lstrip("#")
    ids = [id_of_number(session, int(number))] if number.isdecimal() and len(number) < 10 else []
    found = [incident_detail(session, id_).incident for id_ in ids if id_]
    found += list_incidents(session, IncidentFilters(text=words), limit=MOST).incidents
    return [
        {"title": f"#{i.number} {i.title}"[:120], "kind": f"Incident, {i.status}", "href": f"/incidents/{i.id}"}
        for i in dict.fromkeys(found)
    ]
