"""The spool, read in the order it is due, and never forgotten halfway."""

from __future__ import annotations

from msgspec import structs
from sqlalchemy import select

from adapter.domain.outcomes import Begin, Outcome, QueueKey, Verdict
from adapter.domain.values import Waiting
from adapter.store.clock import now_ms
from adapter.store.recording import record
from adapter.store.schema import message
from adapter.store.spooling import begin, format_avoid, parse_avoid, read_due
from tests.store.making import IDS, Intake, pair, writing

KEY = QueueKey("mobile", "normal", "his")


def ids(waiting: list[Waiting]) -> list[int]:
    return [each.message.id for each in waiting]


def test_a_reading_says_that_there_is_more(intake: Intake) -> None:
    made = intake.accept(pair(10))
    now = now_ms() + 10_000
    first, again = read_due(intake.engine, KEY, 4, now, ())
    assert ids(first) == ids(made[:4])
    assert again == now
    rest, again = read_due(intake.engine, KEY, 10, now, set(ids(first)))
    assert ids(rest) == ids(made[4:])
    assert again is None


def test_what_left_the_spool_during_a_reading_hides_nothing(intake: Intake) -> None:
    """Messages in memory are left out of a reading. When they have meanwhile left the spool, more
    is found than was asked for: messages once waited for ever because the surplus was dropped."""
    made = intake.accept(pair(10))
    now = now_ms() + 10_000
    in_memory = made[:5]
    with writing(intake.engine) as connection:
        begin(connection, [Begin(each, "a", now) for each in in_memory])
    found, again = read_due(intake.engine, KEY, 3, now, set(ids(in_memory)))
    assert ids(found) == ids(made[5:8])
    assert again == now, "two more are due"


def test_a_message_that_takes_other_segments_is_recorded_so(intake: Intake) -> None:
    """The count goes with the attempt: one that is not ours to send changes nothing."""
    ours, other, gone = intake.accept(pair(3))
    with writing(intake.engine) as connection:
        begin(connection, [Begin(gone, "a", 1)])
        wider = [
            structs.replace(each, message=structs.replace(each.message, segments=4), recounted=True)
            for each in (ours, gone)
        ]
        begun = begin(connection, [Begin(each, "a", 2) for each in (*wider, other)])
        assert begun == {ours.message.id, other.message.id}
        rows = connection.execute(select(message.c.id, message.c.segments)).all()
    counts = {row.id: row.segments for row in rows}
    assert [counts[each.message.id] for each in (ours, other, gone)] == [4, 1, 1]


def test_who_turned_a_message_away_and_what_never_left_is_remembered(intake: Intake) -> None:
    (made,) = intake.accept(pair())
    now = now_ms()
    refused = {"unsent": [1, 1, 2], "avoid": [("a",), ("a", "b"), ("a", "b")]}
    for unsent, avoid in zip(*refused.values(), strict=True):
        with writing(intake.engine) as connection:
            assert begin(connection, [Begin(made, avoid[-1], now)])
            sent = unsent == made.unsent
            outcome = Outcome(
                made, avoid[-1], Verdict.RETRY, (), now, due_at=now, sent=sent, avoid=avoid
            )
            record(connection, IDS, [outcome], ())
        ((made,), _) = read_due(intake.engine, KEY, 4, now, ())
        assert (made.unsent, made.avoid) == (unsent, avoid)
    assert made.tries == 3


def test_more_channels_than_fit_forget_the_first_ones() -> None:
    names = [f"channel-{number:03}" for number in range(100)]
    kept = parse_avoid(format_avoid(names))
    assert 30 < len(kept) < 50
    assert list(kept) == names[-len(kept) :]
