"""The link engine against the simulator, over real TCP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from connectors.behaviour import Behaviour, Failure, Span
from connectors.cmpp.pdus import CODECS, Connect, ConnectResp, SubmitResp
from connectors.cmpp.pdus import Submit as SubmitPDU
from connectors.link import Link
from connectors.pace import Together
from connectors.simulator import Simulator
from connectors.splitting import split
from connectors.values import Action, Coding, Submit
from tests.connectors.recorder import (
    PATIENCE_S,
    Allowance,
    Recorder,
    carrier,
    eventually,
    run,
    settings,
    text,
)


@asynccontextmanager
async def standing(
    simulator: Simulator, recorder: Recorder | None = None, **changes: Any
) -> AsyncIterator[tuple[Link, Recorder]]:
    """A started simulator and a link that is up; both are stopped at the end."""
    await simulator.start()
    handler = recorder or Recorder()
    link = Link(settings(simulator.port, **changes), handler)
    link.start()
    try:
        await handler.until(lambda: handler.ups > 0)
        yield link, handler
    finally:
        await link.stop(0.1)
        await simulator.stop()


@asynccontextmanager
async def peer(serve: Any) -> AsyncIterator[int]:
    """A listener of the test's own; `serve(reader, writer)` plays the carrier."""
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.get_running_loop().create_task(serve(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def read_frame(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readexactly(4)
    return head + await reader.readexactly(int.from_bytes(head, "big") - 4)


async def let_in(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    login = CODECS["3.0"].decode(await read_frame(reader))
    assert isinstance(login, Connect)
    writer.write(CODECS["3.0"].encode(ConnectResp(login.sequence_id)))


@pytest.mark.parametrize(("version", "logged"), [("2.0", "2.0"), ("2.1", "2.1"), ("3.0", "3.0")])
def test_login_submit_and_report(version: str, logged: str) -> None:
    async def test() -> None:
        simulator = carrier()
        async with standing(simulator, version=version) as (link, handler):
            assert link.is_up
            assert link.free == 16
            link.submit(text(1))
            await handler.until(lambda: bool(handler.answers and handler.reports))
            token, answer = handler.answers[0]
            report = handler.reports[0]
            assert (token, answer.ok, answer.code, answer.action) == (1, True, "0", Action.NONE)
            assert report.id == answer.id
            assert len(answer.id) == 16
            assert (report.stat, report.delivered, report.final) == ("DELIVRD", True, True)
            assert report.destination == "13800138000"
            assert report.source == "106900123401"
            assert simulator.events("login")[0]["version"] == logged
            assert simulator.events("submit")[0]["text"] == "短信1"
            assert simulator.events("submit")[0]["id"] == answer.id
        assert simulator.events("close")[0]["reason"] == "the client took leave"
        assert handler.downs == ["stopped"]

    run(test())


def test_a_short_account_logs_in_bare_and_padded() -> None:
    async def test() -> None:
        for padded in (False, True):
            simulator = carrier(account="901")
            async with standing(simulator, account="901", account_padded=padded):
                assert simulator.events("login")[0]["result"] == 0

    run(test())


def test_a_wrong_password_waits_long_before_it_tries_again() -> None:
    async def test() -> None:
        simulator = carrier()
        await simulator.start()
        handler = Recorder()
        link = Link(settings(simulator.port, password="wrong", refused_wait_s=600), handler)
        link.start()
        await handler.until(lambda: bool(handler.downs))
        assert "authentication error (3)" in handler.downs[0]
        assert "authentication error (3)" in link.last_error
        assert not link.is_up
        await link.stop()
        await simulator.stop()
        assert [line["result"] for line in simulator.events("login")] == [3]

    run(test())


def test_a_refused_login_is_tried_again_after_its_wait() -> None:
    async def test() -> None:
        simulator = carrier()
        await simulator.start()
        handler = Recorder()
        link = Link(settings(simulator.port, password="wrong"), handler)
        link.start()
        await handler.until(lambda: len(handler.downs) == 3)
        assert link.counters.reconnects == 2
        await link.stop()
        await simulator.stop()

    run(test())


def test_nobody_listens() -> None:
    async def test() -> None:
        async with peer(let_in) as port:
            pass
        handler = Recorder()
        link = Link(settings(port), handler)
        link.start()
        await handler.until(lambda: len(handler.downs) == 2)
        assert handler.downs[0].startswith("no connection")
        await link.stop()

    run(test())


def test_the_window_is_never_exceeded_and_the_rest_follows_in_order() -> None:
    async def test() -> None:
        simulator = carrier(behaviour=Behaviour(answer_delay=Span(1, 5), receipts=False))
        async with standing(simulator, window=4) as (link, handler):
            seen: list[int] = []
            real = simulator.submitted

            def watch(session: Any, submit: Any) -> None:
                seen.append(link.unanswered)
                real(session, submit)

            simulator.submitted = watch  # type: ignore[method-assign]
            link.submit_many([text(k) for k in range(50)])
            assert link.unanswered == 4
            assert link.waiting == 46
            assert link.free == 0
            await handler.until(lambda: len(handler.answers) == 50)
            assert max(seen) == 4
            sent = [line["text"] for line in simulator.events("submit")]
            assert sent == [f"短信{k}" for k in range(50)]
            assert link.free == 4

    run(test())


def test_answers_out_of_order_free_their_own_slots() -> None:
    async def test() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await let_in(reader, writer)
            codecs = CODECS["3.0"]
            submits = [codecs.decode(await read_frame(reader)) for _ in range(3)]
            for k, submit in enumerate(reversed(submits)):
                writer.write(codecs.encode(SubmitResp(submit.sequence_id, k.to_bytes(8, "big"), 0)))
            await read_frame(reader)
            writer.close()

        async with peer(serve) as port:
            handler = Recorder()
            link = Link(settings(port), handler)
            link.start()
            await handler.until(lambda: link.is_up)
            link.submit_many([text(k) for k in range(3)])
            await handler.until(lambda: len(handler.answers) == 3)
            ids = {token: int(answer.id, 16) for token, answer in handler.answers}
            assert ids == {2: 0, 1: 1, 0: 2}
            await link.stop(0.0)

    run(test())


def test_a_dead_peer_is_given_up_after_the_heartbeats() -> None:
    async def test() -> None:
        simulator = carrier()
        async with standing(simulator, heartbeat_s=0.05, heartbeat_tries=2) as (link, handler):
            simulator.sessions[0].muted = True
            await handler.until(lambda: bool(handler.downs))
            assert handler.downs[0] == "2 heartbeats unanswered"
            await handler.until(lambda: handler.ups == 2)
            assert link.counters.reconnects == 1

    run(test())


def test_heartbeats_keep_an_idle_link_up_both_ways() -> None:
    async def test() -> None:
        simulator = carrier(heartbeat_s=0.04)
        async with standing(simulator, heartbeat_s=0.05) as (link, handler):
            await asyncio.sleep(0.5)
            assert link.is_up
            assert handler.downs == []

    run(test())


def test_heartbeats_share_the_sequence_with_submits() -> None:
    async def test() -> None:
        simulator = carrier(behaviour=Behaviour(answer_delay=Span(20, 60)))
        async with standing(simulator, heartbeat_s=0.01, heartbeat_tries=1000) as (link, handler):
            link.submit_many([text(k) for k in range(40)])
            await handler.until(lambda: len(handler.answers) == 40)
            assert sorted(handler.answered_tokens) == list(range(40))
            assert link.counters.strays == 0

    run(test())


def test_a_dropped_link_tells_lost_from_unsent() -> None:
    async def test() -> None:
        simulator = carrier(behaviour=Behaviour(answer_delay=Span(10**7, 10**7)))
        async with standing(simulator, window=8) as (link, handler):
            link.submit_many([text(k) for k in range(20)])
            await simulator.wait_for("submit", 8)
            simulator.drop_links()
            await handler.until(lambda: bool(handler.downs))
            assert handler.lost_tokens == list(range(8))
            assert handler.unsent_tokens == list(range(8, 20))
            assert handler.answers == []
            assert handler.order.index("lost") < handler.order.index("unsent")
            assert handler.order.index("unsent") < handler.order.index("down")
            assert link.counters.unanswered == 8
            await handler.until(lambda: handler.ups == 2)
            assert link.free == 8

    run(test())


def test_drop_link_mid_window_accounts_for_every_token() -> None:
    async def test() -> None:
        simulator = carrier(behaviour=Behaviour(drop_after=37, receipts=False))
        async with standing(simulator, window=16) as (link, handler):
            for start in range(0, 200, 10):
                await handler.until(lambda: link.is_up)
                link.submit_many([text(k) for k in range(start, start + 10)])
                done = start + 10
                await handler.until(
                    lambda done=done: (  # type: ignore[misc]
                        len(handler.answers) + len(handler.lost_tokens) + len(handler.unsent_tokens)
                        >= done
                    )
                )
            settled = handler.answered_tokens + handler.lost_tokens + handler.unsent_tokens
            assert sorted(settled) == list(range(200))
            on_wire = {line["text"] for line in simulator.events("submit")}
            assert not on_wire & {f"短信{k}" for k in handler.unsent_tokens}
            assert len(handler.downs) >= 4

    run(test())


def test_submits_on_a_link_that_is_down_come_back_unsent() -> None:
    async def test() -> None:
        handler = Recorder()
        link = Link(settings(1), handler)
        link.submit(text(7))
        assert handler.unsent_tokens == []
        await handler.until(lambda: handler.unsent_tokens == [7])

    run(test())


def test_throttle_pauses_and_keeps_the_order() -> None:
    async def test() -> None:
        simulator = carrier(behaviour=Behaviour(throttle_per_s=200, receipts=False))
        async with standing(simulator, window=1) as (link, handler):
            link.submit_many([text(k) for k in range(60)])
            await handler.until(lambda: len(handler.answers) == 60)
            assert handler.answered_tokens == list(range(60))
            assert all(answer.ok for _, answer in handler.answers)
            assert link.counters.throttled > 0
            accepted = [x["text"] for x in simulator.events("submit") if x["result"] == 0]
            assert accepted == [f"短信{k}" for k in range(60)]

    run(test())


def test_throttled_segments_go_before_everything_behind_them() -> None:
    async def test() -> None:
        simulator = carrier(behaviour=Behaviour(throttle_per_s=100, receipts=False))
        async with standing(simulator, window=8) as (link, handler):
            link.submit_many([text(k) for k in range(60)])
            await handler.until(lambda: len(handler.answers) == 60)
            assert all(answer.ok for _, answer in handler.answers)
            accepted = [x["text"] for x in simulator.events("submit") if x["result"] == 0]
            places = [int(word.removeprefix("短信")) for word in accepted]
            assert sorted(places) == list(range(60))
            overtaken = max(abs(place - k) for k, place in enumerate(places))
            assert overtaken < 8

    run(test())


def test_a_peer_that_throttles_for_ever_is_answered_in_the_end() -> None:
    async def test() -> None:
        simulator = carrier(behaviour=Behaviour(failures=(Failure(1.0, "8"),)))
        changes: dict[str, Any] = {
            "throttle_min_s": 0.001,
            "throttle_max_s": 0.001,
            "throttle_tries": 5,
        }
        async with standing(simulator, **changes) as (link, handler):
            link.submit(text(1))
            await handler.until(lambda: bool(handler.answers))
            answer = handler.answers[0][1]
            assert (answer.ok, answer.code, answer.action) == (False, "8", Action.THROTTLE)
            assert simulator.log.counts["submit"] == 6

    run(test())


def test_what_is_sent_again_after_a_throttle_is_counted_against_the_rate() -> None:
    async def test() -> None:
        simulator = carrier(behaviour=Behaviour(failures=(Failure(0.5, "8"),), receipts=False))
        pace = Allowance(1_000_000)
        quick: dict[str, Any] = {"throttle_min_s": 0.001, "throttle_max_s": 0.001}
        async with standing(simulator, pace=pace, **quick) as (link, handler):
            link.submit_many([text(k) for k in range(60)])
            await handler.until(lambda: len(handler.answers) == 60)
            assert simulator.log.counts["submit"] > 60
            assert pace.spent == simulator.log.counts["submit"]

    run(test())


def test_what_waits_behind_the_window_keeps_the_pace() -> None:
    async def test() -> None:
        simulator, pace = carrier(behaviour=Behaviour(receipts=False)), Allowance(3)
        async with standing(simulator, pace=pace, window=2) as (link, handler):
            link.submit_many([text(k) for k in range(8)])
            for allowed in (3, 7, 20):
                pace.allowed = allowed
                sent = min(allowed, 8)
                await handler.until(lambda sent=sent: len(handler.answers) == sent)  # type: ignore[misc]
                assert (simulator.log.counts["submit"], link.waiting) == (sent, 8 - sent)
            assert handler.answered_tokens == list(range(8))

    run(test())


def test_the_links_of_an_account_share_its_pace_and_have_their_own() -> None:
    async def test() -> None:
        simulator, shared = carrier(behaviour=Behaviour(receipts=False)), Allowance(5)
        await simulator.start()
        handlers = [Recorder(), Recorder()]
        links = [
            Link(settings(simulator.port, pace=Together([shared, Allowance(3)])), each)
            for each in handlers
        ]
        for link, handler in zip(links, handlers, strict=True):
            link.start()
            await handler.until(lambda handler=handler: handler.ups > 0)  # type: ignore[misc]
            link.submit_many([text(k) for k in range(9)])
        await handlers[0].until(lambda: len(handlers[0].answers) == 3)
        await handlers[1].until(lambda: len(handlers[1].answers) == 2)
        assert simulator.log.counts["submit"] == shared.spent == 5
        for link in links:
            await link.stop(0.1)
        await simulator.stop()

    run(test())


def test_throttled_segments_are_unsent_when_the_link_falls() -> None:
    async def test() -> None:
        simulator = carrier(behaviour=Behaviour(failures=(Failure(1.0, "8"),)))
        async with standing(simulator, throttle_min_s=60, throttle_max_s=60) as (link, handler):
            link.submit_many([text(1), text(2)])
            await eventually(lambda: link.counters.throttled == 2)
            link.submit(text(3))
            simulator.drop_links()
            await handler.until(lambda: bool(handler.downs))
            assert handler.unsent_tokens == [1, 2, 3]
            assert handler.lost_tokens == []

    run(test())


def test_results_carry_their_code_and_action() -> None:
    async def test() -> None:
        for code, action in (("13", Action.PERMANENT), ("54", Action.RETRY)):
            simulator = carrier(behaviour=Behaviour(failures=(Failure(1.0, code),)))
            async with standing(simulator, version="2.0") as (link, handler):
                link.submit(text(1))
                await handler.until(lambda handler=handler: bool(handler.answers))  # type: ignore[misc]
                answer = handler.answers[0][1]
                assert (answer.ok, answer.id, answer.code) == (False, "", code)
                assert answer.action is action

    run(test())


def test_a_value_that_does_not_fit_its_field_is_refused_here() -> None:
    async def test() -> None:
        simulator = carrier()
        async with standing(simulator) as (link, handler):
            link.submit_many([text(1, to="1" * 33), text(2)])
            await handler.until(lambda: len(handler.answers) == 2)
            answers = dict(handler.answers)
            assert answers[1].code == "ENCODE Dest_terminal_Id"
            assert answers[1].action is Action.PERMANENT
            assert answers[2].ok

    run(test())


def test_an_unanswered_submit_is_lost_and_a_late_answer_still_tells_its_id() -> None:
    async def test() -> None:
        release = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await let_in(reader, writer)
            codecs = CODECS["3.0"]
            submit = codecs.decode(await read_frame(reader))
            assert isinstance(submit, SubmitPDU)
            await release.wait()
            writer.write(codecs.encode(SubmitResp(submit.sequence_id, b"\1" * 8, 0)))
            writer.write(codecs.encode(SubmitResp(submit.sequence_id, b"\1" * 8, 0)))
            await reader.read()

        async with peer(serve) as port:
            handler = Recorder()
            link = Link(settings(port, response_timeout_s=0.05, window=1), handler)
            link.start()
            await handler.until(lambda: link.is_up)
            link.submit(text(9))
            await handler.until(lambda: handler.lost_tokens == [9])
            assert link.is_up
            assert link.free == 1
            release.set()
            await handler.until(lambda: bool(handler.answers))
            assert handler.answers[0][0] == 9
            assert handler.answers[0][1].id == "01" * 8
            assert link.counters.late == 1
            await link.stop(0.0)

    run(test())


def test_a_report_may_come_before_the_answer() -> None:
    async def test() -> None:
        behaviour = Behaviour(answer_delay=Span(100, 100))
        simulator = carrier(behaviour=behaviour)
        async with standing(simulator) as (link, handler):
            link.submit(text(1))
            await handler.until(lambda: bool(handler.answers))
            assert handler.order.index("report") < handler.order.index("answered")
            assert handler.reports[0].id == handler.answers[0][1].id

    run(test())


def test_deliveries_are_acknowledged_only_when_the_owner_says_so() -> None:
    async def test() -> None:
        simulator = carrier(window=2)
        handler = Recorder(acknowledge=False)
        async with standing(simulator, handler) as (link, _):
            link.submit_many([text(k) for k in range(5)])
            await handler.until(lambda: len(handler.answers) == 5 and len(handler.reports) == 2)
            assert simulator.waiting == 3
            handler.acks.pop()()
            await handler.until(lambda: len(handler.reports) == 3)
            handler.acknowledge = True
            for ack in handler.acks:
                ack()
            await handler.until(lambda: len(handler.reports) == 5)
            assert link.counters.reports == 5

    run(test())


def test_unacknowledged_reports_come_again_on_the_next_link() -> None:
    async def test() -> None:
        simulator = carrier()
        handler = Recorder(acknowledge=False)
        async with standing(simulator, handler) as (link, _):
            link.submit_many([text(k) for k in range(3)])
            await handler.until(lambda: len(handler.reports) == 3)
            first = [report.id for report in handler.reports]
            simulator.drop_links()
            handler.acknowledge = True
            await handler.until(lambda: len(handler.reports) == 6)
            assert [report.id for report in handler.reports[3:]] == first
            for ack in handler.acks:
                ack()  # of a connection that is gone: nothing happens
            assert link.is_up

    run(test())


def test_a_receipt_twice_and_one_for_an_unknown_id() -> None:
    async def test() -> None:
        simulator = carrier(behaviour=Behaviour(receipts=False))
        async with standing(simulator) as (link, handler):
            link.submit(text(1))
            await handler.until(lambda: bool(handler.answers))
            known = handler.answers[0][1].id
            for msg_id, stat in ((known, "DELIVRD"), (known, "DELIVRD"), ("ff" * 8, "MB:1077")):
                simulator.send_receipt(msg_id, stat=stat, destination="13800138000")
            await handler.until(lambda: len(handler.reports) == 3)
            assert [report.id for report in handler.reports] == [known, known, "ff" * 8]
            assert [report.final for report in handler.reports] == [True, True, True]
            assert [report.delivered for report in handler.reports] == [True, True, False]

    run(test())


def test_inbound_texts_in_every_coding() -> None:
    async def test() -> None:
        simulator = carrier()
        async with standing(simulator) as (link, handler):
            simulator.send_inbound("8613800138000", "106900123401", "退订")
            simulator.send_inbound("13800138000", "106900123401", "退订", coding=Coding.GB)
            simulator.send_inbound("13800138000", "106900123401", "T", coding=Coding.ASCII)
            await handler.until(lambda: len(handler.inbound) == 3)
            assert [item.text for item in handler.inbound] == ["退订", "退订", "T"]
            assert [item.coding for item in handler.inbound] == [8, 15, 0]
            assert handler.inbound[0].source == "8613800138000"
            assert handler.inbound[0].destination == "106900123401"
            assert handler.inbound[0].total == 1
            assert link.counters.inbound == 3

    run(test())


def test_a_long_inbound_text_comes_in_numbered_parts() -> None:
    async def test() -> None:
        simulator = carrier()
        async with standing(simulator) as (_, handler):
            words = "😀" + "我想改约到下周三上午" * 12
            simulator.send_inbound("13800138000", "106900123401", words)
            await handler.until(lambda: len(handler.inbound) == 2)
            assert "".join(item.text for item in handler.inbound) == words
            assert [(item.number, item.total) for item in handler.inbound] == [(1, 2), (2, 2)]
            assert handler.inbound[0].reference == handler.inbound[1].reference > 0

    run(test())


def test_a_long_message_with_more_parts_than_slots() -> None:
    async def test() -> None:
        simulator = carrier()
        words = "尊敬的张女士，您预约的门诊已确认。" * 20
        made = split(words, reference=42)
        total = len(made.payloads)
        async with standing(simulator, window=2) as (link, handler):
            assert total > 2
            link.submit_many(
                [
                    Submit("1069", "13800138000", part, made.coding, made.udh, total, k, True, k)
                    for k, part in enumerate(made.payloads, 1)
                ]
            )
            await handler.until(lambda: len(handler.reports) == total)
            lines = simulator.events("submit")
            assert "".join(line["text"] for line in lines) == words
            assert [line["number"] for line in lines] == list(range(1, total + 1))
            assert {line["reference"] for line in lines} == {42}
            assert {line["total"] for line in lines} == {total}

    run(test())


@pytest.mark.parametrize(
    "junk",
    [
        b"\xff" * 64,
        (4_000_000_000).to_bytes(4, "big") + bytes(8),
        bytes(12),
        b"HTTP/1.1 200 OK\r\n\r\n",
        bytes.fromhex("0000000d8000000400000001") + b"x",
        bytes.fromhex("0000001400000005000000010000000000000000"),
    ],
)
def test_garbage_closes_only_its_own_link(junk: bytes) -> None:
    async def test() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await let_in(reader, writer)
            writer.write(junk)
            await reader.read()

        simulator = carrier()
        async with standing(simulator) as (good, _), peer(serve) as port:
            handler = Recorder()
            bad = Link(settings(port, reconnect_min_s=60), handler)
            bad.start()
            await handler.until(lambda: bool(handler.downs))
            assert handler.downs[0].startswith(("bad frame length", "unreadable frame"))
            assert good.is_up
            await bad.stop(0.0)

    run(test())


def test_half_a_frame_and_silence_is_a_dead_peer() -> None:
    async def test() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await let_in(reader, writer)
            writer.write(bytes.fromhex("000000b4000000"))
            await reader.read()

        async with peer(serve) as port:
            handler = Recorder()
            changes = {"heartbeat_s": 0.05, "heartbeat_tries": 1, "reconnect_min_s": 60}
            link = Link(settings(port, **changes), handler)
            link.start()
            await handler.until(lambda: bool(handler.downs))
            assert handler.downs[0] == "1 heartbeats unanswered"
            await link.stop(0.0)

    run(test())


def test_unknown_commands_and_answers_to_nothing_are_counted() -> None:
    async def test() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await let_in(reader, writer)
            writer.write(bytes.fromhex("0000000c0000002200000001"))
            writer.write(CODECS["3.0"].encode(SubmitResp(12345)))
            writer.write(CODECS["3.0"].encode(ConnectResp(9)))
            await read_frame(reader)
            writer.write(bytes.fromhex("0000000c0000000200000005"))
            await reader.read()

        async with peer(serve) as port:
            handler = Recorder()
            link = Link(settings(port, reconnect_min_s=60), handler)
            link.start()
            await handler.until(lambda: link.is_up)
            link.submit(text(1))
            await handler.until(lambda: bool(handler.downs))
            assert handler.downs[0] == "the peer ended the connection"
            assert handler.lost_tokens == [1]
            assert (link.counters.unknown, link.counters.strays) == (1, 2)
            await link.stop(0.0)

    run(test())


def test_no_answer_to_the_login() -> None:
    async def test() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()

        async with peer(serve) as port:
            handler = Recorder()
            link = Link(settings(port, connect_timeout_s=0.05), handler)
            link.start()
            await handler.until(lambda: bool(handler.downs))
            assert handler.downs[0] == "no answer to the login in 0.05 s"
            await link.stop()

    run(test())


def test_a_2_0_gateway_answers_a_3_0_login_in_its_own_layout() -> None:
    async def test() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            login = CODECS["3.0"].decode(await read_frame(reader))
            writer.write(CODECS["2.0"].encode(ConnectResp(login.sequence_id, 4, version=0x20)))
            await reader.read()

        async with peer(serve) as port:
            handler = Recorder()
            link = Link(settings(port, refused_wait_s=60), handler)
            link.start()
            await handler.until(lambda: bool(handler.downs))
            assert handler.downs[0] == "login refused: version too high (4)"
            await link.stop()

    run(test())


def test_stop_waits_for_answers_and_gives_back_the_rest() -> None:
    async def test() -> None:
        simulator = carrier(behaviour=Behaviour(answer_delay=Span(50, 50), receipts=False))
        await simulator.start()
        handler = Recorder()
        link = Link(settings(simulator.port, window=4), handler)
        link.start()
        await handler.until(lambda: link.is_up)
        link.submit_many([text(k) for k in range(10)])
        await simulator.wait_for("submit", 4)
        await link.stop(PATIENCE_S)
        assert handler.answered_tokens == [0, 1, 2, 3]
        assert handler.unsent_tokens == list(range(4, 10))
        assert handler.lost_tokens == []
        assert handler.downs == ["stopped"]
        assert simulator.log.counts["submit"] == 4
        await simulator.stop()

    run(test())


def test_stop_while_it_cannot_connect_is_immediate() -> None:
    async def test() -> None:
        handler = Recorder()
        link = Link(settings(1, reconnect_min_s=600), handler)
        link.start()
        await handler.until(lambda: bool(handler.downs))
        await link.stop()
        assert not link.is_up

    run(test())


def test_stop_at_any_moment_of_the_start() -> None:
    async def test() -> None:
        simulator = carrier()
        await simulator.start()
        for turns in range(16):
            handler = Recorder()
            link = Link(settings(simulator.port), handler)
            link.start()
            for _ in range(turns):
                await asyncio.sleep(0)
            await link.stop()
            assert not link.is_up
            assert handler.downs in ([], ["stopped"])
        await simulator.stop()

    run(test())


def test_two_links_of_one_account_share_the_reports() -> None:
    async def test() -> None:
        simulator = carrier(window=1)
        async with standing(simulator) as (first, handler):
            second = Link(settings(simulator.port, number=2), handler)
            second.start()
            await handler.until(lambda: handler.ups == 2)
            first.submit_many([text(k) for k in range(30)])
            await handler.until(lambda: len(handler.reports) == 30)
            assert first.counters.reports + second.counters.reports == 30
            assert second.counters.reports > 0
            await second.stop()

    run(test())
