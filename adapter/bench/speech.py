"""What a client says at each door, and how it reads the answers: octets made beforehand, read by
their place. The load shares the machine with the node that it measures, so a request costs it a
few microseconds, not the hundreds of an honest client library."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from adapter.bench.forms import Form, Soap, form_of
from adapter.bench.load import CONTENT, mobile
from adapter.bench.rig import CMPP_SECRET, PASSWORD
from connectors.clock import timestamp
from connectors.cmpp.auth import source_digest
from connectors.cmpp.pdus import (
    CODECS,
    V3,
    ActiveTest,
    ActiveTestResp,
    Connect,
    ConnectResp,
    Deliver,
    DeliverResp,
    Submit,
    SubmitResp,
)
from connectors.errors import DecodeError

_NS = "urn:his-sms:exchange:1"
_HEAD_END = b"\r\n\r\n"


class Answered(NamedTuple):
    """A request's first number, and how many of its messages were accepted; None for none."""

    number: int
    accepted: int | None


@dataclass(slots=True)
class Heard:
    """What some octets of the node said. `reply` is to be written back."""

    is_open: bool = False
    answered: list[Answered] = field(default_factory=list)
    home: list[int] = field(default_factory=list)
    reply: list[bytes] = field(default_factory=list)


class Speech(Protocol):
    """Of one connection."""

    @property
    def opening(self) -> bytes:
        """What to say first; empty where there is no login."""

    def ask(self, numbers: range) -> bytes:
        """Send messages to the mobiles of these numbers."""

    def hear(self, octets: bytes) -> Heard:
        """Read on. Raises RuntimeError for what ends the talk."""


class Web:
    """Keep-alive HTTP, one request at a time."""

    opening = b""

    def __init__(self, form: Form) -> None:
        self._form = form
        self._asked = 0
        self._rest = b""

    def ask(self, numbers: range) -> bytes:
        self._asked = numbers[0]
        return posted(self._form, self._form.send(numbers))

    def hear(self, octets: bytes) -> Heard:
        self._rest += octets
        heard, place = Heard(), body_in(self._rest)
        if place is not None:
            accepted = self._form.accepted(self._rest[place])
            self._rest = self._rest[place.stop :]
            heard.answered.append(Answered(self._asked, accepted))
        return heard


class Framed:
    """The socket door; receipts are pushed where `receipts` asks for them."""

    _accepted = re.compile(rb"<accepted>(\d+)<")
    _mark = re.compile(rb'\bid="(\d+)"')
    _message = re.compile(rb"<messageId>(\d+)<")

    def __init__(self, account: str, receipts: bool) -> None:
        more = "<receipts>true</receipts>" if receipts else ""
        login = f"<account>{account}</account><password>{PASSWORD}</password>{more}"
        self.opening = _framed(f'<Login xmlns="{_NS}">{login}</Login>')
        self._rest = b""

    def ask(self, numbers: range) -> bytes:
        name = "Send" if len(numbers) == 1 else "SendBatch"
        request = Soap.request_of(numbers)
        return _framed(f'<{name} xmlns="{_NS}" id="{numbers[0]}">{request}</{name}>')

    def hear(self, octets: bytes) -> Heard:
        heard, buffer, at = Heard(), self._rest + octets, 0
        while len(buffer) - at >= 4:
            end = at + 4 + int.from_bytes(buffer[at : at + 4], "big")
            if len(buffer) < end:
                break
            self._frame(buffer[at + 4 : end], heard)
            at = end
        self._rest = buffer[at:]
        return heard

    def _frame(self, frame: bytes, heard: Heard) -> None:
        mark = self._mark.search(frame[:200])
        if b"<Push " in frame[:100] and mark is not None:
            heard.home += [int(each) for each in self._message.findall(frame)]
            heard.reply.append(_framed(f'<Ack xmlns="{_NS}" id="{mark[1].decode()}"/>'))
        elif mark is not None:
            found = self._accepted.search(frame)
            heard.answered.append(Answered(int(mark[1]), int(found[1]) if found else None))
        elif b"<LoginResponse " in frame[:100]:
            heard.is_open = True
        else:
            raise RuntimeError(frame[:500].decode("utf-8", "replace"))


