"""Gateways with habits of their own, met over TCP, in every protocol that can have them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from connectors.ids import IdForm
from connectors.link import Link
from connectors.quirks import Quirks
from connectors.server import ServerSession, serve
from connectors.server_dialect import Entry, Receipt, Submitted, Text
from connectors.settings import ServerSettings
from connectors.sgip.settings import GatewaySettings, SgipSettings
from connectors.values import Coding
from tests.connectors.recorder import PASSWORD, Recorder, eventually, run, settings, text

PROTOCOLS = [("cmpp", "3.0"), ("sgip", "1.2"), ("smgp", "3.0"), ("smpp", "3.4")]
ID = {"cmpp": "0123456789abcdef", "smgp": "01006103091530000001", "smpp": "3039"}
STAMP = "2603091530"


@dataclass
class Gateway:
    """A gateway that does only what a test tells it."""

    submits: list[Submitted] = field(default_factory=list)
    sessions: list[ServerSession] = field(default_factory=list)

    def connected(self, session: ServerSession) -> None: ...

    def secret(self, session: ServerSession, account: str) -> bytes:
        return PASSWORD.encode()

    def entered(self, session: ServerSession) -> Entry:
        return Entry.OK

    def ready(self, session: ServerSession) -> None:
        self.sessions.append(session)

    def submitted(self, session: ServerSession, submit: Submitted) -> None:
        self.submits.append(submit)

    def acknowledged(self, session: ServerSession, token: Any, result: int) -> None: ...

    def undelivered(self, session: ServerSession, tokens: Any) -> None: ...

    def left(self, session: ServerSession, reason: str) -> None: ...

    def answer(self, msg_id: str) -> None:
        self.sessions[0].answer(self.submits[-1], msg_id)

    def report(self, msg_id: str) -> None:
        item = Receipt(msg_id, "DELIVRD", "106900001234", "13800138000", STAMP, STAMP)
        self.sessions[0].deliver(item, "report")


class Met:
    """A link to such a gateway. A context."""

    def __init__(self, protocol: str, version: str, quirks: Quirks, **changes: Any) -> None:
        self.gateway = Gateway()
        self.recorder = Recorder()
        self._server = ServerSettings(protocol, own=changes.pop("server", None))
        if protocol == "sgip":
            self._server = ServerSettings(protocol, own=GatewaySettings(receives=True))
            changes["own"] = SgipSettings(corp="12345")
        self._changes = {
            "protocol": protocol, "version": version, "service_id": "", "quirks": quirks,
        } | changes  # fmt: skip

    async def __aenter__(self) -> Met:
        self._listening = await serve(self.gateway, "127.0.0.1", 0, self._server)
        port = self._listening.sockets[0].getsockname()[1]
        self.link = Link(settings(port, **self._changes), self.recorder)
        self.link.start()
        await self.recorder.until(lambda: self.recorder.ups == 1)
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.link.stop(0.1)
        self._listening.close()

    async def submit(self) -> Submitted:
        count = len(self.gateway.submits)
        self.link.submit(text(count))
        await eventually(lambda: len(self.gateway.submits) > count)
        return self.gateway.submits[-1]

    async def reported(self) -> str:
        await self.recorder.until(lambda: len(self.recorder.reports) == 1)
        return self.recorder.reports[0].id


def swapped(msg_id: str) -> str:
    return bytes.fromhex(msg_id)[::-1].hex()


@pytest.mark.parametrize(
    ("protocol", "form", "written"),
    [
        ("cmpp", IdForm.SWAPPED, swapped(ID["cmpp"])),
        ("smgp", IdForm.SWAPPED, swapped(ID["smgp"])),
        ("cmpp", IdForm.LAST10, "ffffff" + ID["cmpp"][-10:]),
        ("smgp", IdForm.LAST10, "9999999999" + ID["smgp"][-10:]),
    ],
)
def test_ids_of_reports(protocol: str, form: IdForm, written: str) -> None:
    async def test() -> None:
        async with Met(protocol, "3.0", Quirks(report_ids=form)) as met:
            await met.submit()
            met.gateway.answer(ID[protocol])
            await met.recorder.until(lambda: len(met.recorder.answers) == 1)
            met.gateway.report(written)
            assert await met.reported() == met.recorder.answers[0][1].id

    run(test())


@pytest.mark.parametrize("protocol", ["cmpp", "smgp"])
def test_a_report_before_its_answer(protocol: str) -> None:
    async def test() -> None:
        async with Met(protocol, "3.0", Quirks(report_ids=IdForm.SWAPPED)) as met:
            await met.submit()
            met.gateway.report(swapped(ID[protocol]))
            early = await met.reported()
            assert met.recorder.answers == []
            met.gateway.answer(ID[protocol])
            await met.recorder.until(lambda: len(met.recorder.answers) == 1)
            assert met.recorder.answers[0][1].id == early

    run(test())


@pytest.mark.parametrize(("protocol", "version"), PROTOCOLS)
def test_answers_without_a_body(protocol: str, version: str) -> None:
    async def test() -> None:
        async with Met(protocol, version, Quirks(bare_answers=True)) as met:
            await met.submit()
            size = {"sgip": 20, "smpp": 16}.get(protocol, 12)
            met.gateway.sessions[0].write(bare(protocol, met.gateway.submits[0], size))
            await met.recorder.until(lambda: len(met.recorder.answers) == 1)
            assert met.recorder.answers[0][1].ok
            assert bool(met.recorder.answers[0][1].id) == (protocol == "sgip")
            assert met.recorder.downs == []

    run(test())


def bare(protocol: str, submit: Submitted, size: int) -> bytes:
    command = {"cmpp": 4, "sgip": 3, "smgp": 2, "smpp": 4}[protocol] | 1 << 31
    head = size.to_bytes(4, "big") + command.to_bytes(4, "big")
    sequence: Any = submit.sequence
    own = sequence if isinstance(sequence, bytes) else sequence.to_bytes(4, "big")
    return head + (bytes(4) if protocol == "smpp" else b"") + own


def test_without_the_setting_a_bare_answer_ends_the_connection() -> None:
    async def test() -> None:
        async with Met("cmpp", "3.0", Quirks()) as met:
            await met.submit()
            met.gateway.sessions[0].write(bare("cmpp", met.gateway.submits[0], 12))
            await met.recorder.until(lambda: bool(met.recorder.downs))
            assert met.recorder.downs[0].startswith("unreadable frame")
            assert met.recorder.lost_tokens == [0]

    run(test())


def test_heartbeats_that_nobody_answers() -> None:
    """Two gateways hear and never say a word. Who has a link that expects answers is given up;
    the other, whose habit is known, is still there afterwards."""
    quick = {"heartbeat_s": 0.05, "heartbeat_tries": 1}

    async def test() -> None:
        async with Met("cmpp", "3.0", Quirks(tests=False), **quick) as known:
            silent = known.gateway.sessions[0]
            silent.muted = True
            async with Met("cmpp", "3.0", Quirks(), **quick) as expected:
                expected.gateway.sessions[0].muted = True
                await expected.recorder.until(lambda: bool(expected.recorder.downs))
                assert expected.recorder.downs[0] == "1 heartbeats unanswered"
            silent.muted = False
            await known.submit()
            known.gateway.answer(ID["cmpp"])
            await known.recorder.until(lambda: len(known.recorder.answers) == 1)
            assert known.recorder.downs == []

    run(test())


@pytest.mark.parametrize("protocol", ["cmpp", "smgp"])
def test_a_gateway_that_never_asks_needs_no_setting(protocol: str) -> None:
    """It only answers our tests, and the link stands while others would have fallen."""

    async def test() -> None:
        quick = {"heartbeat_s": 0.02, "heartbeat_tries": 1}
        async with Met(protocol, "3.0", Quirks(), **quick) as met:
            async with Met(protocol, "3.0", Quirks(), **quick) as other:
                other.gateway.sessions[0].muted = True
                await other.recorder.until(lambda: bool(other.recorder.downs))
            assert met.recorder.downs == []

    run(test())


@pytest.mark.parametrize(("protocol", "version"), [PROTOCOLS[0], *PROTOCOLS[2:]])
def test_sequences_from_zero(protocol: str, version: str) -> None:
    """The login has number 0, the first submit 1. SGIP's numbers are the node's own affair."""

    async def test() -> None:
        async with Met(protocol, version, Quirks(from_zero=True)) as met:
            assert (await met.submit()).sequence == 1

    run(test())


@pytest.mark.parametrize(("protocol", "version"), PROTOCOLS)
def test_no_reports_at_all(protocol: str, version: str) -> None:
    async def test() -> None:
        async with Met(protocol, version, Quirks(no_reports=True)) as met:
            await met.submit()
            met.gateway.answer(ID.get(protocol, "any"))
            await met.reported()
            assert met.recorder.order[-2:] == ["answered", "report"]
            (report,) = met.recorder.reports
            assert (report.id, report.delivered, report.final, report.destination) == (
                met.recorder.answers[0][1].id, True, True, "13800138000",
            )  # fmt: skip

    run(test())


@pytest.mark.parametrize(("protocol", "version"), PROTOCOLS)
def test_gbk_in_the_field_of_ucs2(protocol: str, version: str) -> None:
    async def test() -> None:
        async with Met(protocol, version, Quirks(gbk_as_ucs2=True)) as met:
            item = Text("13800138000", "1069", "退订".encode("gbk"), Coding.UCS2, udh=False)
            met.gateway.sessions[0].deliver(item, "text")
            await met.recorder.until(lambda: len(met.recorder.inbound) == 1)
            assert met.recorder.inbound[0].text == "退订"

    run(test())
