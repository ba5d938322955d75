"""Intake: from requests as a client made them to messages that are durable.

Owns the decision whether a request, and each of its recipients, is taken, and the answer.
One call is one commit, however many requests it brings.

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
from adapter.intake.terms import LONGEST_REF, Terms, is_storable, terms_of


def utc_now() -> datetime:
    return datetime.now(UTC)


class _Draft(Struct, frozen=True):
    """A request as it is to be stored, and the answer once it is."""

    submission: Submission
    messages: Sequence[Message]
    replace: bool
    reply: Reply


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
        now = self._clock()
        texts = Texts(client.signature, client.max_segments)
        judged = [self._judge(client, request, now, texts) for request in requests]
        replies = [each.reply if isinstance(each, _Draft) else each for each in judged]
        reserved = sum(len(each.messages) for each in judged if isinstance(each, _Draft))
        try:
            self._recall(client, requests, replies)
        except BaseException:
            self._limits.give_back(client, reserved, now)
            raise
        stored = self._store(judged, replies)

        def accepted() -> list[Reply]:
            taken = 0
            try:
                taken = stored()
            finally:
                self._limits.give_back(client, reserved - taken, now)
            return replies

        return accepted

    def _judge(
        self, client: Client, request: Request, now: datetime, texts: Texts
    ) -> _Draft | Reply:
        """The request as it is to be stored, or the answer that refuses it."""
        entries = request.entries
        try:
            self._limits.admit(client, request.door, now)
            terms = terms_of(client, request, now)
            wording = Wording(request, self._templates, texts)
            ids = self._ids.take(1 + len(entries))
            made = self._recipients.sort(
                entries, ids, wording, texts, terms.extension_digits, Repeats()
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
        _replace(replies, places, answers)

    def _store(self, judged: Sequence[_Draft | Reply], replies: list[Reply]) -> Callable[[], int]:
        """Hand in the drafts. What it returns waits for the commit, gives a draft that was
        accepted before its first answer, and tells how many messages are new."""
        drafts = [(at, each) for at, each in enumerate(judged) if isinstance(each, _Draft)]
        if not drafts:
            return lambda: 0
        answered = self._acceptance.offer(
            [(draft.submission, draft.messages) for _, draft in drafts],
            [draft.replace for _, draft in drafts],
        )

        def stored() -> int:
            answers = answered()
            _replace(replies, [at for at, _ in drafts], answers)
            return sum(
                len(draft.messages)
                for (_, draft), answer in zip(drafts, answers, strict=True)
                if answer is None
            )

        return stored


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
        refusals=recipients.refusals,
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


def _replace(replies: list[Reply], places: Sequence[int], answers: Sequence[Reply | None]) -> None:
    for at, answer in zip(places, answers, strict=True):
        if answer is not None:
            replies[at] = answer
