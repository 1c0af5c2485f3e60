"""The setup of a service, step by step, with the one thing to do next."""

from __future__ import annotations

from typing import Any, TypedDict

import reflex as rx

from blametrail.doctor import Diagnosis, Health, Step


class StepRow(TypedDict):
    question: str
    health: str
    finding: str
    remedy: str
    page: str


class DiagnosisRow(TypedDict):
    steps: list[StepRow]
    next: StepRow
    done: str


NO_STEP = StepRow(question="", health="", finding="", remedy="", page="")
NO_DIAGNOSIS = DiagnosisRow(steps=[], next=NO_STEP, done="")
_ICONS = {Health.GOOD: "check", Health.TO_DO: "circle", Health.WRONG: "triangle-alert"}


def diagnosis_row(diagnosis: Diagnosis) -> DiagnosisRow:
    good = sum(step.health == Health.GOOD for step in diagnosis.steps)
    return DiagnosisRow(
        steps=[_row(step) for step in diagnosis.steps],
        next=_row(diagnosis.next) if diagnosis.next else NO_STEP,
        done=f"{good} of {len(diagnosis.steps)}",
    )


def _row(step: Step) -> StepRow:
    return StepRow(question=step.question, health=step.health, finding=step.finding, remedy=step.remedy, page=step.page)


def setup_doctor(shown: Any) -> rx.Component:
    """Folded when all is well; what is next is always seen."""
    following = shown["next"]
    return rx.el.section(
        rx.el.h2("Setup"),
        rx.cond(
            following["question"] != "",
            rx.el.p(
                rx.icon("triangle-alert", size=14),
                rx.el.span(
                    rx.el.strong("Next: "),
                    following["finding"],
                    " ",
                    rx.cond(following["page"] != "", rx.el.a(following["remedy"], href=following["page"]), following["remedy"]),
                ),
                class_name="note",
            ),
        ),
        rx.el.details(
            rx.el.summary(f"{shown['done']} steps are done"),
            rx.el.ul(rx.foreach(shown["steps"], _step), class_name="checks"),
            class_name="disclosure",
        ),
        aria_label="Setup",
    )


def _step(step: rx.Var[StepRow]) -> rx.Component:
    return rx.el.li(
        rx.match(
            step["health"], *((health, rx.icon(icon, size=14)) for health, icon in _ICONS.items()), rx.icon("minus", size=14)
        ),
        rx.el.span(
            rx.el.strong(step["question"]),
            " ",
            step["finding"],
            rx.cond(
                step["remedy"] != "",
                rx.fragment(" ", rx.cond(step["page"] != "", rx.el.a(step["remedy"], href=step["page"]), step["remedy"])),
            ),
        ),
        class_name=rx.match(step["health"], (Health.GOOD, "good"), (Health.WRONG, "bad"), (Health.TO_DO, "bad"), ""),
    )
