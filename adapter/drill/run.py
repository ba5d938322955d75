"""`sms-adapter drill`: the whole way, while the node is killed again and again.

A node, its simulated carrier and, where asked for, a PostgreSQL server run as processes of
their own beside this one, which plays the hospital: it inserts rows, calls the SOAP service
until it hears "accepted", fetches receipts, and kills the node at random moments: in the
middle of its work or of its start. The carrier and the databases live on.

Judged by what the carrier saw and what the databases hold, never by what the node says.
"""

from __future__ import annotations

import http.client
import random
import tempfile
import threading
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adapter.bench.callers import Callers
from adapter.bench.databases import Databases
from adapter.bench.forms import FORMS
from adapter.bench.load import mobile
from adapter.bench.rig import STORE_KEY, Line, Rig, start
from adapter.bench.sightings import Sightings
from adapter.bench.table import Table
from adapter.children import Children
from adapter.domain.states import DoubtRule, State
from adapter.drill.evidence import Attempt, Evidence, Stored
from adapter.drill.portions import Portions, shares
from adapter.drill.verdict import Told, judge
from dbpoll.values import Status

MOODS = ("--delay", "20-200/100-14000")
"""Of the carrier: an answer after 20-200 ms, which keeps the windows full, and the receipt up
to 14 s later: a doubt that is settled first by resending makes a duplicate to judge."""
DOUBT_WAIT = {DoubtRule.RESEND: "1s", DoubtRule.WAIT: "20s"}
"""Shorter than some receipts take, so that there are duplicates to judge; or longer than all
of them and a start of the node."""
LIFE_S = 0.3, 4.0
"""A life ends after so long (drawn), or in the middle of its portion if that comes first."""
LONG_LIFE_S = 7.0
LONG_LIVES = 0.1
"""This share of lives is long enough for what was in doubt to be settled."""
LOOK_S = 0.02
FETCH_S = 0.2
REPEAT_FOR_S = 120.0
STUCK_S = 60.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """A drill. `seed` makes the moments repeatable, as far as the machine is."""

    kills: int
    messages: int
    store: str
    his: str
    rule: DoubtRule = DoubtRule.RESEND
    batch: int = 20
    callers: int = 2
    line: Line = field(default_factory=Line)
    seed: int | None = None


