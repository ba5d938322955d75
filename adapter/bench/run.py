"""`sms-adapter bench`: the whole way, timed from outside.

A node, its simulated carrier and, where asked for, a PostgreSQL server run as processes of
their own beside this one, which plays the hospital. Nothing is switched off: the store
commits to disk, receipts are written back or fetched.
"""

from __future__ import annotations

import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from adapter.bench.callers import Callers
from adapter.bench.crowd import Crowd
from adapter.bench.databases import Databases
from adapter.bench.doors import crowd_at
from adapter.bench.figures import figures
from adapter.bench.forms import FORMS
from adapter.bench.load import EvenPace
from adapter.bench.rig import ACCOUNT, Line, Rig, start
from adapter.bench.table import Table
from adapter.children import Children
from adapter.domain.ids import id_at

POLL_S = (0.1, 2.0)
"""Counting what is finished costs the database a walk: seldom at first, often near the end."""
STUCK_S = 60.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """A run. `rate` 0 is as fast as can be; `batch` messages a request (web doors)."""

    door: str
    store: str
    his: str
    messages: int
    rate: float = 0.0
    batch: int = 100
    callers: int = 4
    line: Line = field(default_factory=Line)


def bench(wanted: Wanted) -> dict[str, Any]:
    """Run it; the figures as in contract.md. Raises RuntimeError when the node fails."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sms-bench-")))
        databases = Databases(folder, stack)
        store = databases.url(wanted.store, "store")
        his = databases.url(wanted.his, "his") if wanted.door == "dbpoll" else None
        load: Table | Callers | Crowd
        if his is not None:
            load = Table(his)
            stack.callback(load.close)
        children = stack.enter_context(Children(folder))
        rig = start(folder, children, store, his, wanted.line)
        if his is None:
            load = _clients(wanted, rig)
            stack.callback(load.close)
        cpu = rig.cpu_seconds()
        since = id_at(datetime.now(UTC))
        started = time.monotonic()
        feeder = threading.Thread(target=_feed, args=(load, wanted))
        feeder.start()
        finished = _wait(load, rig.watch, wanted.messages)
        seconds = time.monotonic() - started
        feeder.join()
        if not isinstance(load, Table) and load.failed:
            raise RuntimeError(f"{len(load.failed)} requests failed; the first: {load.failed[0]}")
        cpu_seconds = rig.cpu_seconds() - cpu
        children.stop()
        visible = load.visible if isinstance(load, Table) else {}
        found = figures(rig.log, store, wanted.messages, since, visible)
        return {
            "door": wanted.door,
            "store": wanted.store,
            "messages": wanted.messages,
            "seconds": round(seconds, 2),
            "rate": round(finished / seconds, 1),
            "accept_rate": round(wanted.messages / max(found.accept_seconds, 0.001), 1),
            "latency_ms": found.latency_ms,
            **({"visible_ms": found.visible_ms} if visible else {}),
            "lost": found.lost,
            "duplicates": found.duplicates,
            "peak_rss_mb": round(rig.peak_rss / 1e6, 1),
            "cpu_seconds": round(cpu_seconds, 2),
            "cpu_share": round(cpu_seconds / seconds, 2),
        }


def _clients(wanted: Wanted, rig: Rig) -> Callers | Crowd:
    """Those at the web doors fetch their receipts, to the others they are pushed."""
    if wanted.door in FORMS:
        return Callers(FORMS[wanted.door], rig.web, wanted.callers, wanted.batch)
    batch = 1 if wanted.door == "cmpp" else wanted.batch
    return crowd_at(rig, wanted.door, ACCOUNT, wanted.callers, batch=batch, receipts=True)


def _feed(load: Table | Callers | Crowd, wanted: Wanted) -> None:
    if isinstance(load, Crowd):
        load.feed(wanted.messages, wanted.rate)
    else:
        load.feed(wanted.messages, EvenPace(wanted.rate))


def _wait(load: Table | Callers | Crowd, watch: Any, messages: int) -> int:
    """Until all are finished, or nothing moved for `STUCK_S`; how many are."""
    started = moved = time.monotonic()
    finished = 0
    while finished < messages and time.monotonic() - moved < STUCK_S:
        left_s = (time.monotonic() - started) * (messages - finished) / max(finished, 1)
        time.sleep(min(max(POLL_S[0], left_s / 3), POLL_S[1]))
        watch()
        now = load.finished()
        if now > finished:
            finished, moved = now, time.monotonic()
    return finished
