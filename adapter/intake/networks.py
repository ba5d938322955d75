"""Lists of addresses and networks, such as 10.1.0.0/16 and ::1."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network


class Networks:
    """Whether an address is in one of them. Raises ValueError for one that cannot be read."""

    def __init__(self, written: Iterable[str]) -> None:
        self._networks = [_network(text) for text in written]

    def __bool__(self) -> bool:
        return bool(self._networks)

    def __contains__(self, address: str) -> bool:
        try:
            at = _plain(ip_address(address.partition("%")[0]))
        except ValueError:
            return False
        return any(at in network for network in self._networks)


def _network(text: str) -> IPv4Network | IPv6Network:
    """A network in CIDR, or one address; bits right of the prefix are ignored."""
    network = ip_network(text.strip(), strict=False)
    if isinstance(network, IPv6Network) and network.prefixlen >= 96:
        mapped = network.network_address.ipv4_mapped
        if mapped is not None:
            return IPv4Network((mapped, network.prefixlen - 96))
    return network


def _plain(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """An IPv4 address that a dual-stack socket shows as ::ffff:a.b.c.d, as itself."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
