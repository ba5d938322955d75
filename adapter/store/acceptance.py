"""Accepting: the one commit after which a caller hears "accepted" (promises 1, 3, 11)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from operator import itemgetter

from msgspec import Struct
from sqlalchemy import Connection, select

from adapter.domain.errors import Code, Refusal, SpoolFull, StoreUnavailable
from adapter.domain.ids import IdMaker
from adapter.domain.outcomes import QueueKey
from adapter.domain.values import Message, Notice, Reply, Result, Submission, Waiting
from adapter.store import bulk, sealing
from adapter.store.capacity import Capacity
from adapter.store.clock import now_ms
from adapter.store.committer import Committer, Kind
from adapter.store.endings import Counts
from adapter.store.journeys import Question, ask
from adapter.store.rows import (
    count_accepted,
    load_refusals,
    message_rows,
    moments_of,
    ref_key,
    ref_key_of,
    spool_rows,
    submission_row,
)
from adapter.store.schema import message, spool, submission
from adapter.store.sealing import Seal, seal_of
from adapter.store.staging import Staging, claim, drop, is_staged
from adapter.store.withdrawal import withdraw_by_key

LARGE = 10
"""Messages of a request, or of several handed in together, behind which a single one need not
wait."""

Pair = tuple[Submission, Sequence[Message]]
_Keys = Sequence[str | None]


class _Work(Struct, frozen=True, gc=False):
    pairs: Sequence[Pair]
    replace: Sequence[bool]


class _Done(Struct, frozen=True, gc=False):
    answers: list[Reply | None]
    withdrawn: int
    notices: list[Notice]


class Acceptance:
    """The store's side of intake. Safe to call from many threads: they share commits.

    `mass` commits what is large, and what has an order among itself: all that sources hand in,
    and replacements; `committer` the rest, and all where there is no other. Where both are handed
    one reference at a time, whichever commits last gives the first one's answer.
    A submission of very many messages is written in steps before its commit
    (`adapter.store.staging`).
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
        self._staging = Staging(self._mass, capacity)
        self._ids = ids
        self._capacity = capacity
        self._arrived = arrived
        self._told = told
        self._look_again = look_again
        # What is being stored in steps and was not handed in yet, by its references.
        self._under_way: dict[Future[None], frozenset[str]] = {}
        self._kind: Kind[_Work, _Done] = Kind("accept", 0, self._run)
        # After "accept": it sees what was accepted in the same commit.
        self._recall: Kind[_Keys, list[Reply | None]] = Kind("recall", 1, self._run_recall)

    def offer(
        self, batch: Sequence[Pair], replace: Sequence[bool] = ()
    ) -> Callable[[], list[Reply | None]]:
        """See `adapter.domain.ports.AcceptancePort`."""
        if any(is_staged(*pair) for pair in batch):
            return lambda: self._accept_in_steps(batch, replace)
        handed_in = self._hand_in(batch, replace)
        return lambda: self._accepted(batch, handed_in)

    def _accept_in_steps(
        self, batch: Sequence[Pair], replace: Sequence[bool]
    ) -> list[Reply | None]:
        try:
            return self._accepted(batch, self._stage_and_hand_in(batch, replace))
        except Refusal:
            self._staging.give_up(_ids_staged(batch))
            raise

    def _stage_and_hand_in(self, batch: Sequence[Pair], replace: Sequence[bool]) -> Future[_Done]:
        stored: Future[None] = Future()
        self._under_way[stored] = frozenset(key for its, _ in batch if (key := ref_key_of(its)))
        try:
            for its, own in batch:
                if is_staged(its, own):
                    self._staging.store(its, own)
            return self._hand_in(batch, replace)
        finally:
            del self._under_way[stored]
            stored.set_result(None)

    def _hand_in(self, batch: Sequence[Pair], replace: Sequence[bool]) -> Future[_Done]:
        committer = self._mass if _is_mass(batch) or any(replace) else self._committer
        return committer.submit(self._kind, _Work(batch, replace))

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
        for stored, its in self._under_way.copy().items():
            if not its.isdisjoint(named):
                stored.result()
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
        keyed = [[ref_key_of(its) for its, _ in work.pairs] for work in works]
        seen = _seen(connection, [key for keys in keyed for key in keys if key])
        fresh = _Fresh(seal_of(connection))
        results: list[_Done | Refusal] = []
        for work, keys in zip(works, keyed, strict=True):
            if self._capacity.room_for(fresh.count + _count_new(work, keys, seen, fresh)):
                results.append(self._take(connection, work, keys, seen, fresh))
            else:
                fresh.staged_in_vain += _ids_staged(work.pairs)
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
            else:
                fresh.staged_in_vain += _ids_staged([pair])
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


def _ids_staged(pairs: Iterable[Pair]) -> list[int]:
    return [its.id for its, own in pairs if is_staged(its, own)]


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
        self._staged: list[Pair] = []
        self.staged_in_vain: list[int] = []
        """Submissions that are not accepted now, after their messages were stored."""

    def add(self, pair: Pair, key: str | None) -> None:
        its, own = pair
        self.count += len(own)
        if key is not None:
            self.by_ref[key] = pair
        if its.business_key:
            self.business_keys.add((its.client, its.business_key))
        at = moments_of(its)
        self._submissions.append(submission_row(its, key, at, self._seal))
        if is_staged(its, own):
            self._staged.append(pair)
        else:
            self._messages += message_rows(own, self._seal)
            self._spool += spool_rows(its, own, at)
        count_accepted(self.counts, its, own, at)

    def write(self, connection: Connection) -> None:
        for table, rows in (
            (submission, self._submissions),
            (message, self._messages),
            (spool, self._spool),
        ):
            bulk.insert(connection, table, rows)
            rows.clear()
        for its, own in self._staged:
            claim(connection, its, len(own))
        self._staged.clear()
        drop(connection, self.staged_in_vain)
        self.staged_in_vain.clear()


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
    # Ordered here: to do that, PostgreSQL may walk along all messages.
    rows = connection.execute(
        select(
            message.c.id,
            message.c.submission_id,
            message.c.mobile,
            message.c.ref,
            message.c.segments,
        ).where(bulk.among(connection, message.c.submission_id, [row[1] for row in found]))
    )
    for at, made, sealed, ref, parts in sorted(rows, key=itemgetter(0)):
        mobile = seal.opened(sealing.MESSAGE_MOBILE, at, sealed)
        taken[made].append(Result(mobile, ref or "", at, parts, Code.OK, ""))
    return {
        key: _answer(
            made,
            taken[made],
            load_refusals(seal.open(sealing.SUBMISSION_REFUSALS, made, refusals)),
        )
        for key, made, refusals in found
    }


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
