"""What is inside the own network, and connections that do not lead there unless an operator allowed it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

import anyio
import httpcore

from blametrail.kit.outbound_errors import REACH, InsideRefused, Unreachable
from blametrail.settings import parse_hosts, settings

MOST_ADDRESSES = 4
"""Tried for one name; each gets its share of the time to connect."""

SETTING = "BLAMETRAIL_ALLOWED_PRIVATE_HOSTS"

Address = IPv4Address | IPv6Address
Resolver = Callable[[str, int], Awaitable[Sequence[Address]]]
"""From a name and a port to all addresses of the name; raises socket.gaierror."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """What may be called inside the own network."""

    names: frozenset[str]
    networks: tuple[IPv4Network | IPv6Network, ...]

    @classmethod
    def from_text(cls, text: str) -> Allowed:
        """From a comma-separated list of names, addresses and networks; raises ValueError."""
        return cls(*parse_hosts(text))

    def covers(self, host: str, address: Address) -> bool:
        """Whether a call to `host` may go to `address`; a name covers whatever it stands for."""
        return host.lower().removesuffix(".") in self.names or any(address in network for network in self.networks)


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Connections to addresses that were checked: the name is looked up once, here, and what is connected to is what was
    found, so that a name cannot show one address to a check and another to the call. TLS and the Host header are made
    above, from the name."""

    def __init__(
        self,
        allowed: Allowed | None = None,
        resolve: Resolver | None = None,
        network: httpcore.AsyncNetworkBackend | None = None,
    ) -> None:
        self._allowed = Allowed.from_text(settings().allowed_private_hosts) if allowed is None else allowed
        self._resolve = resolve or resolve_name
        self._network = network or httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - as httpcore names it
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A connection to the first address of `host` that takes one, within `timeout` seconds for all together."""
        try:
            async with asyncio.timeout(timeout):
                addresses = await self._resolve(host, port)
                self._check(host, addresses)
                share = None if timeout is None else timeout / min(len(addresses), MOST_ADDRESSES)
                return await self._first(addresses[:MOST_ADDRESSES], (port, share, local_address, socket_options))
        except TimeoutError:
            raise httpcore.ConnectTimeout from None
        except (socket.gaierror, UnicodeError):
            raise unknown_name(host) from None

    def _check(self, host: str, addresses: Sequence[Address]) -> None:
        """One address inside is enough to refuse all: a mixed answer is how rebinding begins."""
        if not addresses:
            raise unknown_name(host)
        for address in addresses:
            if is_metadata(address):
                raise InsideRefused(f"{host} leads to the metadata of a cloud, which is never called.", "Use another address.")
            if is_inside(address) and not self._allowed.covers(host, address):
                raise InsideRefused(
                    f"{host} leads into the network of this server.",
                    f"If that is wanted, an operator can add {host} to {SETTING}.",
                )

    async def _first(self, addresses: Sequence[Address], more: tuple[Any, ...]) -> httpcore.AsyncNetworkStream:
        for address in addresses[:-1]:
            try:
                return await self._network.connect_tcp(str(address), *more)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._network.connect_tcp(str(addresses[-1]), *more)


async def resolve_name(host: str, port: int) -> list[Address]:
    """All addresses of a name, in the order of the system's preference; raises socket.gaierror."""
    # A look-up cannot be cancelled, and the loop has few threads for them: a name server that never answers would hold up
    # the names of everybody. Here each has a thread of its own; there are no more than connections being opened.
    ask = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    found = await anyio.to_thread.run_sync(ask, abandon_on_cancel=True, limiter=anyio.CapacityLimiter(1))
    return list(dict.fromkeys(ip_address(where[0]) for *_, where in found))


# What Python calls global in some of its versions, though the IANA special-purpose registries do not, or though it carries
# an address of IPv4 that nobody checks: 6to4, Teredo, IPv4-mapped and -compatible.
_INSIDE = tuple(
    ip_network(block)
    for block in (
        "100.64.0.0/10",
        "192.0.0.0/24",
        "192.88.99.0/24",
        "198.18.0.0/15",
        "::/8",
        "64:ff9b:1::/48",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "3fff::/20",
        "5f00::/16",
        "fec0::/10",
    )
)
_NAT64 = ip_network("64:ff9b::/96")
_METADATA = frozenset(
    ip_address(address)
    for address in (
        "169.254.169.254",  # nearly every cloud
        "169.254.170.2",  # containers and pods of AWS
        "169.254.170.23",
        "fd00:ec2::254",
        "fd00:ec2::23",
        "fd20:ce::254",  # Google
        "100.100.100.200",  # Alibaba
        "168.63.129.16",  # Azure; an address that looks public
        "192.0.0.192",  # Oracle
    )
)


def is_inside(address: Address) -> bool:
    """Whether an address is not one of the public Internet.

    Behind NAT64 (RFC 6052) all of IPv4 is seen through one prefix of IPv6: there the address within decides.
    https://www.iana.org/assignments/iana-ipv4-special-registry, https://www.iana.org/assignments/iana-ipv6-special-registry
    """
    if address in _NAT64:
        return is_inside(_carried(address))
    return not address.is_global or address.is_multicast or address.is_reserved or any(address in block for block in _INSIDE)


def is_metadata(address: Address) -> bool:
    """Whether a cloud answers there with secrets of this machine; in disguise of IPv6, too."""
    return address in _METADATA or _carried(address) in _METADATA


def _carried(address: Address) -> Address:
    """The address of IPv4 that one of IPv6 stands for, else itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64 or int(address) < 2**32:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else address)


def unknown_name(host: str) -> Unreachable:
    return Unreachable(f"The name {host} was not found.", REACH)
