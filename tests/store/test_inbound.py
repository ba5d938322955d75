"""Texts from phones: whose they are, what they answer, long ones, and those that come again."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from msgspec import structs
from sqlalchemy import Engine, select

from adapter.domain.outcomes import Part, Received
from adapter.domain.values import InboundNotice
from adapter.store.inbound import give_up, take
from adapter.store.joining import missing
from adapter.store.schema import arrival, inbound, inbound_part, tally
from adapter.store.sealing import INBOUND_CONTENT, seal_of
from tests.store.making import IDS, Intake, count, pair, writing


class Desk:
    """A store that messages go out from and texts come into."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.intake = Intake(engine)
        self.intake.committer.start()

    def inbound(self, *texts: Received, overdue: int = 0, **owners: str) -> list[InboundNotice]:
        by_extension = {name.removeprefix("x"): client for name, client in owners.items()}
        with writing(self.engine) as connection:
            return take(connection, IDS, texts, by_extension, {"his": ["a", "b"]}, overdue)

    def give_up(self, overdue: int, most: int = 200) -> int:
        with writing(self.engine) as connection:
            return give_up(connection, IDS, overdue, {}, {}, most)[0]

    def contents(self) -> list[str]:
        with self.engine.connect() as connection:
            seal = seal_of(connection)
            return [
                seal.opened(INBOUND_CONTENT, *row)
                for row in connection.execute(
                    select(inbound.c.id, inbound.c.content).order_by(inbound.c.id)
                )
            ]

    def waiting(self) -> int:
        return count(self.engine, inbound_part)


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


# Long texts.


def part(number: int, content: str = "", *, total: int = 3, reference: int = 7, at: int = 9_000,
         **changes: str) -> Received:  # fmt: skip
    made = Received("main", "13800000001", content or f"<{number}>", "10690", "", at)
    return structs.replace(made, part=Part(reference, total, number), **changes)


@pytest.mark.parametrize("order", [*itertools.permutations((1, 2, 3))])
def test_parts_in_any_order_are_one_text(desk: Desk, order: tuple[int, ...]) -> None:
    desk.intake.accept(pair(mobile="13800000001", ref="asked"))
    for at, number in enumerate(order[:2], 9_000):
        assert desk.inbound(part(number, at=at)) == []
    (notice,) = desk.inbound(part(order[2], at=9_005))
    assert (notice.content, notice.client_ref) == ("<1><2><3>", "asked")
    assert notice.received_at.timestamp() == 9.005
    assert desk.contents() == ["<1><2><3>"]
    assert desk.waiting() == 0


def test_parts_of_one_batch(desk: Desk) -> None:
    desk.inbound(part(2), text("13800000001"), part(3), part(1), part(1, total=2))
    assert desk.contents() == ["yes", "<1><2><3>"]
    assert desk.waiting() == 1


def test_a_whole_text_is_counted_once(desk: Desk) -> None:
    desk.inbound(part(1), part(2))
    assert count(desk.engine, tally) == 0
    desk.inbound(part(3))
    assert count(desk.engine, tally) == 1


def test_a_pair_cut_between_parts_survives_the_store(desk: Desk) -> None:
    desk.inbound(part(2, "\ude00b", total=2))
    desk.inbound(part(1, "a\ud83d", total=2))
    assert desk.contents() == ["a😀b"]


def test_a_part_that_comes_again_is_kept_once(desk: Desk) -> None:
    desk.inbound(part(1), part(1))
    desk.inbound(part(1))
    assert desk.waiting() == 1
    desk.inbound(part(2), part(3))
    assert desk.contents() == ["<1><2><3>"]


@pytest.mark.parametrize(
    "other",
    [
        part(2, channel="other"),
        part(2, mobile="13800000002"),
        part(2, access_number="10691"),
        part(2, extension="1"),
        part(2, reference=8),
        part(2, total=4),
    ],
)
def test_parts_of_other_texts_do_not_mix(desk: Desk, other: Received) -> None:
    desk.inbound(part(1), part(3))
    desk.inbound(other)
    assert desk.contents() == []
    assert desk.waiting() == 3
    desk.inbound(part(2))
    assert desk.contents() == ["<1><2><3>"]


