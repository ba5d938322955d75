"""What a carrier sends, as the store takes it: own numbers, cleaned texts, no field too long.

The store refuses what does not fit its columns, or what no database can keep, and a refused
item is sent again by the carrier for ever. So everything is made to fit here, visibly: what
cannot be kept becomes U+FFFD, and what is cut ends in an ellipsis.
"""

from __future__ import annotations

import hashlib

from msgspec import structs

from adapter.domain.outcomes import Part, Received, Reported
from connectors.values import LONGEST_ID, Answer, Inbound, Report

CODE_LENGTH = 32
NUMBER_LENGTH = 32
EXTENSION_LENGTH = 20
TIME_LENGTH = 20
REPEAT_MS = 60_000
"""A text without an id is a repetition of the same one that came a minute ago, two at most."""
_DIGEST_LENGTH = 32
_CUT = "\u2026"


def answered(answer: Answer) -> Answer:
    """An answer whose id and code the store can keep."""
    its_id, code = fitting_id(answer.id), fitting(answer.code, CODE_LENGTH)
    if its_id is answer.id and code is answer.code:
        return answer
    return structs.replace(answer, id=its_id, code=code)


def reported(channel: str, item: Report, at: int) -> Reported:
    """A report that came over `channel` at the moment `at`."""
    return Reported(
        channel=channel,
        carrier_id=fitting_id(item.id),
        code=fitting(item.stat, CODE_LENGTH),
        delivered=item.delivered,
        mobile=fitting(local_number(item.destination), NUMBER_LENGTH),
        submitted=fitting(item.submitted, TIME_LENGTH),
        done=fitting(item.done, TIME_LENGTH),
        at=at,
        others=tuple(map(fitting_id, item.others)) if item.others else (),
    )


def received(channel: str, access_number: str, item: Inbound, at: int) -> Received:
    """A text that came over `channel`, whose own number is `access_number`; what follows that
    number in the destination is the extension."""
    found, extension = "", ""
    if access_number:
        _, found, extension = item.destination.partition(access_number)
    part = Part(item.reference, item.total, item.number) if item.total > 1 else None
    return Received(
        channel=channel,
        mobile=fitting(local_number(item.source), NUMBER_LENGTH),
        content=storable(item.text) if part is None else item.text.replace("\0", ""),
        access_number=found or fitting(item.destination, NUMBER_LENGTH),
        extension=fitting(extension, EXTENSION_LENGTH),
        at=at,
        keys=_keys(item, at),
        part=part,
    )


def _keys(item: Inbound, at: int) -> tuple[str, ...]:
    """What is the same when the carrier sends a text again. Not the id alone: some gateways
    give every text the same."""
    part = f"{item.reference}/{item.total}/{item.number}"
    told = "\0".join((item.id, item.source, item.destination, part, item.text))
    octets = told.encode("utf-8", "surrogatepass") + item.payload
    digest = hashlib.sha256(octets).hexdigest()[:_DIGEST_LENGTH]
    if item.id:
        return (digest,)
    minute = at // REPEAT_MS
    return f"{digest}@{minute}", f"{digest}@{minute - 1}"


def local_number(number: str) -> str:
    """Eleven digits from any form that carriers use (protocols/cmpp.md A11.10)."""
    if len(number) <= 11:
        return number
    for prefix in ("+86", "0086", "86"):
        if number.startswith(prefix) and len(number) - len(prefix) == 11:
            return number[len(prefix) :]
    return number


def storable(text: str) -> str:
    """`text` without what no database keeps: NUL goes, a lone surrogate becomes U+FFFD. Neither
    is in a text of letters and digits alone."""
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def fitting(text: str, length: int) -> str:
    """`text` in at most `length` characters."""
    kept = text if text.isalnum() else storable(text)
    return kept if len(kept) <= length else kept[: length - 1] + _CUT


def fitting_id(text: str) -> str:
    """An id in at most 64 characters: one that is longer keeps its beginning and a digest, the
    same in an answer and in its report."""
    kept = text if text.isalnum() else storable(text)
    if len(kept) <= LONGEST_ID:
        return kept
    digest = hashlib.sha256(kept.encode()).hexdigest()[:_DIGEST_LENGTH]
    return kept[: LONGEST_ID - _DIGEST_LENGTH - 1] + _CUT + digest
