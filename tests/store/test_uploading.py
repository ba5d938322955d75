"""Portions of an upload: each in its place, once, on both databases."""

from __future__ import annotations

import pytest
from msgspec import structs
from sqlalchemy import func, select

from adapter.domain.errors import Refusal, SpoolFull, StoreUnavailable
from adapter.domain.outcomes import QueueKey
from adapter.domain.values import Message, Submission
from adapter.store import retention
from adapter.store.acceptance import Pair
from adapter.store.clock import from_ms, now_ms
from adapter.store.schema import message, spool, upload
from adapter.store.uploading import Uploading
from tests.store.making import IDS, Intake, lose_next_answer, pair


@pytest.fixture
def uploading(intake: Intake) -> Uploading:
    return Uploading(
        intake.committer,
        IDS,
        intake.capacity,
        intake.arrived.extend,
        lambda keys, _due_at: intake.unsure.extend(keys),
    )


def portions(*sizes: int) -> tuple[Submission, list[list[Message]]]:
    """An upload and its messages, portion by portion."""
    its, own = pair(sum(sizes), ref="file")
    rest = iter(own)
    return its, [[next(rest) for _ in range(size)] for size in sizes]


def count(intake: Intake) -> tuple[int, int]:
    with intake.engine.connect() as connection:
        messages, waiting = (
            connection.scalar(select(func.count()).select_from(table)) for table in (message, spool)
        )
    return messages or 0, waiting or 0


def test_one_portion_after_the_other(intake: Intake, uploading: Uploading) -> None:
    its, (first, second) = portions(2, 40)
    assert uploading.find("his", "file") is None
    uploading.take(its, first, 0, 3)
    uploading.take(its, second, 3, 40)
    found = uploading.find("his", "file")
    assert found is not None
    assert (found.submission.id, found.entries, found.accepted) == (its.id, 43, 42)
    assert found.submission.content == its.content
    assert count(intake) == (42, 42)
    assert intake.capacity.waiting == len(intake.arrived) == 42


def test_a_portion_out_of_place_is_refused(intake: Intake, uploading: Uploading) -> None:
    its, (first, second) = portions(2, 2)
    uploading.take(its, first, 0, 2)
    for at in (0, 1, 4):
        with pytest.raises(Refusal, match="elsewhere"):
            uploading.take(its, second, at, 2)
    stranger = structs.replace(its, id=IDS.next())
    with pytest.raises(Refusal, match="elsewhere"):
        uploading.take(stranger, second, 2, 2)
    assert count(intake) == (2, 2)


def test_a_reference_of_another_request(intake: Intake, uploading: Uploading) -> None:
    taken: Pair = pair(ref="file")
    intake.accept(taken)
    with pytest.raises(Refusal, match="another request"):
        uploading.find("his", "file")


def test_a_lost_answer_makes_the_queues_be_looked_at(intake: Intake, uploading: Uploading) -> None:
    its, (first,) = portions(2)
    lose_next_answer(intake.engine)
    with pytest.raises(StoreUnavailable):
        uploading.take(its, first, 0, 2)
    assert intake.unsure == [QueueKey("mobile", "normal", "his")]
    found = uploading.find("his", "file")
    assert found is not None
    assert found.entries == 2


def test_no_room(intake: Intake, uploading: Uploading) -> None:
    intake.capacity.limit = 1
    its, (first,) = portions(2)
    with pytest.raises(SpoolFull):
        uploading.take(its, first, 0, 2)
    assert count(intake) == (0, 0)


def test_retention_forgets_how_far_it_came(intake: Intake, uploading: Uploading) -> None:
    its, (nobody,) = portions(0)
    uploading.take(its, nobody, 0, 5)
    later = from_ms(now_ms() + 86_400_000)
    assert retention.forget_submissions(intake.engine, later, 0, 10).deleted == 1
    with intake.engine.connect() as connection:
        assert connection.execute(select(upload)).all() == []