def test_a_part_in_the_place_of_another_begins_a_new_text(desk: Desk) -> None:
    desk.inbound(part(1, "old "), part(2, "half"))
    desk.inbound(part(1, "new "), part(2, "text "), part(3, "whole"))
    assert desk.contents() == ["old half" + missing(3, 3, 3), "new text whole"]
    assert desk.waiting() == 0


def test_a_reference_used_again_does_not_meet_an_old_half(desk: Desk) -> None:
    desk.inbound(part(1, "old", at=1_000))
    desk.inbound(part(2, "new", at=500_000), overdue=200_000)
    assert desk.contents() == ["old[缺2-3/3]"]
    desk.inbound(part(1, "its ", at=500_001), part(3, " end", at=500_002), overdue=200_000)
    assert desk.contents()[1:] == ["its new end"]


def test_what_waited_long_enough_is_given_up_as_it_is(desk: Desk) -> None:
    desk.intake.accept(pair(mobile="13800000001", ref="asked"))
    desk.inbound(part(2, total=5, at=1_000), part(5, total=5, at=3_000))
    desk.inbound(part(1, reference=8, at=3_001), part(2, reference=8, at=900))
    assert desk.give_up(3_000) == 0
    assert desk.give_up(3_001) == 1
    assert desk.contents() == ["[缺1/5]<2>[缺3-4/5]<5>"]
    assert desk.waiting() == 2
    assert desk.give_up(3_001) == 0


def test_half_a_pair_whose_other_half_never_comes(desk: Desk) -> None:
    desk.inbound(part(1, "a\ud83d", total=2))
    assert desk.give_up(10_000) == 1
    assert desk.contents() == ["a\ufffd[缺2/2]"]


def test_endless_first_parts_are_given_up_a_bite_at_a_time(desk: Desk) -> None:
    desk.inbound(*[part(1, reference=reference) for reference in range(300)])
    assert [desk.give_up(10_000, 100) for _ in range(4)] == [100, 100, 100, 0]
    assert (desk.waiting(), count(desk.engine, inbound)) == (0, 300)


def test_parts_survive_a_restart(desk: Desk) -> None:
    desk.inbound(part(1), part(2))
    desk.engine.dispose()
    desk.inbound(part(3))
    assert desk.contents() == ["<1><2><3>"]


# What comes again.


def test_a_text_that_comes_again_is_kept_once(desk: Desk) -> None:
    desk.intake.accept(pair(mobile="13800000001"))
    once = structs.replace(text("13800000001"), keys=("a",))
    assert len(desk.inbound(once, once)) == 1
    assert desk.inbound(structs.replace(once, at=99_000)) == []
    assert count(desk.engine, inbound) == 1
    assert count(desk.engine, tally) == 1 + 1  # accepted, and the text


def test_another_text_or_another_channel_is_no_repetition(desk: Desk) -> None:
    once = structs.replace(text("13800000001"), keys=("a",))
    desk.inbound(once, structs.replace(once, keys=("b",)), structs.replace(once, channel="other"))
    desk.inbound(text("13800000001"), text("13800000001"))
    assert count(desk.engine, inbound) == 5


def test_a_text_is_known_by_any_of_its_keys(desk: Desk) -> None:
    once = structs.replace(text("13800000001"), keys=("a@2", "a@1"))
    desk.inbound(once)
    desk.inbound(structs.replace(once, keys=("a@3", "a@2")))
    assert count(desk.engine, inbound) == 1
    desk.inbound(structs.replace(once, keys=("a@4", "a@3")))
    assert count(desk.engine, inbound) == 2


def test_a_part_that_comes_again_after_its_text_was_whole(desk: Desk) -> None:
    parts = [structs.replace(part(number), keys=(str(number),)) for number in (1, 2, 3)]
    desk.inbound(*parts)
    desk.inbound(*parts)
    desk.inbound(parts[1])
    assert (desk.contents(), desk.waiting()) == (["<1><2><3>"], 0)
    assert count(desk.engine, arrival) == 3
