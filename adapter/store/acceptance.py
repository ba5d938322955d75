"""Accepting: the one commit after which a caller hears "accepted" (promises 1, 3, 11)."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import NamedTuple

from msgspec import Struct
from sqlalchemy import Connection, select

from adapter.domain.errors import Code, Refusal, SpoolFull, StoreUnavailable
from adapter.domain.ids import IdMaker
from adapter.domain.outcomes import QueueKey
from adapter.domain.states import State
from adapter.domain.values import Message, Notice, Reply, Result, Submission, Waiting
from adapter.store import bulk, sealing
from adapter.store.clock import now_ms, to_ms
from adapter.store.committer import Committer, Kind
from adapter.store.endings import Counts
from adapter.store.journeys import Question, ask
from adapter.store.schema import message, spool, submission
from adapter.store.sealing import Seal, seal_of
from adapter.store.withdrawal import withdraw_by_key

LARGE = 10
"""Messages of a request, or of several handed in together, behind which a single one need not
wait."""

Pair = tuple[Submission, Sequence[Message]]
_Keys = Sequence[str | None]


class Capacity:
    """How many messages wait, against how many may (promise 11).

    Kept by adding and subtracting after each commit, so what is committed right now may pass
    the limit by a commit of each committer. Safe to share between threads.
    """

    def __init__(self, limit: int, waiting: int = 0) -> None:
        self.limit = limit
        self.waiting = waiting
        self._lock = threading.Lock()

    def room_for(self, more: int) -> bool:
        return self.waiting + more <= self.limit

    def add(self, change: int) -> None:
        with self._lock:
            self.waiting += change


class _Work(Struct, frozen=True):
    pairs: Sequence[Pair]
    replace: Sequence[bool]


class _Done(Struct, frozen=True):
    answers: list[Reply | None]
    withdrawn: int
    notices: list[Notice]


class Acceptance:
    """The store's side of intake. Safe to call from many threads: they share commits.

    `mass` commits what is large, and what has an order among itself: all that sources hand in,
    and replacements; `committer` the rest, and all where there is no other. Where both are handed
    one reference at a time, whichever commits last gives the first one's answer.
    `arrived` gets what was accepted, `told` the notices of what it replaced; `look_again` hears of
    queues in the spool where something may have come without an answer.
    """

    def __init__(
        self,
        committer: Committer,
        ids: IdMaker,
        capacity: Capacity,
        arrived: Callable[[list[Waiting]], None],
        told: Callable[[list[Notice]], None],
        look_again: Callable[[Iterable[QueueKey], int], None] = lambda _keys, _due_at: None,
        mass: Committer | None = None,
    ) -> None:
        self._committer = committer
        self._mass = mass or committer
        self._ids = ids
        self._capacity = capacity
        self._arrived = arrived
        self._told = told
        self._look_again = look_again
        self._kind: Kind[_Work, _Done] = Kind("accept", 0, self._run)
        # After "accept": it sees what was accepted in the same commit.
        self._recall: Kind[_Keys, list[Reply | None]] = Kind("recall", 1, self._run_recall)

    def offer(
        self, batch: Sequence[Pair], replace: Sequence[bool] = ()
    ) -> Callable[[], list[Reply | None]]:
        """See `adapter.domain.ports.AcceptancePort`."""
        committer = self._mass if _is_mass(batch) or any(replace) else self._committer
        handed_in = committer.submit(self._kind, _Work(batch, replace))
        return lambda: self._accepted(batch, handed_in)

    def _accepted(self, batch: Sequence[Pair], handed_in: Future[_Done]) -> list[Reply | None]:
        try:
            done = handed_in.result()
        except StoreUnavailable:
            # Perhaps it was committed, and only the answer lost: then nobody else would tell.
            self._look_again(_queues(batch), now_ms())
            raise
        answers = done.answers
        new = [
            Waiting(each, pair[0])
            for pair, answer in zip(batch, answers, strict=True)
            if answer is None
            for each in pair[1]
        ]
        self._capacity.add(len(new) - done.withdrawn)
        if new:
            self._arrived(new)
        if done.notices:
            self._told(done.notices)
        return answers

    def first_answers(self, keys: Sequence[tuple[str, str, str]]) -> list[Reply | None]:
        """See `adapter.domain.ports.AcceptancePort`."""
        named = [ref_key(*key) for key in keys]
        # Behind all that was handed in before: by sources, or also by others.
        committers = [self._mass]
        if self._committer is not self._mass and not all(source for _, source, _ in keys):
            committers.append(self._committer)
        asked = [committer.submit(self._recall, named) for committer in committers]
        found = zip(*(each.result() for each in asked), strict=True)
        return [next(filter(None, answers), None) for answers in found]

    def _run_recall(
        self, connection: Connection, works: Sequence[_Keys]
    ) -> list[list[Reply | None]]:
        seen = _seen(connection, [key for work in works for key in work if key])
        return [[seen.get(key) if key else None for key in work] for work in works]

    def _run(self, connection: Connection, works: Sequence[_Work]) -> list[_Done | Refusal]:
        keyed = [[_key(its) for its, _ in work.pairs] for work in works]
        seen = _seen(connection, [key for keys in keyed for key in keys if key])
        fresh = _Fresh(seal_of(connection))
        results: list[_Done | Refusal] = []
        for work, keys in zip(works, keyed, strict=True):
            if self._capacity.room_for(fresh.count + _count_new(work, keys, seen, fresh)):
                results.append(self._take(connection, work, keys, seen, fresh))
            else:
                results.append(SpoolFull(self._capacity.limit))
        fresh.write(connection)
        fresh.counts.write(connection, self._ids)
        return results

    def _take(
        self,
        connection: Connection,
        work: _Work,
        keys: _Keys,
        seen: Mapping[str, Reply],
        fresh: _Fresh,
    ) -> _Done:
        answers: list[Reply | None] = []
        withdrawn, notices = 0, list[Notice]()
        for number, (pair, key) in enumerate(zip(work.pairs, keys, strict=True)):
            its = pair[0]
            first = _first(key, seen, fresh)
            if first is None:
                if number < len(work.replace) and work.replace[number] and its.business_key:
                    if (its.client, its.business_key) in fresh.business_keys:
                        fresh.write(connection)
                    gone = withdraw_by_key(connection, self._ids, its.client, its.business_key)
                    withdrawn += gone.ended
                    notices += gone.notices
                fresh.add(pair, key)
            answers.append(first)
        return _Done(answers, withdrawn, notices)


def _is_mass(batch: Sequence[Pair]) -> bool:
    return any(its.source for its, _ in batch) or sum(len(own) for _, own in batch) > LARGE


def _queues(batch: Sequence[Pair]) -> set[QueueKey]:
    return {
        QueueKey(each.carrier.value, its.lane.value, its.client)
        for its, own in batch
        for each in own
    }


class _Fresh:
    """What one transaction accepts. Rows gather until `write`; the rest is known to the end."""

    def __init__(self, seal: Seal) -> None:
        self.count = 0
        self._seal = seal
        self.counts = Counts()
        self.by_ref: dict[str, Pair] = {}
        self.business_keys: set[tuple[str, str]] = set()
        self._submissions: list[bulk.Row] = []
        self._messages: list[bulk.Row] = []
        self._spool: list[bulk.Row] = []

    def add(self, pair: Pair, key: str | None) -> None:
        its, own = pair
        self.count += len(own)
        if key is not None:
            self.by_ref[key] = pair
        if its.business_key:
            self.business_keys.add((its.client, its.business_key))
        at = moments_of(its)
        self._submissions.append(submission_row(its, key, at, self._seal))
        add_messages(its, own, at, self._seal, self._messages, self._spool, self.counts)

    def write(self, connection: Connection) -> None:
        for table, rows in (
            (submission, self._submissions),
            (message, self._messages),
            (spool, self._spool),
        ):
            bulk.insert(connection, table, rows)
            rows.clear()


def _first(key: str | None, seen: Mapping[str, Reply], fresh: _Fresh) -> Reply | None:
    """The answer that a request got before, in an earlier commit or in this one."""
    if key is None:
        return None
    if key in fresh.by_ref:
        return first_answer(*fresh.by_ref[key])
    return seen.get(key)


def _count_new(work: _Work, keys: _Keys, seen: Mapping[str, Reply], fresh: _Fresh) -> int:
    """Messages that this piece adds: a repeated request needs no room."""
    return sum(
        len(own)
        for (_, own), key in zip(work.pairs, keys, strict=True)
        if key is None or (key not in seen and key not in fresh.by_ref)
    )


_KNOWN = Question(
    lambda among: select(submission.c.ref_key, submission.c.id, submission.c.refusals).where(
        among(submission.c.ref_key)
    )
)


def _seen(connection: Connection, keys: Sequence[str]) -> dict[str, Reply]:
    """The first answers of those keys that were accepted before."""
    if not keys:
        return {}
    (found,) = ask(connection, (_KNOWN, keys))
    if not found:
        return {}
    seal = seal_of(connection)
    taken: defaultdict[int, list[Result]] = defaultdict(list)
    for made, sealed, ref, at, parts in connection.execute(
        select(
            message.c.submission_id,
            message.c.mobile,
            message.c.ref,
            message.c.id,
            message.c.segments,
        )
        .where(bulk.among(connection, message.c.submission_id, [row[1] for row in found]))
        .order_by(message.c.id)
    ):
        mobile = seal.opened(sealing.MESSAGE_MOBILE, at, sealed)
        taken[made].append(Result(mobile, ref or "", at, parts, Code.OK, ""))
    return {
        key: _answer(
            made,
            taken[made],
            _load_refusals(seal.open(sealing.SUBMISSION_REFUSALS, made, refusals)),
        )
        for key, made, refusals in found
    }


def ref_key(client: str, source: str, client_ref: str) -> str | None:
    """What must be unique: the client's reference, or the row of a source. Accounts and names
    of sources have no slash (`xsd/config.xsd`), so no two of them meet in one key."""
    return f"{client}/{source}/{client_ref}" if client_ref else None


def _key(its: Submission) -> str | None:
    return ref_key(its.client, its.source, its.client_ref)


class Moments(NamedTuple):
    """Those of a submission, in milliseconds."""

    accepted: int
    due: int
    expire: int


def moments_of(its: Submission) -> Moments:
    accepted = to_ms(its.accepted_at)
    due = accepted if its.due_at is its.accepted_at else to_ms(its.due_at)
    return Moments(accepted, due, to_ms(its.expire_at))


def submission_row(its: Submission, key: str | None, at: Moments, seal: Seal) -> bulk.Row:
    """A submission as its table keeps it, under the key that finds it again."""
    return (
        its.id,
        its.client,
        its.door._value_,
        its.source or None,
        its.client_ref or None,
        key,
        its.business,
        its.lane._value_,
        seal.text(sealing.SUBMISSION_CONTENT, its.id, its.content),
        its.extension or None,
        its.pass_through or None,
        its.business_key or None,
        its.receipt,
        *at,
        seal.text(sealing.SUBMISSION_REFUSALS, its.id, _dump_refusals(its.refusals)),
    )


def add_messages(
    its: Submission,
    own: Sequence[Message],
    at: Moments,
    seal: Seal,
    messages: list[bulk.Row],
    waiting: list[bulk.Row],
    counts: Counts,
) -> None:
    """Rows of messages that wait, and what the statistics learn of them."""
    lane, door, accepted = its.lane._value_, its.door._value_, State.ACCEPTED._value_
    for each in own:
        carrier = each.carrier._value_
        messages.append(
            (
                each.id,
                its.id,
                each.ref or None,
                seal.sealed(sealing.MESSAGE_MOBILE, each.id, each.mobile),
                carrier,
                seal.text(sealing.MESSAGE_CONTENT, each.id, each.content),
                each.segments,
                accepted,
                None,
                None,
                False,
                None,
                None,
                seal.key_of(each.mobile),
            )
        )
        waiting.append(
            (each.id, carrier, lane, its.client, at.due, at.expire, 0, False, None, 0, None)
        )
        counts.add(
            at.accepted,
            its.client,
            its.business,
            door,
            "",
            carrier,
            accepted,
            each.segments,
        )


def first_answer(its: Submission, own: Sequence[Message]) -> Reply:
    """The answer to a submission as it was accepted, refused entries in their places."""
    taken = [Result(each.mobile, each.ref, each.id, each.segments, Code.OK, "") for each in own]
    return _answer(its.id, taken, its.refusals)


def _answer(made: int, taken: Sequence[Result], refusals: Sequence[tuple[int, Result]]) -> Reply:
    code = Code.PARTIAL if refusals else Code.OK
    return Reply(code, "", made, len(taken), len(refusals), _in_places(taken, refusals))


def _in_places(taken: Sequence[Result], refusals: Sequence[tuple[int, Result]]) -> Sequence[Result]:
    """All results in the order of the request's entries."""
    if not refusals:
        return taken
    refused = dict(refusals)
    rest = iter(taken)
    return [
        refused[place] if place in refused else next(rest)
        for place in range(len(taken) + len(refused))
    ]


def _dump_refusals(refusals: Sequence[tuple[int, Result]]) -> str | None:
    if not refusals:
        return None
    return json.dumps(
        [[place, r.mobile, r.ref, r.code.value, r.description] for place, r in refusals]
    )


def _load_refusals(text: str | None) -> list[tuple[int, Result]]:
    if not text:
        return []
    return [
        (place, Result(mobile, ref, None, 0, Code(code), description))
        for place, mobile, ref, code, description in json.loads(text)
    ]
