"""The active queue: who goes first, what it holds, and that nothing is handed out twice or
forgotten."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import pytest

from adapter.dispatch.lanes import Lanes, Serves
from adapter.domain.outcomes import Begin, Outcome, QueueKey, Verdict
from adapter.domain.states import Carrier, Lane
from adapter.domain.values import Waiting
from tests.dispatch.memory_spool import MemorySpool, key_of, waiting
from tests.dispatch.virtual import clock, run

EVERY = tuple(carrier.value for carrier in Carrier)


def to(carriers: tuple[str, ...]) -> Serves:
    """Messages to these, whatever they avoid."""
    return lambda carrier, _avoid: carrier in carriers


class Desk:
    """Lanes over a spool in memory, and what they handed out."""

    def __init__(self, *, active: int = 1_000, chunk: int = 50) -> None:
        self.spool = MemorySpool()
        self.most_held = 0
        self.lanes = Lanes(self.spool, clock, self._look, active=active, chunk=chunk)

    def _look(self) -> None:
        self.most_held = max(self.most_held, self.lanes.held)

    def accept(self, *messages: Waiting) -> list[Waiting]:
        accepted = self.spool.put(*messages)
        self.lanes.add(accepted)
        return accepted

    async def send(self, segments: int = 10, carriers: tuple[str, ...] = EVERY) -> list[Waiting]:
        """Pull and begin; what may be sent."""
        pulled = self.lanes.pull(to(carriers), segments)
        owned = await self.spool.begin([Begin(each, "a", clock()) for each in pulled])
        self.lanes.settled(pulled)
        return [each for each in pulled if each.message.id in owned]

    async def send_all(self, count: int, segments: int = 10) -> list[Waiting]:
        """Until so many were sent, looking at the queues every tenth of a second."""
        sent: list[Waiting] = []
        while len(sent) < count:
            sent += await self.send(segments)
            self.lanes.tick()
            await asyncio.sleep(0.1)
        return sent


def test_clients_take_turns_inside_a_lane() -> None:
    async def test() -> None:
        desk = Desk()
        desk.accept(*(waiting(client="big") for _ in range(100)))
        desk.accept(*(waiting(client="small") for _ in range(3)))
        desk.accept(*(waiting(client="other") for _ in range(3)))
        order = [each.submission.client for each in await desk.send(12)]
        assert order == ["big", "small", "other"] * 3 + ["big"] * 3

    run(test())


def test_a_higher_lane_goes_first() -> None:
    async def test() -> None:
        desk = Desk()
        for lane in reversed(Lane):
            desk.accept(*(waiting(lane=lane) for _ in range(5)))
        order = [each.submission.lane for each in await desk.send(20)]
        assert order == [lane for lane in Lane for _ in range(5)]

    run(test())


def test_only_the_carriers_asked_for() -> None:
    async def test() -> None:
        desk = Desk()
        for carrier in Carrier:
            desk.accept(*(waiting(carrier=carrier) for _ in range(5)))
        got = await desk.send(100, ("unicom", "telecom"))
        assert Counter(each.message.carrier for each in got) == {"unicom": 5, "telecom": 5}
        assert await desk.send(100, ()) == []
        assert len(await desk.send(100)) == 10

    run(test())


def test_what_was_turned_away_holds_up_nobody_and_is_read_from_the_spool() -> None:
    async def test() -> None:
        desk = Desk()
        messages = [waiting() for _ in range(8)]
        for each in messages[:4]:
            each.avoid = ("a",)
        desk.spool.put(*messages)
        await desk.lanes.restore()
        await asyncio.sleep(0.1)
        assert desk.lanes.pull(lambda _, avoid: "a" not in avoid, 100) == messages[4:]
        assert desk.lanes.held == 4
        assert desk.lanes.pull(lambda _, avoid: avoid == ("a",), 100) == messages[:4]
        assert desk.lanes.held == 0

    run(test())


def test_segments_are_counted_and_the_last_message_may_pass() -> None:
    async def test() -> None:
        desk = Desk()
        desk.accept(*(waiting(segments=4) for _ in range(10)))
        assert len(await desk.send(10)) == 3
        assert len(await desk.send(1)) == 1

    run(test())


def test_a_backlog_is_read_in_the_order_it_is_due() -> None:
    async def test() -> None:
        desk = Desk(chunk=7)
        messages = [waiting(due_at=due) for due in range(-1000, 0, 10)]
        random.Random(1).shuffle(messages)
        desk.spool.put(*messages)
        await desk.lanes.restore()
        sent = await desk.send_all(100)
        assert [e.submission.due_at for e in sent] == sorted(e.submission.due_at for e in messages)

    run(test())


def test_scheduled_and_deferred_ones_come_when_they_are_due() -> None:
    async def test() -> None:
        desk = Desk()
        (later,) = desk.accept(waiting(due_at=60_000))
        (tried,) = desk.accept(waiting())
        assert await desk.send() == [tried]
        retry = Outcome(tried, "a", Verdict.RETRY, (), clock(), due_at=30_000)
        await desk.spool.finish([retry])
        desk.lanes.wait_until(key_of(tried), 30_000)
        for due, its in ((30.0, tried), (60.0, later)):
            (got,) = await desk.send_all(1)
            assert got.message == its.message
            assert due <= clock() / 1000 <= due + 0.5

    run(test())


def test_memory_is_bounded_whatever_waits() -> None:
    async def test() -> None:
        desk = Desk(active=100, chunk=20)
        for _ in range(100):
            desk.accept(*(waiting(client=f"c{n % 3}") for n in range(50)))
        assert desk.lanes.held <= 100
        sent = await desk.send_all(5_000, 100)
        assert len({each.message.id for each in sent}) == 5_000
        assert desk.most_held <= 100 + 3 * 20

    run(test())


def test_there_is_enough_while_much_is_in_memory_or_something_on_disk() -> None:
    async def test() -> None:
        desk = Desk(active=100, chunk=20)
        told: list[tuple[int, bool]] = []

        def tell() -> None:
            told.append((desk.lanes.held, desk.lanes.has_enough))

        desk.accept(*(waiting() for _ in range(50)))
        tell()
        desk.accept(waiting())
        tell()
        await desk.send(1)
        tell()
        desk.accept(*(waiting() for _ in range(70)))
        await desk.send(60)
        # Twenty are on disk.
        tell()
        await desk.send_all(60)
        tell()
        assert told == [(50, False), (51, True), (50, False), (40, True), (0, False)]

    run(test())


def test_what_arrives_during_a_reading_is_not_late() -> None:
    # The reading began before it was committed, so it does not find it.
    async def test() -> None:
        desk = Desk()
        take = desk.spool.take
        reading, go_on = asyncio.Event(), asyncio.Event()

        async def slow(*arguments: object) -> object:
            found = await take(*arguments)  # type: ignore[arg-type]
            reading.set()
            await go_on.wait()
            return found

        desk.spool.take = slow  # type: ignore[assignment, method-assign]
        key = QueueKey("mobile", "urgent", "his")
        desk.lanes.wait_until(key, clock())
        desk.lanes.tick()
        await reading.wait()
        (code,) = desk.accept(waiting(lane=Lane.URGENT))
        go_on.set()
        began = clock()
        while not (sent := await desk.send()):  # noqa: ASYNC110 - on a clock of its own
            await asyncio.sleep(0.001)
        assert sent == [code]
        assert clock() - began <= 50

    run(test())


def test_a_message_that_a_reading_found_before_the_news_came_is_here_once() -> None:
    async def test() -> None:
        desk = Desk()
        (its,) = desk.spool.put(waiting())
        await desk.lanes.restore()
        await asyncio.sleep(0.1)
        assert desk.lanes.held == 1
        desk.lanes.add([its])
        assert desk.lanes.held == 1
        pulled = desk.lanes.pull(to(EVERY), 10)
        desk.lanes.add([its])
        assert desk.lanes.pull(to(EVERY), 10) == []
        desk.lanes.settled(pulled)

    run(test())


def test_what_could_not_be_begun_waits_again() -> None:
    async def test() -> None:
        desk = Desk()
        accepted = desk.accept(*(waiting() for _ in range(5)))
        pulled = desk.lanes.pull(to(EVERY), 3)
        desk.lanes.returned(pulled)
        sent = await desk.send_all(5)
        assert {e.message.id for e in sent} == {e.message.id for e in accepted}

    run(test())


def test_a_spool_that_cannot_be_read_is_asked_again() -> None:
    async def test() -> None:
        desk = Desk()
        take, asked = desk.spool.take, 0

        async def failing(*arguments: object) -> object:
            nonlocal asked
            asked += 1
            if asked < 4:
                raise OSError("away")
            return await take(*arguments)  # type: ignore[arg-type]

        desk.spool.take = failing  # type: ignore[assignment, method-assign]
        desk.spool.put(waiting())
        await desk.lanes.restore()
        assert len(await desk.send_all(1)) == 1

    run(test())


@pytest.mark.parametrize("seed", range(40))
def test_nothing_is_handed_out_twice_or_forgotten_whatever_happens(seed: int) -> None:
    """Random acceptances, pulls, failures, retries, cancels and pauses against a spool that
    says what is true: whoever deletes the row owns the message."""

    async def test() -> None:
        chance = random.Random(seed)
        desk = Desk(active=chance.choice((5, 50, 1000)), chunk=chance.choice((1, 3, 50)))
        out: dict[int, Waiting] = {}
        ended: set[int] = set()
        accepted: list[Waiting] = []

        def new() -> Waiting:
            return waiting(
                client=chance.choice(("his", "lis", "web")),
                lane=chance.choice(list(Lane)),
                carrier=chance.choice((Carrier.MOBILE, Carrier.UNICOM)),
                segments=chance.choice((1, 1, 1, 3)),
                due_at=chance.choice((0, 0, clock() + chance.randrange(5_000))),
            )

        async def accept() -> None:
            fresh = desk.spool.put(*(new() for _ in range(chance.randrange(1, 30))))
            accepted.extend(fresh)
            if chance.random() < 0.3:  # the news is late
                await asyncio.sleep(chance.random() * 0.005)
            desk.lanes.add(fresh)

        async def pull() -> None:
            pulled = desk.lanes.pull(to(EVERY), chance.randrange(1, 20))
            made = [each.message.id for each in pulled]
            assert len(set(made)) == len(made)
            assert not out.keys() & set(made), "handed out while it was sent"
            if chance.random() < 0.1:
                desk.lanes.returned(pulled)
                return
            owned = await desk.spool.begin([Begin(each, "a", clock()) for each in pulled])
            desk.lanes.settled(pulled)
            assert not owned & ended
            out.update((each.message.id, each) for each in pulled if each.message.id in owned)

        async def finish() -> None:
            for made in chance.sample(sorted(out), chance.randrange(len(out) + 1)):
                its = out.pop(made)
                if again := chance.random() < 0.3:
                    due_at = clock() + chance.randrange(3_000)
                    verdict = Verdict.RETRY
                else:
                    due_at, verdict = 0, Verdict.SUBMITTED
                    ended.add(made)
                await desk.spool.finish([Outcome(its, "a", verdict, (), clock(), due_at=due_at)])
                if again:
                    desk.lanes.wait_until(key_of(its), due_at)

        async def cancel() -> None:
            its = chance.choice(accepted)
            if desk.spool.cancel(its):
                ended.add(its.message.id)

        async def wait() -> None:
            await asyncio.sleep(chance.random())
            desk.lanes.tick()

        steps = (accept, pull, pull, finish, cancel, wait)
        await accept()
        for _ in range(150):
            await chance.choice(steps)()
        while len(ended) < len(accepted):
            await wait()
            await pull()
            await finish()
        assert not desk.spool.rows
        assert not out
        assert desk.lanes.held == 0

    run(test(), most_s=3_000)


def test_a_message_whose_news_was_lost_is_found() -> None:
    async def test() -> None:
        desk = Desk()
        desk.spool.put(waiting())
        desk.lanes.tick()
        assert await desk.send() == []
        await desk.lanes.look_everywhere()
        assert len(await desk.send_all(1)) == 1

    run(test())
