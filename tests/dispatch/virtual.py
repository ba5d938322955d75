"""An event loop whose clock jumps to the next timer when there is nothing else to do, so that
hours pass in moments. Nothing on it may wait for a thread or a socket."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any


class _Jumping(selectors.SelectSelector):
    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(0)
        if not found and timeout is None:
            raise RuntimeError("everybody waits for something that will never happen")
        if not found and timeout:
            self.loop.now += timeout
        return found


class VirtualLoop(asyncio.SelectorEventLoop):
    """`now`: seconds since it was made."""

    def __init__(self) -> None:
        self.now = 0.0
        selector = _Jumping()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        # As with a real clock no two looks see the same time: a pause too short for the
        # precision of a float must end, too.
        self.now += 1e-7
        return self.now

    def ms(self) -> int:
        """The same in milliseconds, as a clock for the dispatcher."""
        return round(self.now * 1000)


def run(test: Coroutine[Any, Any, None], *, most_s: float = 1200.0) -> None:
    """Run a test; one that takes more than `most_s` of its own time fails."""

    async def bounded() -> None:
        async with asyncio.timeout(most_s):
            await test

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(bounded())


def clock() -> int:
    """Milliseconds on the running virtual loop."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    return loop.ms()
