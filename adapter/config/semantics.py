"""What a schema cannot say: names that must exist, values that must fit together.

Works on the tree, faults against the schema or not, so that one run tells everything: an
attribute that is missing or was found bad already is passed over here.
"""

from __future__ import annotations

import ipaddress
import re
import zoneinfo
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from lxml import etree
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from adapter.config.callback_rules import examine_callback
from adapter.config.channel_rules import examine_channel
from adapter.config.client_rules import examine_client
from adapter.config.document import NAMESPACE, Document
from adapter.config.model import Jobs
from adapter.config.notes import repeated
from adapter.config.references import Hidden
from adapter.config.scalars import collapsed, seconds
from adapter.config.source_rules import examine_source
from adapter.config.tls_rules import tls_of_listener
from adapter.domain.states import Carrier, Door
from adapter.security.data_keys import master_of
from adapter.security.secrets import SecretError

SENDER_DIGITS = 20
"""Access number and extension together: what a carrier takes as the sender."""

DOOR_PORTS = {"socket": "8090", "cmpp-server": "7891"}
STORE_DATABASES: dict[str, tuple[str, ...]] = {"sqlite": ("pysqlite",), "postgresql": ("psycopg",)}
SOURCE_DATABASES: dict[str, tuple[str, ...]] = {
    **STORE_DATABASES,
    "mysql": ("pymysql",),
    "mariadb": ("pymysql",),
    "oracle": ("oracledb", "cx_oracle"),
    "mssql": ("pymssql", "pyodbc"),
    "dm": ("dmPython",),
    "kingbase": ("psycopg",),
}
"""Kinds of database and the drivers that reach each; the first one where none is named."""

_EXTRAS = {"mariadb": "mysql", "kingbase": "postgresql"}
PLACEHOLDER = re.compile(r"\$\{(\w+)\}")

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost", "0.0.0.0", "::"})  # noqa: S104
_ORDERED = (
    ("channels/channel/connection", "reconnect-min", "reconnect-max", "1s", "60s"),
    ("sources/source", "poll-min", "poll-max", "100ms", "2s"),
    ("channels/channel/provider", "reconnect-min", "reconnect-max", "1s", "60s"),
    ("clients/client/callback", "retry-min", "retry-max", "2s", "10min"),
    ("policies/lane", "backoff-min", "backoff-max", "2s", "600s"),
)


def examine(document: Document, hidden: Hidden) -> None:
    """Note every fault of meaning."""
    if document.root is None:
        return
    tree = _Tree(document, document.root, hidden)
    for rule in RULES:
        rule(tree)


class _Tree:
    """The tree as the rules read it."""

    def __init__(self, document: Document, root: etree._Element, hidden: Hidden) -> None:
        self._document = document
        self._root = root
        self._hidden = hidden

    @property
    def complete(self) -> bool:
        """Whether a name that is not here is nowhere."""
        return self._document.complete

    def all(self, way: str) -> list[etree._Element]:
        """Elements by their names from the root: `channels/channel`."""
        return self._root.findall("/".join(f"{{{NAMESPACE}}}{name}" for name in way.split("/")))

    def get(self, element: etree._Element, attribute: str, default: str = "") -> str:
        """A value, or its default; empty where a reference could not be followed."""
        if (element, attribute) in self._hidden.failed:
            return ""
        return collapsed(element.get(attribute, default))

    @property
    def folder(self) -> Path:
        """Where relative paths start."""
        return self._document.path.resolve().parent

    def file(self, element: etree._Element, attribute: str) -> str:
        """A file's path, found from the folder of the configuration; empty for none."""
        name = self.get(element, attribute)
        return str(self._document.path.resolve().parent / name) if name else ""

    def named(self, way: str, attribute: str = "name") -> dict[str, etree._Element]:
        """The first element of each name."""
        found: dict[str, etree._Element] = {}
        for element in self.all(way):
            if name := self.get(element, attribute):
                found.setdefault(name, element)
        return found

    def fault(self, element: etree._Element, attribute: str, message: str) -> None:
        self._document.fault(element, message, attribute)

    def warn(self, element: etree._Element, attribute: str, message: str) -> None:
        self._document.fault(element, message, attribute, warning=True)

    def enabled(self, element: etree._Element) -> bool:
        return self.get(element, "enabled", "true") != "false"


