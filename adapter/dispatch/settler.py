"""The settler: messages in doubt, expired and silent ones come to their end (promises 2, 4).

Run by the scheduler, each duty in bites that go through the recording committer, so that
they never meet a receipt halfway.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence

import structlog
from sqlalchemy import Connection, Engine

from adapter.config.model import Channel, Policies
from adapter.dispatch.silence import Silence, Wait, waits
from adapter.domain.client import Client
from adapter.domain.ids import IdMaker
from adapter.domain.outcomes import QueueKey
from adapter.domain.states import DoubtRule, Lane
from adapter.domain.values import Notice
from adapter.store import settlement
from adapter.store.capacity import Capacity
from adapter.store.clock import now_ms
from adapter.store.committer import Committer, Kind
from adapter.store.matching import FIRST, Place
from adapter.store.reading import reading
from adapter.store.settlement import Settled
from adapter.store.spooling import count_waiting
from adapter.store.withdrawal import Withdrawn

log = structlog.get_logger(__name__)

_PORTION = 500
"""Expired messages that one commit ends."""


class Settler:
    """`told` gets the notices; `look_again` hears of messages that are back in the spool;
    `is_alive` says whether the end of a message's attempt will still be told; `channels` say
    how long their receipts are waited for."""

    def __init__(
        self,
        engine: Engine,
        committer: Committer,
        ids: IdMaker,
        capacity: Capacity,
        policies: Policies,
        clients: Mapping[str, Client],
        told: Callable[[Sequence[Notice]], None],
        look_again: Callable[[Iterable[QueueKey], int], None],
        is_alive: Callable[[int], bool] = lambda _message: True,
        channels: Iterable[Channel] = (),
    ) -> None:
        self._engine = engine
        self._committer = committer
        self._ids = ids
        self._capacity = capacity
        self._policies = policies
        self._clients = clients
        self._told = told
        self._look_again = look_again
        self._is_alive = is_alive
        self._silences = [Silence(wait) for wait in waits(policies, channels)]
        self._expired_to = 0
        self._miscounted = threading.Event()
        self._doubts: Kind[tuple[int, Place], Settled] = Kind("settle", 6, self._run_doubts)
        self._expiry: Kind[Sequence[int], Withdrawn] = Kind("expire", 7, self._run_expiry)
        self._silence: Kind[tuple[Wait, Sequence[int]], list[Notice]] = Kind(
            "silence", 7, self._run_silence
        )
        self._survivors: Kind[int, int] = Kind("survivors", 6, self._run_survivors)
        self._abandoned: Kind[int, int] = Kind("abandoned", 6, self._run_abandoned)

    def recover(self) -> int:
        """Put in doubt what was on the wire when the last process ended; how many there were.

        Only before the dispatcher starts: afterwards attempts are alive."""
        found = self._committer.submit(self._survivors, now_ms()).result()
        if found:
            log.warning("settler.in_doubt", messages=found)
        return found

    def rescue(self) -> int:
        """Put in doubt the attempts that nobody remembers, because the store's answer to their
        begin or their end was lost; how many there were."""
        found = self._committer.submit(self._abandoned, now_ms()).result()
        if found:
            log.warning("settler.rescued", messages=found)
        return found

    def settle(self) -> int:
        """One bite of what nobody answered; how many messages were settled."""
        if self._miscounted.is_set():
            self._miscounted.clear()
            self._count_again()
        self.rescue()
        return self.settle_doubts() + self.settle_silent()

    def settle_doubts(self) -> int:
        """Settle messages in doubt by fitting receipts, or by rule when their time is up."""
        found, place = 0, FIRST
        while True:
            settled = self._committer.submit(self._doubts, (now_ms(), place)).result()
            found += self._tell(settled)
            if settled.next is None:
                return found
            place = settled.next

    def _tell(self, settled: Settled) -> int:
        """Tell what one bite settled; how many messages."""
        self._told(settled.notices)
        if settled.resent:
            self._capacity.add(len(settled.resent))
            self._look_again(set(settled.resent), now_ms())
        found = len(settled.resent) + settled.unknown + settled.matched
        if found:
            log.info(
                "settler.doubts",
                resent=len(settled.resent),
                unknown=settled.unknown,
                matched=settled.matched,
            )
        return found

    def settle_silent(self) -> int:
        """Submitted messages whose receipt never came are ended as their channel's wait says."""
        return sum(self._settle_silence(each) for each in self._silences)

    def _settle_silence(self, silence: Silence) -> int:
        with reading(self._engine) as connection:
            silent = silence.search(connection, now_ms())
        if silent:
            self._told(self._committer.submit(self._silence, (silence.wait, silent)).result())
            log.info("settler.silent", messages=len(silent), state=silence.wait.becomes.value)
        return len(silent)

    def expire(self) -> int:
        """One bite of the spool: end what expired; 0 when the end was reached."""
        with reading(self._engine) as connection:
            found = settlement.find_expired(connection, now_ms(), self._expired_to)
        for at in range(0, len(found.messages), _PORTION):
            some = found.messages[at : at + _PORTION]
            gone = self._committer.submit(self._expiry, some).result()
            self._told(gone.notices)
            self._capacity.add(-gone.ended)
        self._expired_to = found.next or 0
        if found.next is None:
            self._count_again()
        return self._expired_to

    def count_again(self) -> None:
        """Answers of the store were lost: count what waits, once the others have settled. From
        any thread."""
        self._miscounted.set()

    def _count_again(self) -> None:
        """Put right what lost answers of the store left wrong in the capacity."""
        before = self._capacity.waiting
        self._capacity.add(count_waiting(self._engine) - before)

    def _rule(self, client: str, lane: Lane, sent: int) -> DoubtRule:
        policy = self._policies.lanes[lane]
        if sent >= policy.tries:
            return DoubtRule.WAIT
        its = self._clients.get(client)
        return its.doubt.get(lane, policy.doubt) if its else policy.doubt

    def _wait_ms(self, lane: Lane) -> int:
        return int(self._policies.lanes[lane].doubt_wait_s * 1000)

    # Run on the committer's thread.

    def _run_doubts(
        self, connection: Connection, works: Sequence[tuple[int, Place]]
    ) -> list[Settled]:
        return [
            settlement.settle_doubts(connection, self._ids, now, self._rule, after=place)
            for now, place in works
        ]

    def _run_expiry(
        self, connection: Connection, works: Sequence[Sequence[int]]
    ) -> list[Withdrawn]:
        return [settlement.end_expired(connection, self._ids, expired) for expired in works]

    def _run_silence(
        self, connection: Connection, works: Sequence[tuple[Wait, Sequence[int]]]
    ) -> list[list[Notice]]:
        return [wait.end(connection, self._ids, silent, now_ms()) for wait, silent in works]

    def _run_survivors(self, connection: Connection, works: Sequence[int]) -> list[int]:
        return [settlement.doubt_abandoned(connection, now, self._wait_ms) for now in works]

    def _run_abandoned(self, connection: Connection, works: Sequence[int]) -> list[int]:
        return [
            settlement.doubt_abandoned(connection, now, self._wait_ms, self._is_alive)
            for now in works
        ]
