"""The threads of the web server: a client's requests are taken together, and a flood of one
account leaves others theirs."""

from __future__ import annotations

import base64
import json
import socket
import ssl
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from adapter.config.model import Web
from adapter.doors.batches import Answer, Batched, Glimpse
from adapter.doors.proxies import CERTIFICATE_KEY
from adapter.doors.web import Serving, Site, serve
from adapter.doors.workers import FLIGHTS, MOST, OCTETS, SHARED
from tests.certificates import Authority, Pair
from tests.doors.conftest import Node

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

WAIT_S = 30


class Counter:
    """A mount whose requests wait at a gate; it notes whose came together."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.entered = threading.Semaphore(0)
        self.together: list[list[str]] = []

    def single(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        self.entered.release()
        assert self.gate.wait(WAIT_S)
        start_response("200 OK", [("Content-Length", "5")])
        return [b"alone"]

    def several(self, environs: Sequence[WSGIEnvironment]) -> Sequence[Answer]:
        names = [environ["HTTP_AUTHORIZATION"] for environ in environs]
        self.together.append(names)
        self.entered.release()
        if "flood" in names:
            assert self.gate.wait(WAIT_S)
        if "broken" in names:
            raise RuntimeError("13800138000")
        return [Answer("200 OK", name.encode(), [("Content-Length", "9")]) for name in names]

    def account_of(self, glimpse: Glimpse) -> str | None:
        return None if glimpse.path == "/alone" else glimpse.authorization


class Witness(Counter):
    """All requests are one client's; each answer names the certificate that was shown with it."""

    def several(self, environs: Sequence[WSGIEnvironment]) -> Sequence[Answer]:
        super().several(environs)
        shown = [environ.get(CERTIFICATE_KEY) for environ in environs]
        told = [each.subject.rfc4514_string() if each else "none" for each in shown]
        return [Answer("200 OK", each.encode()) for each in told]

    def account_of(self, glimpse: Glimpse) -> str | None:
        return "one"


