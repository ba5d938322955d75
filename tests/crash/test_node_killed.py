"""The node killed without warning while it sends (promises 1 to 4).

The moments are drawn from a seed and triggered by what the carrier saw, never by a clock.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, select

from adapter.store.schema import attempt, message, spool
from connectors.behaviour import Behaviour, Span
from tests.dbpoll.conftest import His
from tests.nodes import Carrier, Node, Setup, Soap, until

pytestmark = pytest.mark.crash

ROWS, CALLS = 1_500, 150
KILLS = 3
SEED = 20260301
WINDOW, LINKS = 16, 2
RESEND = '<policies><lane name="normal" doubt="resend" doubt-wait="100ms"/></policies>'
WAIT = '<policies><lane name="bulk" doubt="wait" doubt-wait="3s"/></policies>'


def his_numbers() -> list[str]:
    return [f"138{row:08}" for row in range(1, ROWS + 1)]


def web_numbers() -> list[str]:
    return [f"139{call:08}" for call in range(CALLS)]


@dataclass(frozen=True, slots=True)
class Stored:
    """A message as the store has it in the end."""

    mobile: str
    state: str
    in_doubt: bool


def stored(url: str) -> list[Stored]:
    engine: Engine = create_engine(url)
    with engine.connect() as connection:
        assert connection.execute(select(spool)).all() == []
        assert connection.execute(select(attempt)).all() == []
        rows = connection.execute(select(message.c.mobile, message.c.state, message.c.in_doubt))
        found = [Stored(*row) for row in rows]
    engine.dispose()
    return found


class Feed:
    """The hospital goes on while nodes come and go: rows are there, calls are repeated until
    they are accepted."""

    def __init__(self, his: His, node: Node) -> None:
        his.run(
            "INSERT INTO SMS_OUTBOUND (MOBILE, CONTENT) VALUES (:m, '请准时就诊')",
            [{"m": mobile} for mobile in his_numbers()],
        )
        self.accepted: dict[str, int] = {}
        self._thread = threading.Thread(target=self._call, args=(Soap(node.url),))
        self._thread.start()

    def _call(self, soap: Soap) -> None:
        for mobile in web_numbers():
            self.accepted[mobile] = soap.send(mobile, "请准时就诊", f"ref-{mobile}")

    def end(self) -> None:
        self._thread.join()
        assert len(set(self.accepted.values())) == CALLS


def moments(total: int) -> list[int]:
    """After how many submits the node dies: in the middle of each part of the work."""
    chance = random.Random(SEED)
    part = total // (KILLS + 1)
    return [part * number + chance.randrange(part // 4, part) for number in range(KILLS)]


def most_in_doubt(setup: Setup) -> int:
    """At each kill: what was on the wire, or answered and not recorded yet."""
    return KILLS * setup.windows


def kill_again_and_again(node: Node, carrier: Carrier) -> None:
    for moment in moments(ROWS + CALLS):
        carrier.wait_for("submit", moment)
        node.kill()
        node.start()


@pytest.fixture
def lives(
    request: pytest.FixtureRequest, store_url: str, his: His, tmp_path: Path
) -> Iterator[tuple[Carrier, Node, Setup]]:
    """A carrier and a running node; the parameter says how the carrier behaves, and the
    policies and lane of the node's clients."""
    behaviour, policies, lane = request.param
    with Carrier(behaviour, log=tmp_path / "carrier.jsonl") as carrier:
        setup = Setup(
            tmp_path,
            store_url,
            carrier.port,
            his.url,
            links=LINKS,
            window=WINDOW,
            rate=600,
            policies=policies,
            lane=lane,
        )
        with Node(setup.write(), setup.web_port).start() as node:
            yield carrier, node, setup


NO_RECEIPTS = Behaviour(answer_delay=Span(5, 40), receipts=False, seed=SEED)


@pytest.mark.parametrize("lives", [(NO_RECEIPTS, RESEND, "normal")], ids=["resend"], indirect=True)
def test_nothing_is_lost_and_only_what_was_in_doubt_is_sent_again(
    lives: tuple[Carrier, Node, Setup], his: His
) -> None:
    # No receipt settles a doubt, so every message in doubt is sent again.
    carrier, node, setup = lives
    feed = Feed(his, node)
    kill_again_and_again(node, carrier)
    feed.end()
    until(lambda: reached(carrier) == ROWS + CALLS, "every message reached the carrier")
    until(node.at_rest, "everything in doubt is sent again")
    carrier.send_receipts(carrier.taken())
    until(lambda: his.count("STATUS = 3") == ROWS, "every row is final")
    receipts = Soap(node.url).fetch_all("Receipts")
    assert node.stop() == 0

    found = stored(setup.store)
    assert sorted(each.mobile for each in found) == his_numbers() + web_numbers()
    assert {each.state for each in found} == {"DELIVERED"}
    assert {int(each.messageId) for each in receipts} == set(feed.accepted.values())
    repeated = carrier.repeated()
    in_doubt = {each.mobile for each in found if each.in_doubt}
    assert repeated.keys() <= in_doubt
    assert 0 < len(in_doubt) <= most_in_doubt(setup)
    assert sum(repeated.values()) <= len(in_doubt)


PROMPT = Behaviour(answer_delay=Span(5, 40), receipt_delay=Span(20, 60), seed=SEED)


@pytest.mark.parametrize("lives", [(PROMPT, WAIT, "bulk")], ids=["wait"], indirect=True)
def test_what_must_not_come_twice_is_settled_by_its_receipt_or_ends_unknown(
    lives: tuple[Carrier, Node, Setup], his: His
) -> None:
    carrier, node, setup = lives
    feed = Feed(his, node)
    kill_again_and_again(node, carrier)
    feed.end()
    until(lambda: his.count("STATUS IN (3, 4)") == ROWS, "every row is final")
    until(node.at_rest, "every message is final")
    assert node.stop() == 0

    found = stored(setup.store)
    assert sorted(each.mobile for each in found) == his_numbers() + web_numbers()
    assert carrier.repeated() == {}
    unknown = {each.mobile for each in found if each.state == "UNKNOWN"}
    seen = {each["destination"] for each in carrier.taken()}
    assert unknown == {each.mobile for each in found} - seen
    assert len(unknown) <= most_in_doubt(setup)
    assert {each.state for each in found} <= {"DELIVERED", "UNKNOWN"}


@pytest.mark.parametrize("lives", [(PROMPT, RESEND, "normal")], ids=["stop"], indirect=True)
def test_a_stop_finishes_the_windows_and_keeps_the_rest(
    lives: tuple[Carrier, Node, Setup], his: His
) -> None:
    carrier, node, setup = lives
    feed = Feed(his, node)
    for moment in moments(ROWS + CALLS):
        carrier.wait_for("submit", moment)
        assert node.stop() == 0
        assert on_the_wire(setup.store) == 0
        node.start()
    feed.end()
    until(lambda: his.count("STATUS = 3") == ROWS, "every row is delivered")
    until(node.at_rest)
    assert node.stop() == 0

    found = stored(setup.store)
    assert sorted(each.mobile for each in found) == his_numbers() + web_numbers()
    assert not any(each.in_doubt for each in found)
    assert carrier.repeated() == {}


def reached(carrier: Carrier) -> int:
    return len({each["destination"] for each in carrier.taken()})


def on_the_wire(url: str) -> int:
    engine = create_engine(url)
    with engine.connect() as connection:
        found: Sequence[object] = connection.execute(select(attempt)).all()
    engine.dispose()
    return len(found)
