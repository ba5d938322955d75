"""Thousands of operations in any order: every message ends once, and the sums agree.

Races: begin, cancel and expiry reach for the same messages from threads of their own.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlalchemy import Connection, Engine, select

from adapter.domain.outcomes import Begin, Outcome, QueueKey, Reported, Verdict
from adapter.domain.states import FINAL, DoubtRule, State
from adapter.domain.values import Notice, Waiting
from adapter.store import recording, settlement, spooling
from adapter.store.clock import now_ms
from adapter.store.committer import Committer, Kind
from adapter.store.schema import attempt, message, notification, spool, tally
from adapter.store.withdrawal import withdraw
from tests.store.making import IDS, Intake, count, outcome, pair, reported, writing

KEY = QueueKey("mobile", "normal", "his")


class World:
    """A carrier and a node with bad luck: answers get lost, come twice, late or too early."""

    def __init__(self, engine: Engine, seed: int) -> None:
        self.engine = engine
        self.chance = random.Random(seed)
        self.intake = Intake(engine)
        self.intake.committer.start()
        self.told: list[Notice] = self.intake.told
        self.accepted = 0
        self.flying: list[Waiting] = []
        self.reports: list[Reported] = []
        self.now = now_ms()

    def accept(self) -> None:
        made = [
            pair(
                self.chance.randint(1, 3),
                segments=self.chance.choice([1, 1, 2, 3]),
                source=self.chance.choice(["", "a"]),
                business_key=self.chance.choice(["", "k"]),
                mobile=f"1380000{self.chance.randint(0, 99):04}",
                expire_in_s=self.chance.choice([3600, -1]),
            )
            for _ in range(self.chance.randint(1, 8))
        ]
        self.accepted += len(self.intake.accept(*made, replace=self.chance.random() < 0.05))

    def begin(self) -> None:
        waiting, _ = spooling.read_due(self.engine, KEY, 30, self.now + 10**9, ())
        chosen = [each for each in waiting if self.chance.random() < 0.7]
        with writing(self.engine) as connection:
            begins = [Begin(each, "main", self.now) for each in chosen]
            owned = spooling.begin(connection, begins)
        assert owned == {each.message.id for each in chosen}
        self.flying += chosen

    def finish(self) -> None:
        self.chance.shuffle(self.flying)
        number = self.chance.randint(0, 20)
        ending, self.flying = self.flying[:number], self.flying[number:]
        ends = [self._end(each) for each in ending]
        for _ in range(self.chance.choice([1, 1, 2])):
            self._write(lambda connection: recording.record(connection, IDS, ends, ()))

    def _end(self, each: Waiting) -> Outcome:
        verdict = self.chance.choices(list(Verdict), [6, 1, 2, 2])[0]
        numbers = each.parts or range(1, each.message.segments + 1)
        taken = [number for number in numbers if self.chance.random() < 0.4]
        if len(taken) == len(numbers):
            taken = []
        end = outcome(each, verdict, at=self.now, due_at=self.now, taken=taken)
        # What was lost may have arrived, too: its receipt has an id that nobody knows.
        answered = {part.number for part in end.parts if part.ok}
        for number in numbers:
            if number in answered or (verdict is Verdict.DOUBT and self.chance.random() < 0.5):
                self.reports += [
                    reported(each, number, delivered=self.chance.random() < 0.8, at=self.now + 1)
                ] * self.chance.choice([0, 1, 1, 1, 2])
        return end

    def receive(self) -> None:
        self.chance.shuffle(self.reports)
        number = self.chance.randint(0, 30)
        coming, self.reports = self.reports[:number], self.reports[number:]
        for _ in range(self.chance.choice([1, 1, 2])):
            self._write(lambda connection: recording.record(connection, IDS, (), coming))

    def settle(self) -> None:
        rule = self.chance.choice(list(DoubtRule))
        self._write(
            lambda connection: (
                settlement.settle_doubts(
                    connection, IDS, self.now + self.chance.choice([-1, 1]), lambda *_of: rule
                ).notices
            )
        )

    def cancel(self) -> None:
        waiting, _ = spooling.read_due(self.engine, KEY, 5, self.now + 10**9, ())
        chosen = [each.message.id for each in waiting]
        self._write(lambda connection: withdraw(connection, IDS, chosen, State.CANCELLED)[1])

    def expire(self) -> None:
        with self.engine.connect() as connection:
            found = settlement.find_expired(connection, self.now, 0, 10_000)
        self._write(
            lambda connection: settlement.end_expired(connection, IDS, found.messages).notices
        )

    def silence(self) -> None:
        with self.engine.connect() as connection:
            found = settlement.find_silent(connection, self.now + 10**6, 0, 10_000)
        self._write(
            lambda connection: settlement.end_silent(connection, IDS, found.silent, self.now)
        )

    def end(self) -> None:
        """Nothing new comes, and everything has its time."""
        while self.flying:
            self.finish()
        while self.reports:
            self.receive()
        rule = DoubtRule.WAIT
        self._write(
            lambda connection: (
                settlement.settle_doubts(
                    connection, IDS, self.now + 10**6, lambda *_of: rule, 100_000
                ).notices
            )
        )
        waiting, _ = spooling.read_due(self.engine, KEY, 10**6, self.now + 10**9, ())
        ids = [each.message.id for each in waiting]
        self._write(lambda connection: withdraw(connection, IDS, ids, State.EXPIRED)[1])
        self.silence()
        self.intake.committer.stop()

    def _write(self, work: Callable[[Connection], Sequence[Notice]]) -> None:
        with writing(self.engine) as connection:
            self.told.extend(work(connection))


@pytest.mark.parametrize("seed", [1, 2])
def test_every_message_ends_once_and_all_sums_agree(store: Engine, seed: int) -> None:
    world = World(store, seed)
    steps = [
        world.accept,
        world.accept,
        world.begin,
        world.begin,
        world.finish,
        world.finish,
        world.receive,
        world.receive,
        world.settle,
        world.cancel,
    ]
    for number in range(1_000):
        world.chance.choice(steps)()
        if number % 60 == 59:
            world.expire()
        if number % 100 == 99:
            world.silence()
    world.end()
    assert count(store, spool) == count(store, attempt) == 0
    with store.connect() as connection:
        rows = connection.execute(select(message.c.id, message.c.state)).all()
        tallies = connection.execute(select(tally.c.state, tally.c.messages)).all()
        waiting = connection.execute(select(notification.c.id)).scalars().all()
    states = {row.id: State(row.state) for row in rows}
    assert len(states) == world.accepted > 1_000
    assert set(states.values()) <= FINAL
    assert len(set(states.values())) >= 5
    sums: Counter[str] = Counter()
    for state, messages in tallies:
        sums[state] += messages
    assert sums.pop("ACCEPTED") == world.accepted
    sums.pop("SUBMITTED")
    assert sums == Counter(state.value for state in states.values())
    # Each notice was told once and is kept until it has arrived.
    assert sorted(waiting) == sorted(notice.id for notice in world.told)
    ends = defaultdict(list)
    for notice in world.told:
        if notice.state in FINAL:
            ends[notice.message_id].append(notice.state)
    assert ends == {made: [state] for made, state in states.items()}


# Races.


def test_begin_cancel_and_expiry_race_and_one_wins(store: Engine) -> None:
    intake = Intake(store)
    intake.committer.start()
    made = intake.accept(*[pair() for _ in range(300)])
    intake.committer.stop()
    names = ["one"] * 3 if store.dialect.name == "sqlite" else ["begin", "cancel", "expire"]
    committers = {name: Committer(store, name) for name in dict.fromkeys(names)}
    for each in committers.values():
        each.start()
    start = Barrier(3)

    def begin(connection: Connection, works: Sequence[list[Waiting]]) -> list[set[int]]:
        return [
            spooling.begin(connection, [Begin(each, "main", 1_000) for each in work])
            for work in works
        ]

    def withdrawing(
        state: State,
    ) -> Callable[[Connection, Sequence[list[Waiting]]], list[set[int]]]:
        def run(connection: Connection, works: Sequence[list[Waiting]]) -> list[set[int]]:
            return [
                {
                    notice.message_id
                    for notice in withdraw(
                        connection, IDS, [each.message.id for each in work], state
                    )[1]
                }
                for work in works
            ]

        return run

    kinds: list[Kind[list[Waiting], set[int]]] = [
        Kind("begin", 1, begin),
        Kind("cancel", 1, withdrawing(State.CANCELLED)),
        Kind("expire", 1, withdrawing(State.EXPIRED)),
    ]

    def reach(number: int) -> set[int]:
        mine = random.Random(number).sample(made, len(made))
        committer = committers[names[number]]
        start.wait(30)
        won: set[int] = set()
        for place in range(0, len(mine), 10):
            work = mine[place : place + 10]
            won |= committer.submit(kinds[number], work).result(30)
        return won

    with ThreadPoolExecutor(3) as threads:
        began, cancelled, expired = threads.map(reach, range(3))
    for each in committers.values():
        each.stop()
    assert len(began) + len(cancelled) + len(expired) == len(made)
    assert began | cancelled | expired == {each.message.id for each in made}
    with store.connect() as connection:
        rows = connection.execute(select(message.c.id, message.c.state))
        states = {row.id: row.state for row in rows}
    assert {made for made, state in states.items() if state == "CANCELLED"} == cancelled
    assert {made for made, state in states.items() if state == "EXPIRED"} == expired
    assert count(store, attempt) == len(began)
    assert count(store, spool) == 0


def test_a_begin_asked_again_is_not_begun_again(store: Engine) -> None:
    intake = Intake(store)
    intake.committer.start()
    (made,) = intake.accept(pair())
    intake.committer.stop()
    first = Begin(made, "main", 1_000)
    for expected in ({made.message.id}, {made.message.id}):
        with writing(store) as connection:
            assert spooling.begin(connection, [first]) == expected
    with writing(store) as connection:
        assert spooling.begin(connection, [Begin(made, "main", 1_001)]) == set()
        assert spooling.begin(connection, [Begin(made, "b", 1_000)]) == set()
