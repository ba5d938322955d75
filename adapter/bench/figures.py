"""What a run came to: lost, twice, how long from acceptance to the wire."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select

from adapter.store.engine import open_engine
from adapter.store.schema import message, submission


@dataclass(frozen=True, slots=True)
class Figures:
    """Counts of messages; waits in milliseconds; `accept_seconds` from the first acceptance to
    the last."""

    lost: int
    duplicates: int
    latency_ms: dict[str, float]
    accept_seconds: float


def figures(log: Path, store: str, messages: int) -> Figures:
    """Compare what the carrier saw with what the store accepted. Every message has a number
    of its own."""
    seen: Counter[str] = Counter()
    first: dict[str, float] = {}
    with log.open(encoding="utf-8") as lines:
        for line in lines:
            event: dict[str, Any] = json.loads(line)
            if event["event"] == "submit" and event["result"] == 0 and event["number"] == 1:
                number = event["destination"]
                seen[number] += 1
                first.setdefault(number, datetime.fromisoformat(event["time"]).timestamp() * 1000)
    accepted = _accepted(store)
    waits = sorted(first[number] - at for number, at in accepted.items() if number in first)
    moments = accepted.values()
    return Figures(
        lost=messages - len(seen),
        duplicates=seen.total() - len(seen),
        latency_ms={
            "p50": _share(waits, 0.5),
            "p99": _share(waits, 0.99),
            "max": _share(waits, 1.0),
        },
        accept_seconds=(max(moments) - min(moments)) / 1000 if accepted else 0.0,
    )


def _accepted(store: str) -> dict[str, int]:
    engine = open_engine(store)
    with engine.connect() as connection:
        rows = connection.execute(
            select(message.c.mobile, submission.c.accepted_at).join(
                submission, submission.c.id == message.c.submission_id
            )
        )
        found = dict(rows.tuples().all())
    engine.dispose()
    return found


def _share(waits: Sequence[float], share: float) -> float:
    return round(waits[min(len(waits) - 1, int(len(waits) * share))], 1) if waits else 0.0
