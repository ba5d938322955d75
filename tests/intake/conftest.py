"""Intake over a real store: an SQLite file with its committer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine, Row, select

from adapter.config.model import Channel, Config, Route, Template
from adapter.domain.client import Client
from adapter.domain.ids import IdMaker
from adapter.domain.states import Carrier
from adapter.domain.values import Reply, Request, Waiting
from adapter.intake.intake import Intake
from adapter.intake.limits import Limits
from adapter.notify.wording import describer
from adapter.store.acceptance import Acceptance
from adapter.store.capacity import Capacity
from adapter.store.committer import Committer
from adapter.store.desk import Desk
from adapter.store.engine import open_engine
from adapter.store.schema import message, metadata, spool, submission

ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)


def channel(name: str, access_number: str = "10690001", **settings: Any) -> Channel:
    return Channel(
        name, "cmpp", "3.0", "127.0.0.1", 7890, "account", "secret", access_number, **settings
    )


CONFIG = Config(
    path=Path("adapter.xml"),
    channels=(
        channel("cm", encodings=("ascii", "ucs2")),
        channel("cu"),
        channel("ct", "1069000123456789"),
        channel("off", enabled=False),
    ),
    routes=(
        Route(Carrier.MOBILE, ("cm",)),
        Route(Carrier.UNICOM, ("cm", "cu")),
        Route(Carrier.TELECOM, ("ct",)),
        Route(Carrier.BROADNET, ("off",)),
    ),
    templates=(Template("visit", "${name}，请于${time}就诊"), Template("fixed", "请按时服药")),
)
CLIENT = Client("his", signature="某某医院", business="general", extension="12")


@dataclass
class House:
    """Intake, its store, and a clock that stands still until it is set."""

    engine: Engine
    acceptance: Acceptance
    arrived: list[Waiting]
    desk: Desk
    now: datetime = NOW
    ids: IdMaker = field(default_factory=IdMaker)
    client: Client = CLIENT
    intake: Intake = field(init=False)

    def __post_init__(self) -> None:
        self.use(CONFIG)

    def use(self, config: Config) -> None:
        """As after a reload."""
        limits = Limits(ZONE, self.desk.accepted_since, lambda: self.now.timestamp())
        self.intake = Intake(self.acceptance, self.ids, config, limits, lambda: self.now)

    def accept(self, *requests: Request, **client: Any) -> list[Reply]:
        return self.intake.accept(replace(self.client, **client), requests)

    def rows(self, reply: Reply) -> tuple[Row[Any], Sequence[Row[Any]]]:
        """What the store holds of an accepted request."""
        with self.engine.connect() as connection:
            its = connection.execute(
                select(submission).where(submission.c.id == reply.submission_id)
            ).one()
            own = connection.execute(
                select(message, spool.c.due_at, spool.c.expire_at)
                .join(spool, spool.c.message_id == message.c.id)
                .where(message.c.submission_id == reply.submission_id)
                .order_by(message.c.id)
            ).all()
        return its, own

    def count(self) -> int:
        """How many submissions the store holds."""
        with self.engine.connect() as connection:
            return len(connection.execute(select(submission.c.id)).all())


@contextmanager
def _built(folder: Path, capacity: int = 100_000) -> Iterator[House]:
    engine = open_engine(f"sqlite:///{folder / 'store.db'}")
    metadata.create_all(engine)
    committer = Committer(engine, "test")
    committer.start()
    arrived: list[Waiting] = []
    ids = IdMaker()
    acceptance = Acceptance(
        committer, ids, Capacity(capacity), arrived.extend, lambda notices: None
    )
    desk = Desk(engine, committer, ids, Capacity(capacity), describer({}), lambda notices: None)
    yield House(engine, acceptance, arrived, desk, ids=ids)
    committer.stop()
    engine.dispose()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with _built(tmp_path) as built:
        yield built


@pytest.fixture
def small_house(tmp_path: Path) -> Iterator[House]:
    """A house with room for three messages."""
    with _built(tmp_path, capacity=3) as built:
        yield built


@pytest.fixture
def build_house(tmp_path: Path) -> Callable[[], AbstractContextManager[House]]:
    """For tests that need a house inside of hypothesis."""
    return lambda: _built(tmp_path)
