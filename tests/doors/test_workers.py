"""Threads shared fairly: a client that floods leaves others their turn."""

from __future__ import annotations

import asyncio
import threading

from adapter.doors.workers import Workers
from tests.connectors.recorder import run


def test_a_client_has_half_of_the_threads_and_others_do_not_wait() -> None:
    async def test() -> None:
        workers = Workers(4, "test")
        gate, busy = threading.Event(), threading.Semaphore(0)

        def wait() -> None:
            busy.release()
            assert gate.wait(30)

        flood = [workers.run("flood", wait) for _ in range(1_000)]
        for _ in range(2):
            assert await asyncio.to_thread(busy.acquire, timeout=30)
        assert await workers.run("other", lambda: "served") == "served"
        assert not any(each.done() for each in flood)
        gate.set()
        await asyncio.gather(*flood)
        workers.stop()

    run(test())


def test_clients_take_turns() -> None:
    async def test() -> None:
        workers = Workers(1, "test")
        order: list[str] = []
        works = [workers.run("a", lambda: order.append("a")) for _ in range(5)]
        works += [workers.run("b", lambda: order.append("b")) for _ in range(5)]
        await asyncio.gather(*works)
        # The first client was alone when its second work was put behind.
        assert "".join(order) == "aabababab" + "b"
        workers.stop()

    run(test())


def test_a_fault_is_its_callers() -> None:
    async def test() -> None:
        workers = Workers(2, "test")

        def fail() -> None:
            raise KeyError("x")

        results = await asyncio.gather(
            workers.run("a", fail), workers.run("a", lambda: 1), return_exceptions=True
        )
        assert isinstance(results[0], KeyError)
        assert results[1] == 1
        workers.stop()

    run(test())
