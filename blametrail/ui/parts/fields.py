"""Fields of forms: a label, the input, what is wrong with it."""

from __future__ import annotations

from typing import Any

import reflex as rx

from blametrail.ui.parts.browser import FieldError
from blametrail.ui.parts.vars import has_key


def field(label: str, name: str, *, hint: str = "", **attributes: Any) -> rx.Component:
    """A line of text of a form."""
    return _labelled(label, name, hint, rx.el.input(name=name, **attributes))


def area(label: str, name: str, *, hint: str = "", **attributes: Any) -> rx.Component:
    """Several lines of text."""
    return _labelled(label, name, hint, rx.el.textarea(name=name, **attributes))


def choice(label: str, name: str, options: list[str], *, hint: str = "", **attributes: Any) -> rx.Component:
    """One of a few."""
    return _labelled(label, name, hint, rx.el.select(*(rx.el.option(o, value=o) for o in options), name=name, **attributes))


def field_error(errors: Any, name: str) -> rx.Component:
    """What a page's own handler found wrong with a field, by a var that maps names to words."""
    return rx.cond(has_key(errors, name), rx.el.span(errors[name], class_name="field-error", role="alert"))


def _labelled(label: str, name: str, hint: str, control: rx.Component) -> rx.Component:
    return rx.el.label(
        rx.el.span(label),
        control,
        rx.el.small(hint, class_name="muted") if hint else rx.fragment(),
        FieldError.create(name=name),
        class_name="field",
    )
