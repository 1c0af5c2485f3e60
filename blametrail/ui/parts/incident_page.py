"""How the page of an incident looks: state and acts, when it began, what went live before, what it shows, what happened."""

from __future__ import annotations

from typing import Any

import reflex as rx

from blametrail.ui.parts.browser import Confirm, OnsetFields, When
from blametrail.ui.parts.deploys import deploy_table, environment_tag
from blametrail.ui.parts.fields import area, field
from blametrail.ui.parts.incident_form import extent_fields, symptom_fields, word_fields
from blametrail.ui.parts.incidents import incident_table, severity_badge, status_badge
from blametrail.ui.parts.vars import count
from blametrail.ui.shell import may_respond, shell

WORDS = {
    "opened": "opened it",
    "told": "told of it",
    "acknowledged": "acknowledged it",
    "resolved": "resolved it",
    "reopened": "reopened it",
    "merged": "merged",
    "edited": "changed",
    "onset": "set when it began",
    "symptom": "changed what it shows",
    "note": "noted",
}

ORIGINS = (
    ("manual", "opened by hand"),
    ("availability", "a monitor found it unavailable"),
    ("latency", "a monitor found it slow"),
)


def incident_page(s: Any) -> rx.Component:
    """The page of the incident that the vars of the state `s` describe."""
    return shell(
        rx.cond(s.missing != "", "No such incident", rx.cond(s.ready, f"#{s.number} {s.title}", "Incident")),
        rx.cond(
            s.missing != "",
            rx.el.p(s.missing, " ", rx.el.a("All incidents", href="/incidents"), class_name="empty"),
            rx.cond(
                s.ready,
                rx.el.div(
                    _state(s),
                    _when(s),
                    _before(s),
                    _symptom(s),
                    _history(s),
                    rx.cond(may_respond(), _edit(s)),
                    class_name="incident-page service-page",
                ),
                rx.el.div(class_name="skeleton table-skeleton", aria_label="Loading"),
            ),
        ),
        actions=rx.cond(s.ready & (s.missing == "") & may_respond(), _acts(s)),
    )


def _acts(s: Any) -> rx.Component:
    return rx.el.div(
        rx.cond(
            s.status == "open",
            rx.el.button("Acknowledge", type="button", on_click=s.acknowledge, class_name="button primary"),
        ),
        rx.cond(
            s.status != "resolved",
            Confirm.create(
                trigger="Resolve",
                title="Is it over?",
                text="The incident is marked as resolved now. It can be reopened.",
                action="Resolve",
                on_confirm=s.resolve,
            ),
            rx.cond(
                count(s.into) == 0,
                rx.el.button("Reopen", type="button", on_click=s.reopen, class_name="button"),
            ),
        ),
        class_name="row wrap",
    )


def _state(s: Any) -> rx.Component:
    return rx.el.section(
        rx.el.p(
            status_badge(s.status),
            " ",
            severity_badge(s.severity),
            " ",
            rx.foreach(s.services, lambda one: rx.el.a(one["name"], href=f"/services/{one['id']}", class_name="service-name")),
            rx.cond(count(s.services) == 0, rx.el.span("no service known", class_name="service-name muted")),
            " ",
            rx.foreach(s.environments, lambda e: rx.el.span(environment_tag(e), " ")),
            rx.el.span(rx.match(s.type, *ORIGINS, f"told by {s.type}"), class_name="muted"),
            class_name="row wrap",
        ),
        rx.cond(count(s.into) > 0, rx.el.p("It was merged into this one:", class_name="note")),
        rx.cond(count(s.into) > 0, incident_table(s.into, "The incident that this one was merged into")),
        rx.cond(s.description != "", rx.el.p(s.description, class_name="described")),
        aria_label="State",
    )


def _when(s: Any) -> rx.Component:
    return rx.el.section(
        rx.el.h2("When"),
        rx.el.dl(
            rx.el.dt("Began"),
            rx.el.dd(
                rx.cond(s.onset_by == "", rx.el.span("≈ ", title="An estimate")),
                When.create(at=s.onset_at),
                rx.cond(s.onset_width != "", rx.el.span(" within ", s.onset_width, class_name="muted")),
                rx.el.br(),
                rx.el.small(
                    rx.cond(s.onset_by != "", rx.fragment("Set by ", s.onset_by), rx.fragment("Because ", s.onset_basis)),
                    ".",
                    class_name="muted",
                ),
            ),
            rx.el.dt("Noticed"),
            rx.el.dd(When.create(at=s.detected_at)),
            rx.cond(
                s.acknowledged_at != "",
                rx.fragment(rx.el.dt("Acknowledged"), rx.el.dd(When.create(at=s.acknowledged_at), " by ", s.acknowledged_by)),
            ),
            rx.cond(
                s.resolved_at != "",
                rx.fragment(
                    rx.el.dt("Resolved"),
                    rx.el.dd(When.create(at=s.resolved_at), " by ", s.resolved_by, " after ", s.lasted),
                ),
            ),
            class_name="facts",
        ),
        rx.cond(
            may_respond(),
            rx.el.details(
                rx.el.summary("Correct when it began"),
                OnsetFields.create(earliest=s.onset_ms[0], at=s.onset_ms[1], latest=s.onset_ms[2], on_save=s.correct_onset),
                class_name="disclosure",
            ),
        ),
        aria_label="When",
    )


