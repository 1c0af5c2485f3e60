"""The standing of a monitor, out of its row and into it."""

from __future__ import annotations

from blametrail.incidents.monitors.judge import Health, Standing
from blametrail.incidents.monitors.tables import Monitor


def standing_of(row: Monitor) -> Standing:
    return Standing(Health(row.health), row.since, Health(row.run), row.run_length, row.run_since)


def keep_standing(row: Monitor, standing: Standing) -> None:
    row.health, row.since = standing.health.value, standing.since
    row.run, row.run_length, row.run_since = standing.run.value, standing.run_length, standing.run_since
