"""The page for addresses that lead nowhere."""

from __future__ import annotations

import reflex as rx

from blametrail.ui.shell import door


def page() -> rx.Component:
    return door(
        "Nothing is here",
        rx.el.p("This address leads to no page. The link may be cut, or what it showed was deleted.", class_name="lede"),
        rx.el.a("To the timeline", href="/", class_name="button primary"),
    )
