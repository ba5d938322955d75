"""Texts from phones: whose they are, and what they answer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from adapter.domain.outcomes import Received
from adapter.domain.values import InboundNotice
from adapter.store.inbound import take
from adapter.store.schema import inbound
from tests.store.making import IDS, Intake, count, pair, writing


class Desk:
    """A store that messages go out from and texts come into."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.intake = Intake(engine)
        self.intake.committer.start()

    def inbound(self, *texts: Received, **owners: str) -> list[InboundNotice]:
        by_extension = {name.removeprefix("x"): client for name, client in owners.items()}
        with writing(self.engine) as connection:
            return take(connection, IDS, texts, by_extension, {"his": ["a", "b"]})


@pytest.fixture
def desk(store: Engine) -> Iterator[Desk]:
    its = Desk(store)
    yield its
    its.intake.committer.stop()


def text(mobile: str, extension: str = "", at: int = 9_000) -> Received:
    return Received("main", mobile, "yes", "10690", extension, at)


def test_an_inbound_text_finds_the_newest_message_to_its_number(desk: Desk) -> None:
    desk.intake.accept(pair(mobile="13800000001", ref="old"))
    desk.intake.accept(pair(mobile="13800000001", ref="new"))
    (notice,) = desk.inbound(text("13800000001"))
    assert (notice.destination, notice.client_ref) == ("client:his", "new")
    assert desk.inbound(text("13900000009")) == []
    assert count(desk.engine, inbound) == 2


def test_an_inbound_texts_extension_says_whose_it_is(desk: Desk) -> None:
    desk.intake.accept(pair(mobile="13800000001", ref="his", client="his", extension="01"))
    desk.intake.accept(pair(mobile="13800000001", ref="exact", client="lis", extension="02"))
    desk.intake.accept(pair(mobile="13800000001", ref="lis", client="lis", extension="03"))
    (notice,) = desk.inbound(text("13800000001", "902"), x9="lis", x="his")
    assert (notice.destination, notice.client_ref) == ("client:lis", "exact")
    (notice,) = desk.inbound(text("13800000001", "5"), x9="lis", x="his")
    assert notice.client_ref == "his"


def test_an_inbound_text_goes_home_to_the_table_that_it_answers(desk: Desk) -> None:
    desk.intake.accept(pair(mobile="13800000001", source="b"))
    assert [each.destination for each in desk.inbound(text("13800000001"))] == ["source:b"]
    everywhere = desk.inbound(text("13900000009", "1"), x1="his")
    assert [each.destination for each in everywhere] == ["source:a", "source:b"]


def test_a_reference_goes_only_to_whom_it_is_one(desk: Desk) -> None:
    desk.intake.accept(pair(mobile="13800000001", source="keeps-no-texts", ref="7"))
    (notice,) = desk.inbound(text("13800000001"))
    assert (notice.destination, notice.client_ref) == ("client:his", "")
    assert notice.message_id is not None
