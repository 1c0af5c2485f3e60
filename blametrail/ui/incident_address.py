"""The address of the list of incidents: its filters as a query string."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlencode
from uuid import UUID

from blametrail.incidents.find import IncidentFilters
from blametrail.incidents.states import Severity, Status
from blametrail.ui.address import SEPARATOR, read_address

PATH = "/incidents"
NAMES = {"statuses": "status", "severities": "severity", "services": "service", "environments": "env"}
WORDS = {"statuses": "Status", "severities": "Severity", "services": "Service", "environments": "Environment"}


@dataclass(frozen=True, slots=True)
class IncidentAddress:
    """Which incidents are listed; empty fields filter nothing."""

    statuses: tuple[str, ...] = ()
    severities: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    text: str = ""

    @property
    def is_filtered(self) -> bool:
        return self != IncidentAddress()

    def filters(self, services: Mapping[UUID, str]) -> IncidentFilters:
        """Names of services become ids; a name that is gone matches nothing, rather than everything."""
        wanted = {name.lower() for name in self.services}
        ids = tuple(id_ for id_, name in services.items() if name.lower() in wanted)
        return IncidentFilters(
            services=ids or ((UUID(int=0),) if wanted else ()),
            environments=self.environments,
            statuses=self.statuses,
            severities=self.severities,
            text=self.text,
        )

    def toggled(self, kind: str, value: str) -> IncidentAddress:
        """With a choice added, or removed where it was there; of the text, without it."""
        if kind not in NAMES:
            return replace(self, text="")
        now: tuple[str, ...] = getattr(self, kind)
        changed = tuple(v for v in now if v != value) if value in now else (*now, value)
        return read_incident_address({**self._pairs(), NAMES[kind]: SEPARATOR.join(changed)})

    def with_text(self, text: str) -> IncidentAddress:
        return replace(self, text=text.strip()[:200])

    def href(self) -> str:
        pairs = self._pairs()
        return f"{PATH}?{urlencode(pairs)}" if pairs else PATH

    def chips(self) -> list[dict[str, str]]:
        """The filters in force, each with what to say and what to drop."""
        found = [
            {"kind": kind, "value": value, "label": f"{words}: {value}"}
            for kind, words in WORDS.items()
            for value in getattr(self, kind)
        ]
        return [*found, {"kind": "text", "value": self.text, "label": f"Text: {self.text}"}] if self.text else found

    def _pairs(self) -> dict[str, str]:
        pairs = {name: SEPARATOR.join(getattr(self, kind)) for kind, name in NAMES.items() if getattr(self, kind)}
        return pairs | ({"q": self.text} if self.text else {})


def read_incident_address(query: Mapping[str, str]) -> IncidentAddress:
    """Read a query string; whatever does not fit falls back to its default."""
    common = read_address({name: query[name] for name in ("service", "env", "q") if name in query})
    return IncidentAddress(
        statuses=tuple(s for s in Status if s in query.get("status", "").split(SEPARATOR)),
        severities=tuple(s for s in Severity if s in query.get("severity", "").split(SEPARATOR)),
        services=common.services,
        environments=common.environments,
        text=common.texts.get("q", ""),
    )
