"""SGIP as a gateway speaks it: what SPs open to submit, and what it opens itself to deliver."""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from connectors import codes
from connectors.dialect import Declined, Leaving, Left, LoginRefused, Unknown
from connectors.server_dialect import (
    Accepted,
    Acknowledged,
    Entry,
    Login,
    Receipt,
    ServerEvent,
    ServerProtocol,
    Submitted,
    Text,
    content_of,
)
from connectors.settings import ServerSettings
from connectors.sgip.codes import PREFIX
from connectors.sgip.pdus import (
    CODECS,
    FRAME_LIMIT,
    HEADER_SIZE,
    LAST_SEQUENCE,
    V1,
    Bind,
    BindResp,
    Deliver,
    DeliverResp,
    Frame,
    LoginType,
    Report,
    ReportResp,
    Submit,
    SubmitResp,
    Trace,
    TraceResp,
    Unbind,
    UnbindResp,
)
from connectors.sgip.sequence import Sequences
from connectors.sgip.settings import GatewaySettings
from connectors.text import plain

_BUSY = 11
_ASCII = "ascii"
_CODECS = CODECS[V1]
_FAILURE = re.compile(rf"{PREFIX}:(\d{{1,3}})")
_DELIVERED, _WAITING, _FAILED = range(3)
_UNKNOWN_ERROR = 32

_STATUS: Mapping[Entry, int] = MappingProxyType(
    {
        Entry.OK: 0,
        Entry.BAD_STRUCTURE: 5,
        Entry.BAD_ACCOUNT: 1,
        Entry.BAD_SECRET: 1,
        Entry.BAD_VERSION: 4,
        Entry.TOO_MANY: 3,
    }
)
"""A wrong login type counts as a wrong version: SGIP's Bind has no version."""


class SgipServer:
    """The gateway's side of a connection that an SP opened. Ids are 24 hex digits."""

    header_size = HEADER_SIZE
    frame_limit = FRAME_LIMIT
    last_sequence = LAST_SEQUENCE
    heartbeats = False
    first = frozenset({Bind.command})

    def __init__(self, settings: ServerSettings) -> None:
        self._own: GatewaySettings = settings.own or GatewaySettings()
        self._sequences = Sequences(self._own.node)
        self._readers: dict[int, Callable[[bytes], ServerEvent]] = {
            Submit.command: _submit,
            DeliverResp.command: self._answered,
            ReportResp.command: self._answered,
            Bind.command: self._bind,
            Unbind.command: _unbind,
            UnbindResp.command: lambda frame: Left(),
            Trace.command: _trace,
        }

    def greeting(self, sequence: int) -> bytes:
        return b""

    def read(self, command: int, frame: bytes) -> ServerEvent:
        reader = self._readers.get(command)
        return Unknown(command) if reader is None else reader(frame)

    def check(self, login: Login, secret: bytes | None) -> Entry:
        pdu: Bind = login.pdu
        if pdu.login_type != LoginType.SP:
            return Entry.BAD_VERSION
        if secret is None:
            return Entry.BAD_ACCOUNT
        fits = hmac.compare_digest(pdu.login_password, secret)
        return Entry.OK if fits else Entry.BAD_SECRET

    def status(self, entry: Entry) -> int:
        return _STATUS[entry]

    def admit(self, login: Login, entry: Entry, secret: bytes) -> bytes:
        return _CODECS.encode(BindResp(login.pdu.sequence_number, _STATUS[entry]))

    def answer(self, submit: Submitted, msg_id: str, result: int) -> bytes:
        return _CODECS.encode(SubmitResp(submit.pdu.sequence_number, result))

    def deliver(self, sequence: int, own_id: str, item: Receipt | Text) -> bytes:
        pdu: Frame = _report(item) if isinstance(item, Receipt) else _inbound(item)
        pdu.sequence_number = self._sequences.make(sequence)
        return _CODECS.encode(pdu)

    def test(self, sequence: int) -> bytes:
        return b""

    def leave(self, sequence: int) -> bytes:
        return _CODECS.encode(Unbind(self._sequences.make(sequence)))

    def _bind(self, frame: bytes) -> ServerEvent:
        pdu: Bind = _CODECS.decode(frame)
        return Login(plain(pdu.login_name), V1, self._own.receives, pdu)

    def _answered(self, frame: bytes) -> ServerEvent:
        pdu = _CODECS.decode(frame)
        ordinal = self._sequences.ordinal(pdu.sequence_number)
        return Acknowledged(-1 if ordinal is None else ordinal, pdu.result)


