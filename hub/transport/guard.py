"""The SSRF guard: addresses from payloads, subscribers or redirects never reach a private network.

Hosts that reviewed configuration names are pinned and may be private (an ERP at 10.x is normal). The check is made on
the address that was connected to, before a byte is sent, so a name that resolves differently a moment later gains
nothing (docs: security).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_NAT64_LOCAL = ipaddress.IPv6Network("64:ff9b:1::/48")
_V4_COMPATIBLE = ipaddress.IPv6Network("::/96")


class AddressRefused(Exception):
    """The host leads into a network that it must not reach."""

    def __init__(self, host: str, address: str) -> None:
        super().__init__(
            f"{host} leads to {address}, which is not a public address; "
            "a host that may be private is named in the connection's configuration"
        )


class Guard:
    """Says whether a host may be talked to at an address. `pinned` hosts may be anywhere."""

    def __init__(self, pinned: Iterable[str] = ()) -> None:
        self._pinned = frozenset(_plain(host) for host in pinned)

    def check(self, host: str, address: str) -> None:
        """Raises AddressRefused. `address` is the numeric address of the other end of the connection."""
        if _plain(host) in self._pinned:
            return
        try:
            # A zone (fe80::1%eth0) only ever belongs to a link-local address.
            parsed = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            raise AddressRefused(host, address) from None
        if not is_public(parsed):
            raise AddressRefused(host, address)


def is_public(address: Address) -> bool:
    """Whether an address is reachable on the public internet, looking inside the IPv6 forms that carry an IPv4 one."""
    inner = _embedded(address)
    if inner is not None:
        return is_public(inner)
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def _embedded(address: Address) -> ipaddress.IPv4Address | None:
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if address in _NAT64 or address in _NAT64_LOCAL or address in _V4_COMPATIBLE:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None


def _plain(host: str) -> str:
    return host.strip("[]").rstrip(".").lower()
