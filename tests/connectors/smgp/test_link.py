"""A link to a simulated SMGP gateway, over TCP."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.behaviour import Behaviour, Failure
from connectors.link import Link
from connectors.server import ServerSession
from connectors.server_dialect import Submitted
from connectors.smgp.pdus import Tag
from connectors.smgp.settings import RECEIVE, SEND, SmgpSettings
from connectors.splitting import split
from connectors.tlv import value_of
from connectors.values import Action, Coding, Submit
from tests.connectors.recorder import Recorder, carrier, eventually, run, settings, text

SMGP: dict[str, Any] = {"protocol": "smgp", "version": "3.0"}


def gateway(**options: Any) -> Any:
    return carrier(protocol="smgp", gateway=10061, **options)


@pytest.mark.parametrize("version", ["1.3", "2.0", "3.0", "3.1"])
def test_submits_are_answered_and_receipts_come(version: str) -> None:
    async def test() -> None:
        simulator, recorder = gateway(), Recorder()
        await simulator.start()
        link = Link(settings(simulator.port, protocol="smgp", version=version), recorder)
        link.start()
        await recorder.until(lambda: link.is_up)
        for token in range(40):
            link.submit(text(token))
        await recorder.until(lambda: len(recorder.reports) == 40)
        await link.stop()
        await simulator.stop()
        assert [answer.ok for _, answer in recorder.answers] == [True] * 40
        ids = {answer.id for _, answer in recorder.answers}
        assert ids == {report.id for report in recorder.reports}
        assert len(ids) == 40
        assert all(len(each) == 20 and each.startswith("010061") for each in ids)
        report = recorder.reports[0]
        assert (report.stat, report.delivered, report.final) == ("DELIVRD", True, True)
        assert (report.source, report.destination) == ("106900123401", "13800138000")
        assert len(report.submitted) == len(report.done) == 10
        assert simulator.events("submit")[0]["text"] == "短信0"
        assert simulator.events("login")[0]["version"] == version
        assert recorder.downs == ["stopped"]

    run(test())


def test_long_texts_go_and_come_in_parts() -> None:
    async def test() -> None:
        simulator, recorder = gateway(), Recorder()
        await simulator.start()
        link = Link(settings(simulator.port, **SMGP), recorder)
        link.start()
        await recorder.until(lambda: link.is_up)
        made = split("检" * 100, reference=77)
        for k, payload in enumerate(made.payloads, 1):
            link.submit(Submit("1069", "18912345678", payload, Coding.UCS2, True, 2, k, False, k))
        await recorder.until(lambda: len(recorder.answers) == 2)
        submits = simulator.events("submit")
        assert [(s["reference"], s["total"], s["number"]) for s in submits] == [
            (77, 2, 1), (77, 2, 2),
        ]  # fmt: skip
        assert "".join(s["text"] for s in submits) == "检" * 100
        simulator.send_inbound("18912345678", "10690117", "回" * 90)
        simulator.send_inbound("18912345678", "1069", "退订", coding=Coding.GB)
        await recorder.until(lambda: len(recorder.inbound) == 3)
        await link.stop()
        await simulator.stop()
        first, second, third = recorder.inbound
        assert first.text + second.text == "回" * 90
        assert (first.total, first.number, second.number) == (2, 1, 2)
        assert (first.source, first.destination) == ("18912345678", "10690117")
        assert (third.text, third.coding, third.total) == ("退订", 15, 1)
        assert not recorder.reports

    run(test())


def test_the_contracts_parameters_go_with_every_submit() -> None:
    async def test() -> None:
        seen: list[Any] = []
        simulator, recorder = gateway(), Recorder()
        take = simulator.submitted

        def watched(session: ServerSession, submit: Submitted) -> None:
            seen.append(submit.pdu)
            take(session, submit)

        simulator.submitted = watched
        await simulator.start()
        own = SmgpSettings(msg_src="12345678", product="PID0001", fee_type="01", priority=3)
        link = Link(settings(simulator.port, **SMGP, own=own), recorder)
        link.start()
        await recorder.until(lambda: link.is_up)
        link.submit(text(1))
        await recorder.until(lambda: bool(recorder.answers))
        await link.stop()
        await simulator.stop()
        pdu = seen[0]
        assert value_of(pdu.tlvs, Tag.MSG_SRC) == b"12345678"
        assert value_of(pdu.tlvs, Tag.M_SERVICE_ID) == b"PID0001".ljust(21, b"\0")
        assert value_of(pdu.tlvs, Tag.TP_UDHI) is None
        assert (pdu.fee_type, pdu.priority, pdu.msg_type) == (b"01", 3, 6)

    run(test())


def test_a_busy_gateway_gets_the_segment_again() -> None:
    async def test() -> None:
        simulator, recorder = gateway(behaviour=Behaviour(throttle_per_s=50)), Recorder()
        await simulator.start()
        link = Link(settings(simulator.port, **SMGP), recorder)
        link.start()
        await recorder.until(lambda: link.is_up)
        for token in range(20):
            link.submit(text(token))
        await recorder.until(lambda: len(recorder.answers) == 20)
        await link.stop()
        await simulator.stop()
        assert all(answer.ok for _, answer in recorder.answers)
        assert link.counters.throttled > 0

    run(test())


@pytest.mark.parametrize(
    ("code", "action"),
    [("47", Action.PERMANENT), ("39", Action.OTHER_CHANNEL), ("2", Action.RETRY)],
)
def test_a_refused_submit_says_what_to_do(code: str, action: Action) -> None:
    async def test() -> None:
        simulator = gateway(behaviour=Behaviour(failures=(Failure(1.0, code),)))
        recorder = Recorder()
        await simulator.start()
        link = Link(settings(simulator.port, **SMGP), recorder)
        link.start()
        await recorder.until(lambda: link.is_up)
        link.submit(text(1))
        await recorder.until(lambda: bool(recorder.answers))
        await link.stop()
        await simulator.stop()
        answer = recorder.answers[0][1]
        assert (answer.ok, answer.id, answer.code, answer.action) == (False, "", code, action)

    run(test())


def test_a_failed_delivery_tells_the_gateways_code() -> None:
    async def test() -> None:
        simulator = gateway(behaviour=Behaviour(failures=(Failure(1.0, "UNDELIV"),)))
        recorder = Recorder()
        await simulator.start()
        link = Link(settings(simulator.port, **SMGP), recorder)
        link.start()
        await recorder.until(lambda: link.is_up)
        link.submit(text(1))
        await recorder.until(lambda: bool(recorder.reports))
        await link.stop()
        await simulator.stop()
        report = recorder.reports[0]
        assert (report.stat, report.delivered, report.final) == ("UNDELIV:999", False, True)

    run(test())


def test_a_wrong_password_waits_before_the_next_try() -> None:
    async def test() -> None:
        simulator, recorder = gateway(), Recorder()
        await simulator.start()
        link = Link(settings(simulator.port, **SMGP, password="wrong"), recorder)
        link.start()
        await recorder.until(lambda: len(recorder.downs) == 2)
        await link.stop()
        await simulator.stop()
        assert recorder.downs[0] == "login refused: authentication error (21)"
        assert recorder.ups == 0
        assert simulator.events("login")[0]["result"] == 21

    run(test())


def test_one_connection_sends_another_receives() -> None:
    async def test() -> None:
        simulator, sender, receiver = gateway(), Recorder(), Recorder()
        await simulator.start()
        there = {**SMGP, "port": simulator.port}
        out = Link(settings(**there, own=SmgpSettings(login_mode=SEND)), sender)
        into = Link(settings(**there, own=SmgpSettings(login_mode=RECEIVE)), receiver)
        out.start()
        into.start()
        await sender.until(lambda: out.is_up)
        await receiver.until(lambda: into.is_up)
        assert (out.submits, into.submits, into.free) == (True, False, 0)
        out.submit(text(1))
        into.submit(text(2))
        await receiver.until(lambda: bool(receiver.reports))
        await receiver.until(lambda: bool(receiver.unsent_tokens))
        await out.stop()
        await into.stop()
        await simulator.stop()
        assert sender.answers[0][1].id == receiver.reports[0].id
        assert not sender.reports
        assert receiver.unsent_tokens == [2]

    run(test())


def test_both_sides_ask_whether_the_other_lives() -> None:
    async def test() -> None:
        simulator, recorder = gateway(heartbeat_s=0.05), Recorder()
        await simulator.start()
        link = Link(settings(simulator.port, **SMGP, heartbeat_s=0.05), recorder)
        link.start()
        await recorder.until(lambda: link.is_up)
        session = simulator.sessions[0]
        session.muted = True
        await recorder.until(lambda: bool(recorder.downs))
        assert recorder.downs == ["3 heartbeats unanswered"]
        await recorder.until(lambda: recorder.ups == 2)
        await link.stop()
        await simulator.stop()

    run(test())


def test_the_gateway_takes_leave() -> None:
    async def test() -> None:
        simulator, recorder = gateway(), Recorder()
        await simulator.start()
        link = Link(settings(simulator.port, **SMGP), recorder)
        link.start()
        await recorder.until(lambda: link.is_up)
        simulator.sessions[0].leave()
        await recorder.until(lambda: recorder.ups == 2)
        await eventually(lambda: len(simulator.events("close")) == 1)
        await link.stop()
        await simulator.stop()
        assert recorder.downs[0] == "the peer ended the connection"
        assert simulator.events("close")[0]["reason"] == "stopped"

    run(test())
