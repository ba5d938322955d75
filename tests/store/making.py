"""Requests as intake hands them to the store, and a store as the node sets it up."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, Table, func, select

from adapter.domain.ids import IdMaker
from adapter.domain.outcomes import Outcome, PartResult, QueueKey, Reported, Verdict
from adapter.domain.states import Carrier, Door, Lane
from adapter.domain.values import Message, Notice, Result, Submission, Waiting
from adapter.store.acceptance import Acceptance, Pair
from adapter.store.capacity import Capacity
from adapter.store.committer import Committer, Kind
from adapter.store.engine import write_connection

IDS = IdMaker(node=7)


def pair(
    count: int = 1,
    *,
    client: str = "his",
    ref: str = "",
    source: str = "",
    business_key: str = "",
    lane: Lane = Lane.NORMAL,
    carrier: Carrier = Carrier.MOBILE,
    segments: int = 1,
    mobile: str = "",
    extension: str = "",
    receipt: bool = True,
    refusals: Sequence[tuple[int, Result]] = (),
    due_in_s: float = 0.0,
    expire_in_s: float = 3600.0,
) -> Pair:
    """One request with `count` messages, as intake made it a moment ago."""
    made, *own = IDS.take(1 + count)
    now = datetime.now(UTC)
    its = Submission(
        id=made,
        client=client,
        door=Door.SOAP,
        source=source,
        client_ref=ref,
        business="lab",
        lane=lane,
        content="text",
        extension=extension,
        pass_through="",
        business_key=business_key,
        receipt=receipt,
        accepted_at=now,
        due_at=now + timedelta(seconds=due_in_s),
        expire_at=now + timedelta(seconds=expire_in_s),
        refusals=refusals,
    )
    messages = [
        Message(each, made, "", mobile or f"138{each % 10**8:08}", carrier, None, segments)
        for each in own
    ]
    return its, messages


@dataclass
class Intake:
    """Acceptance over a committer of its own; remembers what it told."""

    engine: Engine
    capacity: Capacity = field(default_factory=lambda: Capacity(1_000_000))
    arrived: list[Waiting] = field(default_factory=list)
    told: list[Notice] = field(default_factory=list)
    unsure: list[QueueKey] = field(default_factory=list)
    further: Committer | None = None

    def __post_init__(self) -> None:
        self.committer = Committer(self.engine, "accept")
        self.mass = self.further or self.committer
        self.acceptance = Acceptance(
            self.committer,
            IDS,
            self.capacity,
            self.arrived.extend,
            self.told.extend,
            lambda keys, _due_at: self.unsure.extend(keys),
            self.mass,
        )

    def accept(self, *pairs: Pair, replace: bool = False) -> list[Waiting]:
        """Accept new requests; their messages in the dispatcher's hands."""
        answers = self.acceptance.offer(pairs, [replace] * len(pairs))()
        assert answers == [None] * len(pairs)
        return [Waiting(each, its) for its, own in pairs for each in own]


@contextmanager
def at_work(engine: Engine) -> Iterator[Intake]:
    """An intake whose committer works meanwhile."""
    its = Intake(engine)
    its.committer.start()
    yield its
    its.committer.stop()


@contextmanager
def held(committer: Committer) -> Iterator[None]:
    """The committer commits nothing meanwhile, so what is handed in shares one commit."""
    started, go_on = threading.Event(), threading.Event()

    def wait(_connection: Connection, works: Sequence[None]) -> list[None]:
        started.set()
        assert go_on.wait(30)
        return [None for _ in works]

    done = committer.submit(Kind("hold", 0, wait), None)
    assert started.wait(30)
    yield
    go_on.set()
    done.result(30)


def lose_next_answer(engine: Engine) -> None:
    """The next commit is done, but its answer is lost."""
    dialect: Any = engine.dialect
    commit = dialect.do_commit

    def commit_and_break(connection: Any) -> None:
        commit(connection)
        dialect.do_commit = commit
        raise dialect.loaded_dbapi.OperationalError("the line broke")

    dialect.do_commit = commit_and_break


def count(engine: Engine, table: Table) -> int:
    with engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction that writes."""
    with write_connection(engine) as connection, connection.begin():
        yield connection


def parts_of(waiting: Waiting, *, ok: bool = True, only: Sequence[int] = ()) -> list[PartResult]:
    """The carrier's answers to an attempt. Its ids are `MESSAGE-ATTEMPT-PART`."""
    numbers = only or waiting.parts or range(1, waiting.message.segments + 1)
    return [
        PartResult(number, ok, carrier_id(waiting, number) if ok else "", "0" if ok else "MK:0001")
        for number in numbers
    ]


def carrier_id(waiting: Waiting, number: int = 1) -> str:
    return f"{waiting.message.id}-{waiting.tries + 1}-{number}"


def outcome(
    waiting: Waiting,
    verdict: Verdict = Verdict.SUBMITTED,
    *,
    at: int = 2_000,
    due_at: int = 3_000,
    taken: Sequence[int] | None = None,
    channel: str = "main",
) -> Outcome:
    """How an attempt ended; with RETRY and DOUBT the parts `taken` were answered."""
    numbers = waiting.parts or tuple(range(1, waiting.message.segments + 1))
    match verdict:
        case Verdict.SUBMITTED:
            parts = parts_of(waiting)
        case Verdict.REJECTED:
            parts = parts_of(waiting, ok=False)
        case _:
            parts = parts_of(waiting, only=taken) if taken else []
    remaining = [number for number in numbers if number not in {part.number for part in parts}]
    code = "MK:0001" if verdict is Verdict.REJECTED else ""
    return Outcome(waiting, channel, verdict, parts, at, code, due_at, tuple(remaining))


def reported(
    waiting: Waiting,
    number: int = 1,
    *,
    delivered: bool = True,
    at: int = 4_000,
    named: str = "",
    submitted: str = "",
    channel: str = "main",
) -> Reported:
    return Reported(
        channel,
        named or carrier_id(waiting, number),
        "DELIVRD" if delivered else "UNDELIV",
        delivered,
        waiting.message.mobile,
        submitted,
        "",
        at,
    )
