"""An SP and a simulated SGIP gateway: one connection to submit, one back to deliver."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from connectors.behaviour import Behaviour, Failure, Span
from connectors.link import Link
from connectors.listener import DuplexLink, ListenerSettings
from connectors.sgip.settings import GatewaySettings, SgipSettings
from connectors.simulator import Simulator
from connectors.splitting import split
from connectors.values import Action, Coding, Submit
from tests.connectors.recorder import Recorder, carrier, eventually, run, settings, text

NODE = 3010012345
OWN = SgipSettings(corp="12345", node=NODE)
SMG = GatewaySettings(node=101001, account="smgcli", password="smgpass")


def link_settings(port: int, **changes: Any) -> Any:
    return settings(port, **({"protocol": "sgip", "version": "1.2", "own": OWN} | changes))


def listening(**changes: Any) -> ListenerSettings:
    values: dict[str, Any] = {
        "protocol": "sgip", "host": "127.0.0.1", "port": 0,
        "account": "smgcli", "password": "smgpass",
    }  # fmt: skip
    return ListenerSettings(**(values | changes))


@contextlib.asynccontextmanager
async def both(
    recorder: Recorder, behaviour: Behaviour | None = None, **changes: Any
) -> AsyncIterator[tuple[DuplexLink, Simulator]]:
    """A link that is up with its listener, and a gateway that has called it."""
    link: DuplexLink | None = None
    probe = DuplexLink(link_settings(1), recorder, listening())
    await probe.listener.open()
    port = probe.listener.port
    await probe.listener.stop()
    simulator = carrier(
        protocol="sgip", own=SMG, client_port=port, behaviour=behaviour or Behaviour()
    )
    await simulator.start()
    link = DuplexLink(link_settings(simulator.port, **changes), recorder, listening(port=port))
    link.start()
    try:
        await recorder.until(lambda: link.is_up)
        await eventually(lambda: link.listener.connected == 1)
        yield link, simulator
    finally:
        await link.stop()
        await simulator.stop()


def test_reports_come_on_the_other_connection_and_fit_the_answers() -> None:
    async def test() -> None:
        recorder = Recorder()
        async with both(recorder) as (link, simulator):
            for token in range(40):
                link.submit(text(token, to=f"1301234{token:04d}"))
            await recorder.until(lambda: len(recorder.reports) == 40)
            submits = simulator.events("submit")
        ids = [answer.id for _, answer in recorder.answers]
        assert all(answer.ok for _, answer in recorder.answers)
        assert len(set(ids)) == 40
        assert {report.id for report in recorder.reports} == set(ids)
        assert all(each.startswith(f"{NODE:08x}") and len(each) == 24 for each in ids)
        assert [event["id"] for event in submits] == ids
        report = recorder.reports[0]
        assert (report.stat, report.delivered, report.final) == ("DELIVRD", True, True)
        assert report.destination == "8613012340000"
        assert len(report.done) == 10
        assert submits[0]["destination"] == "8613012340000"
        assert submits[0]["text"] == "短信0"
        assert link.listener.counters.reports == 40

    run(test())


def test_texts_come_on_the_other_connection() -> None:
    async def test() -> None:
        recorder = Recorder()
        async with both(recorder) as (_, simulator):
            simulator.send_inbound("8613012345678", "10655012340117", "回" * 90)
            simulator.send_inbound("8613012345678", "1065501234", "退订", coding=Coding.GB)
            await recorder.until(lambda: len(recorder.inbound) == 3)
        first, second, third = recorder.inbound
        assert first.text + second.text == "回" * 90
        assert (first.total, first.number, second.number) == (2, 1, 2)
        assert (first.source, first.destination) == ("8613012345678", "10655012340117")
        assert (third.text, third.coding) == ("退订", 15)

    run(test())


def test_long_texts_go_in_parts() -> None:
    async def test() -> None:
        recorder = Recorder()
        async with both(recorder) as (link, simulator):
            made = split("检" * 100, reference=43)
            for k, payload in enumerate(made.payloads, 1):
                link.submit(
                    Submit("1065", "13012345678", payload, Coding.UCS2, True, 2, k, True, k)
                )
            await recorder.until(lambda: len(recorder.reports) == 2)
            submits = simulator.events("submit")
        seen = [(each["reference"], each["total"], each["number"]) for each in submits]
        assert seen == [(43, 2, 1), (43, 2, 2)]
        assert {report.id for report in recorder.reports} == {each["id"] for each in submits}

    run(test())


def test_a_delivery_is_answered_only_when_it_is_durable() -> None:
    async def test() -> None:
        recorder = Recorder(acknowledge=False)
        async with both(recorder) as (_, simulator):
            simulator.send_inbound("8613012345678", "1065501234", "TD")
            await recorder.until(lambda: bool(recorder.inbound))
            caller = next(session for session in simulator.sessions if session.free)
            free = caller.free
            recorder.acks[0]()
            await eventually(lambda: caller.free == free + 1)

    run(test())


def test_a_fallen_call_comes_back_with_what_was_not_answered() -> None:
    async def test() -> None:
        recorder = Recorder(acknowledge=False)
        async with both(recorder) as (link, simulator):
            simulator.send_inbound("8613012345678", "1065501234", "TD")
            await recorder.until(lambda: len(recorder.inbound) == 1)
            simulator.drop_links()
            await recorder.until(lambda: len(recorder.inbound) == 2)
            recorder.acks[0]()  # its connection is gone: nothing happens
            recorder.acks[1]()
            await eventually(lambda: simulator.waiting == 0)
            await recorder.until(lambda: link.is_up)
        assert [item.text for item in recorder.inbound] == ["TD", "TD"]

    run(test())


@pytest.mark.parametrize(
    ("code", "stat", "final"),
    [("SGIP:29", "SGIP:29", True), ("UNDELIV", "SGIP:32", True), ("ENROUTE", "ENROUTE", False)],
)
def test_reports_of_failures(code: str, stat: str, final: bool) -> None:
    async def test() -> None:
        recorder = Recorder()
        behaviour = Behaviour(failures=(Failure(1.0, code),))
        async with both(recorder, behaviour) as (link, _):
            link.submit(text(1, to="13012345678"))
            await recorder.until(lambda: bool(recorder.reports))
        report = recorder.reports[0]
        assert (report.stat, report.delivered, report.final) == (stat, False, final)

    run(test())


@pytest.mark.parametrize(
    ("code", "action"),
    [("6", Action.OTHER_CHANNEL), ("5", Action.PERMANENT), ("21", Action.RETRY)],
)
def test_a_refused_submit_says_what_to_do(code: str, action: Action) -> None:
    async def test() -> None:
        recorder = Recorder()
        behaviour = Behaviour(failures=(Failure(1.0, code),))
        async with both(recorder, behaviour) as (link, _):
            link.submit(text(1, to="13012345678"))
            await recorder.until(lambda: bool(recorder.answers))
        answer = recorder.answers[0][1]
        assert (answer.ok, answer.id, answer.code, answer.action) == (False, "", code, action)

    run(test())


def test_a_busy_node_gets_the_segment_again() -> None:
    async def test() -> None:
        recorder = Recorder()
        async with both(recorder, Behaviour(throttle_per_s=50)) as (link, _):
            for token in range(20):
                link.submit(text(token, to="13012345678"))
            await recorder.until(lambda: len(recorder.reports) == 20)
            assert link.counters.throttled > 0
        assert all(answer.ok for _, answer in recorder.answers)
        assert len({answer.id for _, answer in recorder.answers}) == 20

    run(test())


def test_a_wrong_password_is_refused_for_long() -> None:
    async def test() -> None:
        simulator, recorder = carrier(protocol="sgip"), Recorder()
        await simulator.start()
        link = Link(link_settings(simulator.port, password="wrong"), recorder)
        link.start()
        await recorder.until(lambda: bool(recorder.downs))
        await link.stop()
        await simulator.stop()
        assert recorder.downs == ["login refused: illegal login (1)"]
        assert simulator.events("login")[0]["result"] == 1

    run(test())


def test_an_aggregator_delivers_on_our_own_connection() -> None:
    async def test() -> None:
        simulator = carrier(protocol="sgip", own=GatewaySettings(receives=True))
        recorder = Recorder()
        await simulator.start()
        link = Link(link_settings(simulator.port), recorder)
        link.start()
        await recorder.until(lambda: link.is_up)
        link.submit(text(1, to="13012345678"))
        await recorder.until(lambda: bool(recorder.reports))
        simulator.send_inbound("8613012345678", "1065501234", "TD")
        await recorder.until(lambda: bool(recorder.inbound))
        await link.stop()
        await simulator.stop()
        assert recorder.reports[0].id == recorder.answers[0][1].id
        assert recorder.downs == ["stopped"]
        assert simulator.events("close")[0]["reason"] == "the client took leave"

    run(test())


def test_silence_is_no_death_where_nobody_can_ask() -> None:
    async def test() -> None:
        recorder = Recorder()
        slow = Behaviour(answer_delay=Span(200, 200))
        async with both(recorder, slow, heartbeat_s=0.02, heartbeat_tries=1) as (link, _):
            link.submit(text(1, to="13012345678"))
            await recorder.until(lambda: bool(recorder.answers))
            assert recorder.downs == []

    run(test())
