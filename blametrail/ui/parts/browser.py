"""Components whose work only a browser can do; the code is in assets/ui."""

from __future__ import annotations

from typing import Any

import reflex as rx


def _two(first: rx.Var[Any], second: rx.Var[Any]) -> list[rx.Var[Any]]:
    return [first, second]


def _three(first: rx.Var[Any], second: rx.Var[Any], third: rx.Var[Any]) -> list[rx.Var[Any]]:
    return [first, second, third]


def _one(value: rx.Var[Any]) -> list[rx.Var[Any]]:
    return [value]


class ApiForm(rx.Component):
    """A form posted to a route of `api/forms/`; errors appear beside their fields, input is kept."""

    library = "$/public/ui/forms.jsx"
    tag = "ApiForm"
    action: rx.Var[str]
    hard: rx.Var[bool]
    extra: rx.Var[dict[str, str]]
    reset_on_done: rx.Var[bool]
    label: rx.Var[str]


class FieldError(rx.Component):
    """What is wrong with the field of that name."""

    library = "$/public/ui/forms.jsx"
    tag = "FieldError"
    name: rx.Var[str]


class OneTimeSecret(rx.Component):
    """A secret that the last form answered, until the page is left."""

    library = "$/public/ui/forms.jsx"
    tag = "OneTimeSecret"
    of: rx.Var[str]
    label: rx.Var[str]
    hint: rx.Var[str]


class Invitation(rx.Component):
    """Shows who invites to what, then its children."""

    library = "$/public/ui/forms.jsx"
    tag = "Invitation"


class When(rx.Component):
    """A time, relative and absolute, in the reader's zone."""

    library = "$/public/ui/pieces.jsx"
    tag = "When"
    at: rx.Var[str]
    short: rx.Var[bool]


class CopyButton(rx.Component):
    library = "$/public/ui/pieces.jsx"
    tag = "CopyButton"
    text: rx.Var[str]
    label: rx.Var[str]


class Tabs(rx.Component):
    """Tabs of snippets: items of `title`, `hint`, `text`."""

    library = "$/public/ui/pieces.jsx"
    tag = "Tabs"
    items: rx.Var[list[dict[str, str]]]
    label: rx.Var[str]


class LiveDot(rx.Component):
    library = "$/public/ui/pieces.jsx"
    tag = "LiveDot"
    offline: rx.Var[bool]


class ThemeSwitch(rx.Component):
    library = "$/public/ui/pieces.jsx"
    tag = "ThemeSwitch"


class ScrollMark(rx.Component):
    """Tells whether the reader has scrolled past it."""

    library = "$/public/ui/pieces.jsx"
    tag = "ScrollMark"
    on_reading: rx.EventHandler[_one]


class Toasts(rx.Component):
    library = "$/public/ui/pieces.jsx"
    tag = "Toasts"
    items: rx.Var[list[dict[str, str]]]
    on_gone: rx.EventHandler[_one]


class Confirm(rx.Component):
    """A button that asks before it acts; with `typed`, that text must be typed."""

    library = "$/public/ui/pieces.jsx"
    tag = "Confirm"
    trigger: rx.Var[str]
    title: rx.Var[str]
    text: rx.Var[str]
    action: rx.Var[str]
    danger: rx.Var[bool]
    typed: rx.Var[str]
    on_confirm: rx.EventHandler[_one]


class Timeline(rx.Component):
    """Lanes of marks, and spans of incidents across them, between `start` and `end` (milliseconds); tells where the reader moved it."""

    library = "$/public/ui/timeline.jsx"
    tag = "Timeline"
    lanes: rx.Var[list[dict[str, Any]]]
    spans: rx.Var[list[dict[str, Any]]]
    start: rx.Var[int]
    end: rx.Var[int]
    live: rx.Var[bool]
    on_window: rx.EventHandler[_two]
    on_lane: rx.EventHandler[_one]


class TimelineTools(rx.Component):
    library = "$/public/ui/timeline.jsx"
    tag = "TimelineTools"


class RangeFields(rx.Component):
    library = "$/public/ui/timeline.jsx"
    tag = "RangeFields"
    start: rx.Var[int]
    end: rx.Var[int]
    on_window: rx.EventHandler[_two]


class MomentFields(rx.Component):
    """Two moments, or with `one` the second alone, in milliseconds; tells which ones the reader wants."""

    library = "$/public/ui/moments.jsx"
    tag = "MomentFields"
    start: rx.Var[int]
    end: rx.Var[int]
    one: rx.Var[bool]
    on_show: rx.EventHandler[_two]


class OnsetFields(rx.Component):
    """When an incident began, with its interval, in milliseconds; tells what the reader knows better."""

    library = "$/public/ui/moments.jsx"
    tag = "OnsetFields"
    earliest: rx.Var[int]
    at: rx.Var[int]
    latest: rx.Var[int]
    on_save: rx.EventHandler[_three]


class MomentField(rx.Component):
    """A moment of a form, typed in the reader's zone and sent under `name` in UTC, empty when none was typed."""

    library = "$/public/ui/moment_field.jsx"
    tag = "MomentField"
    name: rx.Var[str]
    label: rx.Var[str]
    hint: rx.Var[str]
