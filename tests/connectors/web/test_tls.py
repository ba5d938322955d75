"""HTTPS: certificates are checked, and nothing is sent to whom they do not name."""

from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path

import pytest

from connectors.web.requests import Request
from connectors.web.transport import LostError, Transport, check_transport
from tests.certificates import Authority, self_signed
from tests.connectors.recorder import run, text
from tests.connectors.web.test_link import TAKEN, settings, standing
from tests.providers import Provider


@pytest.mark.parametrize(
    ("host", "trusted", "taken"),
    [("127.0.0.1", True, True), ("127.0.0.1", False, False), ("other.example", True, False)],
)
def test_a_certificate_is_checked(tmp_path: Path, host: str, trusted: bool, taken: bool) -> None:
    authority = Authority(tmp_path)
    pair = authority.sign("provider", host)
    ca = authority.ca if trusted else self_signed(tmp_path, "stranger", host).certificate
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.certificate, pair.key)

    async def test() -> None:
        with Provider(tls=context) as provider:
            provider.serve("/send", lambda _asked: TAKEN)
            url = provider.url("/send").replace("http:", "https:")
            async with standing(settings(url, ca=ca)) as (link, told):
                link.submit_many([text(1)])
                await told.until(lambda: bool(told.answers or told.unsent_tokens))
                assert bool(told.answers) == taken
                if not taken:
                    assert "certificate verify failed" in told.downs[0].lower()
            assert bool(provider.asked("/send")) == taken

    run(test())


@pytest.mark.parametrize("shown", [True, False])
def test_a_provider_may_ask_for_our_certificate(tmp_path: Path, shown: bool) -> None:
    authority = Authority(tmp_path)
    pair, own = authority.sign("provider", "127.0.0.1"), authority.sign("hospital", "127.0.0.2")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority.ca)
    context.load_cert_chain(pair.certificate, pair.key)
    context.verify_mode = ssl.CERT_REQUIRED
    files = {"certificate": own.certificate, "certificate_key": own.key} if shown else {}

    async def test() -> None:
        with Provider(tls=context) as provider:
            provider.serve("/send", lambda _asked: TAKEN)
            url = provider.url("/send").replace("http:", "https:")
            async with standing(settings(url, ca=authority.ca, **files)) as (link, told):
                link.submit_many([text(1)])
                await told.until(lambda: bool(told.answers or told.lost_tokens or told.downs))
                assert bool(told.answers) == shown
            assert bool(provider.asked("/send")) == shown

    run(test())


def test_tls_that_breaks_in_the_midst_loses_the_answer(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = authority.sign("provider", "127.0.0.1")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.certificate, pair.key)

    def break_off(listener: socket.socket) -> None:
        plain, _ = listener.accept()
        with plain, context.wrap_socket(plain.dup(), server_side=True) as secured:
            assert secured.recv(1_000).startswith(b"GET /x ")
            plain.sendall(b"no record of TLS at all")
            plain.recv(1)

    async def ask(port: int) -> None:
        url = f"https://127.0.0.1:{port}/x"
        transport = Transport(settings(url, ca=authority.ca))
        try:
            with pytest.raises(LostError, match=r"^the connection was lost: .*SSL"):
                await transport.exchange(Request("GET", url, {}, b""))
        finally:
            await transport.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        breaking = threading.Thread(target=break_off, args=(listener,))
        breaking.start()
        run(ask(listener.getsockname()[1]))
        breaking.join(20)
    assert not breaking.is_alive()


@pytest.mark.parametrize("name", ["ca", "certificate", "certificate_key"])
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=f"^{name.replace('_', '-')}: "):
        check_transport(settings("https://127.0.0.1/", **{name: str(tmp_path / "none")}))
