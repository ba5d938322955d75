"""One door under load: how many requests it takes when nothing else is to be done (`accept`), and
what one client feels while another sends as fast as it can (`flood`), what clients cost that
stay and say nothing (`idle`)."""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil

from adapter.bench.crowd import Crowd
from adapter.bench.databases import Databases
from adapter.bench.figures import shares
from adapter.bench.rig import (
    ACCOUNT,
    FLOOD,
    Line,
    Rig,
    carrier_of,
    free_port,
    start_node,
    wait_until,
)
from adapter.bench.speech import WINDOWS, speech_of
from adapter.children import Children

WARM_UP = 1_000
"""Messages before the first look: passwords are known and plans made then."""
_USUAL_CALLERS = 2
_IDLE_S = 5.0
_FIRST_OF_FLOOD = 50_000_000


def crowd_at(rig: Rig, door: str, account: str, callers: int, **more: Any) -> Crowd:
    """So many connections of a client at this door of a node."""
    port = {"socket": rig.socket, "cmpp": rig.cmpp}.get(door, rig.web)
    window = more.pop("window", WINDOWS[door])
    receipts = more.pop("receipts", False)
    return Crowd(speech_of(door, account, receipts), port, callers, window, **more)


def measure_accept(
    door: str, store: str, messages: int, callers: int, batch: int, rate: float
) -> dict[str, Any]:
    """Accept `messages` that nobody takes; requests a second, CPU of node and load. Raises
    RuntimeError when the node fails."""
    with ExitStack() as stack:
        rig = _stand(stack, store, None)
        load = crowd_at(rig, door, ACCOUNT, callers, batch=1 if door == "cmpp" else batch)
        stack.callback(load.close)
        load.feed(WARM_UP)
        load.waits.clear()
        cpu, own, started = rig.cpu_seconds(), _own_cpu(), time.monotonic()
        load.feed(messages, rate, after=WARM_UP)
        seconds = time.monotonic() - started
        cpu, own = rig.cpu_seconds() - cpu, _own_cpu() - own
        rig.watch()
        _refuse(load)
        requests = len(load.waits)
        return {
            "door": door,
            "store": store,
            "messages": messages,
            "requests": requests,
            "seconds": round(seconds, 2),
            "request_rate": round(requests / seconds, 1),
            "accept_rate": round(messages / seconds, 1),
            "answer_ms": shares(_milliseconds(load.waits)),
            "cpu_us_each": round(cpu / requests * 1e6),
            "load_cpu_us_each": round(own / requests * 1e6),
            "cpu_share": round(cpu / seconds, 2),
            "rss_mb": round(rig.peak_rss / 1e6, 1),
        }


def measure_flood(
    door: str,
    store: str,
    messages: int,
    callers: int,
    batch: int,
    rate: float,
    line: Line | None,
) -> dict[str, Any]:
    """The answers to `rate` messages a second of one client, `messages` in all, first alone and
    then beside another client's flood. Raises RuntimeError when the node fails."""
    with ExitStack() as stack:
        rig = _stand(stack, store, line)
        usual = crowd_at(rig, door, ACCOUNT, _USUAL_CALLERS)
        stack.callback(usual.close)
        usual.feed(WARM_UP, 500.0)
        usual.waits.clear()
        usual.feed(messages, rate, after=WARM_UP)
        alone = _milliseconds(usual.waits)
        with _flooding(rig, door, callers, 1 if door == "cmpp" else batch) as flooded:
            usual.waits.clear()
            usual.feed(messages, rate, after=WARM_UP + messages)
            beside = _milliseconds(usual.waits)
            flood_rate = flooded()
        _refuse(usual)
        before, after = shares(alone), shares(beside)
        return {
            "door": door,
            "store": store,
            "rate": rate,
            "alone_ms": before,
            "beside_ms": after,
            "p99_ratio": round(after["p99"] / max(before["p99"], 0.1), 2),
            "flood_rate": round(flood_rate, 1),
        }