def _unique_names(tree: _Tree) -> None:
    for way, attribute in (
        ("channels/channel", "name"),
        ("clients/client", "account"),
        ("sources/source", "name"),
        ("templates/template", "name"),
        ("policies/lane", "name"),
        ("routes/ported", "prefix"),
    ):
        what = way.rpartition("/")[2]
        for element, name in repeated(tree, tree.all(way), attribute):
            tree.fault(element, attribute, f"there are two <{what}> with {attribute} {name!r}")


def _timezone(tree: _Tree) -> None:
    for node in tree.all("node"):
        name = tree.get(node, "timezone")
        try:
            if name:
                zoneinfo.ZoneInfo(name)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            message = f"timezone={name!r} is unknown; write one like Asia/Shanghai"
            tree.fault(node, "timezone", message)


def _databases(tree: _Tree) -> None:
    for way, databases in (
        ("store", STORE_DATABASES),
        ("sources/source", SOURCE_DATABASES),
        ("sources/source/results", SOURCE_DATABASES),
    ):
        for element in tree.all(way):
            if tree.get(element, "url"):
                _database(tree, element, databases)


def _database(tree: _Tree, element: etree._Element, databases: dict[str, tuple[str, ...]]) -> None:
    try:
        url = make_url(tree.get(element, "url"))
    except (ArgumentError, ValueError):
        message = (
            "url is not a database address: write sqlite:///FILE"
            " or postgresql://USER@HOST:PORT/DATABASE"
        )
        tree.fault(element, "url", message)
        return
    kind, _, named = url.drivername.partition("+")
    drivers = databases.get(kind, ())
    if not drivers or (named and named not in drivers):
        known = ", ".join(f"{name}:" for name in databases)
        tree.fault(element, "url", f"url begins with {url.drivername}:, allowed: {known}")
    elif kind == "sqlite" and (not url.database or ":memory:" in url.database):
        tree.fault(element, "url", "url names no file: write sqlite:///FILE")
    elif kind != "sqlite":
        _server(tree, element, url, named or drivers[0])


def kind_of(url: URL) -> str:
    """`oracle` of `oracle+oracledb://...`"""
    return url.drivername.partition("+")[0]


def _server(tree: _Tree, element: etree._Element, url: URL, driver: str) -> None:
    if not url.host and "host" not in url.query:
        tree.fault(element, "url", "url names no host: write postgresql://USER@HOST:PORT/DATABASE")
    if not url.database and "service_name" not in url.query and kind_of(url) != "dm":
        message = "url names no database: write postgresql://USER@HOST:PORT/DATABASE"
        tree.fault(element, "url", message)
    if url.password and element.get("password"):
        tree.fault(element, "password", "the password stands in url and in password: take one out")
    if find_spec(driver) is None:
        extra = _EXTRAS.get(kind_of(url), kind_of(url))
        message = f"the driver is not installed here: pip install 'his-sms-adapter[{extra}]'"
        tree.warn(element, "url", message)


def _channels(tree: _Tree) -> None:
    for channel in tree.all("channels/channel"):
        examine_channel(tree, channel)


def _ports(tree: _Tree) -> None:
    """Ports of this machine have one use each."""
    own = _own_ports(tree)
    for connection in tree.all("channels/channel/connection"):
        host, port = tree.get(connection, "host"), tree.get(connection, "port")
        if host in _LOOPBACK and port in own:
            message = f"port {port} is used twice: this node's own {own[port]} door listens there"
            tree.fault(connection, "port", message)
    listeners = tree.all("channels/channel/listener")
    for listener in listeners:
        _networks(tree, listener)
        if (port := tree.get(listener, "port")) in own:
            message = f"port {port} is used twice: this node's own {own[port]} door listens there"
            tree.fault(listener, "port", message)
    for listener, port in repeated(tree, listeners, "port"):
        tree.fault(listener, "port", f"port {port} is used twice: another listener has it")