def drill(wanted: Wanted) -> dict[str, Any]:
    """Run it; the counts as in contract.md, and in `broken` which promises did not hold.
    Raises RuntimeError when the node ends by itself."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sms-drill-")))
        databases = Databases(folder, stack)
        store, his = databases.url(wanted.store, "store"), databases.url(wanted.his, "his")
        table = Table(his)
        stack.callback(table.close)
        children = stack.enter_context(Children(folder))
        started = time.monotonic()
        rig = start(
            folder, children, store, his, wanted.line, moods=MOODS, policies=_policies(wanted.rule)
        )
        soap = Callers(FORMS["soap"], rig.web, wanted.callers, wanted.batch, REPEAT_FOR_S)
        stack.callback(soap.close)
        hospital = _Hospital(table, soap, wanted.messages)
        scene = _Scene(wanted, rig, children, hospital, Evidence(store, [STORE_KEY]))
        scene.play()
        children.stop()
        seconds = time.monotonic() - started
        return scene.outcome() | {"seconds": round(seconds, 1)}


class _Hospital:
    """Both ways in, half of the messages each: first the rows of the table, then the calls.
    What comes home is fetched all the while."""

    def __init__(self, table: Table, soap: Callers, messages: int) -> None:
        self.table = table
        self.soap = soap
        self.rows, self.calls = messages - messages // 2, messages // 2
        self._paces = Portions(), Portions()
        self._stopped = threading.Event()
        self._fetcher = threading.Thread(target=self._fetch, daemon=True)
        self._feeders = [
            threading.Thread(target=feed, args=arguments, daemon=True)
            for feed, arguments in (
                (table.feed, (self.rows, self._paces[0])),
                (soap.feed, (self.calls, self._paces[1], self.rows)),
            )
        ]

    def start(self) -> None:
        for feeder in self._feeders:
            feeder.start()
        self._fetcher.start()

    def stop(self) -> None:
        """Fetch nothing more."""
        self._stopped.set()
        self._fetcher.join()

    def release(self, rows: int, calls: int) -> None:
        """Let so many more be sent."""
        for pace, more in zip(self._paces, (rows, calls), strict=True):
            pace.release(more)

    def is_fed(self) -> bool:
        """Everything was inserted, and accepted or given up."""
        return not any(feeder.is_alive() for feeder in self._feeders)

    def finished(self) -> int:
        """How many final states have come home."""
        return self.table.finished() + len(self.soap.home)

    def told(self, stored: list[Stored]) -> Told:
        """What was heard in the end, when the node is gone."""
        statuses = self.table.statuses()
        accepted = {number for number, status in statuses.items() if _is_accepted(status)}
        delivered = {n for n, status in statuses.items() if status == Status.DELIVERED}
        ids = {each.mobile: each for each in stored}
        for number in map(mobile, range(self.rows, self.rows + self.calls)):
            its = ids.get(number)
            if its is not None and its.id in self.soap.home and its.state == State.DELIVERED:
                delivered.add(number)
        accepted |= self.soap.accepted
        return Told(accepted, delivered)

    def _fetch(self) -> None:
        while not self._stopped.wait(FETCH_S):
            # The node may be dead just now.
            with suppress(OSError, http.client.HTTPException):
                self.soap.finished()


class _Scene:
    """One drill from the first message to the last final state."""

    def __init__(
        self, wanted: Wanted, rig: Rig, children: Children, hospital: _Hospital, store: Evidence
    ) -> None:
        self._wanted = wanted
        self._rig = rig
        self._children = children
        self._hospital = hospital
        self._store = store
        self._seen = Sightings(rig.log)
        self._chance = random.Random(wanted.seed)
        self._in_doubt: set[Attempt] = set()

    def play(self) -> None:
        """Feed, kill, start again; until everything is final, or nothing moves any more."""
        parts = self._wanted.kills + 1
        hospital = self._hospital
        hospital.start()
        portions = zip(shares(hospital.rows, parts), shares(hospital.calls, parts), strict=True)
        for life, (rows, calls) in enumerate(portions):
            hospital.release(rows, calls)
            if life < self._wanted.kills:
                self._live(rows + calls)
                self._kill()
        self._wait_for_the_end()
        hospital.stop()

    def outcome(self) -> dict[str, Any]:
        wanted = self._wanted
        self._seen.look()
        stored = self._store.messages()
        found = judge(
            self._hospital.told(stored),
            self._seen,
            stored,
            expected=wanted.messages,
            rule=wanted.rule,
            in_doubt=len(self._in_doubt),
            most_in_doubt=wanted.kills * wanted.line.links * wanted.line.window,
        )
        return {
            "kills": wanted.kills,
            "store": wanted.store,
            "rule": wanted.rule.value,
            "accepted": found.accepted,
            "final": found.final,
            "lost": found.lost,
            "duplicates": found.duplicates,
            "unmarked": found.unmarked,
            "in_doubt": len(self._in_doubt),
            "unknown": found.unknown,
            "receipts_lost": found.receipts_lost,
            "broken": list(found.broken),
        }

    def _live(self, portion: int) -> None:
        """Until the moment to die."""
        if self._chance.random() < LONG_LIVES:
            time.sleep(LONG_LIFE_S)
            return
        self._seen.look()
        enough = self._seen.submits.total() + self._chance.randrange(1, max(2, portion))
        ends = time.monotonic() + self._chance.uniform(*LIFE_S)
        while time.monotonic() < ends and self._seen.submits.total() < enough:
            time.sleep(LOOK_S)
            self._seen.look()

    def _kill(self) -> None:
        self._look_after_the_node()
        self._rig.kill(self._children)
        self._in_doubt |= self._store.attempts()
        self._rig.start_again(self._children)

    def _wait_for_the_end(self) -> None:
        hospital = self._hospital
        finished, moved = -1, time.monotonic()
        while time.monotonic() - moved < STUCK_S:
            self._look_after_the_node()
            now = hospital.finished()
            if hospital.is_fed() and now >= hospital.rows + hospital.calls:
                return
            if now > finished:
                finished, moved = now, time.monotonic()
            time.sleep(FETCH_S)

    def _look_after_the_node(self) -> None:
        node = self._rig.node
        if node.process.poll() is not None:
            raise RuntimeError(f"the node ended by itself:\n{node.last_words()}")


def _policies(rule: DoubtRule) -> str:
    lane = f'<lane name="normal" doubt="{rule.value}" doubt-wait="{DOUBT_WAIT[rule]}"/>'
    return f"<policies>{lane}</policies>"


def _is_accepted(status: int) -> bool:
    return status not in (Status.NEW, Status.REFUSED)
