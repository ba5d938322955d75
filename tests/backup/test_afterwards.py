"""What a restored store cannot know is in doubt, and never simply sent again (promise 4)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from adapter.backup.loading import Restored, restore
from adapter.backup.making import backup
from adapter.domain.ids import IdMaker, id_at
from adapter.domain.outcomes import Begin
from adapter.domain.states import DoubtRule, Lane
from adapter.domain.values import Waiting
from adapter.store.clock import from_ms, now_ms
from adapter.store.engine import open_engine
from adapter.store.migrate import upgrade
from adapter.store.schema import attempt, message, spool
from adapter.store.settlement import settle_doubts
from adapter.store.spooling import begin
from tests.backup.conftest import Configure
from tests.store.making import Intake, pair, writing

NewStore = Callable[[str], str]


class Morning:
    """A store with a message of each kind: on the wire, due, and due tomorrow."""

    def __init__(self, engine: Engine) -> None:
        upgrade(engine)
        intake = Intake(engine)
        intake.committer.start()
        self.sending, *_ = intake.accept(pair())
        self.due, *_ = intake.accept(pair())
        self.bulk, *_ = intake.accept(pair(lane=Lane.BULK))
        self.tomorrow, *_ = intake.accept(pair(due_in_s=86_400, expire_in_s=90_000))
        intake.committer.stop()
        with writing(engine) as connection:
            begin(connection, [Begin(self.sending, "first", now_ms())])


@pytest.fixture(params=["sqlite", "postgresql"])
def morning(
    request: pytest.FixtureRequest, configure: Configure, new_store: NewStore, tmp_path: Path
) -> tuple[Morning, Path, str]:
    """What the store held, a backup of it, and the kind of database."""
    config = configure(new_store(request.param))
    engine = open_engine(config.store.url)
    its = Morning(engine)
    engine.dispose()
    return its, backup(config, tmp_path / "backups", 1).path, request.param


def ids(*waiting: Waiting) -> set[int]:
    return {each.message.id for each in waiting}


def restored(
    configure: Configure, url: str, path: Path, *, nothing_since: bool = False
) -> tuple[Engine, Restored]:
    config = configure(url, "other")
    made = restore(config, path, nothing_since=nothing_since)
    return open_engine(config.store.url), made


def test_what_may_have_been_sent_is_in_doubt_and_what_was_not_due_waits(
    morning: tuple[Morning, Path, str], configure: Configure, new_store: NewStore
) -> None:
    its, path, kind = morning
    engine, made = restored(configure, new_store(kind), path)
    with engine.connect() as connection:
        attempts = {row.message_id: row for row in connection.execute(select(attempt))}
        waiting = set(connection.execute(select(spool.c.message_id)).scalars())
    assert attempts.keys() == ids(its.sending, its.due, its.bulk)
    assert waiting == ids(its.tomorrow)
    for row in attempts.values():
        assert row.doubt_at is not None
        assert row.settle_at > row.doubt_at
        assert row.channel == "first"
    # Before the backup nothing was sent of what it holds as waiting.
    due = attempts[its.due.message.id]
    assert due.started_at == max(made.archive.manifest.taken_at, due.started_at)
    assert made.afterwards.in_doubt == {"resend": 2, "wait": 1}
    assert made.afterwards.waiting == 1
    engine.dispose()


def test_the_rule_of_the_lane_decides_and_a_second_sending_is_marked(
    morning: tuple[Morning, Path, str], configure: Configure, new_store: NewStore
) -> None:
    its, path, kind = morning
    engine, _ = restored(configure, new_store(kind), path)
    rules = {Lane.BULK: DoubtRule.WAIT, Lane.NORMAL: DoubtRule.RESEND}
    with writing(engine) as connection:
        far = connection.execute(select(attempt.c.settle_at)).scalars()
        last = max(settle_at for settle_at in far if settle_at is not None)
        settled = settle_doubts(
            connection, IdMaker(), last, lambda _client, lane, _sent: rules[lane]
        )
    # Their time to live is an hour, and the bulk lane's doubt lasts three days: by then all
    # have expired, and none may be sent.
    assert settled.unknown == 3
    engine.dispose()
    engine, _ = restored(configure, new_store(kind), path)
    with writing(engine) as connection:
        soon = now_ms() + 301_000
        settled = settle_doubts(
            connection, IdMaker(), soon, lambda _client, lane, _sent: rules[lane]
        )
    assert len(settled.resent) == 2
    with engine.connect() as connection:
        rows = connection.execute(select(spool).where(spool.c.in_doubt)).all()
        marked = set(connection.execute(select(message.c.id).where(message.c.in_doubt)).scalars())
    assert {row.message_id for row in rows} == ids(its.sending, its.due) == marked
    engine.dispose()


def test_a_store_that_was_moved_goes_on_where_it_was(
    morning: tuple[Morning, Path, str], configure: Configure, new_store: NewStore
) -> None:
    its, path, kind = morning
    engine, made = restored(configure, new_store(kind), path, nothing_since=True)
    with engine.connect() as connection:
        waiting = set(connection.execute(select(spool.c.message_id)).scalars())
    assert waiting == ids(its.due, its.bulk, its.tomorrow)
    assert made.afterwards.in_doubt == {"resend": 1, "wait": 0}
    engine.dispose()


def test_new_ids_lie_behind_all_that_were_made_after_the_backup(
    morning: tuple[Morning, Path, str], configure: Configure, new_store: NewStore
) -> None:
    _, path, kind = morning
    # The old node went on for a while.
    after = IdMaker(7).take(3)
    engine, made = restored(configure, new_store(kind), path)
    with engine.connect() as connection:
        floor = max(connection.execute(select(message.c.id)).scalars())
    assert IdMaker(7, floor).next() > max(after)
    taken_at = from_ms(made.archive.manifest.taken_at)
    assert floor < id_at(taken_at + timedelta(milliseconds=1))
    engine.dispose()
