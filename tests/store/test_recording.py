"""What the carriers say: once or twice, early or late, in any order (promises 2, 4, 5)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from msgspec import structs
from sqlalchemy import Engine, Table, select

from adapter.domain.outcomes import Begin, Outcome, Reported, Verdict
from adapter.domain.states import State
from adapter.domain.values import WHOLE, Notice, Waiting
from adapter.store import recording
from adapter.store.schema import attempt, message, notification, receipt, segment, spool, tally
from adapter.store.spooling import begin
from tests.store.making import IDS, Intake, count, outcome, pair, reported, writing


class Desk:
    """Messages in a store, and what is done with them."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.intake = Intake(engine)
        self.intake.committer.start()

    def sending(
        self, number: int = 1, *, segments: int = 1, source: str = "", mobile: str = ""
    ) -> list[Waiting]:
        """Messages on the wire."""
        made = self.intake.accept(
            *[pair(segments=segments, source=source, mobile=mobile) for _ in range(number)]
        )
        self.begin(*made)
        return made

    def begin(self, *waiting: Waiting, at: int = 1_000) -> set[int]:
        with writing(self.engine) as connection:
            return begin(connection, [Begin(each, "main", at) for each in waiting])

    def finish(self, *outcomes: Outcome) -> list[Notice]:
        with writing(self.engine) as connection:
            return recording.record(connection, IDS, outcomes, ())

    def receive(self, *reports: Reported) -> list[Notice]:
        with writing(self.engine) as connection:
            return recording.record(connection, IDS, (), reports)

    def record(self, outcomes: Sequence[Outcome], reports: Sequence[Reported]) -> list[Notice]:
        """Both in one batch."""
        with writing(self.engine) as connection:
            return recording.record(connection, IDS, outcomes, reports)

    def rows(self, table: Table) -> list[dict[str, Any]]:
        with self.engine.connect() as connection:
            return [dict(row) for row in connection.execute(select(table)).mappings()]

    def row(self, table: Table, made: int) -> dict[str, Any]:
        (found,) = [row for row in self.rows(table) if row.get("message_id", row.get("id")) == made]
        return found

    def states(self, waiting: Sequence[Waiting]) -> list[str]:
        with self.engine.connect() as connection:
            rows = connection.execute(select(message.c.id, message.c.state))
            found = {row.id: row.state for row in rows}
        return [found[each.message.id] for each in waiting]

    def receipts(self) -> list[str]:
        with self.engine.connect() as connection:
            return sorted(connection.execute(select(receipt.c.state)).scalars())


@pytest.fixture
def desk(store: Engine) -> Iterator[Desk]:
    its = Desk(store)
    yield its
    its.intake.committer.stop()


def told(notices: Sequence[Notice]) -> list[tuple[int, str]]:
    return sorted((each.message_id, each.state.value) for each in notices)


def test_an_attempt_that_ended_twice_ends_once(desk: Desk) -> None:
    made = desk.sending(4, segments=2, source="a")
    taken, refused, again, lost = made
    ends = [
        outcome(taken),
        outcome(refused, Verdict.REJECTED),
        outcome(again, Verdict.RETRY, taken=[1]),
        outcome(lost, Verdict.DOUBT, taken=[2]),
    ]
    first = desk.finish(*ends)
    tables = (segment, spool, attempt, notification, receipt)
    before = [count(desk.engine, table) for table in tables]
    assert told(first) == [(taken.message.id, "SUBMITTED"), (refused.message.id, "REJECTED")]
    assert before == [6, 1, 1, 2, 0]
    assert desk.finish(*ends) == []
    assert [count(desk.engine, table) for table in tables] == before
    assert desk.states(made) == ["ACCEPTED", "REJECTED", "ACCEPTED", "ACCEPTED"]


def test_the_end_of_an_old_attempt_does_not_end_a_new_one(desk: Desk) -> None:
    (first,) = desk.sending()
    again = outcome(first, Verdict.RETRY)
    desk.finish(again)
    second = structs.replace(first, tries=1)
    assert desk.begin(second)
    assert desk.finish(again) == []
    assert (count(desk.engine, attempt), count(desk.engine, spool)) == (1, 0)
    desk.finish(outcome(first, Verdict.DOUBT))
    with desk.engine.connect() as connection:
        assert connection.execute(select(attempt.c.doubt_at)).scalar_one() is None
    desk.finish(outcome(second))
    assert [each.state for each in desk.receive(reported(second))] == [State.DELIVERED]


@pytest.mark.parametrize("delivered", [True, False])
def test_a_receipt_after_the_answer(desk: Desk, delivered: bool) -> None:
    (made,) = desk.sending()
    desk.finish(outcome(made))
    (notice,) = desk.receive(reported(made, delivered=delivered))
    assert notice.state is (State.DELIVERED if delivered else State.UNDELIVERED)
    assert notice.code == ("DELIVRD" if delivered else "UNDELIV")
    assert notice.submitted_at is not None
    assert notice.done_at is not None
    assert desk.states([made]) == [notice.state.value]