class SgipCaller(SgipServer):
    """The gateway's side of a connection that it opened to deliver."""

    first = frozenset({BindResp.command})

    def greeting(self, sequence: int) -> bytes:
        account, password = self._own.account.encode(_ASCII), self._own.password.encode("utf-8")
        number = self._sequences.make(sequence)
        return _CODECS.encode(Bind(number, LoginType.SMG, account, password))

    def read(self, command: int, frame: bytes) -> ServerEvent:
        if command == BindResp.command:
            return self._bind_resp(frame)
        return super().read(command, frame)

    def _bind_resp(self, frame: bytes) -> ServerEvent:
        pdu: BindResp = _CODECS.decode(frame)
        if pdu.result == 0:
            return Accepted()
        reading = codes.result("sgip", pdu.result)
        return LoginRefused(f"login refused: {reading.en} ({pdu.result})", lasting=True)


def _submit(frame: bytes) -> ServerEvent:
    pdu: Submit = _CODECS.decode(frame)
    content = content_of(pdu.message_content, pdu.message_coding, udh=bool(pdu.tp_udhi))
    return Submitted(
        sequence=pdu.sequence_number,
        source=plain(pdu.sp_number),
        destinations=[plain(to) for to in pdu.user_number],
        text=content.text,
        payload=pdu.message_content,
        coding=pdu.message_coding,
        udh=bool(pdu.tp_udhi),
        reference=content.reference,
        total=content.total,
        number=content.number,
        report=pdu.report_flag in (1, 3),
        pdu=pdu,
    )


def _unbind(frame: bytes) -> ServerEvent:
    return Leaving(_CODECS.encode(UnbindResp(_CODECS.decode(frame).sequence_number)))


def _trace(frame: bytes) -> ServerEvent:
    return Declined(_CODECS.encode(TraceResp(_CODECS.decode(frame).sequence_number)))


def _report(item: Receipt) -> Report:
    state, error = _state(item.stat)
    return Report(
        submit_sequence_number=bytes.fromhex(item.id),
        user_number=item.destination.encode(_ASCII, "replace"),
        state=state,
        error_code=error,
    )


def _state(stat: str) -> tuple[int, int]:
    if stat == "DELIVRD":
        return _DELIVERED, 0
    if stat in ("ACCEPTD", "ENROUTE"):
        return _WAITING, 0
    failure = _FAILURE.fullmatch(stat)
    return _FAILED, min(int(failure[1]), 255) if failure else _UNKNOWN_ERROR


def _inbound(item: Text) -> Deliver:
    return Deliver(
        user_number=item.source.encode(_ASCII, "replace"),
        sp_number=item.destination.encode(_ASCII, "replace"),
        tp_udhi=1 if item.udh else 0,
        message_coding=item.coding,
        message_content=item.payload,
    )


class SgipIds:
    """The id of a submit is its own sequence number, for each of its recipients."""

    def __init__(self, gateway: int, first: int) -> None:
        """A gateway makes no ids of its own."""

    def of(self, submit: Submitted) -> Sequence[str]:
        return [submit.pdu.sequence_number.hex()] * len(submit.destinations)

    def own(self) -> str:
        return ""


SGIP_SERVER = ServerProtocol(SgipServer, SgipIds, throttled=_BUSY, caller=SgipCaller)
