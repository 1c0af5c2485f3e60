"""The pages of the settings, side by side."""

from __future__ import annotations

import reflex as rx

SETTINGS = (
    ("People", "/settings"),
    ("Organization", "/settings/organization"),
    ("Code hosts", "/settings/code-hosts"),
    ("Webhooks", "/settings/webhooks"),
    ("Alerts", "/settings/alerts"),
    ("API tokens", "/settings/api-tokens"),
    ("Jobs", "/settings/jobs"),
    ("Your account", "/account"),
)


def settings_tabs() -> rx.Component:
    """Links to all pages of the settings; the one that is open is marked."""
    path = rx.State.router.url.path
    return rx.el.nav(
        *(
            rx.el.a(
                name,
                href=href,
                class_name=rx.cond(_is_at(path, href), "tab here", "tab"),
                custom_attrs={"aria-current": rx.cond(_is_at(path, href), "page", "false")},
            )
            for name, href in SETTINGS
        ),
        aria_label="Settings",
        class_name="settings-tabs",
    )


def _is_at(path: rx.Var[str], href: str) -> rx.Var[bool]:
    return (path == href) | (path == f"{href}/")
