"""Notices from a real store to their destinations."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine

from adapter.domain.states import State
from adapter.domain.values import Home, Notice
from adapter.notify.notifier import Notifier
from adapter.notify.wording import describer
from adapter.store.committer import Committer
from adapter.store.engine import open_engine
from adapter.store.migrate import upgrade
from adapter.store.schema import notification
from tests.store.life import Life
from tests.store.making import count

WAIT_S = 20.0


@dataclass
class Tables:
    """Where the notices of a source land."""

    rows: list[Home] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def deliver(self, notices: Sequence[Home]) -> None:
        with self._changed:
            self.rows += notices
            self._changed.notify_all()

    def wait_for(self, rows: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.rows) >= rows, WAIT_S)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(f"sqlite:///{tmp_path / 'store.db'}")
    upgrade(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def life(store: Engine) -> Iterator[Life]:
    its = Life(store, datetime.now(UTC))
    yield its
    its.end()


@pytest.fixture
def committer(store: Engine) -> Iterator[Committer]:
    its = Committer(store, "notices")
    its.start()
    yield its
    its.stop()


def test_each_destination_gets_its_own_in_words_and_nothing_is_left(
    store: Engine, life: Life, committer: Committer
) -> None:
    his, lis = Tables(), Tables()
    for source, times in (("his", 3), ("lis", 2)):
        sent = life.accept(times, source=source)
        life.submit(sent)
        life.report(sent, delivered=source == "his")
    notifier = Notifier(
        store,
        committer,
        {"source:his": his.deliver, "source:lis": lis.deliver},
        describer({}),
    )
    notifier.start()
    his.wait_for(3)
    lis.wait_for(2)
    notifier.stop()
    assert {(each.state, each.text) for each in states(his)} == {(State.DELIVERED, "发送成功")}
    (words,) = {each.text for each in states(lis)}
    assert words.startswith("发送失败：")
    assert "UNDELIV" in words
    committer.stop()
    assert count(store, notification) == 0


def test_what_a_client_fetches_stays_in_the_store(
    store: Engine, life: Life, committer: Committer
) -> None:
    his = Tables()
    fetched = life.accept(2)
    life.submit(fetched)
    life.report(fetched)
    brought = life.accept(1, source="his")
    life.submit(brought)
    notifier = Notifier(store, committer, {"source:his": his.deliver}, describer({}))
    notifier.start()
    his.wait_for(1)
    notifier.stop()
    committer.stop()
    assert count(store, notification) == 2


def states(tables: Tables) -> list[Notice]:
    return [each for each in tables.rows if isinstance(each, Notice)]


def test_a_courier_that_hangs_is_left_and_named_and_holds_up_nobody(
    store: Engine, life: Life, committer: Committer, capsys: pytest.CaptureFixture[str]
) -> None:
    hangs, go_on = threading.Event(), threading.Event()

    def hang(_notices: Sequence[Home]) -> None:
        hangs.set()
        go_on.wait(WAIT_S)

    lis = Tables()
    for source in ("his", "lis"):
        life.submit(life.accept(1, source=source))
    notifier = Notifier(
        store, committer, {"source:his": hang, "source:lis": lis.deliver}, describer({})
    )
    notifier.start()
    assert hangs.wait(WAIT_S)
    lis.wait_for(1)
    notifier.stop(wait_s=0.05)
    told = capsys.readouterr().out
    assert "source:his" in told
    assert "source:lis" not in told
    go_on.set()
    notifier.stop()
