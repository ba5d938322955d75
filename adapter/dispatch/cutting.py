"""How a channel cuts texts: in the cheapest of its codings, and what that costs.

Intake counted for the channel that needs most; one that needs less, or a configuration that
was changed since, leads to another count. `sized` tells it before the wire, so that it is
recorded with the attempt: what is stored is what goes out.

Where the carrier splits (channels over web services, SMPP with message_payload), a long text goes
out as one part, WHOLE, and counts the segments that it would take.

A message of which a part is out already is cut the same way again wherever that can be, so that
its other parts go on from there.
"""

from __future__ import annotations

from msgspec import structs

from adapter.config.model import Channel
from adapter.domain.values import WHOLE, Waiting
from connectors import splitting
from connectors.codings import named
from connectors.splitting import Manner, Split
from connectors.values import Coding


class Cutter:
    """One for each channel."""

    def __init__(self, channel: Channel) -> None:
        self._codings = named(channel.encodings)
        self._wide = channel.quirks.wide_references
        self._whole = channel.whole_texts
        self._manner = Manner(self._codings, self._wide)

    def sized(self, waiting: Waiting) -> Waiting:
        """The message with the segments that it takes here; all of them, if it takes other
        ones than before. Unchanged where no coding carries the text: `split` will say so."""
        try:
            segments = self._manner_of(waiting).measure(waiting.content).segments
        except ValueError:
            return waiting
        parts = self._parts(waiting, segments)
        if segments == waiting.message.segments:
            return waiting if parts == waiting.parts else structs.replace(waiting, parts=parts)
        message = structs.replace(waiting.message, segments=segments)
        return structs.replace(waiting, message=message, parts=parts, recounted=True)

    def split(self, waiting: Waiting) -> Split:
        """The segments of a `sized` message. Raises ValueError for more than 255, or none."""
        return splitting.split(
            waiting.content,
            self._manner_of(waiting).codings,
            reference=_reference(waiting.message.id),
            wide=self._wide,
            whole=waiting.parts == (WHOLE,),
        )

    def _parts(self, waiting: Waiting, segments: int) -> tuple[int, ...]:
        if self._whole and segments > 1:
            return (WHOLE,)
        same = segments == waiting.message.segments and waiting.parts != (WHOLE,)
        return waiting.parts if same else ()

    def _manner_of(self, waiting: Waiting) -> Manner:
        """All codings; of a message that is partly out those that cut it as before, if any."""
        if not waiting.parts or len(self._codings) == 1:
            return self._manner
        same = tuple(
            coding
            for coding in self._codings
            if self._count(waiting.content, coding) == waiting.message.segments
        )
        return Manner(same, self._wide) if same else self._manner

    def _count(self, text: str, coding: Coding) -> int:
        try:
            return Manner((coding,), self._wide).measure(text).segments
        except ValueError:
            return 0


def _reference(message_id: int) -> int:
    """What joins the segments on the phone: the same whenever a part is sent again."""
    return (message_id ^ message_id >> 22) & 0xFFFF
