"""Intake: from requests as a client made them to messages that are durable.

Owns the decision whether a request, and each of its recipients, is taken, and the answer.
One call is one commit, however many requests it brings; before it the messages of large ones are
stored in slices (`adapter.store.staging`).

Promises
    A client hears of an accepted message only after the commit (promise 1).
    A request whose client reference was accepted before gets its first answer, even if it
    would be refused today because its time has passed or a route is gone (promise 3).
    A request with a fault harms no other of the same call, a recipient with a fault no
    other of the same request. Only when no recipient is left a request is not stored: it
    may be corrected and repeated under the same reference.
    Results stand in the order of the entries.

A crash before the commit leaves nothing. A crash after it leaves a submission of which its
caller has not heard: he repeats the request and gets the first answer.

Limits: a call lies in memory, about 0.5 KB for each recipient. A number that gets the same
text twice is noticed inside a request, not across requests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from msgspec import Struct

from adapter.config.model import Config
from adapter.domain.client import Client
from adapter.domain.errors import Code, Refusal
from adapter.domain.ids import IdMaker
from adapter.domain.numbers import Numbering
from adapter.domain.ports import AcceptancePort
from adapter.domain.values import Message, Reply, Request, Result, Submission
from adapter.intake.content import Texts, Wording, templates
from adapter.intake.limits import Limits
from adapter.intake.reach import reaches
from adapter.intake.recipients import Recipients, Repeats, Sorted
from adapter.intake.terms import LONGEST_REF, Granted, Terms, is_storable


def utc_now() -> datetime:
    return datetime.now(UTC)


class _Draft(Struct, frozen=True, gc=False):
    """A request as it is to be stored, and the answer once it is. `place`: among the requests
    of its call."""

    place: int
    submission: Submission
    messages: Sequence[Message]
    replace: bool
    reply: Reply


class _Call:
    """What is the same for all requests of a call."""

    def __init__(self, client: Client, now: datetime) -> None:
        self.client = client
        self.now = now
        self.granted = Granted(client, now)
        self.texts = Texts(client.signature, client.max_segments)


class Intake:
    """Implements `adapter.domain.ports.IntakePort`; safe to share between threads."""

    def __init__(
        self,
        acceptance: AcceptancePort,
        ids: IdMaker,
        config: Config,
        limits: Limits,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._acceptance = acceptance
        self._ids = ids
        self._limits = limits
        self._clock = clock
        self._templates = templates(config.templates)
        numbering = Numbering((each.prefix, each.carrier) for each in config.ported)
        self._recipients = Recipients(numbering, reaches(config))

    def accept(self, client: Client, requests: Sequence[Request]) -> list[Reply]:
        """One reply for each request, in order, after the commit.

        Raises StoreUnavailable or SpoolFull when nothing of the call could be taken.
        """
        return self.offer(client, requests)()

    def offer(self, client: Client, requests: Sequence[Request]) -> Callable[[], list[Reply]]:
        """See `adapter.domain.ports.IntakePort`. Raises StoreUnavailable."""
        call = _Call(client, self._clock())
        drafts, replies = self._judged(call, requests)
        reserved = sum(len(draft.messages) for draft in drafts)
        try:
            self._recall(client, requests, replies)
        except BaseException:
            self._limits.give_back(client, reserved, call.now)
            raise
        stored = self._store(drafts)

        def accepted() -> list[Reply]:
            taken = 0
            try:
                for draft, answer in zip(drafts, stored(), strict=True):
                    if answer is None:
                        taken += len(draft.messages)
                    else:
                        replies[draft.place] = answer
            finally:
                self._limits.give_back(client, reserved - taken, call.now)
            return replies

        return accepted

    def _judged(self, call: _Call, requests: Sequence[Request]) -> tuple[list[_Draft], list[Reply]]:
        """What is to be stored, and one reply for each request: of a draft, once it is stored."""
        drafts: list[_Draft] = []
        replies: list[Reply] = []
        ids = self._ids.take(sum(1 + len(request.entries) for request in requests))
        first = 0
        for place, request in enumerate(requests):
            end = first + 1 + len(request.entries)
            judged = self._judge(call, place, request, ids[first:end])
            if isinstance(judged, Reply):
                replies.append(judged)
            else:
                drafts.append(judged)
                replies.append(judged.reply)
            first = end
        return drafts, replies

    def _judge(
        self, call: _Call, place: int, request: Request, ids: Sequence[int]
    ) -> _Draft | Reply:
        """The request as it is to be stored, or the answer that refuses it. `ids` are the
        submission's, then one for each entry."""
        entries, client, now = request.entries, call.client, call.now
        try:
            self._limits.admit(client, request.door, now)
            terms = call.granted.terms(request)
            wording = Wording(request, self._templates, call.texts)
            made = self._recipients.sort(
                entries, ids, wording, call.texts, terms.extension_digits, Repeats()
            )
            if not made.messages or (request.whole and made.refusals):
                return _all_refused([result for _, result in made.refusals])
            self._limits.reserve(client, len(made.messages), now)
        except Refusal as refusal:
            return Reply(
                refusal.code,
                refusal.description,
                None,
                0,
                len(entries),
                retry_after_s=refusal.retry_after_s,
                field=refusal.field,
            )
        return _Draft(
            place=place,
            submission=_submission(ids[0], client, request, terms, wording.common, now, made),
            messages=made.messages,
            replace=request.replace,
            reply=_accepted(ids[0], made),
        )

    def _recall(self, client: Client, requests: Sequence[Request], replies: list[Reply]) -> None:
        """Put first answers in the place of refusals of what was accepted before."""
        places = [
            place
            for place, (request, reply) in enumerate(zip(requests, replies, strict=True))
            if reply.submission_id is None
            and request.client_ref
            and is_storable(request.client_ref, LONGEST_REF)
        ]
        if not places:
            return
        answers = self._acceptance.first_answers(
            [(client.account, requests[at].source, requests[at].client_ref) for at in places]
        )
        for at, answer in zip(places, answers, strict=True):
            if answer is not None:
                replies[at] = answer

    def _store(self, drafts: Sequence[_Draft]) -> Callable[[], Sequence[Reply | None]]:
        """Hand in the drafts. What it returns waits for the commit, and has the first answers
        of those that were accepted before."""
        if not drafts:
            return list
        return self._acceptance.offer(
            [(draft.submission, draft.messages) for draft in drafts],
            [draft.replace for draft in drafts],
        )


