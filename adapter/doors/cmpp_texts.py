"""Texts as CMPP clients send them: what the fields of a submit ask for, and where a report finds
the Msg_Ids that it is about."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import NamedTuple

from adapter.config.model import Config
from adapter.domain.client import Client
from adapter.domain.errors import Code, Refusal
from adapter.domain.states import Door
from adapter.domain.values import Entry, Notice, Request
from connectors.parts import decode_part, join, sound
from connectors.server_dialect import Submitted
from connectors.text import Udh, parse_udh, plain

MOST_PARTS = 15
"""Parts of one text: their Msg_Ids must fit into the pass-through."""

_BINARY = 0x04
_ALPHABET = 0x0C
_WRITTEN_TIME = 16
_NO_SOURCE = "-"
_ID_OCTETS = 8


@dataclass(frozen=True, slots=True)
class Wish:
    """What a submit, or a whole text, asks for. Times as they are written."""

    source: str
    recipients: Sequence[str]
    text: str
    report: bool
    at: str
    until: str

    def dumped(self) -> str:
        """As ASCII: half of a pair that was cut between two parts is no text for a database."""
        return json.dumps(asdict(self))

    @classmethod
    def loaded(cls, text: str) -> Wish:
        return cls(**json.loads(text))


def read(submit: Submitted) -> tuple[Wish, Udh | None]:
    """What a submit asks for, and which part of a longer text it is. Raises Refusal for what is
    no text."""
    if submit.coding & _ALPHABET == _BINARY:
        raise Refusal(Code.BAD_REQUEST, "Msg_Fmt: 8-bit data is no text")
    udh, octets = parse_udh(submit.payload) if submit.udh else (None, b"")
    part = sound(udh)
    if part is not None and part.total > MOST_PARTS:
        raise Refusal(Code.TOO_LONG, f"a text of more than {MOST_PARTS} parts")
    text = submit.text if part is None else decode_part(octets, submit.coding)
    times = plain(submit.pdu.at_time), plain(submit.pdu.valid_time)
    return Wish(submit.source, submit.destinations, text, submit.report, *times), part


def part_key(account: str, wish: Wish, part: Udh) -> str:
    """What the parts of one text have in common."""
    common = [account, wish.source, list(wish.recipients), part.reference, part.total]
    return hashlib.sha256(json.dumps(common).encode()).hexdigest()[:40]


def whole(parts: Sequence[Wish]) -> Wish:
    """The text of these parts, in their order; a report where any of them wants one."""
    text = join(each.text for each in parts)
    return replace(parts[0], text=text, report=any(each.report for each in parts))


class Origin(NamedTuple):
    """Where a message came from, as its submission's pass-through keeps it for the reports.

    `ids`: the Msg_Id answered to each part, that of its first recipient; the others' count on.
    Empty where the Msg_Id is the message id itself.
    """

    source: str
    ids: Sequence[int] = ()

    def __str__(self) -> str:
        source = self.source or _NO_SOURCE
        if not self.ids:
            return source
        octets = b"".join(each.to_bytes(_ID_OCTETS, "big") for each in self.ids)
        return f"{source} {base64.b64encode(octets).decode()}"

    @classmethod
    def of(cls, notice: Notice) -> Origin:
        source, _, written = notice.pass_through.partition(" ")
        octets = base64.b64decode(written)
        ids = [
            int.from_bytes(octets[at : at + _ID_OCTETS], "big")
            for at in range(0, len(octets), _ID_OCTETS)
        ]
        return cls("" if source == _NO_SOURCE else source, ids=ids)

    def ids_of(self, notice: Notice) -> Iterator[int]:
        """The Msg_Ids that reports of this message are about, one for each part."""
        if not self.ids:
            return iter((notice.message_id,))
        return (made + int(notice.ref) for made in self.ids)


class Reader:
    """Makes requests of wishes. `config` knows the access numbers."""

    def __init__(self, config: Config, clock: Callable[[], datetime]) -> None:
        numbers = {
            number
            for channel in config.channels
            for number in (channel.access_number, channel.spare_number)
            if number
        }
        self._numbers = sorted(numbers, key=len, reverse=True)
        self._clock = clock

    def request(
        self, client: Client, wish: Wish, origin: Origin | None = None, client_ref: str = ""
    ) -> Request:
        """What intake is asked for. Raises Refusal."""
        return Request(
            entries=[Entry(mobile, ref=str(place)) for place, mobile in enumerate(wish.recipients)],
            content=wish.text,
            client_ref=client_ref,
            extension=self.extension(client, wish.source),
            schedule_at=self.moment(wish.at, "At_Time"),
            expire_at=self.moment(wish.until, "ValId_Time"),
            receipt=wish.report,
            pass_through=str(origin or Origin(wish.source)),
            door=Door.CMPP,
            whole=True,
        )

    def extension(self, client: Client, source: str) -> str:
        """The digits of a Src_Id behind access number and client's extension, either of which may
        be left out. Raises Refusal."""
        number = next((each for each in self._numbers if source.startswith(each)), "")
        rest = source[len(number) :].removeprefix(client.extension)
        if source and not number and rest == source and client.extension:
            raise Refusal(Code.BAD_REQUEST, "Src_Id: begins with no number of ours", "Src_Id")
        return rest

    def moment(self, text: str, field_name: str) -> datetime | None:
        """A time of SMPP 3.3, absolute or relative; None for none. Raises Refusal."""
        if not text:
            return None
        try:
            return self._read_time(text)
        except (ValueError, OverflowError):
            raise Refusal(Code.BAD_REQUEST, f"{field_name}: is no time", field_name) from None

    def _read_time(self, text: str) -> datetime:
        if len(text) != _WRITTEN_TIME or not text[:15].isdecimal() or text[15] not in "+-R":
            raise ValueError(text)
        if text[15] == "R":
            years, months, days, hours, minutes, seconds = (
                int(text[at : at + 2]) for at in range(0, 12, 2)
            )
            days += 365 * years + 30 * months
            gone = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
            return self._clock() + gone
        offset = timedelta(minutes=15 * int(text[13:15]))
        zone = timezone(offset if text[15] == "+" else -offset)
        read = datetime.strptime(text[:12], "%y%m%d%H%M%S").replace(tzinfo=zone)
        return read.astimezone(UTC)
