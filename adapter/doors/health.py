"""The node seen from outside: `/healthz`, `/readyz`, `/metrics` and `/status`.

    healthz   200 as long as the process serves; asks nobody, so it cannot hang
    readyz    200 when messages can be taken and sent, else 503; says which check fails
    metrics   the Prometheus exposition
    status    the whole status as one JSON document

`/status` names clients' sources and reasons of failures: it answers loopback addresses
only, unless told otherwise. A request that a proxy passed on is not from here, whatever
its address.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Any

import structlog
from prometheus_client import CollectorRegistry, make_wsgi_app

from adapter.domain.status import NodeStatus, Status

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = structlog.get_logger(__name__)

Network = IPv4Network | IPv6Network

LOOPBACK: Sequence[Network] = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
_FORWARDED = ("HTTP_FORWARDED", "HTTP_X_FORWARDED_FOR", "HTTP_X_REAL_IP")


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
            status = self._node.status()
        except Exception:
            log.exception("readyz.failed")
            answer = {"ready": False, "checks": {"status": "cannot be told"}}
            return _json(start, "503 Service Unavailable", answer)
        checks = {name: reason or "ok" for name, reason in status.checks.items()}
        line = "200 OK" if status.ready else "503 Service Unavailable"
        return _json(start, line, {"ready": status.ready, "checks": checks})

    def _status(self, _environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
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
    try:
        address = ip_address(environ.get("REMOTE_ADDR", ""))
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return any(address in network for network in networks)


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