def test_a_receipt_before_the_answer_is_parked_and_found(desk: Desk) -> None:
    (made,) = desk.sending(source="a")
    assert desk.receive(reported(made)) == []
    assert desk.receipts() == ["parked"]
    notices = desk.finish(outcome(made))
    assert [each.state for each in notices] == [State.DELIVERED]
    assert desk.receipts() == []


@pytest.mark.parametrize("delivered", [True, False])
def test_an_answer_and_its_receipt_in_one_batch_are_as_in_two(desk: Desk, delivered: bool) -> None:
    apart, together = desk.sending(2, source="a")
    desk.finish(outcome(apart))
    (expected,) = desk.receive(reported(apart, delivered=delivered))
    (notice,) = desk.record([outcome(together)], [reported(together, delivered=delivered)])
    first, second = apart.message, together.message
    assert structs.replace(
        notice, id=0, message_id=0, submission_id=0, mobile=""
    ) == structs.replace(expected, id=0, message_id=0, submission_id=0, mobile="")
    for table in (message, segment):
        rows = [desk.row(table, each.id) for each in (first, second)]
        for row in rows:
            for name in ("id", "message_id", "submission_id", "mobile", "mobile_key", "carrier_id"):
                row.pop(name, None)
        assert rows[0] == rows[1]
    counted = {row["state"]: row["messages"] for row in desk.rows(tally)}
    assert counted[expected.state.value] == 1
    assert sum(row["messages"] for row in desk.rows(tally) if row["state"] == "SUBMITTED") == 2


def test_a_receipt_that_comes_twice_with_its_answer(desk: Desk) -> None:
    (made,) = desk.sending(source="a")
    other = reported(made, delivered=False)
    (notice,) = desk.record([outcome(made)], [reported(made), reported(made), other])
    assert notice.state is State.DELIVERED
    assert desk.states([made]) == ["DELIVERED"]
    assert desk.receipts() == ["repeated", "repeated"]


def test_a_receipt_that_comes_with_the_answer_to_another_sending(desk: Desk) -> None:
    (made,) = desk.sending(source="a")
    desk.finish(outcome(made, Verdict.DOUBT))
    late = reported(made)
    again = structs.replace(made, tries=1, in_doubt=True)
    assert desk.record([outcome(again)], [late]) == []
    assert desk.receipts() == ["parked"]


@pytest.mark.parametrize(("mobile", "state"), [("", "DELIVERED"), ("13900000000", "ACCEPTED")])
def test_a_receipt_whose_base_nobody_knows_finds_its_message(
    desk: Desk, mobile: str, state: str
) -> None:
    (made,) = desk.sending()
    end = outcome(made)
    desk.finish(structs.replace(end, parts=[structs.replace(end.parts[0], carrier_id="38601fa")]))
    report = structs.replace(reported(made, named="59113978"), others=("5f", "38601fa"))
    # The id of another phone's message may read the same in another base.
    report = structs.replace(report, mobile=mobile or report.mobile)
    desk.receive(report)
    assert desk.states([made]) == [state]
    assert desk.receive(report) == []
    assert desk.receipts() == (["repeated"] if state == "DELIVERED" else ["parked", "parked"])


def test_a_receipt_that_overtook_its_answer_twice(desk: Desk) -> None:
    (made,) = desk.sending()
    desk.receive(reported(made), reported(made))
    desk.receive(reported(made, delivered=False))
    assert [each.state for each in desk.finish(outcome(made))] == [State.DELIVERED]
    assert desk.receipts() == ["repeated", "repeated"]


def test_a_receipt_twice_changes_nothing_the_second_time(desk: Desk) -> None:
    (made,) = desk.sending()
    desk.finish(outcome(made))
    assert len(desk.receive(reported(made), reported(made, delivered=False))) == 1
    assert desk.receive(reported(made, delivered=False)) == []
    assert desk.states([made]) == ["DELIVERED"]
    assert desk.receipts() == ["repeated", "repeated"]


def test_a_receipt_of_another_channel_or_of_nobody_is_kept(desk: Desk) -> None:
    (made,) = desk.sending()
    desk.finish(outcome(made))
    desk.receive(reported(made, channel="other"), reported(made, named="unknown"))
    assert desk.states([made]) == ["ACCEPTED"]
    assert desk.receipts() == ["parked", "parked"]


def test_a_receipt_after_the_end_is_kept_as_late(desk: Desk) -> None:
    (made,) = desk.sending(segments=2)
    desk.finish(
        structs.replace(outcome(made, Verdict.RETRY, taken=[1]), verdict=Verdict.REJECTED, code="9")
    )
    assert desk.receive(reported(made, 1)) == []
    assert desk.states([made]) == ["REJECTED"]
    assert desk.receipts() == ["late"]


def test_an_id_that_a_carrier_uses_again_belongs_to_the_newer_message(desk: Desk) -> None:
    older, newer = desk.sending(2)
    for each in (older, newer):
        end = outcome(each)
        desk.finish(structs.replace(end, parts=[structs.replace(end.parts[0], carrier_id="7")]))
    desk.receive(reported(newer, named="7"))
    assert desk.states([older, newer]) == ["ACCEPTED", "DELIVERED"]


