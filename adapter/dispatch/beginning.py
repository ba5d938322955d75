"""Begins messages: their attempts are recorded before the wire (promise 4).

It asks until the store answers, because attempts may have been recorded by a commit whose answer
was lost. What has expired is ended instead, and what the store refuses is taken out of the rest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import structlog

from adapter.dispatch.recorder import Recorder
from adapter.dispatch.spool import Spool
from adapter.domain.errors import StoreUnavailable
from adapter.domain.outcomes import Begin
from adapter.domain.values import Waiting
from adapter.store.clock import from_ms

log = structlog.get_logger(__name__)

STORE_PAUSE_S = 0.5
UNSENDABLE = "UNSENDABLE"


class Beginning:
    """Of one channel; used on the event loop only."""

    def __init__(
        self, channel: str, spool: Spool, recorder: Recorder, clock: Callable[[], int]
    ) -> None:
        self._channel = channel
        self._spool = spool
        self._recorder = recorder
        self._clock = clock
        self._stopping = False

    def stop(self) -> None:
        """Ask no more for what the store does not answer."""
        self._stopping = True

    async def begin(self, messages: Sequence[Waiting]) -> list[Waiting]:
        """Record the attempts; those of the messages that are ours to send.

        Raises StoreUnavailable when it was stopped meanwhile."""
        alive, expired = by_expiry(messages, self._clock())
        if expired:
            await self._spool.expire([each.message.id for each in expired])
        owned = await self._record(alive) if alive else set()
        return [each for each in alive if each.message.id in owned]

    async def _record(self, alive: Sequence[Waiting]) -> set[int]:
        messages = {each.message.id for each in alive}
        owned: set[int] = set()
        self._recorder.expect(messages)
        try:
            owned = await self._ask_until_answered(alive)
        except StoreUnavailable:
            raise
        except Exception as error:
            log.error("channel.begin", channel=self._channel, error=type(error).__name__)
            owned = await self._record_singly(alive)
        finally:
            self._recorder.expect_no_more(messages - owned)
        return owned

    async def _record_singly(self, alive: Sequence[Waiting]) -> set[int]:
        """The store refuses one of these, and a refused one must not hold up the others: it is
        ended, if the store takes that."""
        owned: set[int] = set()
        for each in alive:
            try:
                owned |= await self._ask_until_answered([each])
            except StoreUnavailable:
                # The node stops: what was begun goes out, the rest waits in the spool.
                break
            except Exception as error:
                await self._reject(each, error)
        return owned

    async def _reject(self, waiting: Waiting, reason: Exception) -> None:
        made = waiting.message.id
        log.error(
            "channel.unbegun", channel=self._channel, message=made, error=type(reason).__name__
        )
        try:
            await self._spool.reject([made], UNSENDABLE)
        except Exception as error:
            log.error("channel.stuck", message=made, error=type(error).__name__)

    async def _ask_until_answered(self, alive: Sequence[Waiting]) -> set[int]:
        now = self._clock()
        begins = [Begin(each, self._channel, now) for each in alive]
        while True:
            try:
                return await self._spool.begin(begins)
            except StoreUnavailable:
                log.warning("channel.store_away", channel=self._channel, messages=len(begins))
                if self._stopping:
                    raise
                await asyncio.sleep(STORE_PAUSE_S)


def by_expiry(messages: Sequence[Waiting], now: int) -> tuple[list[Waiting], list[Waiting]]:
    """Those that may be sent at `now`, and those that are too old."""
    moment = from_ms(now)
    late = [each for each in messages if each.submission.expire_at <= moment]
    if not late:
        return list(messages), late
    return [each for each in messages if each.submission.expire_at > moment], late
