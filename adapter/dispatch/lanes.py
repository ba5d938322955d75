"""The active queue: a bounded, ordered view of the spool (promises 6 and 7).

There is a queue for each (carrier, lane, client). A higher lane goes first; inside a lane
the clients take turns, message by message. What some channels turned away goes beside the
rest of its queue, so that neither holds up the other. What was just accepted is kept in memory
while there is room; everything else stays on disk and is read, in the order it is due, when
its queue runs low. So memory is bounded by `active`, and a backlog costs disk.

A queue never waits for another one's reading.

Limits
    `active` may be passed by one reading (`chunk` messages) for each queue.
    What is handed out here may be cancelled meanwhile: `Spool.begin` has the last word.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache

import structlog

from adapter.dispatch.spool import Spool
from adapter.domain.outcomes import QueueKey
from adapter.domain.states import Lane
from adapter.domain.values import Waiting
from adapter.store.clock import to_ms

log = structlog.get_logger(__name__)

READ_AGAIN_MS = 1_000


Serves = Callable[[str, tuple[str, ...]], bool]
"""Whether messages to a carrier, that avoid these channels, are wanted."""


@dataclass(slots=True, eq=False)
class _Queue:
    """`more`: the spool has due messages that are not here. `look_at`: when something there
    becomes due. `held`: messages in its rows. `here`: these, or handed out while their spool
    rows may still be there."""

    key: QueueKey
    held: int = 0
    here: set[int] = field(default_factory=set)
    more: bool = False
    look_at: int | None = None
    reading: bool = False
    rows: dict[tuple[str, ...], _Row] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class _Row:
    """Those of a queue that avoid the same channels. It is in its lane's ring, and among the
    queue's rows, while it has entries."""

    queue: _Queue
    avoid: tuple[str, ...]
    entries: deque[Waiting] = field(default_factory=deque)


