"""Channels and dispatcher on a clock of their own: limits, retries, fail-over, stops."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest

from adapter.domain.outcomes import PartResult, Verdict
from adapter.domain.states import Lane
from connectors import splitting
from connectors.pace import Pace
from connectors.splitting import Split
from connectors.values import Answer, Submit
from tests.dispatch.memory_spool import BUSY, OK, OTHER, REFUSED, STOP_S, House, waiting
from tests.dispatch.virtual import VirtualLoop, run


@pytest.fixture(autouse=True)
def _pace_by_the_virtual_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    def pace(rate: float) -> Pace:
        return Pace(rate, clock=asyncio.get_running_loop().time)

    monkeypatch.setattr("adapter.dispatch.channel.Pace", pace)


def most_in_a_second(times: list[float]) -> int:
    """The most submits in any window of one second."""
    most, first = 0, 0
    for last, at in enumerate(times):
        while times[first] <= at - 1.0:
            first += 1
        most = max(most, last - first + 1)
    return most


@pytest.mark.parametrize(
    ("rate", "segments"), [(3.0, 1), (3.0, 7), (50.0, 1), (50.0, 4), (400.0, 1)]
)
def test_the_rate_is_kept_and_used(rate: float, segments: int) -> None:
    async def test() -> None:
        house = House(links=2, window=1_000, rate=rate)
        await house.dispatcher.start()
        count = int(10 * rate / segments)
        house.accept(*(waiting(segments=segments) for _ in range(count)))
        await house.until_ended(count)
        times = [at for at, _ in house.sent]
        assert len(times) == count * segments
        assert most_in_a_second(times) <= rate
        assert times[-1] - times[0] <= 10.5
        await house.dispatcher.stop(STOP_S)

    run(test())


@pytest.mark.parametrize("segments", [1, 3])
def test_the_window_is_never_exceeded(segments: int) -> None:
    async def test() -> None:
        house = House(links=3, window=7)
        await house.dispatcher.start()
        house.accept(*(waiting(segments=segments) for _ in range(200)))
        most = 0
        while len(house.spool.finished) < 200:
            # What is recorded as begun is what a crash would put in doubt: segments on the wire,
            # and those answered that are not recorded yet.
            begun = [each.waiting.message.segments for each in house.spool.attempts.values()]
            most = max(most, sum(begun))
            await asyncio.sleep(0.001)
        lines = house.lines["a"]
        assert max(line.most_open for line in lines) == 7
        assert most <= 3 * 7 + segments - 1
        await house.dispatcher.stop(STOP_S)

    run(test())


def test_the_parts_of_a_long_message_go_in_order_over_one_link() -> None:
    async def test() -> None:
        house = House(links=3, window=5)
        await house.dispatcher.start()
        accepted = house.accept(*(waiting(segments=1 + n % 7) for n in range(100)))
        await house.until_ended(100)
        parts: defaultdict[str, list[tuple[int, Submit]]] = defaultdict(list)
        for line in house.lines["a"]:
            for _, submit in line.sent:
                parts[submit.destination].append((line.number, submit))
        for each in accepted:
            its = parts[each.message.mobile]
            assert len({link for link, _ in its}) == 1
            assert [submit.number for _, submit in its] == list(range(1, each.message.segments + 1))
        await house.dispatcher.stop(STOP_S)

    run(test())


def test_a_part_sent_again_keeps_what_joins_it_on_the_phone() -> None:
    async def test() -> None:
        house = House()
        seen: Counter[int] = Counter()

        def second_part_later(submit: Submit) -> Answer:
            seen[submit.number] += 1
            return BUSY if submit.number == 2 and seen[2] == 1 else OK

        house.line.answer = second_part_later
        await house.dispatcher.start()
        house.accept(waiting(segments=3))
        await house.until_ended(1)
        assert seen == {1: 1, 2: 2, 3: 1}
        assert len({submit.payload[:5] for _, submit in house.sent}) == 1
        await house.dispatcher.stop(STOP_S)

    run(test())


def test_a_message_refused_for_now_is_tried_as_often_as_the_lane_says() -> None:
    async def test() -> None:
        house = House()
        house.line.answer = lambda _: BUSY
        await house.dispatcher.start()
        house.accept(waiting())
        await house.until_ended(1)
        (_, *between), last = [at for at, _ in house.sent], house.spool.finished[-1]
        assert len(between) == 3
        assert (last.verdict, last.code) == (Verdict.REJECTED, "9")
        gaps = [b - a for (a, _), (b, _) in zip(house.sent, house.sent[1:], strict=False)]
        for gap, whole in zip(gaps, (2, 4, 8), strict=True):
            # The queue is looked at every tenth of a second.
            assert whole / 2 <= gap <= whole + 0.2
        await house.dispatcher.stop(STOP_S)

    run(test())


def test_a_refusal_for_good_ends_it_at_once() -> None:
    async def test() -> None:
        house = House()
        house.line.answer = lambda _: REFUSED
        await house.dispatcher.start()
        (its,) = house.accept(waiting())
        await house.until_ended(1)
        assert house.spool.ended(Verdict.REJECTED) == [its.message.id]
        assert len(house.sent) == 1
        await house.dispatcher.stop(STOP_S)

    run(test())


def test_the_next_channel_serves_while_the_first_is_down() -> None:
    async def test() -> None:
        house = House(channels=3)
        a, b, c = (house.lines[name][0] for name in "abc")
        await house.dispatcher.start()

        async def send(count: int) -> list[int]:
            before = [len(line.sent) for line in (a, b, c)]
            ended = len(house.spool.finished)
            house.accept(*(waiting() for _ in range(count)))
            await house.until(lambda: len(house.spool.finished) >= ended + count)
            return [len(line.sent) - n for line, n in zip((a, b, c), before, strict=True)]

        assert await send(10) == [10, 0, 0]
        a.fall()
        assert await send(10) == [0, 10, 0]
        b.fall()
        assert await send(10) == [0, 0, 10]
        a.rise()
        assert await send(10) == [10, 0, 0]
        await house.dispatcher.stop(STOP_S)

    run(test())


def test_a_channel_that_can_only_receive_is_down() -> None:
    async def test() -> None:
        house = House(channels=2, links=2)
        receiving, sending = house.lines["a"]
        receiving.submits = False
        await house.dispatcher.start()
        house.accept(waiting())
        await house.until_ended(1)
        assert [len(receiving.sent), len(sending.sent)] == [0, 1]
        sending.fall()
        house.accept(waiting())
        await house.until_ended(2)
        assert sum(len(line.sent) for line in house.lines["b"]) == 1
        await house.dispatcher.stop(STOP_S)

    run(test())


def test_who_is_turned_away_by_one_channel_goes_over_the_next() -> None:
    async def test() -> None:
        house = House(channels=3)
        a, b, c = (house.lines[name][0] for name in "abc")
        a.answer = b.answer = lambda _: OTHER
        await house.dispatcher.start()
        accepted = house.accept(*(waiting() for _ in range(10)))
        await house.until_ended(10)
        assert len(house.spool.ended(Verdict.SUBMITTED)) == 10
        numbers = [each.message.mobile for each in accepted]
        for line in (a, b, c):
            assert sorted(submit.destination for _, submit in line.sent) == sorted(numbers)
        # Nobody waits for the back-off of the lane.
        assert c.sent[-1][0] < 1.0
        await house.dispatcher.stop(STOP_S)

    run(test())


def test_where_there_is_no_other_channel_the_same_one_is_asked_again_later() -> None:
    async def test() -> None:
        house = House(channels=2)
        a, b = (house.lines[name][0] for name in "ab")
        a.answer = lambda _: OTHER
        b.fall()
        await house.dispatcher.start()
        house.accept(waiting())
        await house.until_ended(1)
        assert [each.verdict for each in house.spool.finished] == [Verdict.RETRY] * 3 + [
            Verdict.REJECTED
        ]
        assert [len(a.sent), len(b.sent)] == [4, 0]
        await house.dispatcher.stop(STOP_S)

    run(test())


def test_a_restart_does_not_forget_who_was_turned_away() -> None:
    async def test() -> None:
        house = House(channels=2)
        message = waiting()
        message.avoid = ("a",)
        house.spool.put(message)
        await house.dispatcher.start()
        await house.until_ended(1)
        assert [len(house.lines[name][0].sent) for name in "ab"] == [0, 1]
        await house.dispatcher.stop(STOP_S)

    run(test())


def test_a_link_that_falls_before_it_sends_uses_up_no_tries() -> None:
    async def test() -> None:
        house = House()
        await house.dispatcher.start()
        line = house.line
        submit_many = line.submit_many

        def fall_first(submits: Sequence[Submit]) -> None:
            line.up = len(house.spool.finished) >= 50
            submit_many(submits)
            line.up = True

        line.submit_many = fall_first  # type: ignore[method-assign]
        line.answer = lambda _: BUSY
        house.accept(waiting())
        await house.until_ended(1)
        assert len(line.sent) == 4
        assert house.spool.ended(Verdict.REJECTED)
        await house.dispatcher.stop(STOP_S)

    run(test())


def test_while_all_channels_are_down_everything_waits_untouched() -> None:
    async def test() -> None:
        house = House(channels=2)
        lines = [house.lines[name][0] for name in "ab"]
        await house.dispatcher.start()
        for line in lines:
            line.fall()
        accepted = house.accept(*(waiting() for _ in range(300)))
        await asyncio.sleep(600)
        assert not house.spool.begun
        assert not house.spool.finished
        lines[1].rise()
        await house.until_ended(300)
        assert house.spool.begun == dict.fromkeys((each.message.id for each in accepted), 1)
        await house.dispatcher.stop(STOP_S)

    run(test())


def test_what_a_fallen_link_had_on_the_wire_is_in_doubt_and_the_rest_is_not() -> None:
    async def test() -> None:
        house = House(window=4)
        house.line.answer = lambda _: None
        await house.dispatcher.start()
        # A long message more than fills the window: its last parts wait behind it.
        house.accept(waiting(), waiting(), waiting(segments=5))
        await house.until(lambda: len(house.line.sent) == 4)
        house.line.fall()
        await house.until(lambda: len(house.spool.finished) == 3)
        assert {each.verdict for each in house.spool.finished} == {Verdict.DOUBT}
        assert house.spool.finished[-1].remaining == (1, 2, 3, 4, 5)
        assert house.spool.finished[-1].due_at >= 10_000
        await house.dispatcher.stop(STOP_S)

    run(test())


def test_an_acceptance_after_a_message_was_given_up_is_recorded() -> None:
    async def test() -> None:
        house = House()
        house.line.answer = lambda _: None
        await house.dispatcher.start()
        its, long = house.accept(waiting(), waiting(segments=2))
        await house.until(lambda: len(house.line.sent) == 3)
        tokens = [submit.token for _, submit in house.line.sent]
        house.line.handler.lost(house.line, tokens)
        await house.until(lambda: len(house.spool.finished) == 2)
        assert {each.verdict for each in house.spool.finished} == {Verdict.DOUBT}
        for token in (tokens[0], tokens[2], tokens[2]):
            house.line.handler.answered(house.line, [(token, OK)])
        await house.until(lambda: len(house.spool.late) == 2)
        assert [(each.message_id, each.attempt, each.part) for each in house.spool.late] == [
            (its.message.id, 1, PartResult(1, True, "id", "0")),
            (long.message.id, 1, PartResult(2, True, "id", "0")),
        ]
        await house.dispatcher.stop(STOP_S)

    run(test())


def test_what_expired_while_it_waited_is_not_sent() -> None:
    async def test() -> None:
        house = House()
        await house.dispatcher.start()
        house.line.fall()
        house.accept(*(waiting(expire_at=5_000) for _ in range(5)))
        fresh = house.accept(*(waiting() for _ in range(5)))
        await asyncio.sleep(10)
        house.line.rise()
        await house.until_ended(5)
        assert house.spool.begun.keys() == {each.message.id for each in fresh}
        assert len(house.spool.expired) == 5
        await house.dispatcher.stop(STOP_S)

    run(test())


def test_what_is_cancelled_after_it_was_handed_out_is_not_sent() -> None:
    async def test() -> None:
        house = House()
        accepted = house.spool.put(*(waiting() for _ in range(10)))
        begin = house.spool.begin

        async def cancelled_meanwhile(begins: object) -> set[int]:
            house.spool.cancel(accepted[3])
            house.spool.cancel(accepted[7])
            return await begin(begins)  # type: ignore[arg-type]

        house.spool.begin = cancelled_meanwhile  # type: ignore[method-assign]
        await house.dispatcher.start()
        await house.until_ended(8)
        sent = {submit.destination for _, submit in house.sent}
        assert sent == {e.message.mobile for e in accepted} - {
            accepted[3].message.mobile,
            accepted[7].message.mobile,
        }
        await house.dispatcher.stop(STOP_S)

    run(test())


def test_while_the_store_is_away_nothing_is_sent_and_then_everything_once() -> None:
    async def test() -> None:
        house = House()
        await house.dispatcher.start()
        house.spool.away = True
        accepted = house.accept(*(waiting() for _ in range(100)))
        await asyncio.sleep(400)
        assert house.sent == []
        house.spool.away = False
        await house.until_ended(100)
        counts = Counter(submit.destination for _, submit in house.sent)
        assert counts == dict.fromkeys((each.message.mobile for each in accepted), 1)
        await house.dispatcher.stop(STOP_S)

    run(test())


def test_a_begin_whose_answer_was_lost_is_asked_again_and_sent_once() -> None:
    async def test() -> None:
        house = House()
        await house.dispatcher.start()
        house.spool.forgetful = True
        (its,) = house.accept(waiting())
        await house.until_ended(1)
        assert house.spool.begun == {its.message.id: 1}
        assert len(house.sent) == 1
        assert not house.spool.attempts
        await house.dispatcher.stop(STOP_S)

    run(test())


def test_what_expires_while_the_store_is_away_is_not_sent_when_it_is_back() -> None:
    async def test() -> None:
        house = House()
        await house.dispatcher.start()
        house.spool.away = True
        (code,) = house.accept(waiting(lane=Lane.URGENT, expire_at=300_000))
        await asyncio.sleep(400)
        house.spool.away = False
        await house.until(lambda: house.spool.expired)
        assert house.spool.expired == [code.message.id]
        assert house.sent == []
        await house.dispatcher.stop(STOP_S)

    run(test())


def test_a_text_that_cannot_be_sent_does_not_stop_the_channel(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    split = splitting.split

    def split_but_not_long_ones(content: str, *options: Any, **more: Any) -> Split:
        if content.startswith("长"):
            raise ValueError(content)
        return split(content, *options, **more)

    async def test() -> None:
        house = House()
        await house.dispatcher.start()
        monkeypatch.setattr(splitting, "split", split_but_not_long_ones)
        broken, good = house.accept(waiting(segments=2), waiting())
        await house.until_ended(2)
        assert house.spool.ended(Verdict.REJECTED) == [broken.message.id]
        assert house.spool.ended(Verdict.SUBMITTED) == [good.message.id]
        await house.dispatcher.stop(STOP_S)

    run(test())


def test_a_message_that_the_store_refuses_is_ended_and_holds_up_nobody() -> None:
    async def test() -> None:
        house = House()
        messages = [waiting() for _ in range(20)]
        poisoned = messages[7].message.id
        house.spool.poisoned = {poisoned}
        await house.dispatcher.start()
        house.accept(*messages)
        await house.until_ended(19)
        await house.until(lambda: house.spool.rejected == [poisoned])
        assert len(house.sent) == 19
        assert not house.spool.rows
        await house.dispatcher.stop(STOP_S)

    run(test())


def test_late_news_of_a_message_on_the_wire_does_not_make_its_attempt_forgotten() -> None:
    async def test() -> None:
        house = House()
        house.line.delay_s = 5.0
        (its,) = house.spool.put(waiting())
        await house.dispatcher.start()
        await house.until(lambda: house.sent)
        for _ in range(3):
            house.dispatcher.arrived([its])
            await asyncio.sleep(0.1)
            assert house.dispatcher.recorder.is_alive(its.message.id)
        await house.until_ended(1)
        await asyncio.sleep(5)
        assert house.spool.begun == {its.message.id: 1}
        assert len(house.sent) == 1
        assert house.dispatcher.lanes.held == 0
        await house.dispatcher.stop(STOP_S)

    run(test())


def test_a_stop_waits_for_the_answers_and_keeps_the_rest() -> None:
    async def test() -> None:
        house = House(window=8)
        house.line.delay_s = 5.0
        await house.dispatcher.start()
        house.accept(*(waiting() for _ in range(50)))
        await house.until(lambda: len(house.line.sent) == 8)
        await house.dispatcher.stop(STOP_S)
        assert len(house.spool.ended(Verdict.SUBMITTED)) == 8
        assert len(house.spool.rows) == 42
        assert not house.spool.attempts

    run(test())


def test_a_stop_while_attempts_are_being_recorded_sends_them() -> None:
    async def test() -> None:
        house = House(window=8)
        await house.dispatcher.start()
        begin, begun = house.spool.begin, asyncio.Event()

        async def slow(begins: object) -> set[int]:
            owned = await begin(begins)  # type: ignore[arg-type]
            begun.set()
            await asyncio.sleep(1.0)
            return owned

        house.spool.begin = slow  # type: ignore[method-assign]
        house.accept(*(waiting() for _ in range(50)))
        await begun.wait()
        await house.dispatcher.stop(STOP_S)
        assert len(house.sent) == len(house.spool.ended(Verdict.SUBMITTED)) == 8
        assert not house.spool.attempts

    run(test())


def test_a_stop_gives_up_on_a_carrier_that_never_answers() -> None:
    async def test() -> None:
        house = House(window=8)
        house.line.answer = lambda _: None
        await house.dispatcher.start()
        house.accept(*(waiting() for _ in range(50)))
        await house.until(lambda: len(house.line.sent) == 8)
        began = asyncio.get_running_loop().time()
        await house.dispatcher.stop(STOP_S)
        assert asyncio.get_running_loop().time() - began <= 25
        assert len(house.spool.ended(Verdict.DOUBT)) == 8

    run(test())


def test_a_stop_while_the_store_is_away_ends_in_time() -> None:
    async def test() -> None:
        house = House()
        await house.dispatcher.start()
        house.spool.away = True
        house.accept(*(waiting() for _ in range(50)))
        await asyncio.sleep(60)
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        began = loop.time()
        await house.dispatcher.stop(STOP_S)
        assert loop.time() - began <= 25
        assert len(house.spool.rows) == 50

    run(test())


def test_attempts_are_alive_until_their_end_is_recorded() -> None:
    async def test() -> None:
        house = House()
        house.line.delay_s = 3.0
        await house.dispatcher.start()
        (its,) = house.accept(waiting())
        alive = partial(house.dispatcher.recorder.is_alive, its.message.id)
        assert not alive()
        await house.until(lambda: house.spool.attempts)
        while house.spool.attempts:
            assert alive()
            await asyncio.sleep(0.001)
        await house.until(lambda: not alive())
        await house.dispatcher.stop(STOP_S)

    run(test())
