"""A link that takes leave when there is nothing to do, and comes back for a submit."""

from __future__ import annotations

from typing import Any

from connectors.link import Link
from tests.connectors.recorder import Recorder, carrier, eventually, run, settings, text

SGIP: dict[str, Any] = {"protocol": "sgip", "version": "1.2", "rest_s": 0.02}
# Looked at every quarter of the response time-out, which is far longer than a rest.
QUICK: dict[str, Any] = SGIP | {"response_timeout_s": 15.0, "heartbeat_s": 0.04}


def test_an_idle_link_takes_leave_and_is_still_up() -> None:
    async def test() -> None:
        simulator, recorder = carrier(protocol="sgip"), Recorder()
        await simulator.start()
        link = Link(settings(simulator.port, **QUICK), recorder)
        link.start()
        for round_ in range(1, 4):
            await simulator.wait_for("close", round_)
            await eventually(lambda: link.is_up and link.free == 16)
            link.submit_many([text(10 * round_), text(10 * round_ + 1)])
            await recorder.until(lambda: len(recorder.answers) % 2 == 0)
            await eventually(lambda: link.unanswered + link.waiting == 0)
        await link.stop()
        await simulator.stop()
        assert all(answer.ok for _, answer in recorder.answers)
        assert recorder.answered_tokens == [10, 11, 20, 21, 30, 31]
        assert (recorder.ups, recorder.downs) == (1, ["stopped"])
        assert simulator.events("close")[0]["reason"] == "the client took leave"
        assert link.counters.reconnects == 0

    run(test())


def test_a_peer_that_closes_an_idle_link_raises_no_alarm() -> None:
    async def test() -> None:
        simulator, recorder = carrier(protocol="sgip"), Recorder()
        await simulator.start()
        link = Link(settings(simulator.port, **SGIP | {"rest_s": 60.0}), recorder)
        link.start()
        await recorder.until(lambda: link.is_up)
        simulator.drop_links()
        await eventually(lambda: not simulator.sessions)
        link.submit(text(1))
        await recorder.until(lambda: len(recorder.answers) + len(recorder.lost_tokens) == 1)
        await link.stop()
        await simulator.stop()
        assert recorder.ups == 1
        assert recorder.downs == ["stopped"]

    run(test())


def test_a_link_that_cannot_come_back_gives_back_and_is_down() -> None:
    async def test() -> None:
        simulator, recorder = carrier(protocol="sgip"), Recorder()
        await simulator.start()
        link = Link(settings(simulator.port, **QUICK), recorder)
        link.start()
        await simulator.wait_for("close", 1)
        await simulator.stop()
        await eventually(lambda: link.free == 16)
        link.submit(text(1))
        await recorder.until(lambda: bool(recorder.downs))
        assert recorder.unsent_tokens == [1]
        assert recorder.downs[0].startswith("no connection")
        assert recorder.order.index("unsent") < recorder.order.index("down")
        assert not link.is_up
        await link.stop()

    run(test())


def test_a_link_at_rest_stops_at_once() -> None:
    async def test() -> None:
        simulator, recorder = carrier(protocol="sgip"), Recorder()
        await simulator.start()
        link = Link(settings(simulator.port, **QUICK), recorder)
        link.start()
        await simulator.wait_for("close", 1)
        await eventually(lambda: link.free == 16)
        await link.stop()
        assert recorder.downs == ["stopped"]
        assert not link.is_up
        link.submit(text(1))
        await recorder.until(lambda: recorder.unsent_tokens == [1])
        await simulator.stop()

    run(test())
