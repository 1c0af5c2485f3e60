"""What can go wrong, each with a reason and a remedy for people:

OutboundError
├── AddressRefused      not an address that we call: its scheme, its form, a password in it
│   └── InsideRefused   it leads into the own network, and no operator allowed that
├── Unreachable         no such name, no connection, or it broke off
├── TimedOut            connected, but too slow
├── TlsFailed           no trusted encrypted connection
├── RedirectRefused     a redirect that must not be followed
│   └── TooManyRedirects
├── TooLarge            more bytes than the caller takes
└── Unreadable          compressed in a way that we did not ask for, or broken
"""

from __future__ import annotations

from blametrail.kit.errors import Outside

REACH = "Check the address, and that this server can reach it."


class OutboundError(Outside):
    """Base of all; its words hold no path, query, header or body either."""

    code = "outbound"


class AddressRefused(OutboundError):
    """Not an address that we call."""


class InsideRefused(AddressRefused):
    """It leads into the own network, and no operator allowed that."""


class Unreachable(OutboundError):
    """No such name, no connection, or it broke off; may pass."""


class TimedOut(OutboundError):
    """The answer, or the rest of it, did not come in time."""


class TlsFailed(OutboundError):
    """No trusted encrypted connection."""


class RedirectRefused(OutboundError):
    """A redirect that must not be followed."""


class TooManyRedirects(RedirectRefused):
    """More than five, or a circle."""


class TooLarge(OutboundError):
    """More bytes than the caller takes."""


class Unreadable(OutboundError):
    """Compressed in a way that we did not ask for, or broken."""
