"""`sms-adapter status`: asks the running node where it stands."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from typing import Any

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from adapter.config.model import Web

TIMEOUT_S = 10.0
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104

Document = Mapping[str, Any]


class UnreachableError(Exception):
    """No node answers at the configured address, or something else does."""


def fetch(web: Web, path: str = "/status", timeout_s: float = TIMEOUT_S) -> Document:
    """The status document of the node that serves `web`. Raises UnreachableError.

    Goes straight to the address: a proxy of the environment has no way to this machine.
    """
    host = _EVERYWHERE.get(web.host, web.host)
    connection = HTTPConnection(host, web.port, timeout=timeout_s)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
    except (OSError, HTTPException) as error:
        raise UnreachableError(f"no node answers at {host}:{web.port}: {error}") from error
    finally:
        connection.close()
    if response.status != 200:
        raise UnreachableError(f"{host}:{web.port} answers {response.status} {response.reason}")
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise UnreachableError(f"{host}:{web.port} answers, but not as a node does")
    return document


def show(web: Web, console: Console, *, as_json: bool = False) -> int:
    """Print the status; the exit status: 0, or 1 when no node answers."""
    try:
        found = fetch(web)
    except UnreachableError as error:
        if as_json:
            console.print_json(data={"error": str(error)})
        else:
            console.print(Text(str(error)))
        return 1
    if as_json:
        console.print_json(data=found)
    else:
        console.print(page(found))
    return 0


def page(found: Document) -> Group:
    """The status as a page for people."""
    parts = [_head(found), _figures(found), _channels(found), _sources(found), _jobs(found)]
    return Group(*(part for part in parts if part is not None))


def _head(found: Document) -> Text:
    faults = [f"{name}: {reason}" for name, reason in found["checks"].items() if reason != "ok"]
    text = Text(f"{found['node']}  version {found['version']}  up {_span(found['uptime_s'])}  ")
    if found["ready"]:
        return text.append("ready", "green")
    return text.append(f"NOT READY ({'; '.join(faults)})", "red")


def _figures(found: Document) -> Table:
    store = found["store"]
    table = Table("queue", "waiting", "oldest", title_justify="left")
    for queue in found["queues"]:
        table.add_row(queue["lane"], str(queue["waiting"]), _span(queue["oldest_s"]))
    table.add_section()
    table.add_row("all", f"{store['waiting']} of {store['capacity']}", "")
    for name in ("on_wire", "in_doubt", "notices"):
        table.add_row(name.replace("_", " "), str(found[name]), "")
    table.add_section()
    for state, count in found["counters"].items():
        table.add_row(state, str(count), "")
    return table


def _channels(found: Document) -> Table | None:
    if not found["channels"]:
        return None
    table = Table("channel", "protocol", "rate/s", "link", "state", "pending", "since or why not")
    for channel in found["channels"]:
        names = (channel["name"], channel["protocol"], f"{channel['rate']:g}")
        links = channel["links"]
        if not channel["enabled"]:
            table.add_row(*names, "", "disabled", "", "")
        elif not links:
            table.add_row(*names, "", _state(False), "", "")
        for link in links if channel["enabled"] else ():
            pending = f"{link['pending']} of {link['window']}"
            why = link["since"] if link["up"] else link["reason"]
            table.add_row(*names, str(link["number"]), _state(link["up"]), pending, Text(why or ""))
            names = ("", "", "")
    return table


def _sources(found: Document) -> Table | None:
    if not found["sources"]:
        return None
    table = Table("source", "state", "polled", "lag", "unwritten", "reason")
    for source in found["sources"]:
        table.add_row(
            source["name"],
            _state(source["up"]),
            source["polled_at"] or "never",
            _span(source["lag_s"]),
            str(source["unwritten"]),
            Text(source["reason"]),
        )
    return table


def _jobs(found: Document) -> Table | None:
    if not found["jobs"]:
        return None
    table = Table("job", "last run", "took", "runs", "failures", "error")
    for job in found["jobs"]:
        table.add_row(
            job["name"],
            job["ran_at"] or "never",
            _span(job["seconds"]),
            str(job["runs"]),
            str(job["failures"]),
            Text(job["error"]),
        )
    return table


def _state(up: bool) -> Text:
    return Text("up", "green") if up else Text("DOWN", "red")


def _span(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours}:{minutes:02}:{rest:02}"
    return f"{hours // 24} d {hours % 24} h"