class Secure:
    """Keys for a server with TLS, and for those who call it."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder)
        pair = self.authority.sign("server", "127.0.0.1")
        self.settings: dict[str, Any] = {
            "tls_certificate": pair.certificate,
            "tls_key": pair.key,
            "tls_ca": self.authority.ca,
        }

    def context(self, shown: Pair | None = None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.authority.ca)
        if shown is not None:
            context.load_cert_chain(shown.certificate, shown.key)
        return context


@contextmanager
def serving(counter: Counter, threads: int, **settings: Any) -> Iterator[Serving]:
    pages = {"/x": Batched(counter.single, counter.several, counter.account_of)}
    server = serve(Site(pages), Web(port=0, threads=threads, **settings))
    server.start()
    yield server
    counter.gate.set()
    server.stop()


def ask(
    server: Serving,
    who: str,
    path: str = "/x",
    body: bytes = b"{}",
    tls: ssl.SSLContext | None = None,
) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=WAIT_S)
    if tls is not None:
        connection = tls.wrap_socket(connection, server_hostname="127.0.0.1")
    connection.sendall(
        f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {who}\r\nConnection: close\r\n"
        f"Content-Length: {len(body)}\r\n\r\n".encode()
        + body
    )
    return connection


def answer(connection: socket.socket) -> bytes:
    with connection:
        return b"".join(iter(lambda: connection.recv(4096), b""))


@pytest.mark.parametrize("secured", [False, True])
def test_a_flood_leaves_others_their_threads_and_is_served_together(
    secured: bool, tmp_path: Path
) -> None:
    counter = Counter()
    secure = Secure(tmp_path) if secured else None
    tls = secure.context() if secure else None
    with serving(counter, 4, **(secure.settings if secure else {})) as server:
        flood = [ask(server, "flood", tls=tls) for _ in range(60)]
        assert counter.entered.acquire(timeout=WAIT_S)
        other = answer(ask(server, "other", tls=tls))
        assert other.endswith(b"other")
        assert b"X-Content-Type-Options" in other
        assert not counter.gate.is_set()
        counter.gate.set()
        assert all(answer(each).endswith(b"flood") for each in flood)
    assert sum(names.count("flood") for names in counter.together) == 60
    assert len(counter.together) < 40
    assert all(len(set(names)) == 1 for names in counter.together)


def test_what_is_served_together_keeps_its_own_certificate(tmp_path: Path) -> None:
    secure = Secure(tmp_path)
    contexts = {
        b"CN=his": secure.context(secure.authority.sign("his")),
        b"CN=lis": secure.context(secure.authority.sign("lis")),
        b"none": secure.context(),
    }
    witness = Witness()
    with serving(witness, 2, **secure.settings) as server:
        first = ask(server, "flood", tls=contexts[b"none"])
        assert witness.entered.acquire(timeout=WAIT_S)
        waiting = [
            (name, ask(server, "his", tls=context))
            for _ in range(8)
            for name, context in contexts.items()
        ]
        witness.gate.set()
        assert answer(first).endswith(b"none")
        assert all(answer(each).endswith(b"\r\n\r\n" + name) for name, each in waiting)
    assert len(witness.together) < len(waiting)


def test_requests_that_run_alone_leave_others_their_threads() -> None:
    counter = Counter()
    with serving(counter, 6) as server:
        flood = [ask(server, "flood", "/x/alone") for _ in range(30)]
        assert counter.entered.acquire(timeout=WAIT_S)
        assert answer(ask(server, "other")).endswith(b"other")
        counter.gate.set()
        assert all(answer(each).endswith(b"alone") for each in flood)


def test_what_is_large_has_a_bite_for_itself() -> None:
    counter = Counter()
    with serving(counter, 16) as server:
        large = [ask(server, "flood", body=b" " * MOST * OCTETS) for _ in range(6)]
        for _ in range(FLIGHTS):
            assert counter.entered.acquire(timeout=WAIT_S)
        # Whoever comes now waits for these, not for all that is here.
        assert counter.together == [["flood"]] * FLIGHTS
        counter.gate.set()
        assert all(answer(each).endswith(b"flood") for each in large)
    assert counter.together == [["flood"]] * 6


def test_in_company_what_is_large_is_taken_one_by_one_wherever_it_comes_from() -> None:
    counter = Counter()
    with serving(counter, 16) as server:
        assert answer(ask(server, "other")).endswith(b"other")
        large = [ask(server, "flood", body=b" " * 2 * SHARED * OCTETS) for _ in range(5)]
        for _ in range(2):
            assert counter.entered.acquire(timeout=WAIT_S)
        assert answer(ask(server, "b", body=b" " * 40_000)).endswith(b"b")
        assert counter.together == [["other"], ["flood"], ["b"]]
        counter.gate.set()
        assert all(answer(each).endswith(b"flood") for each in large)
    assert all(len(names) == 1 for names in counter.together)


def test_who_asks_whether_to_go_on_is_served_like_others() -> None:
    counter = Counter()
    with serving(counter, 4) as server:
        connection = socket.create_connection(("127.0.0.1", server.port), timeout=WAIT_S)
        connection.sendall(
            b"POST /x HTTP/1.1\r\nHost: x\r\nAuthorization: a\r\nConnection: close\r\n"
            b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n"
        )
        assert connection.recv(4096).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"{}")
        assert answer(connection).endswith(b"a")
    assert counter.together == [["a"]]


def test_a_fault_in_a_batch_is_told_to_all_and_shows_nothing() -> None:
    counter = Counter()
    counter.gate.set()
    with serving(counter, 2) as server:
        answers = [answer(each) for each in [ask(server, "broken") for _ in range(3)]]
        assert all(each.startswith(b"HTTP/1.1 500 ") for each in answers)
        assert not any(b"13800138000" in each or b"RuntimeError" in each for each in answers)
        assert answer(ask(server, "other")).endswith(b"other")


def test_many_at_once_are_each_given_their_own_answer(shared: Node) -> None:
    """Over the real intake: every message once, every caller its own reference."""
    before = len(shared.arrived)
    basic = base64.b64encode(b"his:S3cret-of-the-HIS").decode()
    wrong = base64.b64encode(b"his:wrong").decode()
    answers: dict[int, tuple[int, dict[str, str]]] = {}

    def call(number: int) -> None:
        body = {
            "content": f"text {number}",
            "passThrough": str(number),
            "recipients": [{"mobile": "13800138000" if number % 7 else "110"}],
        }
        got = shared.post(
            json.dumps(body),
            "/api/json/Send",
            "application/json",
            {"Authorization": f"Basic {basic if number % 5 else wrong}"},
        )
        answers[number] = got.status, json.loads(got.body)

    callers = [threading.Thread(target=call, args=(number,)) for number in range(70)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(WAIT_S)
    for number, (status, told) in answers.items():
        expected = (401, "AUTH_FAILED") if not number % 5 else (200, "OK")
        if number % 5 and not number % 7:
            expected = (422, "BAD_NUMBER")
        assert (status, told["code"]) == expected
        if number % 5:
            assert told["passThrough"] == str(number)
    sent = {each.content.removeprefix("【市一医院】") for each in shared.arrived[before:]}
    assert sent == {f"text {number}" for number in range(70) if number % 5 and number % 7}
    assert len(shared.arrived) - before == len(sent)
