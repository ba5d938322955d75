"""What the carrier library does on this machine: the codec alone, and one link over loopback.

    python scripts/bench-connectors.py [--messages N] [--window W] [--version 2.0|3.0] [--log FILE]
    python scripts/bench-connectors.py --idle 200 [--seconds 20]    the CPU of links without traffic

The link and the simulated carrier each have a process (and, where there are two, a core).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from connectors.behaviour import SimulatorOptions
from connectors.cmpp.pdus import CODECS, Submit
from connectors.link import Link
from connectors.loop import fastest_loop
from connectors.settings import LinkSettings
from connectors.simulator import Simulator, main
from connectors.values import Answer, Coding, Inbound, Report
from connectors.values import Submit as Segment

TEXT = "【某某医院】张女士，您预约的心内科门诊已确认，请于3月9日8:30前到三楼取号。".encode(
    "utf-16-be"
)


def codec_rate(version: str, rounds: int = 100_000) -> float:
    """Decode and encode of a submit with one recipient, a second."""
    codec = CODECS[version].submit
    frame = codec.encode(Submit(1, dest_terminal_id=(b"13800138000",), msg_content=TEXT))
    begin = time.perf_counter()
    for _ in range(rounds):
        codec.encode(codec.decode(frame))
    return rounds / (time.perf_counter() - begin)


class Feeder:
    """Keeps the window full until every message has its answer and its report."""

    def __init__(self, messages: int) -> None:
        self.messages = messages
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
        link.submit_many([segment(token) for token in range(first, first + count)])

    def answered(self, link: Link, token: Any, answer: Answer) -> None:
        self.answers += 1
        self.fill(link)

    def lost(self, link: Link, tokens: Sequence[Any]) -> None:
        raise SystemExit(f"{len(tokens)} lost")

    def unsent(self, link: Link, tokens: Sequence[Any]) -> None:
        raise SystemExit(f"{len(tokens)} unsent")

    def delivered(self, link: Link, item: Report | Inbound, ack: Callable[[], None]) -> None:
        ack()
        self.reports += 1
        if self.reports == self.messages:
            self.done.set()


def segment(token: int) -> Segment:
    return Segment("106900123401", "13800138000", TEXT, Coding.UCS2, False, 1, 1, True, token)


def carrier(options: SimulatorOptions, channel: Connection) -> None:
    """The carrier's process."""

    def started(simulator: Simulator) -> None:
        channel.send(simulator.port)

    main(options, started)


async def link_rate(settings: LinkSettings, messages: int) -> dict[str, float]:
    """Messages a second, submitted, answered and reported."""
    feeder = Feeder(messages)
    link = Link(settings, feeder)
    link.start()
    await feeder.ready.wait()
    begin, cpu = time.perf_counter(), time.process_time()
    feeder.fill(link)
    await feeder.done.wait()
    seconds, cpu = time.perf_counter() - begin, time.process_time() - cpu
    await link.stop()
    return {"rate": messages / seconds, "us_cpu_of_link": 1e6 * cpu / messages}


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
    return {"idle_cpu_percent": 100 * share}


def run() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--messages", type=int, default=50_000)
    parser.add_argument("--window", type=int, default=32)
    parser.add_argument("--version", default="3.0", choices=("2.0", "3.0"))
    parser.add_argument("--log", type=Path)
    parser.add_argument("--idle", type=int, help="so many links, without traffic")
    parser.add_argument("--seconds", type=float, default=20.0)
    chosen = parser.parse_args()
    ours, theirs = multiprocessing.Pipe()
    options = SimulatorOptions(account="901234", password="bench", log=chosen.log)  # noqa: S106
    process = multiprocessing.Process(target=carrier, args=(options, theirs), daemon=True)
    process.start()
    settings = LinkSettings(
        "cmpp", chosen.version, "127.0.0.1", ours.recv(), "901234", "bench", window=chosen.window
    )
    with asyncio.Runner(loop_factory=fastest_loop()) as runner:
        if chosen.idle:
            figures = runner.run(idle_share(settings, chosen.idle, chosen.seconds))
        else:
            figures = runner.run(link_rate(settings, chosen.messages))
            figures["codec_rate"] = codec_rate(chosen.version)
    process.terminate()
    process.join()
    print(json.dumps({name: round(value, 1) for name, value in figures.items()}))


if __name__ == "__main__":
    run()
