"""TLS on links and listeners, of every protocol: what is let in, and what is told otherwise."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest

from connectors.link import Link
from connectors.listener import DuplexLink, ListenerSettings
from connectors.sgip.settings import GatewaySettings, SgipSettings
from connectors.tls import client_context, fault, server_context
from tests.certificates import Authority, Pair, self_signed
from tests.connectors.recorder import Recorder, carrier, run, settings, text

HOST = "127.0.0.1"
PROTOCOLS = [("cmpp", "3.0"), ("sgip", "1.2"), ("smgp", "3.0"), ("smpp", "3.4")]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


async def refused(pair: Pair, tls: ssl.SSLContext, client_ca: str = "", **changes: Any) -> str:
    """Why a link does not come up against a carrier with this certificate."""
    gateway = carrier(tls=server_context(pair.certificate, pair.key, client_ca))
    await gateway.start()
    recorder = Recorder()
    link = Link(settings(gateway.port, tls=tls, **changes), recorder)
    link.start()
    await recorder.until(lambda: bool(recorder.downs))
    assert not recorder.ups
    await link.stop()
    await gateway.stop()
    return recorder.downs[0]


@pytest.mark.parametrize(("protocol", "version"), PROTOCOLS)
def test_every_protocol_goes_by_tls(authority: Authority, protocol: str, version: str) -> None:
    own = SgipSettings(corp="12345") if protocol == "sgip" else None
    theirs = GatewaySettings(receives=True) if protocol == "sgip" else None
    pair = authority.sign("gateway", "gateway.example", HOST)

    async def test() -> None:
        tls = server_context(pair.certificate, pair.key)
        gateway = carrier(protocol=protocol, tls=tls, own=theirs)
        await gateway.start()
        recorder = Recorder()
        client = client_context(authority.ca)
        link = Link(
            settings(
                gateway.port, protocol=protocol, version=version, tls=client, own=own, service_id=""
            ),
            recorder,
        )
        link.start()
        await recorder.until(lambda: recorder.ups == 1)
        link.submit_many([text(token) for token in range(50)])
        await recorder.until(lambda: len(recorder.answers) == 50)
        await recorder.until(lambda: len(recorder.reports) == 50)
        await link.stop()
        await gateway.stop()

    run(test())


def test_the_carrier_comes_to_our_listener_by_tls(authority: Authority) -> None:
    ours, theirs = authority.sign("ours", HOST), authority.sign("theirs")

    async def test() -> None:
        recorder = Recorder()
        listening = ListenerSettings(
            "sgip", HOST, 0, "smgcli", "door",
            tls=server_context(ours.certificate, ours.key, authority.ca),
        )  # fmt: skip
        # Two steps, because each side has to know the other's port.
        duplex = DuplexLink(settings(1, protocol="sgip", version="1.2"), recorder, listening)
        await duplex.listener.open()
        gateway = carrier(
            protocol="sgip",
            own=GatewaySettings(account="smgcli", password="door", receives=False),
            client_port=duplex.listener.port,
            call_tls=client_context(authority.ca, theirs.certificate, theirs.key),
        )
        await gateway.start()
        gateway.send_inbound("13800138000", "1065501234", "收到")
        await recorder.until(lambda: len(recorder.inbound) == 1)
        await duplex.listener.stop()
        await gateway.stop()

    run(test())


def test_a_name_of_its_own(authority: Authority) -> None:
    pair = authority.sign("gateway", "gateway.example")

    async def test() -> None:
        gateway = carrier(tls=server_context(pair.certificate, pair.key))
        await gateway.start()
        recorder = Recorder()
        tls = client_context(authority.ca)
        link = Link(settings(gateway.port, tls=tls, tls_name="gateway.example"), recorder)
        link.start()
        await recorder.until(lambda: recorder.ups == 1)
        await link.stop()
        await gateway.stop()

    run(test())


def test_what_is_refused_and_why(authority: Authority, tmp_path: Path) -> None:
    async def test() -> None:
        trusting = client_context(authority.ca)
        other = authority.sign("other", "other.example")
        assert (await refused(other, trusting)).startswith(
            "no connection: the certificate was refused: IP address mismatch"
        )
        reason = await refused(other, trusting, tls_name="gateway.example")
        assert reason.startswith("no connection: the certificate was refused: Hostname mismatch")
        assert "gateway.example" in reason
        late = authority.sign("late", HOST, expired=True)
        assert await refused(late, trusting) == (
            "no connection: the certificate was refused: certificate has expired"
        )
        alone = self_signed(tmp_path, "alone", HOST)
        assert await refused(alone, trusting) == (
            "no connection: the certificate was refused: self-signed certificate"
        )
        good = authority.sign("good", HOST)
        assert "unable to get local issuer certificate" in await refused(good, client_context())

    run(test())


def test_a_client_without_a_certificate_is_not_let_in(authority: Authority) -> None:
    async def test() -> None:
        pair = authority.sign("gateway", HOST)
        trusting = client_context(authority.ca)
        assert await refused(pair, trusting, client_ca=authority.ca)

    run(test())


def test_a_client_shows_its_certificate(authority: Authority) -> None:
    pair, ours = authority.sign("gateway", HOST), authority.sign("ours")

    async def test() -> None:
        gateway = carrier(tls=server_context(pair.certificate, pair.key, authority.ca))
        await gateway.start()
        recorder = Recorder()
        tls = client_context(authority.ca, ours.certificate, ours.key)
        link = Link(settings(gateway.port, tls=tls), recorder)
        link.start()
        await recorder.until(lambda: recorder.ups == 1)
        await link.stop()
        await gateway.stop()

    run(test())


def test_unverified_only_when_told_so(tmp_path: Path) -> None:
    async def test() -> None:
        alone = self_signed(tmp_path, "alone", "nowhere.example")
        gateway = carrier(tls=server_context(alone.certificate, alone.key))
        await gateway.start()
        recorder = Recorder()
        link = Link(settings(gateway.port, tls=client_context(verify=False)), recorder)
        link.start()
        await recorder.until(lambda: recorder.ups == 1)
        await link.stop()
        await gateway.stop()

    run(test())


def test_a_carrier_without_tls_is_told(authority: Authority) -> None:
    async def test() -> None:
        gateway = carrier()
        await gateway.start()
        recorder = Recorder()
        link = Link(settings(gateway.port, tls=client_context(authority.ca)), recorder)
        link.start()
        await recorder.until(lambda: bool(recorder.downs))
        assert not recorder.ups
        await link.stop()
        await gateway.stop()

    run(test())


def test_faults_in_words() -> None:
    assert fault(OSError("gone")) == "gone"
    assert fault(ssl.SSLError(1, "odd")) == "TLS: odd"