class Lanes:
    """Used on the event loop only. `changed` is called when there is something to pull."""

    def __init__(
        self,
        spool: Spool,
        clock: Callable[[], int],
        changed: Callable[[], None],
        *,
        active: int = 10_000,
        chunk: int = 500,
    ) -> None:
        self._spool = spool
        self._clock = clock
        self._changed = changed
        self._active = active
        self._chunk = chunk
        self._queues: dict[tuple[str, str, str], _Queue] = {}
        self._rings: dict[str, deque[_Row]] = {lane.value: deque() for lane in Lane}
        self._handed: dict[int, _Queue] = {}
        self._held = 0
        self._readings: set[asyncio.Task[None]] = set()

    @property
    def held(self) -> int:
        """Messages in memory."""
        return self._held

    @property
    def has_enough(self) -> bool:
        """Whether there is half of what may be in memory, or more on disk. From any thread."""
        queues = list(self._queues.values())
        return self._held > self._active // 2 or any(queue.more for queue in queues)

    async def restore(self) -> None:
        """Find out what waits on disk, after a start."""
        for key in await self._spool.keys():
            queue = self._queue(key)
            queue.more = True
            self._read(queue)

    async def look_everywhere(self) -> None:
        """Look into every queue of the spool at the next tick, should its news have been lost."""
        for key in await self._spool.keys():
            self._queue(key).more = True

    def add(self, accepted: Iterable[Waiting]) -> None:
        """Take what was just accepted."""
        now = self._clock()
        for waiting in accepted:
            of = waiting.submission
            # The names are equal to their text: no key has to be made to look one up.
            queue = self._queues.get((waiting.message.carrier, of.lane, of.client))
            if queue is None:
                queue = self._queue(
                    QueueKey(waiting.message.carrier.value, of.lane.value, of.client)
                )
            if of.due_at > of.accepted_at and (due_at := to_ms(of.due_at)) > now:
                self._look(queue, due_at)
            elif waiting.message.id in queue.here:
                continue  # a reading was faster than the news
            elif queue.more or queue.reading or self._held >= self._active:
                queue.more = True
                self._read_if_empty(queue)
            else:
                self._append(queue, waiting)
        self._changed()

    def wait_until(self, key: QueueKey, due_at: int) -> None:
        """A message of this queue was deferred to `due_at`."""
        self._look(self._queue(key), due_at)

    def pull(self, serves: Serves, segments: int) -> list[Waiting]:
        """The next messages that are wanted, of `segments` segments together (the last one may
        pass that). Tell `settled` or `returned` about each
        of them once `begin` has answered, or could not."""
        pulled: list[Waiting] = []
        asked = cache(serves)
        for lane in Lane:
            if segments <= 0:
                break
            segments -= self._pull_lane(self._rings[lane.value], asked, segments, pulled)
        return pulled

    def settled(self, handed: Iterable[Waiting]) -> None:
        """The spool has answered for these."""
        for waiting in handed:
            self._take_back(waiting)

    def returned(self, handed: Iterable[Waiting]) -> None:
        """The spool could not answer for these; they wait there again."""
        for waiting in handed:
            self._look(self._take_back(waiting), self._clock() + READ_AGAIN_MS)

    def tick(self) -> None:
        """Look at queues in which something became due."""
        now = self._clock()
        for queue in self._queues.values():
            if queue.look_at is not None and queue.look_at <= now:
                queue.look_at = None
                queue.more = True
            if queue.more:
                self._read_if_empty(queue)

    def stop(self) -> None:
        for reading in self._readings:
            reading.cancel()

    def _queue(self, key: QueueKey) -> _Queue:
        queue = self._queues.get(key)
        if queue is None:
            queue = self._queues[key] = _Queue(key)
        return queue

    def _append(self, queue: _Queue, waiting: Waiting) -> None:
        row = queue.rows.get(waiting.avoid)
        if row is None:
            row = queue.rows[waiting.avoid] = _Row(queue, waiting.avoid)
            self._rings[queue.key.lane].append(row)
        row.entries.append(waiting)
        queue.here.add(waiting.message.id)
        queue.held += 1
        self._held += 1

    def _pull_lane(
        self, ring: deque[_Row], serves: Serves, segments: int, pulled: list[Waiting]
    ) -> int:
        taken = skipped = 0
        while taken < segments and skipped < len(ring):
            row = ring[0]
            queue = row.queue
            if not serves(queue.key.carrier, row.avoid):
                ring.rotate(-1)
                skipped += 1
                continue
            skipped = 0
            waiting = row.entries.popleft()
            queue.held -= 1
            self._held -= 1
            self._handed[waiting.message.id] = queue
            pulled.append(waiting)
            taken += len(waiting.parts) or waiting.message.segments
            if row.entries:
                ring.rotate(-1)
            else:
                ring.popleft()
                del queue.rows[row.avoid]
            # Read on before it runs empty, so that the channel need not wait for the store.
            if queue.more and queue.held < self._chunk // 2:
                self._read(queue)
        return taken

    def _take_back(self, handed: Waiting) -> _Queue:
        queue = self._handed.pop(handed.message.id)
        queue.here.discard(handed.message.id)
        return queue

    def _look(self, queue: _Queue, at: int) -> None:
        queue.look_at = at if queue.look_at is None else min(queue.look_at, at)

    def _read_if_empty(self, queue: _Queue) -> None:
        if not queue.held:
            self._read(queue)

    def _read(self, queue: _Queue) -> None:
        if not queue.reading:
            queue.reading = True
            reading = asyncio.get_running_loop().create_task(self._reading(queue))
            self._readings.add(reading)
            reading.add_done_callback(self._readings.discard)

    async def _reading(self, queue: _Queue) -> None:
        now = self._clock()
        # Nothing is added to a queue that reads: what arrives meanwhile sets this again.
        queue.more = False
        try:
            found, again = await self._spool.take(
                queue.key, self._chunk, now, frozenset(queue.here)
            )
        except Exception as error:
            log.warning("lanes.read", queue=queue.key, error=type(error).__name__)
            self._look(queue, now + READ_AGAIN_MS)
            return
        finally:
            queue.reading = False
        fresh = [waiting for waiting in found if waiting.message.id not in queue.here]
        for waiting in fresh:
            self._append(queue, waiting)
        if again is not None and again > now:
            self._look(queue, again)
        elif again is not None and fresh:
            queue.more = True
        elif again is not None:
            # Everything due is being sent right now; look again when that has settled.
            self._look(queue, now + READ_AGAIN_MS)
        if fresh:
            self._changed()
        elif queue.more:
            self._read(queue)
