"""Settings of the organization: work in the background, and what of it waits for a person."""

from __future__ import annotations

from typing import Any, TypedDict
from uuid import UUID

import reflex as rx

from blametrail.accounts.roles import Actor, Role
from blametrail.kit.db import ScopedSession, database
from blametrail.kit.job_tables import JOBS_TOPIC, PARKED_TOPIC
from blametrail.kit.jobs import ParkedJob, State, drop_job, job_counts, parked_jobs, retry_job
from blametrail.ui import live
from blametrail.ui.guard import action, tell
from blametrail.ui.parts.browser import Confirm, When
from blametrail.ui.parts.settings_tabs import settings_tabs
from blametrail.ui.parts.vars import count, fill
from blametrail.ui.shell import shell, show_actor


class ParkedRow(TypedDict):
    id: str
    what: str
    reason: str
    tries: str
    tried_at: str
    announced_at: str


class JobsState(rx.State):
    ready: bool = False
    parked: list[ParkedRow] = []
    waiting: int = 0
    running: int = 0
    done: int = 0

    @rx.event
    @action(Role.ADMIN)
    async def load(self, actor: Actor) -> None:
        await show_actor(self, actor)
        live.subscribe(self, actor.organization_id, JOBS_TOPIC, PARKED_TOPIC)
        await self._refresh(actor)

    @rx.event
    @action(Role.ADMIN)
    async def retry(self, actor: Actor, job_id: str) -> None:
        await database().write(actor.organization_id, retry_job, UUID(job_id))
        await tell(self, "It is tried again.")

    @rx.event
    @action(Role.ADMIN)
    async def drop(self, actor: Actor, job_id: str, confirmation: str) -> None:
        await database().write(actor.organization_id, drop_job, UUID(job_id))
        await tell(self, "Dropped. It is not tried again.")

    async def _refresh(self, actor: Actor) -> None:
        await fill(self, JobsState, await database().read(actor.organization_id, _load))


def _load(session: ScopedSession) -> dict[str, Any]:
    """Everything the page shows, by the name of its var."""
    counts = job_counts(session)
    return {
        "ready": True,
        "parked": [_row(job) for job in parked_jobs(session)],
        "waiting": counts[State.WAITING],
        "running": counts[State.RUNNING],
        "done": counts[State.DONE],
    }


def _row(job: ParkedJob) -> ParkedRow:
    return ParkedRow(
        id=job.id,
        what=f"{job.kind.replace('_', ' ').capitalize()} {job.key}".strip(),
        reason=job.reason,
        tries=f"{job.failures} failed tries" if job.failures else "given up at once",
        tried_at=job.tried_at.isoformat() if job.tried_at else "",
        announced_at=job.announced_at.isoformat(),
    )


def page() -> rx.Component:
    s = JobsState
    return shell(
        "Settings",
        settings_tabs(),
        rx.cond(
            s.ready,
            rx.el.div(
                rx.el.section(
                    rx.el.h2("Jobs"),
                    rx.el.p(
                        s.waiting,
                        " waiting, ",
                        s.running,
                        " running, ",
                        s.done,
                        " done in the last day. What fails is tried again after growing waits; after five of them it waits here.",
                        class_name="muted",
                        role="status",
                    ),
                    rx.cond(
                        count(s.parked) > 0,
                        rx.el.ul(rx.foreach(s.parked, _parked), class_name="people"),
                        rx.el.p("Nothing waits for a person.", class_name="empty"),
                    ),
                ),
                class_name="settings-page",
            ),
            rx.el.div(class_name="skeleton table-skeleton", aria_label="Loading"),
        ),
    )


def _parked(job: rx.Var[ParkedRow]) -> rx.Component:
    return rx.el.li(
        rx.el.div(
            rx.el.strong(job["what"]),
            rx.el.p(job["reason"]),
            rx.el.small(
                job["tries"],
                rx.cond(job["tried_at"] != "", rx.fragment(" · last ", When.create(at=job["tried_at"])), ""),
                " · asked for ",
                When.create(at=job["announced_at"]),
                class_name="muted",
            ),
        ),
        rx.el.div(
            rx.el.button("Try again", type="button", on_click=JobsState.retry(job["id"]), class_name="button"),
            Confirm.create(
                trigger="Drop",
                title="Drop this job?",
                text="What it was to do is not done. If its cause comes again, so does the job.",
                action="Drop",
                danger=True,
                on_confirm=lambda typed: JobsState.drop(job["id"], typed),
            ),
            class_name="row",
        ),
        key=job["id"],
    )