def _own_ports(tree: _Tree) -> dict[str, str]:
    """The doors by their ports; one that another door has already is a fault."""
    found = {tree.get(web, "port", "8080"): "web" for web in tree.all("web")} or {"8080": "web"}
    for door, default in DOOR_PORTS.items():
        for element in tree.all(door):
            port = tree.get(element, "port", default)
            if port in found:
                message = f"port {port} is used twice: the {found[port]} door listens there"
                tree.fault(element, "port", message)
            found.setdefault(port, door)
            tls_of_listener(tree, element)
    return found


def _web(tree: _Tree) -> None:
    for web in tree.all("web"):
        _networks(tree, web, "proxies")
        tls_of_listener(tree, web)


def _routes(tree: _Tree) -> None:
    channels = tree.named("channels/channel")
    routes = tree.all("routes/route")
    for route, carrier in repeated(tree, routes, "carrier"):
        message = f"carrier {carrier} is routed twice: name its channels in one <route>"
        tree.fault(route, "carrier", message)
    for route in routes:
        _route(tree, route, channels)
    if not channels or not tree.complete:
        return
    routed = {tree.get(route, "carrier") for route in routes}
    lacking = [c.value for c in Carrier if c.value not in routed]
    if lacking:
        place = next(iter(tree.all("routes")), None)
        message = f"no route for {', '.join(lacking)}: texts to these are refused with NO_ROUTE"
        tree.warn(place if place is not None else tree.all("channels")[0], "", message)


def _route(tree: _Tree, route: etree._Element, channels: dict[str, etree._Element]) -> None:
    names = tree.get(route, "channels").split()
    for at, name in enumerate(names):
        if name not in channels and tree.complete:
            known = ", ".join(channels) or "none is configured"
            message = f"channels: there is no channel {name!r}; channels: {known}"
            tree.fault(route, "channels", message)
        elif name in names[:at]:
            tree.fault(route, "channels", f"channels: {name!r} is named twice")
    known_names = [name for name in names if name in channels]
    if known_names and not any(tree.enabled(channels[name]) for name in known_names):
        tree.warn(route, "channels", "channels: none of them is enabled")


def _clients(tree: _Tree) -> None:
    longest = max(_own_numbers(tree), key=lambda each: each.digits, default=_NO_NUMBER)
    clients = tree.all("clients/client")
    for client in clients:
        _extension(tree, client, longest)
        _networks(tree, client)
        examine_client(tree, client)
    for client, extension in repeated(tree, clients, "extension"):
        message = f"extension {extension} is another client's too: replies cannot be told apart"
        tree.warn(client, "extension", message)


class _OwnNumber(NamedTuple):
    channel: str
    attribute: str
    digits: int


_NO_NUMBER = _OwnNumber("", "", 0)


def _own_numbers(tree: _Tree) -> Iterator[_OwnNumber]:
    """The numbers of the channels, without those that are too long by themselves."""
    for channel in tree.all("channels/channel"):
        for attribute in ("access-number", "spare-number"):
            digits = len(tree.get(channel, attribute))
            if digits <= SENDER_DIGITS:
                yield _OwnNumber(tree.get(channel, "name"), attribute, digits)


def _extension(tree: _Tree, client: etree._Element, longest: _OwnNumber) -> None:
    digits = longest.digits + len(tree.get(client, "extension"))
    if tree.get(client, "extension").isdigit() and digits > SENDER_DIGITS:
        message = (
            f"extension: with the {longest.attribute} of channel {longest.channel} it has"
            f" {digits} digits, at most {SENDER_DIGITS} are allowed"
        )
        tree.fault(client, "extension", message)


