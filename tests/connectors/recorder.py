"""A handler that notes what a link tells it and lets a test wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from connectors.behaviour import SimulatorOptions
from connectors.link import Link
from connectors.settings import LinkSettings
from connectors.simulator import Simulator
from connectors.values import Ack, Answer, Coding, Inbound, Report, Submit

PATIENCE_S = 15.0
ACCOUNT, PASSWORD = "901234", "secret"


class Recorder:
    """Keeps everything; `acknowledge` decides whether deliveries are acknowledged at once."""

    def __init__(self, *, acknowledge: bool = True) -> None:
        self.acknowledge = acknowledge
        self.ups = 0
        self.downs: list[str] = []
        self.answers: list[tuple[Any, Answer]] = []
        self.lost_tokens: list[Any] = []
        self.unsent_tokens: list[Any] = []
        self.reports: list[Report] = []
        self.inbound: list[Inbound] = []
        self.acks: list[Ack] = []
        self.order: list[str] = []
        self._changed = asyncio.Event()

    @property
    def answered_tokens(self) -> list[Any]:
        return [token for token, _ in self.answers]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until the condition holds; checked after every event."""
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def up(self, link: Link) -> None:
        self.ups += 1
        self._note("up")

    def down(self, link: Link, reason: str) -> None:
        self.downs.append(reason)
        self._note("down")

    def answered(self, link: Link, answers: Sequence[tuple[Any, Answer]]) -> None:
        self.answers += answers
        for _ in answers:
            self._note("answered")

    def lost(self, link: Link, tokens: Sequence[Any]) -> None:
        self.lost_tokens += tokens
        self._note("lost")

    def unsent(self, link: Link, tokens: Sequence[Any]) -> None:
        self.unsent_tokens += tokens
        self._note("unsent")

    def delivered(self, link: Link, deliveries: Sequence[tuple[Report | Inbound, Ack]]) -> None:
        for item, ack in deliveries:
            self._delivered(item, ack)

    def _delivered(self, item: Report | Inbound, ack: Ack) -> None:
        if isinstance(item, Report):
            self.reports.append(item)
            self._note("report")
        else:
            self.inbound.append(item)
            self._note("inbound")
        if self.acknowledge:
            ack()
        else:
            self.acks.append(ack)

    def _note(self, what: str) -> None:
        self.order.append(what)
        self._changed.set()


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait for something that tells nobody when it happens."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - nothing signals these
            await asyncio.sleep(0.001)


class Allowance:
    """A pace that lets as many go as the test says."""

    def __init__(self, allowed: int) -> None:
        self.allowed = allowed
        self.spent = 0

    def free(self) -> int:
        return self.allowed - self.spent

    def spend(self, count: int) -> None:
        assert count <= self.free()
        self.spent += count

    def wait_s(self, wanted: int = 1) -> float:
        return 0.001


def run(test: Coroutine[Any, Any, None]) -> None:
    """Run a test's coroutine; none may take longer than half a minute."""

    async def bounded() -> None:
        async with asyncio.timeout(2 * PATIENCE_S):
            await test

    asyncio.run(bounded())


def text(token: int, to: str = "13800138000", payload: bytes = b"") -> Submit:
    content = payload or f"短信{token}".encode("utf-16-be")
    return Submit("106900123401", to, content, Coding.UCS2, False, 1, 1, True, token)


def settings(port: int, **changes: Any) -> LinkSettings:
    """Quick pauses, so that no test has to wait; a test overrides what it is about."""
    values: dict[str, Any] = {
        "protocol": "cmpp",
        "version": "3.0",
        "host": "127.0.0.1",
        "port": port,
        "account": ACCOUNT,
        "password": PASSWORD,
        "service_id": "HOSP01",
        "reconnect_min_s": 0.02,
        "reconnect_max_s": 0.1,
        "refused_wait_s": 0.05,
        "throttle_min_s": 0.01,
        "throttle_max_s": 0.05,
    }
    return LinkSettings(**(values | changes))


def carrier(**options: Any) -> Simulator:
    """A simulated carrier that keeps its events."""
    values: dict[str, Any] = {"account": ACCOUNT, "password": PASSWORD, "keep": 10_000}
    return Simulator(SimulatorOptions(**(values | options)))
