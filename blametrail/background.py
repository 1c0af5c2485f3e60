"""What runs beside the pages: how each kind of job is done, and what the clock does."""

from __future__ import annotations

from datetime import timedelta

from blametrail.catalog.services import REPOSITORIES_CHANGED
from blametrail.changes import poll, watch
from blametrail.changes.deliveries import forget_old_webhooks
from blametrail.changes.learn import COMPLETE_CHANGE
from blametrail.changes.watch import POLL_REPOSITORY
from blametrail.codehosts.connections import CONNECTIONS_CHANGED
from blametrail.deploys.delivery_log import forget_old_deliveries
from blametrail.deploys.enrichment import job as enrich
from blametrail.deploys.enrichment.states import ENRICH_DEPLOY
from blametrail.incidents.alerts import silence, sns
from blametrail.incidents.alerts.deliveries import forget_old_alerts
from blametrail.incidents.alerts.sns import CONFIRM_SUBSCRIPTION, FETCH_CERTIFICATE
from blametrail.incidents.monitors.maintenance import forget_old_windows
from blametrail.incidents.monitors.store import forget_old_checks
from blametrail.kit.db import EVERY_ORGANIZATION, database
from blametrail.kit.jobs import Job, Kind, forget_finished_jobs
from blametrail.kit.keys import key_ring
from blametrail.kit.schedule import Periodic


async def enrich_deploy(job: Job) -> None:
    await enrich.enrich_deploy(database(), key_ring(), job)


async def look_at_sources_again(job: Job) -> None:
    """A connection or a repository is another than before: what could not be asked may be answered now."""
    await enrich.enrich_again(database(), job)
    await database().write(job.organization_id, watch.follow_links)


async def poll_repository(job: Job) -> None:
    await poll.poll_repository(database(), key_ring(), job)


async def complete_change(job: Job) -> None:
    await poll.complete_change(database(), key_ring(), job)


async def fetch_sns_certificate(job: Job) -> None:
    await sns.fetch_certificate(database(), job)


async def confirm_sns_subscription(job: Job) -> None:
    await sns.confirm_subscription(database(), key_ring(), job)


async def close_silent_alerts() -> None:
    await silence.close_silent(database())


async def look_at_links() -> None:
    """At start too: what webhooks told of while nobody was here is found by asking."""
    await watch.look_at_links(database())


async def sweep() -> None:
    """Drop what is kept for a while only."""
    await database().write(EVERY_ORGANIZATION, forget_old_deliveries)
    await database().write(EVERY_ORGANIZATION, forget_old_webhooks)
    await database().write(EVERY_ORGANIZATION, forget_old_alerts)
    await database().write(EVERY_ORGANIZATION, forget_old_windows)
    await forget_old_checks(database())
    await database().write(EVERY_ORGANIZATION, forget_finished_jobs)


JOBS: dict[str, Kind] = {
    ENRICH_DEPLOY: Kind(enrich_deploy),
    POLL_REPOSITORY: Kind(poll_repository),
    COMPLETE_CHANGE: Kind(complete_change),
    FETCH_CERTIFICATE: Kind(fetch_sns_certificate),
    CONFIRM_SUBSCRIPTION: Kind(confirm_sns_subscription),
    CONNECTIONS_CHANGED: Kind(look_at_sources_again),
    REPOSITORIES_CHANGED: Kind(look_at_sources_again),
}
PERIODIC: tuple[Periodic, ...] = (
    (timedelta(hours=6), sweep),
    (timedelta(minutes=1), look_at_links),
    (timedelta(minutes=10), close_silent_alerts),
)
