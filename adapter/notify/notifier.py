"""The notifier: gives each notice to the courier of its destination.

Destinations without a courier (clients that fetch) are served by the store alone.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Protocol

import structlog
from msgspec import structs
from sqlalchemy import Connection, Engine

from adapter.domain.states import State
from adapter.domain.values import Home, InboundNotice
from adapter.notify.courier import Courier
from adapter.notify.wording import Describe
from adapter.store import notices
from adapter.store.committer import Committer, Kind

log = structlog.get_logger(__name__)

Deliver = Callable[[Sequence[Home]], None]


class Watch(Protocol):
    """Who wants to know how long states took home; `adapter.metrics.Metrics` fits."""

    def observe_write_back(self, source: str, waits: Iterable[float]) -> None:
        """Seconds from a state, or an inbound text, to its row in the HIS."""


class Notifier:
    """`homes` maps a destination to what delivers to it, `describe` puts a state and the
    carrier's code on a channel in words."""

    def __init__(
        self,
        engine: Engine,
        committer: Committer,
        homes: Mapping[str, Deliver],
        describe: Describe,
        watch: Watch | None = None,
    ) -> None:
        self._watch = watch
        self._engine = engine
        self._describe = describe
        self._committer = committer
        self._forget: Kind[Sequence[int], int] = Kind(
            "forget", 8, self._run_forget, patient=True, linger_s=0.02
        )
        self.couriers = {
            destination: Courier(
                destination,
                self._worded(deliver),
                self._reader(destination),
                self._forget_later,
                arrived=partial(self._observe, destination.removeprefix("source:")),
            )
            for destination, deliver in homes.items()
        }

    def start(self) -> None:
        for courier in self.couriers.values():
            courier.start()

    def stop(self, wait_s: float = 10.0) -> None:
        """Let each courier bring home what it has in hand. One that takes longer is left: what
        it delivers is delivered again after the next start."""
        for courier in self.couriers.values():
            courier.ask_to_stop()
        deadline = time.monotonic() + wait_s
        for courier in self.couriers.values():
            if not courier.join(max(0.0, deadline - time.monotonic())):
                log.error("notifier.left", destination=courier.destination, after_s=wait_s)

    def look_again(self) -> None:
        """Notices may have been committed that nobody told of. Called from any thread."""
        for courier in self.couriers.values():
            courier.look_again()

    def tell(self, committed: Sequence[Home]) -> None:
        """Notices that were just committed. Called from any thread."""
        if not committed:
            return
        sorted_: defaultdict[str, list[Home]] = defaultdict(list)
        for notice in committed:
            sorted_[notice.destination].append(notice)
        for destination, its in sorted_.items():
            courier = self.couriers.get(destination)
            if courier is not None:
                courier.offer(its)

    def _worded(self, deliver: Deliver) -> Deliver:
        """Notices get their words only now: the store keeps the carrier's code."""

        def deliver_worded(homeward: Sequence[Home]) -> None:
            deliver([self._with_words(each) for each in homeward])

        return deliver_worded

    def _with_words(self, home: Home) -> Home:
        if isinstance(home, InboundNotice):
            return home
        return structs.replace(home, text=self._describe(home.state, home.code, home.channel))

    def _reader(self, destination: str) -> Callable[[int, int], Sequence[Home]]:
        def read(most: int, after: int) -> Sequence[Home]:
            with self._engine.connect() as connection:
                states: list[Home] = list(notices.read_states(connection, destination, most, after))
                texts = notices.read_inbound(connection, destination, most, after)
            return sorted([*states, *texts], key=lambda each: each.id)[:most]

        return read

    def _observe(self, source: str, arrived: Sequence[Home]) -> None:
        if self._watch is not None:
            now = datetime.now(UTC)
            waits = [(now - at).total_seconds() for each in arrived if (at := _time_of(each))]
            self._watch.observe_write_back(source, waits)

    def _forget_later(self, arrived: Sequence[int]) -> object:
        return self._committer.submit(self._forget, arrived)

    def _run_forget(self, connection: Connection, works: Sequence[Sequence[int]]) -> list[int]:
        notices.forget(connection, [each for work in works for each in work])
        return [len(work) for work in works]


def _time_of(home: Home) -> datetime | None:
    """When it happened. A state without a time of its own is not measured."""
    if isinstance(home, InboundNotice):
        return home.received_at
    return home.submitted_at if home.state is State.SUBMITTED else home.done_at
