"""The command palette and the keyboard shortcuts."""

from __future__ import annotations

import reflex as rx

from blametrail.ui.parts.browser import _one


class Palette(rx.Component):
    """Ctrl-K: pages by name, then what the server finds; also the single-key shortcuts and their help."""

    library = "$/public/ui/palette.jsx"
    tag = "Palette"
    pages: rx.Var[list[dict[str, str]]]
    found: rx.Var[list[dict[str, str]]]
    on_search: rx.EventHandler[_one]
