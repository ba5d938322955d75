"""How a channel cuts texts: in the cheapest of its codings, and what that costs.

Intake counted for the channel that needs most; one that needs less, or a configuration that
was changed since, leads to another count. So a text is cut before its attempt is recorded, and
the count with it: what is stored is what goes out.

Where the carrier splits (channels over web services, SMPP with message_payload), a long text goes
out as one part, WHOLE, and counts the segments that it would take.

A message of which a part is out already is cut the same way again wherever that can be, so that
its other parts go on from there.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import structs

from adapter.config.model import Channel
from adapter.domain.values import WHOLE, Waiting
from connectors import splitting
from connectors.codings import named
from connectors.splitting import Split
from connectors.values import Coding


class Cutter:
    """One for each channel."""

    def __init__(self, channel: Channel) -> None:
        self._codings = named(channel.encodings)
        self._wide = channel.quirks.wide_references
        self._whole = channel.whole_texts

    def cut(self, waiting: Waiting) -> tuple[Waiting, Split]:
        """The message with the segments that it takes here, all of them to be sent if it takes
        other ones than before; and these. Raises ValueError where no coding carries the text,
        or 255 segments do not."""
        content, codings = waiting.content, self._codings_of(waiting)
        if self._whole:
            measured = splitting.measure(content, codings, wide=self._wide)
            if measured.segments > 1:
                split = splitting.whole(content, measured.coding)
                return _sized(waiting, measured.segments, (WHOLE,)), split
        reference = _reference(waiting.message.id)
        split = splitting.split(content, codings, reference=reference, wide=self._wide)
        segments = len(split.payloads)
        same = segments == waiting.message.segments and waiting.parts != (WHOLE,)
        return _sized(waiting, segments, waiting.parts if same else ()), split

    def _codings_of(self, waiting: Waiting) -> Sequence[Coding]:
        """All codings; of a message that is partly out those that cut it as before, if any."""
        if not waiting.parts or len(self._codings) == 1:
            return self._codings
        same = [
            coding
            for coding in self._codings
            if self._count(waiting.content, coding) == waiting.message.segments
        ]
        return same or self._codings

    def _count(self, text: str, coding: Coding) -> int:
        """Segments; 0 where the coding does not carry the text."""
        try:
            return splitting.measure(text, (coding,), wide=self._wide).segments
        except ValueError:
            return 0


def _sized(waiting: Waiting, segments: int, parts: tuple[int, ...]) -> Waiting:
    if segments == waiting.message.segments:
        return waiting if parts == waiting.parts else structs.replace(waiting, parts=parts)
    message = structs.replace(waiting.message, segments=segments)
    return structs.replace(waiting, message=message, parts=parts, recounted=True)


def _reference(message_id: int) -> int:
    """What joins the segments on the phone: the same whenever a part is sent again."""
    return (message_id ^ message_id >> 22) & 0xFFFF
