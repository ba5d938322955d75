"""The node seen from outside: `/healthz`, `/readyz`, `/metrics` and `/status`.

    healthz   200 as long as the process serves; asks nobody, so it cannot hang
    readyz    200 when messages can be taken and sent, else 503; says which check fails
    metrics   the Prometheus exposition
    status    the whole status as one JSON document; with `?frames` the last frames of the
              channels, with `?frames=NAME` those of one, masked

`/status` names sources and reasons of failures: it answers this machine only, unless told
otherwise. What a proxy on this machine passes on comes from here too, by its address:
it is known by the host that was asked for, which is not a loopback address, or by the
headers that proxies add. The same keeps out a page in a browser on this machine whose
name was made to point here.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import structlog
from prometheus_client import CollectorRegistry, make_wsgi_app

from adapter.domain.status import NodeStatus, Status

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = structlog.get_logger(__name__)

Network = IPv4Network | IPv6Network

LOOPBACK: Sequence[Network] = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
_FORWARDED = ("HTTP_FORWARDED", "HTTP_VIA", "HTTP_X_FORWARDED_FOR", "HTTP_X_REAL_IP")


def here(host: str) -> Sequence[Network]:
    """The networks of this machine, whose web server listens on `host`.

    Who asks for a machine's own address, from that machine, comes from that address.
    """
    try:
        own = ip_network(host)
    except ValueError:
        return LOOPBACK
    return LOOPBACK if own.network_address.is_unspecified else (*LOOPBACK, own)


class HealthDoor:
    """The four pages; each attribute is a WSGI application.

    `status_networks` and `metrics_networks` say who may ask; None means everybody.
    """

    def __init__(
        self,
        node: NodeStatus,
        registry: CollectorRegistry,
        *,
        status_networks: Sequence[Network] | None = LOOPBACK,
        metrics_networks: Sequence[Network] | None = None,
    ) -> None:
        self._node = node
        self.healthz: WSGIApplication = _healthz
        self.readyz: WSGIApplication = self._readyz
        self.metrics: WSGIApplication = _only(metrics_networks, make_wsgi_app(registry))
        self.status: WSGIApplication = _only(status_networks, self._status)

    def _readyz(self, _environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        try:
            found = self._node.checks()
        except Exception:
            log.exception("readyz.failed")
            answer = {"ready": False, "checks": {"status": "cannot be told"}}
            return _json(start, "503 Service Unavailable", answer)
        ready = not any(found.values())
        checks = {name: reason or "ok" for name, reason in found.items()}
        line = "200 OK" if ready else "503 Service Unavailable"
        return _json(start, line, {"ready": ready, "checks": checks})

    def _status(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        asked = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
        if "frames" in asked:
            found = self._node.frames(asked["frames"][0])
            return _json(start, "200 OK", {"channels": _plain(found)})
        return _json(start, "200 OK", document(self._node.status()))


def document(status: Status) -> Mapping[str, Any]:
    """A status as JSON values: its fields, with what follows from them. Times are ISO 8601."""
    made: dict[str, Any] = _plain(status)
    made["uptime_s"] = round(status.uptime_s, 3)
    made["ready"] = status.ready
    made["checks"] = {name: reason or "ok" for name, reason in status.checks.items()}
    for channel, its in zip(made["channels"], status.channels, strict=True):
        channel["up"] = its.up
    return made


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        fields = dataclasses.fields(value)
        return {field.name: _plain(getattr(value, field.name)) for field in fields}
    match value:
        case datetime():
            return value.isoformat()
        case Mapping():
            return {str(key): _plain(each) for key, each in value.items()}
        case list() | tuple():
            return [_plain(each) for each in value]
        case _:
            return value


def _healthz(_environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
    return _answer(start, "200 OK", "text/plain; charset=utf-8", b"ok\n")


def _only(networks: Sequence[Network] | None, page: WSGIApplication) -> WSGIApplication:
    if networks is None:
        return page

    def guarded(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        if _is_from(networks, environ):
            return page(environ, start)
        return _answer(start, "403 Forbidden", "text/plain; charset=utf-8", b"not from here\n")

    return guarded


def _is_from(networks: Sequence[Network], environ: WSGIEnvironment) -> bool:
    if any(name in environ for name in _FORWARDED):
        return False
    address = _address(environ.get("REMOTE_ADDR", ""))
    if address is None or not any(address in network for network in networks):
        return False
    return not address.is_loopback or _asks_for_loopback(environ.get("HTTP_HOST", ""))


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _asks_for_loopback(host: str) -> bool:
    name = re.sub(r":\d+$", "", host).strip("[]").lower()
    address = _address(name)
    return name == "localhost" or (address is not None and address.is_loopback)


def _json(start: StartResponse, line: str, document: Mapping[str, Any]) -> Iterable[bytes]:
    body = json.dumps(document, ensure_ascii=False).encode()
    return _answer(start, line, "application/json", body)


def _answer(start: StartResponse, line: str, kind: str, body: bytes) -> Iterable[bytes]:
    headers = [
        ("Content-Type", kind),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
    ]
    start(line, headers)
    return [body]