class Cmpp:
    """CMPP 3.0; a submit's sequence is its number."""

    def __init__(self, account: str) -> None:
        codecs, stamp = CODECS[V3], timestamp()
        name = account.encode()
        self.opening = codecs.encode(
            Connect(0, name, source_digest(name, CMPP_SECRET.encode(), stamp), 0x30, stamp)
        )
        submit = codecs.encode(
            Submit(msg_content=CONTENT.encode("utf-16-be"), dest_terminal_id=(mobile(0).encode(),))
        )
        self._before, self._after = submit[:8], submit[12:].split(mobile(0).encode())
        self._decode, self._encode = codecs.decode, codecs.encode
        self._rest = b""

    def ask(self, numbers: range) -> bytes:
        front, back = self._after
        return b"".join(
            self._before + number.to_bytes(4, "big") + front + mobile(number).encode() + back
            for number in numbers
        )

    def hear(self, octets: bytes) -> Heard:
        heard, buffer, at = Heard(), self._rest + octets, 0
        while len(buffer) - at >= 12:
            end = at + int.from_bytes(buffer[at : at + 4], "big")
            if len(buffer) < end:
                break
            self._frame(buffer[at:end], heard)
            at = end
        self._rest = buffer[at:]
        return heard

    def _frame(self, frame: bytes, heard: Heard) -> None:
        try:
            pdu = self._decode(frame)
        except DecodeError as error:
            raise RuntimeError(str(error)) from error
        match pdu:
            case SubmitResp():
                heard.answered.append(Answered(pdu.sequence_id, 1 if pdu.result == 0 else None))
            case Deliver():
                heard.home.append(int.from_bytes(pdu.msg_content[:8], "big"))
                heard.reply.append(self._encode(DeliverResp(pdu.sequence_id, pdu.msg_id)))
            case ActiveTest():
                heard.reply.append(self._encode(ActiveTestResp(pdu.sequence_id)))
            case ConnectResp() if pdu.status == 0:
                heard.is_open = True
            case _:
                raise RuntimeError(f"{pdu.title} where none is expected, or a refusal")


def posted(form: Form, request: tuple[str, bytes]) -> bytes:
    """A POST as octets."""
    path, body = request
    return b"%sContent-Length: %d\r\n\r\n%s" % (_head(form, path), len(body), body)


def body_in(octets: bytes) -> slice | None:
    """Where the body of an answer is; None while it is not all there."""
    end = octets.find(_HEAD_END)
    if end < 0:
        return None
    found = _LENGTH.search(octets, 0, end + 2)
    start = end + len(_HEAD_END)
    stop = start + (int(found[1]) if found else 0)
    return slice(start, stop) if len(octets) >= stop else None


_LENGTH = re.compile(rb"content-length: *(\d+)\r\n", re.IGNORECASE)


def _head(form: Form, path: str) -> bytes:
    headers = "".join(f"{name}: {value}\r\n" for name, value in form.headers.items())
    return f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}".encode()


def _framed(document: str) -> bytes:
    octets = document.encode()
    return len(octets).to_bytes(4, "big") + octets


def speech_of(door: str, account: str, receipts: bool) -> Callable[[], Speech]:
    """How a connection of this account at this door talks."""
    if door == "socket":
        return lambda: Framed(account, receipts)
    if door == "cmpp":
        return lambda: Cmpp(account)
    form = form_of(door, account)
    return lambda: Web(form)


WINDOWS: Mapping[str, int] = {"soap": 1, "http": 1, "socket": 32, "cmpp": 200}
"""Requests without an answer on one connection."""
