"""What waiting messages cost: a node whose carrier is away, and its memory before and after."""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from adapter.bench.callers import Callers
from adapter.bench.databases import Databases
from adapter.bench.forms import FORMS
from adapter.bench.load import EvenPace
from adapter.bench.rig import Line, free_port, start_node, wait_until
from adapter.children import Children

WARM_UP = 2_000
"""Messages before the first look: buffers and caches have then grown to their usual size."""


def measure_waiting(store: str, messages: int, batch: int = 100) -> dict[str, Any]:
    """Accept `messages` that nobody takes; memory in MB, seconds to serve again after a
    restart. Raises RuntimeError when the node fails."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sms-bench-")))
        url = Databases(folder, stack).url(store, "store")
        children = stack.enter_context(Children(folder))
        carrier = free_port()
        rig = start_node(folder, children, url, None, Line(), carrier)
        wait_until(rig, "/healthz")
        load = Callers(FORMS["soap"], rig.web, 2, batch)
        stack.callback(load.close)
        load.feed(WARM_UP, EvenPace(0))
        before = rig.memory()
        load.feed(messages, EvenPace(0), after=WARM_UP)
        if load.failed:
            raise RuntimeError(f"{len(load.failed)} requests failed; the first: {load.failed[0]}")
        added = rig.memory() - before
        children.stop()
        started = time.monotonic()
        rig = start_node(folder, children, url, None, Line(), carrier)
        wait_until(rig, "/healthz")
        return {
            "store": store,
            "waiting": messages,
            "added_mb": round(added / 1e6, 1),
            "rss_mb": round((before + added) / 1e6, 1),
            "restart_seconds": round(time.monotonic() - started, 2),
            "rss_after_restart_mb": round(rig.memory() / 1e6, 1),
        }
