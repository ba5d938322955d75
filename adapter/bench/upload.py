"""What one submission of very many recipients costs, and what an urgent message has from it.

The upload is driven inside the node's process, as the console does it; the node is a process of
its own. Without urgent messages its carrier is away: what is measured is acceptance, memory and
the next start. With them it sends all the while.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil

from adapter.bench.callers import Callers
from adapter.bench.databases import Databases
from adapter.bench.figures import shares, waits
from adapter.bench.forms import Json
from adapter.bench.load import CONTENT, EvenPace, mobile
from adapter.bench.rig import Line, carrier_of, configure, free_port, serves, start_node, wait_until
from adapter.bench.sightings import Sightings
from adapter.children import Children
from adapter.config.load import load
from adapter.domain.states import Door, Lane
from adapter.domain.values import Entry, Request
from adapter.intake.uploads import PORTION
from adapter.node import Node
from adapter.node import run as run_node

LOOK_S = 0.1
STUCK_S = 120.0


def measure_upload(store: str, messages: int, urgent: float, line: Line) -> dict[str, Any]:
    """Seconds to accept `messages` recipients; the node's memory in MB; with `urgent` messages
    a second beside them, their milliseconds from acceptance to the wire, else the seconds until
    a restarted node serves. Raises RuntimeError when the node fails."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sms-bench-")))
        url = Databases(folder, stack).url(store, "store")
        children = stack.enter_context(Children(folder))
        carrier = carrier_of(folder, children, line, ()) if urgent else free_port()
        ports, config = configure(folder, url, None, line, carrier)
        node = stack.enter_context(_Uploader(config, messages))
        node.wait_until_open(ports.web)
        before = node.memory()
        sightings = Sightings(folder / "carrier.jsonl")
        with _Urgent(ports.web, urgent, messages) as hurry:
            seconds = node.upload()
            peak_of_upload = node.peak_rss
            sent_s = node.wait_until_sent(sightings, messages) if urgent else 0.0
        peak_rss, cpu_seconds = node.peak_rss, node.stop()
        found: dict[str, Any] = {
            "store": store,
            "messages": messages,
            "seconds": round(seconds, 2),
            "accept_rate": round(messages / seconds, 1),
            "rss_before_mb": round(before / 1e6, 1),
            "upload_peak_rss_mb": round(peak_of_upload / 1e6, 1),
            "peak_rss_mb": round(peak_rss / 1e6, 1),
            "cpu_seconds": round(cpu_seconds, 2),
        }
        if urgent:
            sightings.look()
            urgent_waits = waits(sightings, url, Lane.URGENT)
            return found | {
                "sent_seconds": round(seconds + sent_s, 2),
                "wire_rate": round(messages / (seconds + sent_s), 1),
                "urgent": hurry.sent,
                "urgent_ms": shares(urgent_waits),
            }
        started = time.monotonic()
        rig = start_node(folder, children, url, None, line, carrier)
        wait_until(rig, "/healthz")
        return found | {
            "restart_seconds": round(time.monotonic() - started, 2),
            "rss_after_restart_mb": round(rig.memory() / 1e6, 1),
        }


class _Uploader:
    """A context: a node in a process of its own that uploads when it is told to."""

    def __init__(self, config: Path, messages: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._ours, its = context.Pipe()
        self._process = context.Process(target=_live, args=(str(config), messages, its))
        self.peak_rss = 0

    def __enter__(self) -> _Uploader:
        self._process.start()
        self._node = psutil.Process(self._process.pid)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.is_alive():
            self._process.kill()
        self._process.join()

    def wait_until_open(self, web: int) -> None:
        while not serves(web, "/healthz"):
            self._look()

    def memory(self) -> int:
        """Bytes of memory that the node has resident now."""
        rss: int = self._node.memory_info().rss
        self.peak_rss = max(self.peak_rss, rss)
        return rss

    def upload(self) -> float:
        """Let it upload; the seconds until the last recipient was durable."""
        self._ours.send(None)
        while not self._ours.poll(LOOK_S):
            self._look()
        seconds: float = self._ours.recv()
        return seconds

    def wait_until_sent(self, sightings: Sightings, messages: int) -> float:
        """The seconds until the carrier has seen so many."""
        started = moved = time.monotonic()
        seen = -1
        while len(sightings.submits) < messages:
            self._look()
            time.sleep(LOOK_S)
            sightings.look()
            if len(sightings.submits) > seen:
                seen, moved = len(sightings.submits), time.monotonic()
            if time.monotonic() - moved > STUCK_S:
                raise RuntimeError(f"the node stopped sending after {seen} messages")
        return time.monotonic() - started

    def stop(self) -> float:
        """End it in order; the CPU seconds that it used."""
        times = self._node.cpu_times()
        os.kill(self._node.pid, signal.SIGTERM)
        self._process.join()
        used: float = times.user + times.system
        return used

    def _look(self) -> None:
        if not self._process.is_alive():
            raise RuntimeError("the node ended by itself")
        self.memory()


class _Urgent:
    """A context: so many urgent messages a second through the HTTP door, one a request."""

    def __init__(self, web: int, rate: float, after: int) -> None:
        self._callers = Callers(Json(lane=Lane.URGENT.value), web, 2, 1)
        self._rate = rate
        self._after = after
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._send, daemon=True)
        self.sent = 0

    def __enter__(self) -> _Urgent:
        if self._rate:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._rate:
            self._thread.join()
        self._callers.close()

    def _send(self) -> None:
        second = max(1, round(self._rate))
        while not self._ended.is_set():
            self._callers.feed(second, EvenPace(self._rate), self._after + self.sent)
            self.sent += second


def _live(config: str, messages: int, parent: Connection) -> None:
    """The node's process."""
    run_node(load(config), lambda node: _begin(node, messages, parent))


def _begin(node: Node, messages: int, parent: Connection) -> None:
    threading.Thread(target=_upload, args=(node, messages, parent), daemon=True).start()


def _upload(node: Node, messages: int, parent: Connection) -> None:
    parent.recv()
    started = time.monotonic()
    upload = node.uploads.open(
        node.config.clients[0],
        Request(
            (),
            content=CONTENT,
            client_ref="bench-upload",
            business="bench",
            lane=Lane.BULK,
            receipt=False,
            door=Door.CONSOLE,
        ),
    )
    for first in range(0, messages, PORTION):
        upload.add(_entries(first, min(messages, first + PORTION)))
    parent.send(time.monotonic() - started)


def _entries(first: int, end: int) -> Sequence[Entry]:
    return [Entry(mobile(number)) for number in range(first, end)]