def _submission(
    made: int,
    client: Client,
    request: Request,
    terms: Terms,
    content: str | None,
    now: datetime,
    recipients: Sorted,
) -> Submission:
    return Submission(
        id=made,
        client=client.account,
        door=request.door,
        source=request.source,
        client_ref=request.client_ref,
        business=terms.business,
        lane=terms.lane,
        content=content,
        extension=request.extension,
        pass_through=request.pass_through,
        business_key=request.business_key,
        receipt=request.receipt,
        accepted_at=now,
        due_at=terms.due_at,
        expire_at=terms.expire_at,
        refusals=tuple(recipients.refusals),
    )


def _accepted(made: int, recipients: Sorted) -> Reply:
    refused = len(recipients.refusals)
    return Reply(
        code=Code.PARTIAL if refused else Code.OK,
        description="",
        submission_id=made,
        accepted=len(recipients.messages),
        refused=refused,
        results=recipients.results,
    )


def _all_refused(results: Sequence[Result]) -> Reply:
    """The common code of all results, BAD_REQUEST where they differ."""
    first = results[0]
    if all(result.code is first.code for result in results):
        code, description = first.code, first.description
    else:
        code, description = Code.BAD_REQUEST, "every recipient was refused, see the results"
    return Reply(code, description, None, 0, len(results), results)
