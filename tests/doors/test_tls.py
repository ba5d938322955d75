"""The web doors with TLS of their own: certificates of clients, renewal, bad connections."""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from adapter.commands.status import UnreachableError, fetch
from adapter.config.model import Web
from adapter.domain.client import Certificate, Client, WayIn
from adapter.domain.proofs import ProofKind
from adapter.doors.renewal import RenewedContext
from adapter.doors.web import Site, serve
from tests.certificates import Authority, Pair
from tests.doors.conftest import Node, open_node
from tests.doors.test_proofs import BODY, SEND
from tests.doors.test_proxies import BASIC, told


@dataclass
class Secured:
    """A node with TLS, and who signs there."""

    node: Node
    authority: Authority
    web: Web

    def code(self, shown: Pair | None = None, **headers: str) -> str:
        """What a client hears that sends one text."""
        connection = self.connection(shown)
        try:
            connection.request("POST", SEND, BODY, {"Content-Type": "application/json", **headers})
            return str(json.loads(connection.getresponse().read())["code"])
        finally:
            connection.close()

    def connection(self, shown: Pair | None = None) -> HTTPSConnection:
        context = ssl.create_default_context(cafile=self.authority.ca)
        if shown is not None:
            context.load_cert_chain(shown.certificate, shown.key)
        return HTTPSConnection("127.0.0.1", self.node.server.port, context=context, timeout=30)


@pytest.fixture
def secured(tmp_path: Path, client: Client) -> Iterator[Secured]:
    authority = Authority(tmp_path)
    server = authority.sign("server", "127.0.0.1")
    files: dict[str, Any] = {
        "tls_certificate": server.certificate,
        "tls_key": server.key,
        "tls_ca": authority.ca,
    }
    known = replace(client, certificates=(Certificate(subject="CN=his"),))
    with open_node(tmp_path, known, **files) as node:
        yield Secured(node, authority, Web(port=node.server.port, **files))


def test_certificates_of_clients(secured: Secured) -> None:
    assert secured.code(secured.authority.sign("his")) == "OK"
    assert secured.code(secured.authority.sign("other")) == "CERT_DENIED"
    assert secured.code() == "AUTH_FAILED"
    assert secured.code(None, **BASIC) == "OK"


def test_a_certificate_may_be_needed_beside_the_password(tmp_path: Path, client: Client) -> None:
    authority = Authority(tmp_path)
    server = authority.sign("server", "127.0.0.1")
    both = WayIn((ProofKind.PASSWORD, ProofKind.CERTIFICATE))
    known = replace(client, certificates=(Certificate(subject="CN=his"),), entries=(both,))
    with open_node(
        tmp_path,
        known,
        tls_certificate=server.certificate,
        tls_key=server.key,
        tls_ca=authority.ca,
    ) as node:
        secured = Secured(node, authority, Web())
        his = authority.sign("his")
        assert secured.code(his, **BASIC) == "OK"
        assert secured.code(his) == "AUTH_FAILED"
        assert secured.code(None, **BASIC) == "CERT_DENIED"


