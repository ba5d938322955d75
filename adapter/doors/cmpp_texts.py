"""Texts as CMPP clients send them: parts put together, and what the fields ask for.

Parts belong together when client, sender, recipients, reference and total are the same. They
lie here in memory, unanswered, until the last one has come or `wait_s` is over; so a part is
never "accepted" before its whole text is durable. How many wait is bounded by the windows of
the clients' connections.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import NamedTuple

from adapter.config.model import Config
from adapter.domain.client import Client
from adapter.domain.errors import Code, Refusal
from adapter.domain.states import Door
from adapter.domain.values import Entry, Notice, Request
from connectors.joining import decode_part, join, sound
from connectors.server import ServerSession
from connectors.server_dialect import Submitted
from connectors.text import parse_udh, plain

_BINARY = 0x04
_ALPHABET = 0x0C
_WRITTEN_TIME = 16
_NO_SOURCE = "-"


class Piece(NamedTuple):
    """A submit that waits for its answer on its connection."""

    session: ServerSession
    submit: Submitted


@dataclass(slots=True)
class Text:
    """A whole text: its pieces in the order of their numbers."""

    pieces: Sequence[Piece]
    content: str


@dataclass(slots=True)
class _Group:
    parts: dict[int, tuple[Piece, str]] = field(default_factory=dict)
    timer: asyncio.TimerHandle | None = None


_Key = tuple[str, str, tuple[str, ...], int, int]


class Joiner:
    """`late` gets the pieces whose rest did not come."""

    def __init__(self, wait_s: float, late: Callable[[Sequence[Piece]], None]) -> None:
        self._wait_s = wait_s
        self._late = late
        self._loop = asyncio.get_running_loop()
        self._groups: dict[_Key, _Group] = {}

    def take(self, account: str, piece: Piece) -> Text | None:
        """The text that is whole by this piece. Raises Refusal for what is no text."""
        submit = piece.submit
        if submit.coding & _ALPHABET == _BINARY:
            raise Refusal(Code.BAD_REQUEST, "Msg_Fmt: 8-bit data is no text")
        udh, octets = parse_udh(submit.payload) if submit.udh else (None, submit.payload)
        part = sound(udh)
        if part is None:
            return Text([piece], submit.text)
        key = account, submit.source, tuple(submit.destinations), part.reference, part.total
        group = self._groups.get(key)
        if group is not None and part.number in group.parts:
            # Another text under the same reference; or the client repeats itself.
            self._give_up(key)
            group = None
        if group is None:
            group = self._groups[key] = _Group()
            group.timer = self._loop.call_later(self._wait_s, self._give_up, key)
        group.parts[part.number] = piece, decode_part(octets, submit.coding)
        if len(group.parts) < part.total:
            return None
        self._forget(key)
        parts = [group.parts[number] for number in sorted(group.parts)]
        return Text([each for each, _ in parts], join(text for _, text in parts))

    def give_up_all(self) -> None:
        """No more parts will come."""
        for key in list(self._groups):
            self._give_up(key)

    def leave(self, session: ServerSession) -> None:
        """A connection is gone; its client sends again what was not answered."""
        for key, group in list(self._groups.items()):
            group.parts = {
                number: part for number, part in group.parts.items() if part[0].session != session
            }
            if not group.parts:
                self._forget(key)

    def _give_up(self, key: _Key) -> None:
        group = self._forget(key)
        self._late([piece for piece, _ in group.parts.values()])

    def _forget(self, key: _Key) -> _Group:
        group = self._groups.pop(key)
        if group.timer is not None:
            group.timer.cancel()
        return group


class Origin(NamedTuple):
    """Where a message came from, as its submission's pass-through keeps it for the reports.

    `first` is the first Msg_Id of a run: part by part, and in each part recipient by recipient;
    0 where the Msg_Id is the message id itself.
    """

    source: str
    first: int = 0
    parts: int = 1
    recipients: int = 1

    def __str__(self) -> str:
        source = self.source or _NO_SOURCE
        return f"{source} {self.first:x} {self.parts} {self.recipients}" if self.first else source

    @classmethod
    def of(cls, notice: Notice) -> Origin:
        source, *run = notice.pass_through.split(" ")
        source = "" if source == _NO_SOURCE else source
        if not run:
            return cls(source)
        return cls(source, int(run[0], 16), int(run[1]), int(run[2]))

    def part_ids(self) -> Iterator[int]:
        """The Msg_Id in the answer to each part."""
        return (self.first + part * self.recipients for part in range(self.parts))

    def ids_of(self, notice: Notice) -> Iterator[int]:
        """The Msg_Ids that reports of this message are about, one for each part."""
        if not self.first:
            return iter((notice.message_id,))
        return (made + int(notice.ref) for made in self.part_ids())


class Reader:
    """Reads requests from texts. `config` knows the access numbers."""

    def __init__(self, config: Config, clock: Callable[[], datetime]) -> None:
        numbers = {
            number
            for channel in config.channels
            for number in (channel.access_number, channel.spare_number)
            if number
        }
        self._numbers = sorted(numbers, key=len, reverse=True)
        self._clock = clock

    def request(self, client: Client, text: Text, origin: Origin) -> Request:
        """What intake is asked for. Raises Refusal."""
        submit = text.pieces[0].submit
        pdu = submit.pdu
        return Request(
            entries=[
                Entry(mobile, ref=str(place)) for place, mobile in enumerate(submit.destinations)
            ],
            content=text.content,
            extension=self.extension(client, submit.source),
            schedule_at=self.moment(pdu.at_time, "At_Time"),
            expire_at=self.moment(pdu.valid_time, "ValId_Time"),
            receipt=any(each.submit.report for each in text.pieces),
            pass_through=str(origin),
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

    def moment(self, octets: bytes, field_name: str) -> datetime | None:
        """A time of SMPP 3.3, absolute or relative; None for none. Raises Refusal."""
        text = plain(octets)
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