def _networks(tree: _Tree, element: etree._Element, attribute: str = "networks") -> None:
    for network in tree.get(element, attribute).split():
        try:
            exact = str(ipaddress.ip_network(network, strict=False))
        except ValueError:
            message = f"{attribute}: {network!r} is no address or network such as 10.1.0.0/16"
            tree.fault(element, attribute, message)
            continue
        if "/" in network and int(network.partition("/")[2]) != 0 and not _is_exact(network):
            message = f"{attribute}: {network} names a host in a network; write {exact}"
            tree.fault(element, attribute, message)


def _is_exact(network: str) -> bool:
    try:
        ipaddress.ip_network(network)
    except ValueError:
        return False
    return True


def _callbacks(tree: _Tree) -> None:
    keeping = [tree.get(jobs, "notices-keep-days") for jobs in tree.all("jobs")]
    kept = next((each for each in keeping if each.isdigit()), str(Jobs().notices_keep_days))
    for client in tree.all("clients/client"):
        for callback in client.iterchildren(f"{{{NAMESPACE}}}callback"):
            examine_callback(tree, client, callback, int(kept))


def _sources(tree: _Tree) -> None:
    clients = tree.named("clients/client", "account")
    for source in tree.all("sources/source"):
        account = tree.get(source, "client")
        if account in clients:
            _source_client(tree, source, clients[account])
        elif account and tree.complete:
            known = ", ".join(clients) or "none is configured"
            message = f"client: there is no client {account!r}; clients: {known}"
            tree.fault(source, "client", message)
        examine_source(tree, source)


def _source_client(tree: _Tree, source: etree._Element, client: etree._Element) -> None:
    account = tree.get(client, "account")
    doors = tree.get(client, "doors").split()
    if doors and Door.DBPOLL not in doors:
        message = f"client: {account} may not use the door dbpoll; its doors: {' '.join(doors)}"
        tree.fault(source, "client", message)
    if tree.enabled(source) and not tree.enabled(client):
        tree.warn(source, "client", f"client: {account} is not enabled, its rows are refused")


def _templates(tree: _Tree) -> None:
    for template in tree.all("templates/template"):
        text = template.text or ""
        if "${" in PLACEHOLDER.sub("", text):
            message = (
                "<template>: a place to fill in is written ${name},"
                " with letters, digits and '_' between the braces"
            )
            tree.fault(template, "", message)
        elif not text.strip():
            tree.fault(template, "", "<template>: its text is empty")


def _ordered(tree: _Tree) -> None:
    for way, least, most, least_default, most_default in _ORDERED:
        for element in tree.all(way):
            low = tree.get(element, least, least_default)
            high = tree.get(element, most, most_default)
            try:
                reversed_ = seconds(low) > seconds(high)
            except ValueError:
                continue
            if reversed_:
                tree.fault(element, least, f"{least}={low!r} is longer than {most}={high!r}")


def _standby(tree: _Tree) -> None:
    for store in tree.all("store"):
        for attribute in ("standby", "url") if tree.get(store, "standby") else ():
            try:
                backend = make_url(tree.get(store, attribute)).get_backend_name()
            except ArgumentError:
                backend = ""
            if backend != "postgresql":
                message = f"{attribute} is no postgresql:// address: only those have a standby"
                tree.fault(store, attribute, message)


def _backup(tree: _Tree) -> None:
    for backup in tree.all("jobs/backup"):
        if tree.complete and not any(tree.get(each, "key-file") for each in tree.all("security")):
            message = '<backup>: backups are encrypted: name a key in <security key-file="..."/>'
            tree.fault(backup, "", message)


def _store_keys(tree: _Tree) -> None:
    for key in tree.all("security/store-key"):
        # What is missing, or could not be opened, has its own fault.
        if written := tree.get(key, "key"):
            try:
                master_of(written)
            except SecretError as error:
                tree.fault(key, "key", f"key: {error}; sms-adapter init makes one")


RULES: tuple[Callable[[_Tree], None], ...] = (
    _unique_names,
    _timezone,
    _databases,
    _channels,
    _ports,
    _web,
    _routes,
    _clients,
    _callbacks,
    _sources,
    _templates,
    _ordered,
    _standby,
    _backup,
    _store_keys,
)