def test_a_certificate_of_another_authority_ends_the_connection(
    secured: Secured, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    stranger = Authority(tmp_path / "elsewhere", "stranger").sign("his")
    with pytest.raises(OSError, match=r"(?i)ca|reset|eof|pipe|closed"):
        secured.code(stranger)
    assert secured.code(None, **BASIC) == "OK"


def test_forged_headers_are_nothing(secured: Secured) -> None:
    pem = Path(secured.authority.sign("his").certificate).read_text()
    assert secured.code(None, **told(pem)) == "AUTH_FAILED"


def test_a_renewed_certificate_is_taken_up_without_a_restart(secured: Secured) -> None:
    def serial() -> str:
        connection = secured.connection()
        connection.connect()
        found: Any = connection.sock.getpeercert()
        connection.close()
        return str(found["serialNumber"])

    first = serial()
    assert serial() == first
    renewed = secured.authority.sign("renewed", "127.0.0.1")
    shutil.copy(renewed.key, secured.web.tls_key)
    shutil.copy(renewed.certificate, secured.web.tls_certificate)
    assert serial() != first
    assert secured.code(None, **BASIC) == "OK"


def test_a_file_that_cannot_be_used_leaves_the_last_one_in_force(tmp_path: Path) -> None:
    pair = Authority(tmp_path).sign("server", "127.0.0.1")
    renewed = RenewedContext(pair.certificate, pair.key, "")
    first = renewed.current()
    Path(pair.certificate).write_text("half a certi")
    with capture_logs() as logs:
        assert renewed.current() is first
        assert renewed.current() is first
    assert [line["event"] for line in logs] == ["tls.not_renewed"], "told once"
    os.unlink(pair.certificate)
    assert renewed.current() is first


def test_who_speaks_no_tls_or_nothing_harms_nobody(secured: Secured) -> None:
    address = "127.0.0.1", secured.node.server.port
    with socket.create_connection(address) as silent, socket.create_connection(address) as plain:
        plain.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert secured.code(None, **BASIC) == "OK"
        silent.close()


def test_slow_callers_and_handshakes_keep_nobody_out(secured: Secured) -> None:
    """More of them than there are threads."""
    with ExitStack() as crowd:
        dripping = []
        for _ in range(40):
            address = "127.0.0.1", secured.node.server.port
            crowd.enter_context(socket.create_connection(address)).sendall(b"\x16\x03\x01")
            slow = secured.connection()
            crowd.callback(slow.close)
            slow.connect()
            slow.sock.sendall(b"POST /api/json/Send HTTP/1.1\r\nHost: x\r\n")
            dripping.append(slow.sock)
        for _ in range(3):
            assert secured.code(None, **BASIC) == "OK"
            for each in dripping:
                each.sendall(b"X: y\r\n")


def test_a_connection_is_kept_for_the_next_request_and_its_certificate_with_it(
    secured: Secured,
) -> None:
    kept = secured.connection(secured.authority.sign("his"))
    for _ in range(3):
        kept.request("GET", "/soap?wsdl")
        assert len(kept.getresponse().read()) > 10_000
        kept.request("POST", SEND, BODY, {"Content-Type": "application/json"})
        assert json.loads(kept.getresponse().read())["code"] == "OK"
    kept.close()
    assert secured.code() == "AUTH_FAILED", "the next one is somebody else"


def test_a_stop_lets_requests_in_work_be_answered(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = authority.sign("server", "127.0.0.1")
    entered, leave = threading.Event(), threading.Event()

    def slow(environ: Any, start_response: Any) -> list[bytes]:
        entered.set()
        leave.wait(20)
        start_response("200 OK", [("Content-Length", "200000")])
        return [b"x" * 200_000]

    files: dict[str, Any] = {"tls_certificate": pair.certificate, "tls_key": pair.key}
    server = serve(Site({"/slow": slow}), Web(port=0, **files))
    server.start()
    context = ssl.create_default_context(cafile=authority.ca)
    caller = HTTPSConnection("127.0.0.1", server.port, context=context, timeout=20)
    caller.request("GET", "/slow")
    assert entered.wait(20)
    stopper = threading.Thread(target=server.stop)
    stopper.start()
    leave.set()
    assert len(caller.getresponse().read()) == 200_000
    stopper.join(20)
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", server.port), timeout=1).close()
    server.stop()


def test_a_taken_port_and_a_server_that_never_started(tmp_path: Path) -> None:
    pair = Authority(tmp_path).sign("server", "127.0.0.1")
    files: dict[str, Any] = {"tls_certificate": pair.certificate, "tls_key": pair.key}
    server = serve(Site({}), Web(port=0, **files))
    with pytest.raises(OSError):
        serve(Site({}), Web(port=server.port, **files))
    server.stop()
    serve(Site({}), Web(port=server.port, **files)).stop()


def test_bodies_in_chunks_and_too_long_ones(secured: Secured) -> None:
    for pieces, status in (
        ([BODY[:10], BODY[10:]], 200),
        ([b" " * 1_000_000] * 6, 413),
        ([b" " * 11_000_000], 413),
    ):
        connection = secured.connection()
        connection.putrequest("POST", SEND)
        for name, value in {**BASIC, "Transfer-Encoding": "chunked"}.items():
            connection.putheader(name, value)
        connection.endheaders()
        try:
            for piece in pieces:
                connection.send(b"%x\r\n%s\r\n" % (len(piece), piece))
            connection.send(b"0\r\n\r\n")
        except OSError:
            assert status != 200
        assert connection.getresponse().status == status
        connection.close()


def test_the_wsdl_names_the_secured_address(tmp_path: Path, client: Client) -> None:
    assert Web(tls_certificate="x").scheme == "https"
    assert Web().scheme == "http"


def test_the_status_command_reaches_its_own_node(secured: Secured, tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="answers 404"):
        fetch(secured.web)
    other = Authority(tmp_path, "other").sign("another", "127.0.0.1")
    with pytest.raises(UnreachableError, match="CERTIFICATE_VERIFY_FAILED"):
        fetch(replace(secured.web, tls_certificate=other.certificate))