def _before(s: Any) -> rx.Component:
    return rx.el.section(
        rx.el.div(
            rx.el.h2("What went live before"),
            rx.el.span(
                rx.el.a("Everything that changed", href=s.between_href),
                " · ",
                rx.el.a("On the timeline", href=s.timeline_href),
            ),
            class_name="section-head",
        ),
        rx.cond(
            count(s.rows) > 0,
            deploy_table(s.rows, "Deploys before the incident began, newest first"),
            rx.el.p("No deploy here in the ", s.lookback, " before it began.", class_name="muted"),
        ),
        aria_label="What went live before",
    )


def _symptom(s: Any) -> rx.Component:
    is_empty = (s.error_message == "") & (s.stack_trace == "") & (s.log_excerpt == "") & (s.endpoint == "")
    return rx.el.section(
        rx.el.h2("Symptom"),
        rx.cond(
            is_empty,
            rx.el.p(
                "Nothing is known of what it shows. A stack trace says most about which change it was.", class_name="muted"
            ),
            rx.fragment(
                rx.cond(
                    s.exception != "",
                    rx.el.p(rx.el.code(s.exception), ": ", s.message, class_name="exception"),
                    rx.cond(s.message != "", rx.el.p(s.message, class_name="exception")),
                ),
                rx.cond(s.endpoint != "", rx.el.p("At ", rx.el.code(s.endpoint))),
                _frames(s),
                _names("Files", s.files),
                _names("Names in code", s.identifiers),
                rx.cond(
                    s.log_excerpt != "",
                    rx.el.details(
                        rx.el.summary("Log excerpt"),
                        rx.el.pre(s.log_excerpt, class_name="message", tab_index=0),
                        class_name="disclosure",
                    ),
                ),
                rx.cond(
                    s.stack_trace != "",
                    rx.el.details(
                        rx.el.summary("Stack trace as it came"),
                        rx.el.pre(s.stack_trace, class_name="message", tab_index=0),
                        class_name="disclosure",
                    ),
                ),
            ),
        ),
        rx.cond(
            may_respond(),
            rx.el.details(
                rx.el.summary("Say what it shows"),
                rx.el.form(
                    symptom_fields(s),
                    rx.el.div(rx.el.button("Save", type="submit", class_name="button primary"), class_name="row end"),
                    on_submit=s.save_symptom,
                    class_name="form",
                    aria_label="Symptom",
                    key=s.id,
                ),
                class_name="disclosure",
            ),
        ),
        aria_label="Symptom",
    )


def _frames(s: Any) -> rx.Component:
    return rx.cond(
        count(s.frames) > 0,
        rx.el.ol(
            rx.foreach(
                s.frames,
                lambda f: rx.el.li(
                    rx.el.code(f["place"]),
                    " ",
                    rx.el.span(f["function"], class_name="muted"),
                    rx.cond(f["is_ours"], "", rx.el.small(" installed package", class_name="muted")),
                    class_name=rx.cond(f["is_ours"], "frame ours", "frame"),
                ),
            ),
            class_name="frames",
            aria_label="Frames, innermost first",
        ),
    )


def _names(title: str, names: rx.Var[list[str]]) -> rx.Component:
    return rx.cond(
        count(names) > 0,
        rx.el.p(
            rx.el.strong(title), " ", rx.foreach(names, lambda name: rx.fragment(rx.el.code(name), " ")), class_name="names"
        ),
    )


def _history(s: Any) -> rx.Component:
    return rx.el.section(
        rx.el.h2("What happened"),
        rx.el.ol(
            rx.foreach(
                s.entries,
                lambda e: rx.el.li(
                    When.create(at=e["at"]),
                    rx.el.div(
                        rx.el.strong(e["who"]),
                        " ",
                        rx.match(e["kind"], *WORDS.items(), e["kind"]),
                        rx.cond(e["text"] != "", rx.el.span(": ", e["text"])),
                    ),
                    class_name=f"entry of-{e['kind']}",
                ),
            ),
            class_name="entries",
        ),
        rx.cond(
            may_respond(),
            rx.el.form(
                area("Add a note", "note", rows="2", required=True, max_length=20_000),
                rx.el.div(rx.el.button("Add", type="submit", class_name="button"), class_name="row end"),
                on_submit=s.note,
                class_name="form",
                aria_label="Note",
                key=s.drafts,
            ),
        ),
        rx.cond(
            count(s.merged) > 0,
            rx.fragment(rx.el.h2("Merged into this one"), incident_table(s.merged, "Incidents that are part of this one")),
        ),
        aria_label="What happened",
    )


def _edit(s: Any) -> rx.Component:
    return rx.el.section(
        rx.el.details(
            rx.el.summary("Change title, severity or what it affects"),
            rx.el.form(
                word_fields(s),
                extent_fields(s),
                rx.el.div(rx.el.button("Save", type="submit", class_name="button primary"), class_name="row end"),
                on_submit=s.save,
                class_name="form",
                aria_label="Change the incident",
                key=s.id,
                no_validate=True,
            ),
            class_name="disclosure",
        ),
        rx.cond(
            count(s.into) == 0,
            rx.el.details(
                rx.el.summary("Merge into another incident"),
                rx.el.p(
                    "They are the same one: the other goes on and gets what this one affects; this one is resolved.",
                    class_name="muted",
                ),
                rx.el.form(
                    field("Number of the other", "number", placeholder="#12", required=True, max_length=12),
                    rx.el.button("Merge", type="submit", class_name="button"),
                    on_submit=s.merge,
                    class_name="columns end",
                    aria_label="Merge",
                ),
                class_name="disclosure",
            ),
        ),
        aria_label="Change it",
    )
