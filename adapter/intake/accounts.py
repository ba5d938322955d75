"""Who may enter: account, password, address and door of a client.

Whoever does not know the password learns nothing: unknown account, wrong password, disabled
account and closed door give one answer after the same work, and the address is looked
at only when the password was right.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from adapter.domain.client import Client
from adapter.domain.errors import Code, Refusal
from adapter.security.passwords import CheckerBusy, PasswordChecker

_LONGEST = 256


class Accounts:
    """The configured clients; never changes, safe to share between threads.

    Raises ValueError where a client's network cannot be read.
    """

    def __init__(self, clients: Sequence[Client], checker: PasswordChecker) -> None:
        self._clients = {client.account: client for client in clients}
        self._networks = {
            client.account: [_network(text) for text in client.networks] for client in clients
        }
        self._checker = checker

    def find(self, account: str) -> Client | None:
        """The client of this account, enabled or not."""
        return self._clients.get(account)

    def authenticate(self, account: str, password: str, address: str, door: str) -> Client:
        """The client that comes with this password from this address through this door.

        Raises Refusal: AUTH_FAILED, IP_DENIED, or RATE_LIMITED while too many passwords
        are being checked at once.
        """
        if len(account) > _LONGEST or len(password) > _LONGEST:
            raise _failed()
        client = self._clients.get(account)
        try:
            fits = self._checker.verify(account, client.password_hashes if client else (), password)
        except CheckerBusy:
            raise Refusal(Code.RATE_LIMITED, "too many logins at once; try again") from None
        if client is None or not fits or not client.enabled:
            raise _failed()
        if client.doors and door not in client.doors:
            raise _failed()
        if not self._may_come_from(account, address):
            raise Refusal(Code.IP_DENIED, "this address may not use the account")
        return client

    def _may_come_from(self, account: str, address: str) -> bool:
        networks = self._networks[account]
        if not networks:
            return True
        try:
            at = _plain(ip_address(address.partition("%")[0]))
        except ValueError:
            return False
        return any(at in network for network in networks)


def _failed() -> Refusal:
    return Refusal(Code.AUTH_FAILED, "account or password is wrong, or the account is closed here")


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
