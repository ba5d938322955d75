"""How long receipts are waited for, on a real store: failures only, none at all, late."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from adapter.config.model import Channel, Policies, Quirks
from adapter.dispatch.silence import Silence, Wait, waits
from adapter.domain.outcomes import Begin, Reported
from adapter.domain.states import State
from adapter.domain.values import Notice, Waiting
from adapter.store import recording
from adapter.store.clock import now_ms
from adapter.store.engine import open_engine
from adapter.store.migrate import upgrade
from adapter.store.schema import message, receipt
from adapter.store.settlement import ASSUMED, NO_RECEIPT
from adapter.store.spooling import begin
from tests.store.making import IDS, Intake, count, outcome, pair, reported, writing

HOUR_MS = 3_600_000


def channel(name: str, quirks: Quirks) -> Channel:
    return Channel(name, "cmpp", "3.0", "h", 7890, "a", "p", "1069", quirks=quirks)


FAILURES = Quirks(delivered_after_s=600.0)
CHANNELS = [channel("main", FAILURES), channel("spare", Quirks()), channel("plain", FAILURES)]
LATER = Wait(600.0, State.DELIVERED, frozenset({"main", "plain"}))


class Scene:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.intake = Intake(engine)
        self.intake.committer.start()
        self.sent_at = now_ms() + HOUR_MS

    def submitted(self, *, segments: int = 1, channel: str = "main") -> Waiting:
        """A message that the carrier took."""
        (made,) = self.intake.accept(pair(segments=segments))
        with writing(self.engine) as connection:
            begin(connection, [Begin(made, channel, self.sent_at)])
            its = outcome(made, at=self.sent_at, channel=channel)
            recording.record(connection, IDS, [its], ())
        return made

    def receive(self, *reports: Reported) -> list[Notice]:
        with writing(self.engine) as connection:
            return recording.record(connection, IDS, (), reports)

    def sweep(self, wait: Wait, after_s: float) -> list[tuple[int, State, str]]:
        """One search so long after the sending, and the end of what it found."""
        now = self.sent_at + int(after_s * 1000)
        with self.engine.connect() as connection:
            silent = Silence(wait).search(connection, now)
        with writing(self.engine) as connection:
            notices = wait.end(connection, IDS, silent, now)
        return [(each.message_id, each.state, each.code) for each in notices]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    engine = open_engine(f"sqlite:///{tmp_path / 'store.db'}")
    upgrade(engine)
    its = Scene(engine)
    yield its
    its.intake.committer.stop()
    engine.dispose()


def test_channels_with_the_same_wait_share_a_search() -> None:
    silent = [channel("mute", Quirks(reports=False)), channel("both", Quirks(reports=False))]
    short, made_up, last = waits(Policies(receipt_wait_s=7.0), [*CHANNELS, *silent])
    assert short == LATER
    assert (made_up.becomes, made_up.channels) == (State.DELIVERED, frozenset({"mute", "both"}))
    assert 0 < made_up.after_s < short.after_s
    assert last == Wait(7.0, State.UNKNOWN)


def test_where_only_failures_are_reported_silence_is_delivery(scene: Scene) -> None:
    good, bad = scene.submitted(), scene.submitted()
    other = scene.submitted(channel="spare")
    scene.receive(reported(bad, delivered=False))
    assert scene.sweep(LATER, 599) == []
    assert scene.sweep(LATER, 601) == [(good.message.id, State.DELIVERED, ASSUMED)]
    assert scene.sweep(LATER, 602) == []
    assert scene.sweep(Wait(700.0, State.UNKNOWN), 701) == [
        (other.message.id, State.UNKNOWN, NO_RECEIPT)
    ]


def test_a_part_that_failed_decides_over_a_long_message(scene: Scene) -> None:
    good, bad = scene.submitted(segments=3), scene.submitted(segments=3)
    assert scene.receive(reported(bad, 2, delivered=False)) == []
    assert scene.sweep(LATER, 601) == [
        (good.message.id, State.DELIVERED, ASSUMED),
        (bad.message.id, State.UNDELIVERED, "UNDELIV"),
    ]


def test_a_report_after_the_wait_changes_nothing_and_is_kept(scene: Scene) -> None:
    made = scene.submitted()
    assert len(scene.sweep(LATER, 601)) == 1
    assert scene.receive(reported(made, delivered=False)) == []
    assert count(scene.engine, receipt) == 1
    with scene.engine.connect() as connection:
        assert connection.execute(select(message.c.state)).scalar_one() == "DELIVERED"


def test_a_report_between_search_and_end_wins(scene: Scene) -> None:
    made = scene.submitted()
    now = scene.sent_at + 601_000
    with scene.engine.connect() as connection:
        silent = Silence(LATER).search(connection, now)
    assert silent == [made.message.id]
    (notice,) = scene.receive(reported(made, delivered=False))
    assert notice.state is State.UNDELIVERED
    with writing(scene.engine) as connection:
        assert LATER.end(connection, IDS, silent, now) == []


def test_a_crash_between_the_answer_and_the_report_made_for_it_is_found(scene: Scene) -> None:
    """Without reports the connector makes one with the answer; here only the answer was
    recorded."""
    made = scene.submitted(channel="mute")
    made_up, _ = waits(Policies(), [channel("mute", Quirks(reports=False))])
    assert scene.sweep(made_up, made_up.after_s + 1) == [
        (made.message.id, State.DELIVERED, ASSUMED)
    ]
