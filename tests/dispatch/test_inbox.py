"""Texts from phones on their way into the store, and the end of the wait for missing parts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from adapter.dispatch.inbox import Inbox
from adapter.domain.outcomes import Part, Received
from adapter.domain.values import InboundNotice
from adapter.store.committer import Committer
from adapter.store.engine import open_engine
from adapter.store.migrate import upgrade
from adapter.store.schema import inbound
from tests.store.making import IDS

WAIT_S = 10.0


class Desk:
    """An inbox with a clock of its own."""

    def __init__(self, committer: Committer) -> None:
        self.now = 1_000_000
        self.told: list[InboundNotice] = []
        self.committer = committer
        self.inbox = self.started()

    def started(self) -> Inbox:
        """As after a restart."""
        return Inbox(
            self.committer, IDS, {"1": "his"}, {}, WAIT_S, self.told.extend, lambda: self.now
        )

    def take(self, number: int, content: str) -> list[InboundNotice]:
        part = Part(7, 2, number)
        received = Received("main", "138", content, "1069", "1", self.now, (content,), part)
        return self.inbox.take([received]).result(30)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    opened = open_engine(f"sqlite:///{tmp_path / 'store.db'}")
    upgrade(opened)
    yield opened
    opened.dispose()


@contextmanager
def desk(engine: Engine) -> Iterator[Desk]:
    committer = Committer(engine, "record")
    committer.start()
    yield Desk(committer)
    committer.stop()


def contents(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.execute(select(inbound.c.content).order_by(inbound.c.id)).scalars())


def test_the_wait_is_over_when_it_is_over(engine: Engine) -> None:
    with desk(engine) as its:
        its.take(1, "half")
        its.now += 10_000
        assert its.inbox.give_up() == 0
        its.now += 1
        assert its.inbox.give_up() == 1
        assert [each.content for each in its.told] == ["half[缺2/2]"]
        assert its.take(2, "late") == []
    assert contents(engine) == ["half[缺2/2]"]


def test_after_a_restart_the_wait_begins_anew(engine: Engine) -> None:
    with desk(engine) as its:
        its.take(1, "before ")
        its.now += 3_600_000
        its.inbox = its.started()
        assert its.inbox.give_up() == 0
        its.now += 9_000
        (notice,) = its.take(2, "after")
        assert (notice.content, notice.destination) == ("before after", "client:his")


def test_a_reference_used_again_before_anybody_swept(engine: Engine) -> None:
    with desk(engine) as its:
        its.take(1, "old")
        its.now += 10_001
        (notice,) = its.take(2, "new")
        assert notice.content == "old[缺2/2]"
        (notice,) = its.take(1, "its ")
        assert notice.content == "its new"


def test_pieces_of_one_commit(engine: Engine) -> None:
    with desk(engine) as its:
        notices = [its.inbox.take([]), its.inbox.take([])]
        assert [each.result(30) for each in notices] == [[], []]
