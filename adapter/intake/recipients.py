"""The recipients of one request, sorted into messages and refusals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from adapter.domain.errors import Code, Refusal
from adapter.domain.numbers import Numbering
from adapter.domain.states import Carrier
from adapter.domain.values import Entry, Message, Result
from adapter.intake.content import Texts, Wording
from adapter.intake.reach import Reach
from adapter.intake.terms import LONGEST_REF, is_storable

_OK = Code.OK
_SHOWN = 32
"""Characters of a wrong number that its own answer repeats."""


class Sorted(Struct, gc=False):
    """`results` hold one answer for each entry; `refusals` those refused, with their place."""

    messages: list[Message] = []
    results: list[Result] = []
    refusals: list[tuple[int, Result]] = []


class Recipients:
    """Judges recipients by number, route, text; never changes, safe to share between threads."""

    def __init__(self, numbering: Numbering, reaches: Mapping[Carrier, Reach]) -> None:
        self._numbering = numbering
        self._reaches = reaches

    def sort(
        self,
        entries: Sequence[Entry],
        ids: Sequence[int],
        wording: Wording,
        texts: Texts,
        extension_digits: int,
        repeats: Repeats,
    ) -> Sorted:
        """`ids` are the submission's, then one for each entry; a refused entry's is not used.
        `repeats` knows the entries of this submission that came before."""
        made = Sorted()
        for place, entry in enumerate(entries):
            try:
                message = self._message(
                    entry, ids[0], ids[place + 1], wording, texts, extension_digits
                )
                repeats.check(message)
            except Refusal as refusal:
                result = _refused(entry, refusal)
                made.refusals.append((place, result))
            else:
                made.messages.append(message)
                result = Result(message.mobile, message.ref, message.id, message.segments, _OK)
            made.results.append(result)
        return made

    def _message(
        self,
        entry: Entry,
        submission_id: int,
        message_id: int,
        wording: Wording,
        texts: Texts,
        extension_digits: int,
    ) -> Message:
        if entry.refused is not None:
            raise Refusal(*entry.refused)
        if entry.ref and not is_storable(entry.ref, LONGEST_REF):
            raise Refusal(
                Code.BAD_REQUEST,
                f"ref: at most {LONGEST_REF} characters, no control characters",
                "ref",
            )
        mobile, carrier = self._numbering.resolve(entry.mobile)
        reach = self._reaches.get(carrier)
        if reach is None:
            raise Refusal(Code.NO_ROUTE, f"no channel serves the carrier {carrier}", "mobile")
        if extension_digits > reach.room:
            raise Refusal(
                Code.BAD_REQUEST,
                f"extension: access number and extensions exceed 20 digits towards {carrier}",
                "extension",
            )
        text = wording.text_for(entry)
        return Message(
            id=message_id,
            submission_id=submission_id,
            ref=entry.ref,
            mobile=mobile,
            carrier=carrier,
            content=None if text == wording.common else text,
            segments=texts.segments(text, reach.manners),
        )


class Repeats:
    """Notices a number that gets one text twice in a request: it would frighten a patient."""

    def __init__(self) -> None:
        self._first: dict[str, str | None] = {}
        self._more: set[tuple[str, str | None]] = set()

    def check(self, message: Message) -> None:
        """Raises Refusal(DUPLICATE). Several texts for one number are well."""
        mobile, content = message.mobile, message.content
        if mobile not in self._first:
            self._first[mobile] = content
            return
        if content == self._first[mobile] or (mobile, content) in self._more:
            raise Refusal(Code.DUPLICATE, "the same text to the same number again", "mobile")
        self._more.add((mobile, content))


def _refused(entry: Entry, refusal: Refusal) -> Result:
    return Result(
        entry.mobile[:_SHOWN],
        entry.ref[:LONGEST_REF],
        None,
        0,
        refusal.code,
        refusal.description,
    )
