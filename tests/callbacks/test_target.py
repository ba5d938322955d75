"""A client's service over real sockets that does everything wrong that one can."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from msgspec import structs

from adapter.callbacks.forms import form_of
from adapter.callbacks.target import NotTakenError, Target
from adapter.config.model import Callback
from adapter.domain.client import Client
from adapter.domain.values import Home
from adapter.doors.shapes import Shapes
from adapter.security.macs import RequestMac, SignedRequest, mac
from connectors.tls import server_context
from tests.callbacks.test_callback import receipt
from tests.callbacks.words import WORDING
from tests.certificates import Authority
from tests.providers import Asked, Given, Provider

SHAPES = Shapes()

PAGE = Path(__file__).parents[2] / "docs/integrator/callbacks.md"
KEY = "0123456789abcdef0123456789abcdef"


def target(url: str, **settings: Any) -> Target:
    callback = Callback("his", **{"url": url, "response_timeout_s": 20.0, **settings})
    return Target(callback, form_of(callback, WORDING, SHAPES), time.time)


def bring(url: str, *events: Home, **settings: Any) -> str:
    """What went wrong; empty where nothing did."""

    async def call() -> str:
        calling = target(url, **settings)
        try:
            await calling.bring(events or [receipt(1)])
        except NotTakenError as error:
            return str(error)
        finally:
            await calling.close()
        return ""

    return asyncio.run(asyncio.wait_for(call(), 30))


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider() as made:
        yield made


@pytest.mark.parametrize("status", [200, 204])
def test_any_2xx_is_success(provider: Provider, status: int) -> None:
    provider.serve("/events", lambda _: Given(status, b"" if status == 204 else b"whatever"))
    assert bring(provider.url("/events")) == ""


@pytest.mark.parametrize("status", [400, 404, 500, 503])
def test_anything_else_is_none(provider: Provider, status: int) -> None:
    provider.serve("/events", lambda _: Given(status, b"secret 13800138000"))
    assert bring(provider.url("/events")) == f"HTTP {status}"


@pytest.mark.parametrize("status", [301, 303, 308])
def test_redirects_are_never_followed(provider: Provider, status: int) -> None:
    elsewhere = {"Location": provider.url("/elsewhere")}
    provider.serve("/events", lambda _: Given(status, headers=elsewhere))
    provider.serve("/elsewhere", lambda _: Given(200))
    told = bring(provider.url("/events"))
    assert told == f"HTTP {status}: a redirect, which is not followed"
    assert not provider.asked("/elsewhere")


def test_what_the_service_asks_to_wait_is_heard(provider: Provider) -> None:
    provider.serve("/events", lambda _: Given(429, headers={"Retry-After": "7"}))

    async def call() -> float:
        calling = target(provider.url("/events"))
        with pytest.raises(NotTakenError) as told:
            await calling.bring([receipt(1)])
        await calling.close()
        return told.value.wait_s

    assert asyncio.run(call()) == 7


def test_an_answer_without_end_is_left(provider: Provider) -> None:
    provider.serve("/events", lambda _: Given(200, b"x" * 2_000_000))
    told = bring(provider.url("/events"), max_answer=10_000)
    assert told == "the answer is longer than 10000 octets"


def test_a_bomb_is_not_unpacked(provider: Provider) -> None:
    packed = {"Content-Encoding": "gzip"}
    provider.serve("/events", lambda _: Given(200, b"\x1f\x8b", headers=packed))
    assert bring(provider.url("/events")) == "the answer is compressed, which nobody asked for"


def test_a_service_that_hangs_is_left(provider: Provider) -> None:
    ended = threading.Event()
    provider.serve("/events", lambda _: Given(200, wait_for=ended))
    try:
        assert bring(provider.url("/events"), response_timeout_s=0.2) == "no answer in 0.2 s"
    finally:
        ended.set()


def test_an_answer_that_drips_is_left() -> None:
    """Each octet comes well within the time-out, the whole never."""
    with speaking(_dripping) as url:
        told = bring(url, response_timeout_s=0.5, connect_timeout_s=0.5)
    assert told == "no answer in 0.5 s"


def test_an_answer_that_is_cut_off_is_none(provider: Provider) -> None:
    provider.serve("/events", lambda _: Given(200, b"{}" * 100, cut=10))
    assert bring(provider.url("/events")).startswith("the connection was lost")


def test_what_is_no_http_is_none() -> None:
    with speaking(lambda peer, _: peer.sendall(b"220 mail.hospital.example ESMTP\r\n")) as url:
        assert bring(url).startswith("the connection was lost")


def test_headers_without_end_are_left() -> None:
    def speak(peer: socket.socket, ended: threading.Event) -> None:
        peer.sendall(b"HTTP/1.1 200 OK\r\n")
        while not ended.is_set():
            peer.sendall(b"X-More: " + b"x" * 60_000 + b"\r\n")

    with speaking(speak) as url:
        assert bring(url, response_timeout_s=5.0) != ""


def test_a_service_that_never_reads_is_left() -> None:
    long = structs.replace(receipt(1), pass_through="x" * 20_000_000)
    with speaking(lambda _, ended: ended.wait(30)) as url:
        told = bring(url, long, response_timeout_s=0.5, connect_timeout_s=0.5)
    assert told == "no answer in 0.5 s"


def test_nobody_there_is_told_apart() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))

        async def call() -> NotTakenError:
            calling = target(f"http://127.0.0.1:{taken.getsockname()[1]}/")
            with pytest.raises(NotTakenError) as told:
                await calling.bring([receipt(1)])
            return told.value

        error = asyncio.run(call())
    assert error.away
    assert str(error).startswith("no connection")


def test_proxies_of_the_environment_are_not_taken(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    provider.serve("/events", lambda _: Given(200))
    assert bring(provider.url("/events")) == ""


def test_certificates_are_checked_and_our_own_is_shown(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    other = Authority(tmp_path, "other")
    pair, ours = authority.sign("server", "127.0.0.1"), authority.sign("adapter")
    with Provider(tls=server_context(pair.certificate, pair.key, authority.ca)) as provider:
        provider.serve("/events", lambda _: Given(200))
        url = f"https://127.0.0.1:{provider.port}/events"
        own = {"certificate": ours.certificate, "certificate_key": ours.key}
        assert "CERTIFICATE_VERIFY_FAILED" in bring(url, **own)
        assert "CERTIFICATE_VERIFY_FAILED" in bring(url, ca=other.ca, **own)
        assert bring(url, ca=authority.ca) != ""
        assert not provider.asked("/events")
        assert bring(url, ca=authority.ca, **own) == ""
    stranger = authority.sign("stranger", "10.9.9.9")
    with Provider(tls=server_context(stranger.certificate, stranger.key)) as provider:
        url = f"https://127.0.0.1:{provider.port}/events"
        assert "CERTIFICATE_VERIFY_FAILED" in bring(url, ca=authority.ca)


def test_basic_and_own_headers_are_shown(provider: Provider) -> None:
    provider.serve("/events", lambda _: Given(200))
    proof = {"user": "sms", "password": "p:w", "headers": (("X-Token", "t-1"),)}
    assert bring(provider.url("/events"), **proof) == ""
    (asked,) = provider.asked("/events")
    assert asked.headers["authorization"] == "Basic c21zOnA6dw=="
    assert asked.headers["x-token"] == "t-1"


@pytest.mark.parametrize("algorithm", ["hmac-sha256", "hmac-sm3"])
@pytest.mark.parametrize("count", [1, 2])
def test_signatures_are_those_of_signed_requests(
    provider: Provider, algorithm: str, count: int
) -> None:
    """The verifier of our own door takes them."""
    provider.serve("/sms/events", lambda _: Given(200))
    signed = {"key_id": "cb1", "secret": KEY, "algorithm": algorithm}
    events = [receipt(n) for n in range(1, count + 1)]
    url = f"{provider.url('/sms/events')}?token=x"
    assert bring(url, *events, **signed) == ""
    assert bring(url, *events, **signed) == ""
    first, second = provider.asked("/sms/events")
    assert first.query == "token=x"
    assert verified(first) == verified(second) == "his"
    assert first.headers["authorization"] != second.headers["authorization"]
    assert ("idempotency-key" in first.headers) == (count == 1)
    for change in (
        first._replace(body=first.body.replace(b"DELIVERED", b"EXPIRED")),
        first._replace(path="/other"),
        first._replace(method="PUT"),
        first._replace(headers={**first.headers, "idempotency-key": "8"}),
    ):
        assert verified(change) == ""


def test_the_signatures_of_the_page() -> None:
    page = PAGE.read_text(encoding="utf-8")
    (block,) = re.findall(r"```\n(HMAC-SHA256\n.*?)\n```", page, re.DOTALL)
    _, method, path, account, key, moment, nonce, event, body = block.split("\n")
    for algorithm in ("HMAC-SHA256", "HMAC-SM3"):
        request = SignedRequest(method, path, event.encode(), body.encode())
        named = {"account": account, "key": key, "time": moment, "nonce": nonce}
        assert mac(algorithm, KEY.encode(), request, **named).hex() in page


def verified(asked: Asked) -> str:
    """Whose it is; empty where the signature does not fit."""
    key = asked.headers.get("idempotency-key", "").encode()
    request = SignedRequest(asked.method, asked.path, key, asked.body)
    shown = RequestMac.read(asked.headers["authorization"], request)
    assert abs(shown.made_at - datetime.now(UTC)) < timedelta(minutes=1)
    client = Client("his", hmac_keys=MappingProxyType({"cb1": KEY.encode()}))
    return shown.account if shown.fits(client) else ""


def test_one_event_alone_has_its_key_and_several_have_none(provider: Provider) -> None:
    provider.serve("/events", lambda _: Given(200))
    assert bring(provider.url("/events"), receipt(1)) == ""
    assert bring(provider.url("/events"), receipt(1), receipt(2)) == ""
    one, two = provider.asked("/events")
    ids = [each["receiptId"] for each in json.loads(two.body)["receipts"]]
    assert one.headers["idempotency-key"] == ids[0]
    assert len(ids) == 2
    assert "idempotency-key" not in two.headers


Speak = Callable[[socket.socket, threading.Event], object]


@contextmanager
def speaking(speak: Speak) -> Iterator[str]:
    """A server that reads a request and then speaks so; its address."""
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            peer, _ = server.accept()
            with peer:
                peer.recv(65_536)
                try:
                    speak(peer, ended)
                except OSError:
                    return

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/"
        finally:
            ended.set()
            thread.join()


def _dripping(peer: socket.socket, ended: threading.Event) -> None:
    peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while not ended.wait(0.05):
        peer.sendall(b" ")
