"""The clock of the machine jumps: no id comes twice, nothing expires or is repeated in a storm."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from adapter.drill.evidence import Evidence
from connectors.behaviour import Behaviour, Span
from tests.dbpoll.conftest import His
from tests.faults.conftest import Build
from tests.faults.house import DOUBTS_SOON, House
from tests.nodes import until

pytestmark = pytest.mark.slow

PROMPT = Behaviour(answer_delay=Span(5, 30), receipt_delay=Span(10, 50), seed=4)
HOUR_S = 3_600
DAY_S = 86_400
SHIFTED = Path(__file__).with_name("shifted.py")


@pytest.fixture
def clock(tmp_path: Path) -> Callable[[int], None]:
    """Sets a node's clock, so many seconds from the right time."""

    def put(seconds: int) -> None:
        whole = tmp_path / "offset.new"
        whole.write_text(str(seconds), encoding="ascii")
        whole.replace(tmp_path / "offset")

    put(0)
    return put


def ids(house: House) -> list[int]:
    """Of all messages, by number, which is the order in which they were accepted."""
    stored = Evidence(house.setup.store).messages()
    return [each.id for each in sorted(stored, key=lambda each: each.mobile)]


def test_the_clock_is_set_back_by_an_hour(
    build: Build, clock: Callable[[int], None], tmp_path: Path
) -> None:
    house = build(PROMPT, policies=DOUBTS_SOON, program=(str(SHIFTED), str(tmp_path / "offset")))
    house.send(100)
    house.carrier.wait_for("submit", 40)
    clock(-HOUR_S)
    house.send(100)
    house.settle()
    house.node.kill()
    house.node.start()
    house.send(50)
    house.settle()
    assert house.carrier.repeated() == {}
    assert ids(house) == sorted(ids(house))


def test_the_clock_is_set_forward_by_half_a_day(
    build: Build, sqlite_his: His, clock: Callable[[int], None], tmp_path: Path
) -> None:
    program = str(SHIFTED), str(tmp_path / "offset")
    house = build(PROMPT, his=sqlite_his, policies=DOUBTS_SOON, program=program)
    house.carrier.go_away()
    house.insert(100)
    house.send(100)
    until(lambda: house.node.status()["store"]["waiting"] == 200, "all wait")
    clock(DAY_S // 2)
    house.carrier.come_back()
    house.settle()
    assert house.carrier.count("submit") == 200


def test_the_clock_is_set_forward_by_a_day(
    build: Build, clock: Callable[[int], None], tmp_path: Path
) -> None:
    # What may live for a day expires, as if the machine had slept; nothing is sent or told
    # twice, and what the carrier has is not given up.
    program = str(SHIFTED), str(tmp_path / "offset")
    house = build(Behaviour(receipts=False), policies=DOUBTS_SOON, program=program)
    house.send(50)
    house.carrier.wait_for("submit", 50)
    house.carrier.go_away()
    house.send(50)
    clock(DAY_S)
    house.carrier.come_back()
    house.carrier.send_receipts(house.carrier.taken())
    house.carrier.behave(PROMPT)
    house.settle(("DELIVERED", "EXPIRED"))
    sent = {each["destination"] for each in house.carrier.taken()}
    assert {m for m, state in house.states().items() if state == "DELIVERED"} == sent
    assert len({each.receiptId for each in house.receipts}) == 100
