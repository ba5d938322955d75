"""CMPP submits on their way to intake: whole texts at once, parts when their text is whole.

A part is kept in the store before it is answered (`adapter.store.submit_parts`), so a client may
wait for each answer before it sends the next part. A text whose rest does not come within
`wait_s` is accepted as a message that expires at once: what was answered with 0 comes to its
end, with a report, and shows up where an operator looks; it is never sent.

Blocks the calling thread; raises nothing but what is a bug.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import repeat
from typing import NamedTuple

import structlog
from msgspec import structs

from adapter.domain.client import Client
from adapter.domain.errors import Refusal
from adapter.domain.ids import IdMaker
from adapter.domain.ports import IntakePort
from adapter.domain.states import Door
from adapter.domain.values import Reply, Request
from adapter.doors.cmpp_codes import FLOW, result_of
from adapter.doors.cmpp_texts import Origin, Reader, Wish, part_key, read, whole
from adapter.doors.faults import internal
from adapter.doors.service import Watch
from adapter.store.clock import from_ms, to_ms
from adapter.store.submit_parts import Part, SubmitParts
from connectors.server_dialect import Submitted
from connectors.text import Udh

_SOON = timedelta(seconds=2)
_INSTANT = timedelta(microseconds=1)

log = structlog.get_logger(__name__)


class Answer(NamedTuple):
    """To a submit: the Msg_Id it was given, or a result other than 0."""

    msg_id: int
    result: int = 0


@dataclass(frozen=True, slots=True)
class _Text:
    """A whole text; `place` is that of the submit that brought it, or its last part."""

    place: int
    request: Request
    answer: int
    """The Msg_Id; 0 for the id of the message."""
    parts: Sequence[Part] = ()


class CmppIntake:
    """Safe to share between threads."""

    def __init__(
        self,
        intake: IntakePort,
        parts: SubmitParts,
        ids: IdMaker,
        reader: Reader,
        wait_s: float,
        clock: Callable[[], datetime],
        watch: Watch | None = None,
    ) -> None:
        self._intake = intake
        self._parts = parts
        self._ids = ids
        self._reader = reader
        self._wait = timedelta(seconds=wait_s)
        self._clock = clock
        self._watch = watch

    def accept(self, client: Client, submits: Sequence[Submitted]) -> list[Answer]:
        """An answer to each, after the commit."""
        answers = [Answer(0)] * len(submits)
        texts: list[_Text] = []
        parts: list[tuple[int, Part]] = []
        for place, submit in enumerate(submits):
            try:
                wish, part = read(submit)
                if part is None:
                    texts.append(self._alone(client, place, wish))
                else:
                    parts.append((place, self._part(client, wish, part)))
            except Refusal as refusal:
                answers[place] = Answer(0, result_of(refusal.code, refusal.field))
        if parts:
            texts += self._keep(client, parts, answers)
        self._accept(client, texts, answers)
        return answers

    def give_up(self, find: Callable[[str], Client | None]) -> None:
        """End the texts whose rest was waited for long enough."""
        for group in self._parts.overdue(to_ms(self._clock() - self._wait)):
            client = find(group[0].client)
            if client is not None:
                self._end(client, group)
            else:
                log.warning("cmpp.parts_of_nobody", client=group[0].client, parts=len(group))
                self._parts.drop(group)

    def _end(self, client: Client, group: Sequence[Part]) -> None:
        text = self._joined(client, 0, group)
        if len(group) < group[0].total:
            # Not sent: due and expired in the same millisecond, which this begins.
            due = from_ms(to_ms(self._clock() + _SOON))
            content = (text.request.content or "").replace("\ufffd", "?")
            request = structs.replace(
                text.request, content=content, schedule_at=due, expire_at=due + _INSTANT
            )
            text = replace(text, request=request)
            log.warning("cmpp.parts_missing", client=client.account, id=group[0].id)
        self._accept(client, [text], [Answer(0)])

    def _alone(self, client: Client, place: int, wish: Wish) -> _Text:
        if len(wish.recipients) <= 1:
            return _Text(place, self._reader.request(client, wish), 0)
        first = self._run_of_ids(len(wish.recipients))
        request = self._reader.request(client, wish, Origin(wish.source, [first]))
        return _Text(place, request, first)

    def _part(self, client: Client, wish: Wish, part: Udh) -> Part:
        # A fault of the fields is told at once, not when the text is whole.
        self._reader.request(client, wish)
        return Part(
            self._run_of_ids(max(1, len(wish.recipients))),
            client.account,
            part_key(client.account, wish, part),
            part.number,
            part.total,
            wish.dumped(),
        )

    def _keep(
        self, client: Client, parts: Sequence[tuple[int, Part]], answers: list[Answer]
    ) -> list[_Text]:
        """Keep parts; the texts that are whole by them."""
        try:
            kept = self._parts.keep([part for _, part in parts])
        except Exception as error:
            refused = Answer(0, _result_of(error))
            for place, _ in parts:
                answers[place] = refused
            return []
        texts: list[_Text] = []
        for (place, _), each in zip(parts, kept):
            answers[place] = Answer(each.id)
            if each.whole:
                texts.append(replace(self._joined(client, place, each.whole), answer=each.id))
        return texts

    def _joined(self, client: Client, place: int, group: Sequence[Part]) -> _Text:
        wish = whole([Wish.loaded(part.content) for part in group])
        origin = Origin(wish.source, [part.id for part in group])
        reference = f"cmpp-parts/{min(part.id for part in group)}"
        request = self._reader.request(client, wish, origin, reference)
        return _Text(place, request, 0, group)

    def _accept(self, client: Client, texts: Sequence[_Text], answers: list[Answer]) -> None:
        if not texts:
            return
        replies = self._ask(client, [text.request for text in texts])
        over: list[Part] = []
        for text, reply in zip(texts, replies):
            if reply.submission_id is None:
                answers[text.place] = Answer(0, result_of(reply.code))
            else:
                answers[text.place] = Answer(text.answer or reply.results[0].message_id or 0)
            if answers[text.place].result != FLOW:
                over += text.parts
            else:
                # The client brings its last part again, or never.
                over += [part for part in text.parts if part.id == text.answer]
        if over:
            self._drop(over)

    def _drop(self, parts: Sequence[Part]) -> None:
        try:
            self._parts.drop(parts)
        except Refusal:
            # They are found overdue, accepted under the same reference, and dropped then.
            log.warning("cmpp.parts_left", parts=len(parts))

    def _ask(self, client: Client, requests: Sequence[Request]) -> Sequence[Reply]:
        started = time.perf_counter()
        try:
            replies = self._intake.accept(client, requests)
        except Exception as error:
            code = (error if isinstance(error, Refusal) else internal(error)).code
            replies = [Reply(code, "", None, 0, 1) for _ in requests]
        if self._watch is not None:
            seconds = time.perf_counter() - started
            self._watch.observe_accept(Door.CMPP, repeat(seconds, len(replies)))
            for reply in replies:
                for code, count in reply.refusals.items():
                    self._watch.refused(Door.CMPP, code, count)
        return replies

    def _run_of_ids(self, count: int) -> int:
        """The first of so many ids without a gap."""
        while True:
            ids = self._ids.take(count)
            if ids[-1] - ids[0] == count - 1:
                return ids[0]


def _result_of(error: Exception) -> int:
    return result_of((error if isinstance(error, Refusal) else internal(error)).code)
