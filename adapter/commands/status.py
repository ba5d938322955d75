"""`sms-adapter status`: asks the running node where it stands."""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from datetime import datetime, tzinfo
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any

from rich import box
from rich.columns import Columns
from rich.console import Console, Group, RenderableType
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
    try:
        connection = _connection(host, web, timeout_s)
    except OSError as error:
        raise UnreachableError(f"{web.tls_certificate} cannot be used: {error}") from error
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


def _connection(host: str, web: Web, timeout_s: float) -> HTTPConnection:
    """To the node. Its own certificate is known, whatever name is in it."""
    if not web.tls_certificate:
        return HTTPConnection(host, web.port, timeout=timeout_s)
    context = ssl.create_default_context(cafile=web.tls_certificate)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return HTTPSConnection(host, web.port, timeout=timeout_s, context=context)


def show(web: Web, zone: tzinfo, console: Console, *, as_json: bool = False) -> int:
    """Print the status, its times in `zone`; the exit status: 0, or 1 when no node answers."""
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
        console.print(page(found, zone))
    return 0


def page(found: Document, zone: tzinfo) -> Group:
    """The status as a page for people; 80 columns do for every figure."""
    clock = _Clock(datetime.fromisoformat(found["at"]), zone)
    return Group(
        _head(found, clock),
        "",
        _queues(found),
        *_channels(found, clock),
        *_sources(found, clock),
        *_callbacks(found),
        *_jobs(found, clock),
    )


class _Clock:
    """Writes times as the hospital's clock shows them: without the date where it is today's."""

    def __init__(self, now: datetime, zone: tzinfo) -> None:
        self.now = now.astimezone(zone)
        self._zone = zone

    def __call__(self, written: str | None) -> str:
        if not written:
            return "never"
        at = datetime.fromisoformat(written).astimezone(self._zone)
        same_day = at.date() == self.now.date()
        return at.strftime("%H:%M:%S" if same_day else "%m-%d %H:%M")


def _head(found: Document, clock: _Clock) -> Text:
    text = Text(f"{found['node']}  ", "bold")
    text.append(f"{found['version']}  {clock.now:%Y-%m-%d %H:%M:%S}  ", "not bold")
    text.append(f"up {_span(found['uptime_s'])}  ", "not bold")
    if found["ready"]:
        return text.append("ready", "green")
    faults = [f"{name}: {reason}" for name, reason in found["checks"].items() if reason != "ok"]
    return text.append(f"NOT READY: {'; '.join(faults)}", "red")


def _queues(found: Document) -> Columns:
    waiting = _table("queue", "waiting", "oldest", left=1)
    for queue in found["queues"]:
        oldest = _span(queue["oldest_s"]) if queue["waiting"] else ""
        waiting.add_row(queue["lane"], f"{queue['waiting']:,}", oldest)
    store = found["store"]
    under_way = _table("under way", "", left=1)
    under_way.add_row("waiting", f"{store['waiting']:,}")
    under_way.add_row("room for", f"{store['capacity'] - store['waiting']:,}")
    for name in ("on_wire", "in_doubt", "notices"):
        under_way.add_row(name.replace("_", " "), f"{found[name]:,}")
    reached = _table("since the start", "", left=1)
    for state, count in found["counters"].items():
        reached.add_row(state, f"{count:,}")
    tables = [waiting, under_way, reached] if found["counters"] else [waiting, under_way]
    return Columns(tables, padding=(0, 4))


def _channels(found: Document, clock: _Clock) -> list[RenderableType]:
    table = _table(
        "channel", "protocol", "state", "link", "since", "window", "reconnects", "rate/s", left=3
    )
    faults = []
    for channel in found["channels"]:
        names = (channel["name"], channel["protocol"])
        rate = f"{channel['rate']:g}"
        if not channel["enabled"]:
            table.add_row(*names, Text("off", "dim"), "", "", "", "", rate)
            continue
        if channel["on_spare"]:
            number = channel["access_number"]
            faults.append(Text(f"{channel['name']} uses its spare number {number}", "yellow"))
        for link in channel["links"]:
            table.add_row(
                *names,
                _state(link["up"]),
                str(link["number"]),
                clock(link["since"]),
                _window(link),
                str(link["reconnects"]),
                rate,
            )
            names, rate = ("", ""), ""
            if why := link["reason"] or link["last_error"]:
                name = f"{channel['name']} link {link['number']}"
                faults.append(_fault(name, why, past=link["up"]))
    return _section(table, faults)


def _window(link: Document) -> str:
    """On the wire, of how many at most now; and of how many when the carrier does not brake."""
    if not link["submits"]:
        return "receives"
    text = f"{link['pending']}/{link['window']}"
    braked = link["up"] and link["window"] < link["configured"]
    return f"{text} of {link['configured']}" if braked else text


def _sources(found: Document, clock: _Clock) -> list[RenderableType]:
    table = _table("source", "state", "polled", "lag", "unwritten", "for", left=2)
    faults = []
    for source in found["sources"]:
        table.add_row(
            source["name"],
            _state(source["up"]),
            clock(source["polled_at"]),
            _span(source["lag_s"]),
            f"{source['unwritten']:,}",
            _span(source["write_lag_s"]),
        )
        if source["reason"]:
            faults.append(_fault(source["name"], source["reason"]))
        if source["set_aside"]:
            faults.append(_fault(source["name"], f"refuses {source['set_aside']:,} states"))
        if refused := source["refused_writes"]:
            told = f"refused {refused:,} results for ever, the last with {source['refusal']}"
            faults.append(_fault(source["name"], told))
    return _section(table, faults)


def _callbacks(found: Document) -> list[RenderableType]:
    table = _table("callback", "state", "waiting", "oldest", "refused", "dead", left=2)
    faults = []
    for each in found["callbacks"]:
        dead = f"{each['dead']:,}"
        table.add_row(
            each["client"],
            _state(each["up"]),
            f"{each['waiting']:,}",
            _span(each["oldest_s"]) if each["waiting"] else "",
            f"{each['refused']:,}",
            Text(dead, "red") if each["dead"] else dead,
        )
        if each["reason"]:
            faults.append(_fault(each["client"], each["reason"]))
    return _section(table, faults)


def _jobs(found: Document, clock: _Clock) -> list[RenderableType]:
    table = _table("job", "last run", "took", "runs", "failures", left=1)
    faults = []
    for job in found["jobs"]:
        took = _span(job["seconds"]) if job["ran_at"] else ""
        failures = Text(str(job["failures"]), "red" if job["error"] else "")
        table.add_row(job["name"], clock(job["ran_at"]), took, str(job["runs"]), failures)
        if job["error"]:
            faults.append(_fault(job["name"], job["error"]))
    return _section(table, faults)


def _table(*headers: str, left: int) -> Table:
    """Figures are never cut: where it gets narrow, names are broken."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1))
    for place, header in enumerate(headers):
        if place < left:
            table.add_column(header, overflow="fold")
        else:
            table.add_column(header, justify="right", no_wrap=True)
    return table


def _section(table: Table, faults: list[Text]) -> list[RenderableType]:
    """A table with what is wrong beneath it, in full; nothing where there are no rows."""
    return ["", table, *faults] if table.row_count else []


def _fault(name: str, reason: str, *, past: bool = False) -> Text:
    if past:
        return Text(f"{name} was down: {reason}", "dim")
    return Text(f"{name}: {reason}", "red")


def _state(up: bool) -> Text:
    return Text("up", "green") if up else Text("DOWN", "red")


def _span(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours}:{minutes:02}:{rest:02}"
    return f"{hours // 24} d {hours % 24} h"
