"""What a run came to: lost, twice, how long from acceptance to the wire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from adapter.bench.rig import STORE_KEY
from adapter.bench.sightings import Sightings
from adapter.domain.states import Lane
from adapter.store.engine import open_engine
from adapter.store.schema import message, submission
from adapter.store.sealing import MESSAGE_MOBILE
from adapter.store.store_keys import open_seal


@dataclass(frozen=True, slots=True)
class Figures:
    """Counts of messages; waits in milliseconds; `accept_seconds` from the first acceptance to
    the last. `latency_ms`: from acceptance to the wire, `visible_ms`: from when a row was to be
    seen."""

    lost: int
    duplicates: int
    latency_ms: dict[str, float]
    accept_seconds: float
    visible_ms: dict[str, float]


def figures(
    log: Path, store: str, messages: int, since: int, visible: Mapping[str, float]
) -> Figures:
    """Compare what the carrier saw with what the store accepted from the id `since` on. Every
    message has a number of its own; `visible`: when the row of a number was to be seen."""
    sightings = Sightings(log)
    sightings.look()
    seen, first = sightings.submits, sightings.first_ms
    accepted = _accepted(store, since)
    moments = accepted.values()
    return Figures(
        lost=messages - len(seen),
        duplicates=seen.total() - len(seen),
        latency_ms=shares(_waits(first, accepted)),
        accept_seconds=(max(moments) - min(moments)) / 1000 if accepted else 0.0,
        visible_ms=shares(_waits(first, visible)),
    )


def waits(sightings: Sightings, store: str, lane: Lane) -> list[float]:
    """Milliseconds from acceptance to the wire of a lane's messages, the shortest first."""
    return _waits(sightings.first_ms, _accepted(store, 0, lane))


def shares(waits: Sequence[float]) -> dict[str, float]:
    """What half of them, 99 of a hundred, and all of them came to."""
    return {"p50": _share(waits, 0.5), "p99": _share(waits, 0.99), "max": _share(waits, 1.0)}


def _waits(first: Mapping[str, float], accepted: Mapping[str, float]) -> list[float]:
    return sorted(first[number] - at for number, at in accepted.items() if number in first)


def _accepted(store: str, since: int, *lanes: Lane) -> dict[str, float]:
    """When each number's message was accepted, of all lanes where none is named."""
    engine = open_engine(store)
    seal = open_seal(engine, [STORE_KEY])
    with engine.connect() as connection:
        rows = connection.execute(
            select(message.c.id, message.c.mobile, submission.c.accepted_at)
            .join(submission, submission.c.id == message.c.submission_id)
            .where(message.c.id >= since, submission.c.lane.in_(lanes or tuple(Lane)))
        )
        found = {seal.opened(MESSAGE_MOBILE, made, mobile): at for made, mobile, at in rows}
    engine.dispose()
    return found


def _share(waits: Sequence[float], share: float) -> float:
    return round(waits[min(len(waits) - 1, int(len(waits) * share))], 1) if waits else 0.0
