"""Finding messages: by number, client, time and state, page after page."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from adapter.domain.ids import EPOCH_MS
from adapter.domain.outcomes import Begin, Verdict
from adapter.domain.states import State
from adapter.domain.values import Waiting
from adapter.store import recording, retention, settlement, spooling
from adapter.store.clock import from_ms, now_ms
from adapter.store.reading import reading
from adapter.store.schema import not_delivered
from adapter.store.search import Hit, Search, search
from adapter.store.withdrawal import withdraw
from tests.store.making import IDS, Intake, outcome, pair, reported, writing


def found(intake: Intake, most: int = 100, after: Hit | None = None, **wanted: Any) -> list[int]:
    with reading(intake.engine) as connection:
        return [hit.message_id for hit in search(connection, Search(**wanted), most, after)]


def ids(*waiting: Waiting) -> list[int]:
    """Newest first."""
    return sorted((each.message.id for each in waiting), reverse=True)


def test_by_number(intake: Intake) -> None:
    one, _, other = intake.accept(
        pair(mobile="13800000001"), pair(), pair(mobile="13800000001", client="lis")
    )
    assert found(intake, mobile="13800000001") == ids(one, other)
    assert found(intake, mobile="13800000001", client="his") == ids(one)
    assert found(intake, mobile="13800000002") == []


def test_by_client_and_time(intake: Intake) -> None:
    made = intake.accept(pair(3), pair(client="lis"), pair(2))
    his = [each for each in made if each.submission.client == "his"]
    assert found(intake, client="his") == ids(*his)
    assert found(intake) == ids(*made)
    begun = from_ms((made[0].submission.id >> 22) + EPOCH_MS)
    hour = timedelta(hours=1)
    for state in (None, State.QUEUED):
        of = partial(found, intake, client="his", state=state)
        assert of(since=begun, until=begun + hour) == ids(*his)
        assert of(until=begun) == []
        assert of(since=begun + hour) == []


@pytest.mark.parametrize("wanted", [Search(client="his"), Search(), Search(state=State.QUEUED)])
def test_page_after_page(intake: Intake, wanted: Search) -> None:
    made = intake.accept(pair(3), pair(4), pair())
    pages: list[Hit] = []
    with reading(intake.engine) as connection:
        while page := search(connection, wanted, 3, pages[-1] if pages else None):
            pages += page
    assert [hit.message_id for hit in pages] == ids(*made)


def test_by_state(intake: Intake) -> None:
    store = intake.engine
    held, *due = intake.accept(pair(due_in_s=600), *[pair() for _ in range(7)])
    queued, sending, doubtful, submitted, delivered, failed, cancelled = due
    with writing(store) as connection:
        begun = [sending, doubtful, submitted, delivered, failed]
        spooling.begin(connection, [Begin(each, "main", now_ms()) for each in begun])
        answered = [outcome(each, at=now_ms()) for each in (submitted, delivered)]
        refused = outcome(failed, Verdict.REJECTED)
        recording.record(connection, IDS, [*answered, refused], [reported(delivered)])
        withdraw(connection, IDS, [cancelled.message.id], State.CANCELLED)
        settlement.doubt_abandoned(
            connection, now_ms(), lambda *_: 60_000, lambda each: each != doubtful.message.id
        )
    expected = {
        State.HELD: held,
        State.QUEUED: queued,
        State.SENDING: sending,
        State.IN_DOUBT: doubtful,
        State.SUBMITTED: submitted,
        State.DELIVERED: delivered,
        State.REJECTED: failed,
        State.CANCELLED: cancelled,
    }
    for state, waiting in expected.items():
        assert found(intake, state=state) == ids(waiting), state
        assert found(intake, state=state, mobile=waiting.message.mobile) == ids(waiting)
        assert found(intake, state=state, client="lis") == []
    assert found(intake, state=State.EXPIRED) == []


def test_what_retention_deletes_is_found_no_more(intake: Intake) -> None:
    (made,) = intake.accept(pair())
    with writing(intake.engine) as connection:
        withdraw(connection, IDS, [made.message.id], State.CANCELLED)
    later = from_ms(now_ms()) + timedelta(days=1)
    assert retention.forget_messages(intake.engine, later, 0, 10).deleted == 1
    with reading(intake.engine) as connection:
        assert connection.execute(not_delivered.select()).all() == []
