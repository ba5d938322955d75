"""What nobody answers comes to its end: doubt, silence, expiry (promises 2 and 4)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec import structs
from sqlalchemy import Engine, event, select

from adapter.domain.outcomes import Begin, Late, Outcome, QueueKey, Reported, Verdict
from adapter.domain.states import DoubtRule, Lane, State
from adapter.domain.values import Notice, Waiting
from adapter.store import recording, settlement
from adapter.store.clock import to_ms
from adapter.store.desk import Desk
from adapter.store.endings import NO_ANSWER
from adapter.store.matching import FIRST, Place
from adapter.store.schema import attempt, message, receipt, segment, spool
from adapter.store.settlement import Settled
from adapter.store.spooling import begin, read_due
from adapter.store.withdrawal import withdraw
from tests.store.making import IDS, Intake, count, outcome, pair, parts_of, reported, writing

START = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
"""10:00 in Beijing."""
START_MS = to_ms(START)
MINUTE = 60_000


class Scene:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.intake = Intake(engine)
        self.intake.committer.start()

    def sending(
        self,
        minute: int = 0,
        *,
        mobile: str = "13800000001",
        segments: int = 1,
        lane: Lane = Lane.URGENT,
        expire_in_s: float = 3600.0,
    ) -> Waiting:
        """A message that went to the wire so many minutes after the start."""
        its, own = pair(mobile=mobile, segments=segments, lane=lane, expire_in_s=expire_in_s)
        (made,) = self.intake.accept((structs.replace(its, due_at=START), own))
        with writing(self.engine) as connection:
            begin(connection, [Begin(made, "main", START_MS + minute * MINUTE)])
        return made

    def finish(self, *outcomes: Outcome) -> list[Notice]:
        with writing(self.engine) as connection:
            return recording.record(connection, IDS, outcomes, ())

    def lose(self, made: Waiting, minute: int = 1, taken: Sequence[int] = ()) -> None:
        """Its answer will never come; the rule decides ten minutes later."""
        at = START_MS + minute * MINUTE
        self.finish(outcome(made, Verdict.DOUBT, at=at, due_at=at + 10 * MINUTE, taken=taken))

    def receive(self, *reports: Reported) -> list[Notice]:
        with writing(self.engine) as connection:
            return recording.record(connection, IDS, (), reports)

    def late(self, made: Waiting, *parts: int, at: int = START_MS + 2 * MINUTE) -> list[Notice]:
        """Acceptances of parts that were given up."""
        answers = [
            Late(made.message.id, made.tries + 1, "main", part, at)
            for part in parts_of(made, only=parts)
        ]
        with writing(self.engine) as connection:
            return recording.record(connection, IDS, (), (), answers)

    def settle(
        self, minute: int, rule: DoubtRule = DoubtRule.WAIT, most: int = 500, after: Place = FIRST
    ) -> Settled:
        with writing(self.engine) as connection:
            return settlement.settle_doubts(
                connection, IDS, START_MS + minute * MINUTE, lambda *_of: rule, most, after
            )

    def state(self, made: Waiting) -> str:
        with self.engine.connect() as connection:
            found: str = connection.execute(
                select(message.c.state).where(message.c.id == made.message.id)
            ).scalar_one()
            return found


@pytest.fixture
def scene(store: Engine) -> Iterator[Scene]:
    its = Scene(store)
    yield its
    its.intake.committer.stop()


def receipt_at(minute: int, made: Waiting, named: str, **more: Any) -> Reported:
    each = reported(made, named=named, at=START_MS + minute * MINUTE)
    return structs.replace(each, **more)


def beijing(minute: int) -> str:
    return (START + timedelta(hours=8, minutes=minute)).strftime("%y%m%d%H%M")


def ended(notices: Sequence[Notice]) -> list[tuple[int, State]]:
    return [(each.message_id, each.state) for each in notices]


def test_a_receipt_settles_a_message_in_doubt(scene: Scene) -> None:
    made = scene.sending()
    scene.lose(made)
    scene.receive(receipt_at(2, made, "77"))
    settled = scene.settle(3)
    assert ended(settled.notices) == [(made.message.id, State.DELIVERED)]
    assert settled.matched == 1
    assert count(scene.engine, attempt) == count(scene.engine, receipt) == 0
    assert scene.settle(30, DoubtRule.RESEND).resent == []
    # The carrier sends it again.
    assert scene.receive(receipt_at(4, made, "77")) == []


@pytest.mark.parametrize(
    "more",
    [
        {"mobile": "13800000002"},
        {"channel": "other"},
        {"at": START_MS - MINUTE},
        {"submitted": "2611202200"},
    ],
)
def test_a_receipt_that_does_not_fit_settles_nothing(scene: Scene, more: dict[str, object]) -> None:
    made = scene.sending()
    scene.lose(made)
    scene.receive(receipt_at(2, made, "77", **more))
    assert scene.settle(3).matched == 0
    assert scene.state(made) == "ACCEPTED"


def test_a_receipt_is_not_taken_from_a_message_whose_answer_is_pending(scene: Scene) -> None:
    doubtful, pending = scene.sending(0), scene.sending(1)
    scene.lose(doubtful)
    scene.receive(reported(pending, at=START_MS + 2 * MINUTE))
    assert scene.settle(3).matched == 0
    assert ended(scene.finish(outcome(pending))) == [(pending.message.id, State.DELIVERED)]
    assert scene.settle(4).matched == 0
    assert scene.state(doubtful) == "ACCEPTED"


@pytest.mark.parametrize(("told", "fits"), [(0, "older"), (5, "newer"), (6, "newer")])
def test_a_receipt_goes_to_the_attempt_of_its_time(scene: Scene, told: int, fits: str) -> None:
    older, newer = scene.sending(0), scene.sending(5)
    scene.lose(older, 6)
    scene.lose(newer, 6)
    scene.receive(receipt_at(7, newer, "77", submitted=beijing(told)))
    (notice,) = scene.settle(8).notices
    assert notice.message_id == (older if fits == "older" else newer).message.id


def test_each_receipt_goes_to_one_message(scene: Scene) -> None:
    made = [scene.sending(0) for _ in range(3)]
    for each in made:
        scene.lose(each)
    scene.receive(receipt_at(2, made[0], "1"), receipt_at(2, made[0], "2"))
    assert scene.settle(3).matched == 2
    assert sorted(map(scene.state, made)) == ["ACCEPTED", "DELIVERED", "DELIVERED"]


@pytest.mark.parametrize("rule", DoubtRule)
def test_more_receipts_than_one_bite_takes_all_go_before_the_rule(
    scene: Scene, rule: DoubtRule
) -> None:
    # After an outage thousands may be due at once, and their receipts be there already.
    made = [scene.sending(mobile=f"1380000{number:04}") for number in range(10)]
    for number, each in enumerate(made):
        scene.lose(each)
        scene.receive(receipt_at(2, each, str(number), mobile=each.message.mobile))
    bites = [scene.settle(30, rule, most=4) for _ in range(4)]
    assert [bite.matched for bite in bites] == [4, 4, 2, 0]
    assert {scene.state(each) for each in made} == {State.DELIVERED}
    assert count(scene.engine, spool) == 0


@pytest.mark.parametrize("rule", DoubtRule)
def test_receipts_that_fit_nothing_hide_none_that_does(scene: Scene, rule: DoubtRule) -> None:
    first, second = scene.sending(), scene.sending(mobile="13800000002")
    scene.lose(first)
    scene.lose(second)
    for number in range(5):
        scene.receive(receipt_at(2, first, f"x{number}", submitted="2601010000"))
    scene.receive(receipt_at(2, second, "77"))
    bites = [scene.settle(30, rule, most=4)]
    while (place := bites[-1].next) is not None:
        bites.append(scene.settle(30, rule, most=4, after=place))
    assert [bite.matched for bite in bites] == [0, 1]
    assert scene.state(second) == "DELIVERED"
    assert (len(bites[-1].resent), bites[-1].unknown) in {(1, 0), (0, 1)}


def test_receipts_settle_the_lost_parts_of_a_long_message(scene: Scene) -> None:
    made = scene.sending(segments=3)
    scene.lose(made, taken=[2])
    scene.receive(receipt_at(2, made, "77"))
    assert scene.settle(3).notices == []
    scene.receive(receipt_at(4, made, "78", delivered=False), reported(made, 2))
    assert ended(scene.settle(5).notices) == [(made.message.id, State.UNDELIVERED)]
    assert count(scene.engine, segment) == 3


def test_the_rule_to_wait_ends_as_unknown(scene: Scene) -> None:
    made = scene.sending()
    scene.lose(made)
    assert scene.settle(10).unknown == 0
    settled = scene.settle(11)
    assert ended(settled.notices) == [(made.message.id, State.UNKNOWN)]
    assert scene.settle(12) == Settled([], [], 0, 0)
    # Too late: kept, but the end stays.
    scene.receive(receipt_at(13, made, "77"))
    assert scene.settle(14).matched == 0
    assert scene.state(made) == "UNKNOWN"


def test_the_rule_to_resend_spools_it_again_with_its_mark(scene: Scene) -> None:
    made = scene.sending(segments=2)
    scene.lose(made, taken=[1])
    settled = scene.settle(11, DoubtRule.RESEND)
    key = QueueKey("mobile", "urgent", "his")
    assert (settled.resent, settled.unknown, settled.notices) == ([key], 0, [])
    (again,), _ = read_due(scene.engine, key, 10, START_MS + 12 * MINUTE, ())
    assert (again.tries, again.in_doubt, again.parts) == (1, True, (2,))
    with scene.engine.connect() as connection:
        assert connection.execute(select(message.c.in_doubt)).scalar_one()
    assert scene.settle(20, DoubtRule.RESEND).resent == []


def test_what_has_expired_is_not_resent(scene: Scene) -> None:
    made = scene.sending(expire_in_s=-3600 * 24 * 365 * 20)
    scene.lose(made)
    assert scene.settle(11, DoubtRule.RESEND).unknown == 1


def test_a_resent_message_does_not_take_the_receipt_of_its_first_sending_twice(
    scene: Scene,
) -> None:
    made = scene.sending()
    scene.lose(made)
    scene.settle(11, DoubtRule.RESEND)
    scene.receive(receipt_at(12, made, "first"))
    second = structs.replace(made, tries=1, in_doubt=True)
    with writing(scene.engine) as connection:
        begin(connection, [Begin(second, "main", START_MS + 13 * MINUTE)])
    assert ended(scene.finish(outcome(second))) == []
    assert scene.settle(14).matched == 0
    assert ended(scene.receive(reported(second))) == [(made.message.id, State.DELIVERED)]


def test_a_receipt_of_the_first_sending_settles_the_second(scene: Scene) -> None:
    made = scene.sending()
    scene.lose(made)
    (key,) = scene.settle(11, DoubtRule.RESEND).resent
    # It comes while the second sending waits for its turn.
    scene.receive(receipt_at(12, made, "77"))
    ((again,), _) = read_due(scene.engine, key, 10, START_MS + 12 * MINUTE, ())
    with writing(scene.engine) as connection:
        begin(connection, [Begin(again, "main", START_MS + 13 * MINUTE)])
    scene.lose(again, 14)
    assert ended(scene.settle(15).notices) == [(made.message.id, State.DELIVERED)]
    assert count(scene.engine, receipt) == 0


def test_an_acceptance_after_the_time_out_ends_the_doubt(scene: Scene) -> None:
    made = scene.sending()
    scene.lose(made)
    # The receipt comes first, even: it finds its message by the id of the answer.
    scene.receive(reported(made))
    assert ended(scene.late(made, 1)) == [(made.message.id, State.DELIVERED)]
    assert scene.late(made, 1) == []
    assert scene.settle(30, DoubtRule.RESEND) == Settled([], [], 0, 0)
    assert count(scene.engine, attempt) == count(scene.engine, receipt) == 0


def test_parts_of_a_long_message_that_were_accepted_late_are_not_sent_again(scene: Scene) -> None:
    made = scene.sending(segments=3)
    scene.lose(made)
    assert scene.late(made, 1, 3) == scene.late(made, 3) == []
    (key,) = scene.settle(11, DoubtRule.RESEND).resent
    ((again,), _) = read_due(scene.engine, key, 10, START_MS + 12 * MINUTE, ())
    assert again.parts == (2,)


def test_a_late_acceptance_of_a_part_that_a_receipt_settled_changes_nothing(scene: Scene) -> None:
    made = scene.sending(segments=2)
    scene.lose(made)
    scene.receive(receipt_at(2, made, "77"))
    assert scene.settle(3).matched == 1
    assert scene.late(made, 1) == scene.late(made, 2) == []
    assert ended(scene.receive(reported(made, 2))) == [(made.message.id, State.DELIVERED)]


def test_an_acceptance_that_comes_after_the_second_sending_began_changes_nothing(
    scene: Scene,
) -> None:
    first = scene.sending()
    scene.lose(first)
    (key,) = scene.settle(11, DoubtRule.RESEND).resent
    assert scene.late(first, 1) == []
    ((again,), _) = read_due(scene.engine, key, 10, START_MS + 12 * MINUTE, ())
    with writing(scene.engine) as connection:
        begin(connection, [Begin(again, "main", START_MS + 12 * MINUTE)])
    assert scene.late(first, 1) == []
    assert count(scene.engine, segment) == 0
    scene.finish(outcome(again))
    assert ended(scene.receive(reported(again))) == [(first.message.id, State.DELIVERED)]


def test_attempts_that_nobody_remembers_come_in_doubt(scene: Scene) -> None:
    alive, forgotten, lost = scene.sending(), scene.sending(lane=Lane.BULK), scene.sending()
    scene.lose(lost)
    now = START_MS + 5 * MINUTE

    def wait(lane: Lane) -> int:
        return MINUTE if lane is Lane.BULK else 2 * MINUTE

    with writing(scene.engine) as connection:
        is_alive = {alive.message.id}.__contains__
        assert settlement.doubt_abandoned(connection, now, wait, is_alive) == 1
        assert settlement.doubt_abandoned(connection, now, wait, is_alive) == 0
    assert ended(scene.settle(6).notices) == [(forgotten.message.id, State.UNKNOWN)]
    with writing(scene.engine) as connection:
        assert settlement.doubt_abandoned(connection, now, wait) == 1


def test_messages_without_an_attempt_are_not_read(scene: Scene) -> None:
    """A planner that knows nothing of the tables must not begin with the large ones."""
    if scene.engine.dialect.name != "sqlite":
        return  # see test_plans
    statements: list[tuple[str, Any]] = []

    @event.listens_for(scene.engine, "before_cursor_execute")
    def note(_connection, _cursor, statement, parameters, *_more) -> None:  # type: ignore[no-untyped-def]
        statements.append((statement, parameters))

    forgotten, resent = scene.sending(), scene.sending()
    scene.lose(resent)
    with writing(scene.engine) as connection:
        statements.clear()
        settlement.doubt_abandoned(connection, START_MS, lambda _lane: 0)
        settlement.settle_doubts(connection, IDS, START_MS + 60 * MINUTE, lambda *_: DoubtRule.WAIT)
        asked = [each for each in statements if each[0].startswith("SELECT")]
        plans = [
            row[3]
            for statement, parameters in asked
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        ]
    assert forgotten.message.id != resent.message.id
    assert any("attempt" in step for step in plans)
    assert not [step for step in plans if step.startswith(("SCAN message", "SCAN submission"))]


def test_a_forgotten_attempt_that_is_answered_after_all(scene: Scene) -> None:
    made = scene.sending()
    with writing(scene.engine) as connection:
        settlement.doubt_abandoned(connection, START_MS, lambda _lane: MINUTE)
    scene.finish(outcome(made))
    assert scene.settle(10).unknown == 0
    assert ended(scene.receive(reported(made))) == [(made.message.id, State.DELIVERED)]


# Silence.


def silent(
    scene: Scene, before: int, after: int = 0, most: int = 1000, bite: int = 1000
) -> settlement.Search:
    with scene.engine.connect() as connection:
        return settlement.find_silent(connection, before, after, most, bite=bite)


def far() -> int:
    return to_ms(datetime.now(UTC)) + MINUTE


def test_a_submitted_message_without_receipt_becomes_unknown_once(scene: Scene) -> None:
    made, answered = scene.sending(), scene.sending()
    scene.finish(outcome(made), outcome(answered))
    found = silent(scene, far())
    assert found.silent == [made.message.id, answered.message.id]
    scene.receive(reported(answered))
    with writing(scene.engine) as connection:
        notices = settlement.end_silent(connection, IDS, found.silent, 9_000)
        assert settlement.end_silent(connection, IDS, found.silent, 9_000) == []
    assert ended(notices) == [(made.message.id, State.UNKNOWN)]
    assert (notices[0].code, notices[0].channel) == (settlement.NO_RECEIPT, "main")
    assert scene.receive(reported(made)) == []
    assert scene.state(made) == "UNKNOWN"


def test_silence_counts_from_the_submit(scene: Scene) -> None:
    """Accepted long ago, but scheduled for later: its receipt has its time yet."""
    made = scene.sending()
    at = far() + 60 * MINUTE
    scene.finish(outcome(made, at=at))
    assert silent(scene, at).silent == []
    assert silent(scene, at + 1).silent == [made.message.id]


def test_a_bite_ends_after_so_many_messages_whatever_became_of_them(scene: Scene) -> None:
    delivered = [scene.sending() for _ in range(4)]
    made = scene.sending()
    scene.finish(*map(outcome, [*delivered, made]))
    scene.receive(*map(reported, delivered))
    last = delivered[-1].message.id
    assert silent(scene, far(), bite=4) == settlement.Search([], None, last)
    assert silent(scene, far(), last, bite=4) == settlement.Search([made.message.id], None, None)


@pytest.mark.parametrize(("most", "bite"), [(2, 1000), (1000, 2)])
def test_what_waits_or_is_sent_is_not_silent_and_hides_nobody(
    scene: Scene, most: int, bite: int
) -> None:
    waiting = scene.intake.accept(*[pair(due_in_s=9_000) for _ in range(5)])
    scene.sending()
    made = scene.sending()
    scene.finish(outcome(made))
    found, after, first_open = [], 0, []
    while True:
        its = silent(scene, far(), after, most, bite)
        found += its.silent
        first_open.append(its.open_from)
        if its.next is None:
            break
        after = its.next
    assert found == [made.message.id]
    assert first_open[0] == waiting[0].message.id


# Expiry.


def test_what_waited_too_long_expires_in_bites(scene: Scene) -> None:
    fresh = scene.intake.accept(pair(3))
    stale = scene.intake.accept(pair(3, expire_in_s=-1))
    after: int | None = 0
    total, notices, bites = 0, list[Notice](), 0
    while after is not None:
        with scene.engine.connect() as connection:
            found = settlement.find_expired(connection, to_ms(datetime.now(UTC)), after, 2)
        with writing(scene.engine) as connection:
            gone = settlement.end_expired(connection, IDS, found.messages)
        after, bites = found.next, bites + 1
        total, notices = total + gone.ended, notices + gone.notices
    assert (total, bites) == (3, 4)
    assert {each.state for each in notices} == {State.EXPIRED}
    assert {each.message_id for each in notices} == {each.message.id for each in stale}
    assert count(scene.engine, spool) == len(fresh)


def test_what_went_to_the_wire_meanwhile_does_not_expire(scene: Scene) -> None:
    stays, goes = scene.intake.accept(pair(2, expire_in_s=-1))
    with scene.engine.connect() as connection:
        found = settlement.find_expired(connection, to_ms(datetime.now(UTC)), 0)
    assert found.messages == [stays.message.id, goes.message.id]
    with writing(scene.engine) as connection:
        begin(connection, [Begin(goes, "main", 1_000)])
        gone = settlement.end_expired(connection, IDS, found.messages)
    assert [each.message_id for each in gone.notices] == [stays.message.id]


def test_a_receipt_parked_twice_settles_one_part(scene: Scene) -> None:
    made = scene.sending(segments=2)
    scene.lose(made)
    scene.receive(receipt_at(2, made, "77"), receipt_at(2, made, "77"))
    scene.receive(receipt_at(3, made, "77"))
    assert scene.settle(4).matched == 1
    assert count(scene.engine, receipt) == 0
    assert scene.state(made) == "ACCEPTED"
    scene.receive(receipt_at(5, made, "78"))
    assert ended(scene.settle(6).notices) == [(made.message.id, State.DELIVERED)]


def resent(scene: Scene) -> Waiting:
    """A message that waits to be sent again because its answer was lost."""
    made = scene.sending()
    scene.lose(made)
    (key,) = scene.settle(11, DoubtRule.RESEND).resent
    ((again,), _) = read_due(scene.engine, key, 10, START_MS + 11 * MINUTE, ())
    assert again.in_doubt
    return again


@pytest.mark.parametrize("state", [State.EXPIRED, State.CANCELLED])
def test_what_may_have_been_sent_is_neither_expired_nor_cancelled(
    scene: Scene, state: State
) -> None:
    again = resent(scene)
    never = scene.intake.accept(pair())[0]
    with writing(scene.engine) as connection:
        gone = withdraw(connection, IDS, [again.message.id, never.message.id], state, "WHY")
    assert (gone.ended, gone.unsent) == (2, 1)
    told = {each.message_id: (each.state, each.code) for each in gone.notices}
    assert told == {
        again.message.id: (State.UNKNOWN, NO_ANSWER),
        never.message.id: (state, "WHY"),
    }
    assert scene.state(again) == "UNKNOWN"


def test_a_cancel_counts_only_what_was_never_sent(scene: Scene) -> None:
    again = resent(scene)
    never = scene.intake.accept(pair())[0]
    its = scene.intake
    desk = Desk(scene.engine, its.committer, IDS, its.capacity, lambda *_: "", its.told.extend)
    before = its.capacity.waiting
    messages = [again.message.id, never.message.id]
    assert desk.cancel("his", message_ids=messages) == 1
    assert its.capacity.waiting == before - 2


def test_a_refusal_of_the_second_sending_says_nothing_of_the_first(scene: Scene) -> None:
    again = resent(scene)
    with writing(scene.engine) as connection:
        begin(connection, [Begin(again, "main", START_MS + 12 * MINUTE)])
    notices = scene.finish(outcome(again, Verdict.REJECTED))
    assert [(each.state, each.code) for each in notices] == [(State.UNKNOWN, NO_ANSWER)]
