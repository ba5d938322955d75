"""Threads shared fairly: a client that floods leaves others their turn."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

from adapter.doors.company import Company
from adapter.doors.workers import FLIGHTS, MOST, OCTETS, SHARED, Workers, messages_in
from tests.connectors.recorder import run


def test_a_client_has_half_of_the_threads_and_others_do_not_wait() -> None:
    async def test() -> None:
        workers: Workers[Any, Any] = Workers(4, "test")
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
        workers: Workers[Any, Any] = Workers(1, "test")
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
        workers: Workers[Any, Any] = Workers(2, "test")

        def fail() -> None:
            raise KeyError("x")

        results = await asyncio.gather(
            workers.run("a", fail), workers.run("a", lambda: 1), return_exceptions=True
        )
        assert isinstance(results[0], KeyError)
        assert results[1] == 1
        workers.stop()

    run(test())


def test_what_is_joined_is_done_together_and_answered_one_by_one() -> None:
    async def test() -> None:
        gate, sizes = threading.Event(), list[int]()

        def double(pieces: Sequence[int]) -> list[int]:
            sizes.append(len(pieces))
            assert gate.wait(30)
            return [2 * piece for piece in pieces]

        workers = Workers(4, "test", double)
        joined = [workers.join("a", number) for number in range(10)]
        await asyncio.sleep(0)
        joined += [workers.join("a", number) for number in range(10, 15)]
        joined[3].cancel()
        gate.set()
        doubled = await asyncio.gather(*joined, return_exceptions=True)
        assert [each for each in doubled if isinstance(each, int)] == [
            2 * number for number in range(15) if number != 3
        ]
        assert sizes == [10, 5]
        workers.stop()

    run(test())


def test_a_fault_of_a_bite_is_that_of_its_pieces() -> None:
    async def test() -> None:
        def fail(pieces: Sequence[int]) -> list[int]:
            raise KeyError("x")

        workers = Workers(1, "test", fail)
        joined = [workers.join("a", number) for number in range(3)]
        faults = await asyncio.gather(*joined, return_exceptions=True)
        assert [type(fault) for fault in faults] == [KeyError] * 3
        assert await workers.run("a", lambda: 1) == 1
        workers.stop()

    run(test())


def test_what_is_turned_away_is_not_done() -> None:
    async def test() -> None:
        gate, done = threading.Event(), list[int]()

        def note(pieces: Sequence[int]) -> list[int]:
            assert gate.wait(30)
            done.extend(pieces)
            return list(pieces)

        workers = Workers(1, "test", note)
        first = workers.join("a", 1)
        await asyncio.sleep(0)
        later = [workers.join("a", number) for number in (2, 3)]
        assert workers.turn_away() == later
        gate.set()
        assert await first == 1
        assert done == [1]
        workers.stop()

    run(test())


def test_alone_large_requests_have_two_bites_at_a_time() -> None:
    async def test() -> None:
        gate, begun, sizes = threading.Event(), threading.Semaphore(0), list[int]()

        def note(pieces: Sequence[int]) -> list[int]:
            sizes.append(len(pieces))
            begun.release()
            assert gate.wait(30)
            return list(pieces)

        workers = Workers(32, "test", note)
        half = MOST // 2
        sent = [workers.join("flood", number, half) for number in range(9)]
        for _ in range(FLIGHTS):
            assert await asyncio.to_thread(begun.acquire, timeout=30)
        # Whoever comes now waits for these, not for all that is here.
        assert sizes == [2] * FLIGHTS
        gate.set()
        assert await asyncio.gather(*sent) == list(range(9))
        assert max(sizes) == 2
        workers.stop()

    run(test())


def test_in_company_large_work_is_done_one_by_one_and_reading_waits_for_room() -> None:
    async def test() -> None:
        gate, order = threading.Event(), list[str]()

        def work(names: Sequence[str]) -> list[str]:
            assert gate.wait(30)
            order.append("".join(names))
            return list(names)

        workers = Workers(8, "test", work, Company())
        assert await workers.run("other", lambda: "asked") == "asked"
        sent = [workers.join("flood", str(number), 10 * SHARED) for number in range(3)]
        room = asyncio.Event()
        assert not workers.has_room("flood", room.set)
        assert workers.has_room("other", room.set)
        await asyncio.sleep(0)
        assert not any(each.done() for each in sent)
        gate.set()
        await asyncio.gather(*sent)
        assert order == ["0", "1", "2"]
        await asyncio.wait_for(room.wait(), 30)
        assert workers.has_room("flood", room.set)
        workers.stop()

    run(test())


def test_messages_are_counted_by_their_numbers() -> None:
    xml = b"<Entry><mobile>13800138000</mobile></Entry>"
    assert messages_in(xml) == messages_in(b'{"mobile": "13800138000"}') == 1
    assert messages_in(100 * xml) == 100
    assert messages_in(100 * b'{"mobile":"13800138000"},') == 100
    assert messages_in(b"<Ping/>") == 1
    # Whatever it says, what is long has a bite for itself.
    assert messages_in(b"<Ping/>" * MOST * OCTETS) >= MOST
