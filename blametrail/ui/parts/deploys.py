"""How a deploy looks in rows."""

from __future__ import annotations

from typing import TypedDict

import reflex as rx

from blametrail.deploys.views import DeployView
from blametrail.ui.parts.browser import When


class DeployRow(TypedDict):
    """What a row shows; every value is text for the page."""

    id: str
    service: str
    service_id: str
    environment: str
    sha: str
    title: str
    branch: str
    version: str
    by: str
    kind: str
    at: str


def deploy_row(d: DeployView) -> DeployRow:
    return DeployRow(
        id=d.id,
        service=d.service,
        service_id=d.service_id,
        environment=d.environment,
        sha=d.short_sha,
        title=d.title,
        branch=d.branch,
        version=d.version,
        by=d.deployed_by,
        kind=d.kind,
        at=d.deployed_at.isoformat(),
    )


def kind_badge(kind: rx.Var[str]) -> rx.Component:
    """The word and sign of a deploy's kind; an ordinary deploy needs none."""
    return rx.match(
        kind,
        ("rollback", rx.el.span("↩ Rollback", class_name="badge rollback")),
        ("redeploy", rx.el.span("Redeploy", class_name="badge")),
        ("first", rx.el.span("First", class_name="badge first")),
        rx.fragment(),
    )


def environment_tag(environment: rx.Var[str]) -> rx.Component:
    return rx.el.span(environment, class_name=rx.cond(environment == "production", "env production", "env"))


def deploy_table(rows: rx.Var[list[DeployRow]], label: str) -> rx.Component:
    """A table that becomes a list of cards on a phone."""
    return rx.el.table(
        rx.el.caption(label, class_name="visually-hidden"),
        rx.el.thead(rx.el.tr(*(rx.el.th(head, scope="col") for head in ("When", "Service", "Change", "Version", "By")))),
        rx.el.tbody(rx.foreach(rows, _table_row)),
        class_name="deploys",
    )


def _table_row(d: rx.Var[DeployRow]) -> rx.Component:
    return _deploy_cells(**{name: d[name] for name in DeployRow.__annotations__}, key=d["id"])


@rx.memo
def _deploy_cells(
    id: rx.Var[str],
    service: rx.Var[str],
    service_id: rx.Var[str],
    environment: rx.Var[str],
    sha: rx.Var[str],
    title: rx.Var[str],
    branch: rx.Var[str],
    version: rx.Var[str],
    by: rx.Var[str],
    kind: rx.Var[str],
    at: rx.Var[str],
    rest: rx.RestProp,
) -> rx.Component:
    """A row; given its values one by one, a browser draws it again only when one of them changed."""
    return rx.el.tr(
        rest,
        rx.el.td(When.create(at=at), class_name="cell-when"),
        rx.el.td(rx.el.strong(service), " ", environment_tag(environment), class_name="cell-service"),
        rx.el.td(
            rx.el.a(title, href=f"/deploys/{id}", class_name="row-link"),
            " ",
            kind_badge(kind),
            class_name="cell-change",
        ),
        rx.el.td(
            rx.el.code(sha),
            rx.cond(version != "", rx.el.span(" ", version, class_name="muted")),
            rx.cond(branch != "", rx.el.small(" ", branch, class_name="muted branch")),
            class_name="cell-version",
        ),
        rx.el.td(by, class_name="cell-by muted"),
        custom_attrs={"data-row": id},
    )
