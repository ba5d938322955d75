"""What the carrier library does on this machine, in CMPP; a line of JSON each.

    python scripts/bench-connectors.py codec    decode and encode of a submit
    python scripts/bench-connectors.py link     messages over one link on loopback, window 32
    python scripts/bench-connectors.py idle     the CPU of 200 links without traffic

Rates are by the clock; `us_cpu` is the time of our process alone, which says more on a machine
that does other things too. The links and the simulated carrier each have a process (and, where
there are two, a core).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Any

from connectors.behaviour import SimulatorOptions
from connectors.cmpp.pdus import CODECS, Submit
from connectors.link import Link
from connectors.loop import fastest_loop
from connectors.settings import LinkSettings
from connectors.simulator import Simulator, main
from connectors.values import Ack, Answer, Coding, Inbound, Report
from connectors.values import Submit as Segment

HOST, ACCOUNT, PASSWORD = "127.0.0.1", "901234", "bench"
TEXT = "【某某医院】张女士，您预约的心内科门诊已确认，请于3月9日8:30前到三楼取号。".encode(
    "utf-16-be"
)


def codec_rate(version: str, rounds: int) -> dict[str, float]:
    """Decode and encode of a submit with one recipient."""
    codec = CODECS[version].submit
    frame = codec.encode(Submit(1, dest_terminal_id=(b"13800138000",), msg_content=TEXT))
    begin, cpu = time.perf_counter(), time.process_time()
    for _ in range(rounds):
        codec.encode(codec.decode(frame))
    seconds, cpu = time.perf_counter() - begin, time.process_time() - cpu
    return {"pairs_per_s": rounds / seconds, "us_cpu": 1e6 * cpu / rounds}


class Feeder:
    """Keeps the window full until every message has its answer and, with `reported`, its
    report."""

    def __init__(self, messages: int, *, reported: bool = True) -> None:
        self.messages = messages
        self.reported = reported
        self.sent = self.answers = self.reports = 0
        self.done = asyncio.Event()
        self.ready = asyncio.Event()

    def up(self, link: Link) -> None:
        self.ready.set()

    def down(self, link: Link, reason: str) -> None:
        if not self.done.is_set():
            raise SystemExit(f"the link fell: {reason}")

    def fill(self, link: Link) -> None:
        count = min(link.free, self.messages - self.sent)
        first, self.sent = self.sent, self.sent + count
        link.submit_many([self.segment(token) for token in range(first, first + count)])

    def answered(self, link: Link, answers: Sequence[tuple[Any, Answer]]) -> None:
        self.answers += len(answers)
        self.fill(link)
        self._look()

    def lost(self, link: Link, tokens: Sequence[Any]) -> None:
        raise SystemExit(f"{len(tokens)} lost")

    def unsent(self, link: Link, tokens: Sequence[Any]) -> None:
        raise SystemExit(f"{len(tokens)} unsent")

    def delivered(self, link: Link, deliveries: Sequence[tuple[Report | Inbound, Ack]]) -> None:
        for _, ack in deliveries:
            ack()
        self.reports += len(deliveries)
        self._look()

    def segment(self, token: int) -> Segment:
        to = "13800138000"
        return Segment("106900123401", to, TEXT, Coding.UCS2, False, 1, 1, self.reported, token)

    def _look(self) -> None:
        expected = self.messages if self.reported else 0
        if self.answers == self.messages and self.reports == expected:
            self.done.set()


def carrier(options: SimulatorOptions, channel: Connection) -> None:
    """The carrier's process."""

    def started(simulator: Simulator) -> None:
        channel.send(simulator.port)

    main(options, started)


async def link_rate(settings: LinkSettings, messages: int, *, reported: bool) -> dict[str, float]:
    """Messages over one link: submitted, answered and, with `reported`, reported."""
    feeder = Feeder(messages, reported=reported)
    link = Link(settings, feeder)
    link.start()
    await feeder.ready.wait()
    begin, cpu = time.perf_counter(), time.process_time()
    feeder.fill(link)
    await feeder.done.wait()
    seconds, cpu = time.perf_counter() - begin, time.process_time() - cpu
    await link.stop()
    return {"messages_per_s": messages / seconds, "us_cpu": 1e6 * cpu / messages}


class Crowd(Feeder):
    """Counts the links that are up."""

    def __init__(self, links: int) -> None:
        super().__init__(0)
        self.links = links

    def up(self, link: Link) -> None:
        self.sent += 1
        if self.sent == self.links:
            self.ready.set()

    def down(self, link: Link, reason: str) -> None:
        if reason != "stopped":
            super().down(link, reason)


async def idle_share(settings: LinkSettings, links: int, seconds: float) -> dict[str, float]:
    """Per cent of a core that so many links need while nothing is sent."""
    crowd = Crowd(links)
    made = [Link(settings, crowd) for _ in range(links)]
    for link in made:
        link.start()
    await crowd.ready.wait()
    begin, cpu = time.perf_counter(), time.process_time()
    await asyncio.sleep(seconds)
    share = (time.process_time() - cpu) / (time.perf_counter() - begin)
    await asyncio.gather(*(link.stop() for link in made))
    return {"cpu_percent": 100 * share}


@contextmanager
def simulated() -> Iterator[int]:
    """The port of a simulated carrier that keeps nothing."""
    ours, theirs = multiprocessing.Pipe()
    options = SimulatorOptions(account=ACCOUNT, password=PASSWORD)
    process = multiprocessing.Process(target=carrier, args=(options, theirs), daemon=True)
    process.start()
    yield ours.recv()
    process.terminate()
    process.join()


def over_links(
    chosen: argparse.Namespace,
    measure: Callable[[LinkSettings], Coroutine[Any, Any, dict[str, float]]],
    window: int = 32,
) -> dict[str, float]:
    with simulated() as port, asyncio.Runner(loop_factory=fastest_loop()) as runner:
        settings = LinkSettings("cmpp", chosen.version, HOST, port, ACCOUNT, PASSWORD)
        return runner.run(measure(replace(settings, window=window)))


def run_codec(chosen: argparse.Namespace) -> dict[str, float]:
    return codec_rate(chosen.version, chosen.rounds)


def run_link(chosen: argparse.Namespace) -> dict[str, float]:
    def measure(settings: LinkSettings) -> Coroutine[Any, Any, dict[str, float]]:
        return link_rate(settings, chosen.messages, reported=chosen.reports)

    return over_links(chosen, measure, chosen.window)


def run_idle(chosen: argparse.Namespace) -> dict[str, float]:
    return over_links(chosen, lambda its: idle_share(its, chosen.links, chosen.seconds))


def run() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--version", default="3.0", choices=("2.0", "3.0"))
    kinds = parser.add_subparsers(required=True)
    codec = kinds.add_parser("codec", help="decode and encode of a submit")
    codec.add_argument("--rounds", type=int, default=200_000)
    codec.set_defaults(run=run_codec)
    link = kinds.add_parser("link", help="messages over one link on loopback")
    link.add_argument("--messages", type=int, default=100_000)
    link.add_argument("--window", type=int, default=32)
    link.add_argument("--no-reports", dest="reports", action="store_false", help="answers only")
    link.set_defaults(run=run_link)
    idle = kinds.add_parser("idle", help="the CPU of links without traffic")
    idle.add_argument("--links", type=int, default=200)
    idle.add_argument("--seconds", type=float, default=20.0)
    idle.set_defaults(run=run_idle)
    chosen = parser.parse_args()
    figures = chosen.run(chosen)
    print(json.dumps({name: round(value, 2) for name, value in figures.items()}))


if __name__ == "__main__":
    run()
