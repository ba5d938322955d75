"""Interoperation with node's `smpp`, which nobody here wrote: as client, and as server."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.smpp.settings import LongTexts, SmppOptions
from connectors.splitting import split, whole
from connectors.values import Coding, Submit
from tests.connectors.recorder import ACCOUNT, PASSWORD, Recorder, run
from tests.connectors.smpp.test_link import PHONE, link_to, smsc
from tests.nodejs import packages, running

WORDS = "检查报告已出，请到门诊楼三层自助机打印。" * 8
DELIVERED = 2


@pytest.fixture(scope="module")
def scripts() -> Path:
    return packages(Path(__file__).parent / "node")


def test_node_as_client(scripts: Path) -> None:
    async def test() -> None:
        simulator = smsc()
        await simulator.start()
        simulator.send_inbound(PHONE, "1069", "收到")
        arguments = (str(simulator.port), ACCOUNT, PASSWORD, WORDS)
        async with running(scripts / "client.js", *arguments) as client:
            assert await client.ended() == 0
        assert not client.all("error")
        assert client.all("bound")[0]["status"] == 0
        ids = [line["id"] for line in client.all("answer") if line["status"] == 0]
        assert ids == [line["id"] for line in simulator.events("submit")]
        assert sorted(ids) == sorted(line["id"] for line in client.all("receipt"))
        assert {line["state"] for line in client.all("receipt")} == {DELIVERED}
        assert all("stat:DELIVRD" in line["text"] for line in client.all("receipt"))
        assert [line["text"] for line in client.all("text")] == ["收到"]
        assert [line["status"] for line in client.all("alive") + client.all("unbound")] == [0, 0]
        hello, short, *parts, payload = simulator.events("submit")
        assert [hello["text"], short["text"], payload["text"]] == [
            "Hello @{}€",
            "检查报告已出",
            WORDS,
        ]
        assert "".join(part["text"] for part in parts) == WORDS
        total = len(parts)
        assert [(part["reference"], part["total"], part["number"]) for part in parts] == [
            (77, total, k) for k in range(1, total + 1)
        ]
        await simulator.wait_for("close")
        assert simulator.events("close")[0]["reason"] == "the client took leave"
        await simulator.stop()

    run(test())


def test_node_with_a_wrong_password_is_refused(scripts: Path) -> None:
    async def test() -> None:
        simulator = smsc()
        await simulator.start()
        arguments = (str(simulator.port), ACCOUNT, "wrong", WORDS)
        async with running(scripts / "client.js", *arguments) as client:
            assert await client.ended() == 0
        assert [line["status"] for line in client.all("bound")] == [0x0E]  # ESME_RINVPASWD
        assert not simulator.events("submit")
        await simulator.stop()

    run(test())


@pytest.mark.parametrize("long_texts", list(LongTexts))
def test_node_as_server(scripts: Path, long_texts: LongTexts) -> None:
    async def test() -> None:
        async with running(scripts / "server.js") as server:
            port = (await server.until("listening"))[0]["port"]
            handler = Recorder()
            # Its clock is short, so that we ask if the server lives.
            link = link_to(port, handler, SmppOptions(long_texts=long_texts), heartbeat_s=0.2)
            link.start()
            await handler.until(lambda: link.is_up)
            assert (await server.until("bind"))[0] == {
                "event": "bind",
                "bind": "bind_transceiver",
                "account": ACCOUNT,
                "password": PASSWORD,
            }
            payload = long_texts is LongTexts.PAYLOAD
            made = whole(WORDS, Coding.UCS2) if payload else split(WORDS, reference=9)
            total = len(made.payloads)
            link.submit_many([
                Submit("1069", PHONE, payload, made.coding, made.udh, total, k, True, k)
                for k, payload in enumerate(made.payloads, 1)
            ])  # fmt: skip
            await handler.until(
                lambda: (
                    len(handler.reports) == len(handler.answers) == total and bool(handler.inbound)
                )
            )
            assert {r.id for r in handler.reports} == {a.id for _, a in handler.answers}
            assert all(report.final and report.delivered for report in handler.reports)
            assert link.counters.converted == total  # hexadecimal there, decimal here
            assert [(text.source, text.text) for text in handler.inbound] == [(PHONE, "退订")]
            await server.until("asked")
            await server.until("noted", total)
            assert (await server.until("alive"))[0]["status"] == 0
            await link.stop()
            await server.until("unbind")
            assert handler.downs == ["stopped"]
            assert not server.all("error")
            check_submits(server.all("submit"), long_texts, total)

    run(test())


def check_submits(lines: list[dict[str, object]], long_texts: LongTexts, total: int) -> None:
    """What the server read out of our frames."""
    numbers = range(1, total + 1)
    assert [line["coding"] for line in lines] == [8] * total
    whole = "payload" if long_texts is LongTexts.PAYLOAD else "text"
    assert "".join(str(line[whole]) for line in lines) == WORDS
    if long_texts is LongTexts.UDH:
        assert [line["udh"] for line in lines] == [f"000309{total:02x}{k:02x}" for k in numbers]
        assert all(line["udhi"] for line in lines)
    if long_texts is LongTexts.SAR:
        assert [line["sar"] for line in lines] == [[9, total, k] for k in numbers]
