"""A carrier that says "not through me": its messages go through the next channel of the route."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from connectors.behaviour import Behaviour, Failure
from tests.nodes import ACCOUNT, HOST, SECRET, Carrier, Node, Setup, Soap, until

NOT_SERVED = "9"
"""CMPP: this gateway does not serve the number."""
OTHER_NUMBER = "106955551234"
LONG = "您预约的门诊已确认，请携带身份证到门诊楼取号。" * 5
BACKOFF_S = 0.2


@contextmanager
def two_channels(folder: Path, first: Carrier, second: Carrier) -> Iterator[Node]:
    """A started node whose numbers go through `main`, else through `second`."""
    lane = f'<policies><lane name="normal" backoff-min="{BACKOFF_S * 1000:.0f}ms"/></policies>'
    setup = Setup(folder, "sqlite:///store.db", first.port, policies=lane)
    config = setup.write()
    channel = f"""
    <channel name="second" protocol="cmpp" version="3.0" access-number="{OTHER_NUMBER}">
      <connection host="{HOST}" port="{second.port}" account="{ACCOUNT}" password="{SECRET}"
                  rate="5000" reconnect-min="50ms" reconnect-max="500ms"/>
    </channel>
  </channels>"""
    written = config.read_text(encoding="utf-8").replace("</channels>", channel)
    config.write_text(written.replace('channels="main"', 'channels="main second"'), "utf-8")
    with Node(config, setup.web_port) as node:
        yield node.start()


def up(node: Node, name: str) -> bool:
    found = {each["name"]: each for each in node.status()["channels"]}
    return any(link["up"] for link in found[name]["links"])


def refusing(share: float) -> Behaviour:
    return Behaviour(failures=(Failure(share, NOT_SERVED),), seed=3)


def arrived(carrier: Carrier) -> dict[str, str]:
    """The text that each number got, its parts joined."""
    parts = {(each["destination"], each["number"]): each["text"] for each in carrier.taken()}
    texts: defaultdict[str, str] = defaultdict(str)
    for (destination, _), text in sorted(parts.items()):
        texts[destination] += text
    return dict(texts)


def states(soap: Soap, found: dict[int, str]) -> dict[int, str]:
    """Final states of the messages so far; `found` gathers them."""
    for each in soap.fetch_all("Receipts"):
        assert int(each.messageId) not in found, "two receipts of one message"
        found[int(each.messageId)] = each.state
    return found


def test_what_the_first_turns_away_arrives_once_through_the_second(tmp_path: Path) -> None:
    short = [(f"1380013{k:04}", "检查报告已出") for k in range(60)]
    long = [(f"1390013{k:04}", LONG) for k in range(20)]
    with (
        Carrier(refusing(1.0)) as first,
        Carrier() as second,
        two_channels(tmp_path, first, second) as node,
    ):
        until(lambda: up(node, "main") and up(node, "second"), "both channels")
        soap = Soap(node.url)
        made = soap.send_batch([*short, *long], "all")
        found: dict[int, str] = {}
        until(lambda: len(states(soap, found)) == len(made), "all receipts")
        assert found == dict.fromkeys(made, "DELIVERED")
        assert not first.taken()
        # Each was offered to the first once, and taken by the second once, with its own number.
        offered, taken = (
            Counter((each["destination"], each["number"]) for each in carrier.events("submit"))
            for carrier in (first, second)
        )
        assert offered == taken
        assert set(taken.values()) == {1}
        assert {each["source"] for each in second.taken()} == {OTHER_NUMBER + "02"}
        assert arrived(second) == dict([*short, *long])
        assert node.at_rest()


def test_what_the_first_takes_stays_there(tmp_path: Path) -> None:
    with (
        Carrier(refusing(0.5)) as first,
        Carrier() as second,
        two_channels(tmp_path, first, second) as node,
    ):
        until(lambda: up(node, "main") and up(node, "second"), "both channels")
        soap = Soap(node.url)
        made = soap.send_batch([(f"1380013{k:04}", "检查报告已出") for k in range(100)], "half")
        found: dict[int, str] = {}
        until(lambda: len(states(soap, found)) == len(made), "all receipts")
        assert set(found.values()) == {"DELIVERED"}
        here, there = (
            {each["destination"] for each in carrier.taken()} for carrier in (first, second)
        )
        assert here
        assert there
        assert not here & there
        assert len(first.taken()) + len(second.taken()) == len(made)
        assert first.count("submit") == len(made)


def test_with_the_second_down_it_is_tried_again_later_and_later(tmp_path: Path) -> None:
    with (
        Carrier(refusing(1.0)) as first,
        Carrier() as second,
        two_channels(tmp_path, first, second) as node,
    ):
        until(lambda: up(node, "main"), "the first channel")
        second.go_away()
        until(lambda: not up(node, "second"), "the second is down")
        soap = Soap(node.url)
        (made,) = soap.send_batch([("13800138000", "检查报告已出")], "one")
        first.wait_for("submit", 4)
        at = [datetime.fromisoformat(each["time"]) for each in first.events("submit")[:4]]
        pauses = [(later - before).total_seconds() for before, later in pairwise(at)]
        # Doubling, half of it random: at least these.
        least = [BACKOFF_S / 2 * 2**k for k in range(3)]
        assert all(pause >= wanted for pause, wanted in zip(pauses, least)), pauses
        second.come_back()
        second.wait_for("receipt", 1)
        found: dict[int, str] = {}
        until(lambda: states(soap, found), "its receipt")
        assert found == {made: "DELIVERED"}
        assert (len(first.taken()), len(second.taken())) == (0, 1)
        assert node.at_rest()
