"""The server: mounts, headers, the access log, and a stop that loses no answer."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import pytest

from adapter.config.model import Web
from adapter.doors.web import Serving, Site, serve
from tests.doors.conftest import Node

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

WAIT_S = 20


def text_page(words: str, *headers: tuple[str, str]) -> WSGIApplication:
    def page(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        body = f"{words} {environ['SCRIPT_NAME']} {environ['PATH_INFO']}".encode()
        start_response("200 OK", [("Content-Length", str(len(body))), *headers])
        return [body]

    return page


@pytest.fixture
def server() -> Iterator[Serving]:
    pages = {
        "/soap": text_page("soap"),
        "/soap12": text_page("soap12"),
        "/console/": text_page("console", ("Cache-Control", "max-age=60")),
        "/console/api": text_page("api"),
    }
    started = serve(Site(pages), Web(port=0, threads=2))
    started.start()
    yield started
    started.stop()


def get(server: Serving, path: str) -> tuple[int, str, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=WAIT_S)
    connection.request("GET", path)
    response = connection.getresponse()
    headers = {name.lower(): value for name, value in response.getheaders()}
    body = response.read().decode()
    connection.close()
    return response.status, body, headers


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/soap", "soap /soap "),
        ("/soap12?wsdl", "soap12 /soap12 "),
        ("/console/", "console /console /"),
        ("/console/batches/7", "console /console /batches/7"),
        ("/console/api/x", "api /console/api /x"),
    ],
)
def test_mounts(server: Serving, path: str, body: str) -> None:
    assert get(server, path)[:2] == (200, body)


@pytest.mark.parametrize("path", ["/", "/soap1", "/soapy/x", "/consol", "/%2e%2e/etc/passwd"])
def test_an_unknown_path_is_a_short_404(server: Serving, path: str) -> None:
    assert get(server, path)[:2] == (404, "Not found\n")


def test_security_headers(server: Serving) -> None:
    _, _, headers = get(server, "/soap")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["cache-control"] == "no-store"
    assert "server" not in headers
    assert get(server, "/console/")[2]["cache-control"] == "max-age=60"


def test_the_log_has_one_line_without_path_or_query(
    server: Serving, capfd: pytest.CaptureFixture[str]
) -> None:
    get(server, "/console/13800138000?password=secret")
    get(server, "/13800138000")
    logged = "".join(capfd.readouterr())
    lines = [line for line in logged.splitlines() if "mount" in line]
    assert len(lines) == 2
    assert "/console" in lines[0]
    assert "404" in lines[1]
    assert "13800138000" not in logged
    assert "secret" not in logged


def test_a_stop_lets_requests_in_work_be_answered() -> None:
    entered, leave = threading.Event(), threading.Event()

    def slow(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        entered.set()
        leave.wait(WAIT_S)
        start_response("200 OK", [("Content-Length", "4")])
        return [b"done"]

    server = serve(Site({"/slow": slow}), Web(port=0, threads=2))
    server.start()
    answers: list[tuple[int, str, dict[str, str]]] = []
    caller = threading.Thread(target=lambda: answers.append(get(server, "/slow")))
    caller.start()
    assert entered.wait(WAIT_S)
    stopper = threading.Thread(target=server.stop)
    stopper.start()
    leave.set()
    stopper.join(WAIT_S)
    caller.join(WAIT_S)
    assert answers[0][:2] == (200, "done")
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", server.port), timeout=1).close()
    server.stop()


def test_a_server_that_was_not_started_can_be_stopped() -> None:
    server = serve(Site({}), Web(port=0))
    server.stop()
    again = serve(Site({}), Web(port=server.port))
    again.stop()


def test_a_taken_port_is_an_error(server: Serving) -> None:
    with pytest.raises(OSError):
        serve(Site({}), Web(port=server.port))


def test_a_page_that_fails_does_not_show_why(server: Serving) -> None:
    def broken(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        raise RuntimeError("13800138000")

    failing = serve(Site({"/x": broken}), Web(port=0, threads=1))
    failing.start()
    status, body, _ = get(failing, "/x")
    failing.stop()
    assert status == 500
    assert "13800138000" not in body
    assert "RuntimeError" not in body


def test_many_connections_at_once(shared: Node) -> None:
    """More callers than threads: all are answered."""
    statuses: list[int] = []

    def call() -> None:
        statuses.append(shared.request("GET", "/soap?wsdl").status)

    callers = [threading.Thread(target=call) for _ in range(40)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(WAIT_S)
    assert statuses == [200] * 40