@pytest.mark.parametrize("order", list(itertools.permutations([1, 2, 3])))
def test_parts_come_in_any_order_and_end_the_message_with_the_last(
    desk: Desk, order: tuple[int, ...]
) -> None:
    (made,) = desk.sending(segments=3)
    # The first one overtakes the answer.
    notices = desk.receive(reported(made, order[0], delivered=order[0] != 2))
    desk.finish(outcome(made))
    for number in order[1:]:
        assert notices == []
        notices = desk.receive(reported(made, number, delivered=number != 2))
    assert told(notices) == [(made.message.id, "UNDELIVERED")]
    assert notices[0].code == "UNDELIV"


def test_all_parts_in_one_batch(desk: Desk) -> None:
    made = desk.sending(2, segments=3)
    desk.finish(*map(outcome, made))
    notices = desk.receive(*[reported(each, number) for each in made for number in (3, 1, 2)])
    assert told(notices) == [(each.message.id, "DELIVERED") for each in made]


def test_a_part_is_sent_again_and_the_message_waits_for_it(desk: Desk) -> None:
    (first,) = desk.sending(segments=3)
    desk.finish(outcome(first, Verdict.RETRY, taken=[1, 3]))
    assert desk.receive(reported(first, 1), reported(first, 3)) == []
    second = structs.replace(first, tries=1, parts=(2,))
    desk.begin(second)
    # The receipt is here before the answer, and the message is not over before both are.
    assert desk.receive(reported(second, 2)) == []
    assert told(desk.finish(outcome(second))) == [(first.message.id, "DELIVERED")]
    assert desk.receipts() == []


def test_a_part_that_failed_and_was_delivered_by_another_attempt(desk: Desk) -> None:
    (first,) = desk.sending(segments=2)
    desk.finish(outcome(first, Verdict.RETRY, taken=[1]))
    second = structs.replace(first, tries=1, parts=())
    desk.begin(second)
    desk.finish(outcome(second))
    assert desk.receive(reported(first, 1, delivered=False), reported(second, 2)) == []
    assert told(desk.receive(reported(second, 1))) == [(first.message.id, "DELIVERED")]


def test_one_batch_of_everything(desk: Desk) -> None:
    made = desk.sending(60, segments=2)
    thirds = made[::3], made[1::3], made[2::3]
    desk.receive(*[reported(each, 2) for each in thirds[0]])
    notices = desk.finish(
        *map(outcome, thirds[0]),
        *[outcome(each, Verdict.REJECTED) for each in thirds[1]],
        *[outcome(each, Verdict.RETRY) for each in thirds[2]],
    )
    notices += desk.receive(*[reported(each, 1) for each in made])
    assert desk.states(made) == ["DELIVERED", "REJECTED", "ACCEPTED"] * 20
    assert len(notices) == 40
    assert count(desk.engine, spool) == 20


@pytest.mark.parametrize("delivered", [True, False])
def test_one_receipt_ends_a_long_text_that_went_out_whole(desk: Desk, delivered: bool) -> None:
    (made,) = desk.sending(segments=3)
    first = structs.replace(made, parts=(WHOLE,))
    desk.finish(outcome(first))
    notices = desk.receive(reported(first, WHOLE, delivered=delivered))
    state = "DELIVERED" if delivered else "UNDELIVERED"
    assert told(notices) == [(made.message.id, state)]
    assert [each.segments for each in notices] == [3]


def test_a_whole_text_that_was_refused_and_went_out_in_parts(desk: Desk) -> None:
    (made,) = desk.sending(segments=2)
    first = structs.replace(made, parts=(WHOLE,))
    desk.finish(outcome(first, Verdict.RETRY, taken=[]))
    second = structs.replace(made, tries=1, parts=())
    desk.begin(second)
    desk.finish(outcome(second))
    assert desk.receive(reported(second, 1)) == []
    assert told(desk.receive(reported(second, 2))) == [(made.message.id, "DELIVERED")]


@pytest.mark.parametrize("failed", [(), (1,), (2,)])
def test_a_message_counted_as_one_that_went_out_as_two_ends_once(
    desk: Desk, failed: tuple[int, ...]
) -> None:
    (made,) = desk.sending(segments=1)
    ended = outcome(made)
    (part,) = ended.parts
    other = structs.replace(part, number=2, carrier_id=part.carrier_id + "2")
    desk.finish(structs.replace(ended, parts=[part, other]))
    first = reported(made)
    second = structs.replace(first, carrier_id=other.carrier_id)
    both = [
        structs.replace(each, delivered=number not in failed)
        for number, each in ((1, first), (2, second))
    ]
    assert told(desk.receive(*both)) == [
        (made.message.id, "UNDELIVERED" if failed else "DELIVERED")
    ]
    assert count(desk.engine, notification) == 1