def measure_idle(store: str, visitors: int) -> dict[str, Any]:
    """What `visitors` connections at the socket door and two fifths of them at the CMPP door cost
    that stay and say nothing, and how soon one of them is answered then. Raises RuntimeError when
    one is not let in."""
    with ExitStack() as stack:
        rig = _stand(stack, store, None)
        before, started = rig.memory(), time.monotonic()
        doors = {"socket": visitors, "cmpp": visitors * 2 // 5}
        crowds = {
            door: crowd_at(rig, door, ACCOUNT, count, window=1, receipts=True)
            for door, count in doors.items()
        }
        for crowd in crowds.values():
            stack.callback(crowd.close)
        entered = time.monotonic() - started
        cpu, started = rig.cpu_seconds(), time.monotonic()
        time.sleep(_IDLE_S)
        share = (rig.cpu_seconds() - cpu) / (time.monotonic() - started)
        found: dict[str, Any] = {
            "visitors": doors,
            "entered_s": round(entered, 2),
            "added_mb": round((rig.memory() - before) / 1e6, 1),
            "idle_cpu_share": round(share, 3),
        }
        for door, crowd in crowds.items():
            crowd.feed(4 * doors[door], 200.0)
            _refuse(crowd)
            found[f"{door}_answer_ms"] = shares(_milliseconds(crowd.waits))
        return found


def _stand(stack: ExitStack, store: str, line: Line | None) -> Rig:
    """A node that serves; its carrier is away where there is no `line`."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sms-bench-")))
    url = Databases(folder, stack).url(store, "store")
    children = stack.enter_context(Children(folder))
    carrier = free_port() if line is None else carrier_of(folder, children, line, ())
    rig = start_node(folder, children, url, None, line or Line(), carrier)
    wait_until(rig, "/healthz" if line is None else "/readyz")
    return rig


@contextmanager
def _flooding(rig: Rig, door: str, callers: int, batch: int) -> Iterator[Callable[[], float]]:
    """A flood from a process of its own, so that it does not slow down whoever measures; the
    function ends it, and gives the messages a second that were accepted."""
    context = multiprocessing.get_context("spawn")
    ours, its = context.Pipe()
    ports = (rig.web, rig.socket, rig.cmpp)
    process = context.Process(target=_flood, args=(its, ports, door, callers, batch))
    process.start()
    try:
        ours.recv()

        def end() -> float:
            ours.send(None)
            rate: float = ours.recv()
            return rate

        yield end
    finally:
        process.join(5.0)
        process.kill()


def _flood(pipe: Connection, ports: Sequence[int], door: str, callers: int, batch: int) -> None:
    """Until a word comes; tells when it is at work, and with the word how fast it was."""
    if sys.platform != "win32":
        # It stands for a client on another machine: nobody who is measured waits for its turn.
        os.nice(19)
    port = {"socket": ports[1], "cmpp": ports[2]}.get(door, ports[0])
    load = Crowd(speech_of(door, FLOOD, False), port, callers, WINDOWS[door], batch)
    first, portion = _FIRST_OF_FLOOD, 500 * batch
    load.feed(portion, after=first)
    started, before = time.monotonic(), load.accepted
    ended = threading.Event()

    def end() -> None:
        # At once: what is left of a portion is done when nobody is beside it any more.
        pipe.recv()
        pipe.send((load.accepted - before) / (time.monotonic() - started))
        ended.set()

    pipe.send(None)
    threading.Thread(target=end).start()
    while not ended.is_set():
        first += portion
        load.feed(portion, after=first)
    load.close()


def _own_cpu() -> float:
    times = psutil.Process().cpu_times()
    return float(times.user + times.system)


def _milliseconds(waits: Sequence[float]) -> list[float]:
    return sorted(each * 1000 for each in waits)


def _refuse(load: Crowd) -> None:
    if load.failed:
        raise RuntimeError(f"{len(load.failed)} requests failed; the first: {load.failed[0]}")
