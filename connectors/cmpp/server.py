"""CMPP as a server speaks it: frames for its session, and the events it reads.

Both versions at once: the CONNECT's version byte tells them apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from connectors.cmpp.auth import NO_DIGEST, server_digest, source_matches
from connectors.cmpp.msgid import MsgIds, nth
from connectors.cmpp.pdus import (
    CODECS,
    FRAME_LIMIT,
    HEADER_SIZE,
    LAST_SEQUENCE,
    NO_ID,
    STATUS,
    V2,
    V3,
    ActiveTest,
    ActiveTestResp,
    Cancel,
    CancelResp,
    Codecs,
    Connect,
    ConnectResp,
    Deliver,
    DeliverResp,
    Submit,
    SubmitResp,
    Terminate,
    TerminateResp,
)
from connectors.cmpp.report import StatusReport, encode_report
from connectors.dialect import Declined, Leaving, Left, TestAnswered, TestAsked, Unknown
from connectors.server_dialect import (
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
from connectors.text import plain

_FLOW_CONTROL = 8
_ASCII = "ascii"


class CmppServer:
    """The server side of one CMPP connection. Ids are 16 lower-case hex digits."""

    header_size = HEADER_SIZE
    frame_limit = FRAME_LIMIT
    last_sequence = LAST_SEQUENCE
    heartbeats = True
    first = frozenset({Connect.command})

    def __init__(self, settings: ServerSettings) -> None:
        self._versions: Sequence[str] = settings.versions or (V2, V3)
        self._codecs: Codecs = CODECS[V2]
        self._readers: dict[int, Callable[[bytes], ServerEvent]] = {
            Submit.command: self._submit,
            DeliverResp.command: self._deliver_resp,
            Connect.command: self._connect,
            ActiveTest.command: self._active_test,
            ActiveTestResp.command: lambda frame: TestAnswered(),
            Terminate.command: self._terminate,
            TerminateResp.command: lambda frame: Left(),
            Cancel.command: self._cancel,
        }

    def greeting(self, sequence: int) -> bytes:
        return b""

    def read(self, command: int, frame: bytes) -> ServerEvent:
        reader = self._readers.get(command)
        return Unknown(command) if reader is None else reader(frame)

    def check(self, login: Login, secret: bytes | None) -> Entry:
        connect: Connect = login.pdu
        version = V3 if connect.version >= 0x30 else V2
        if version not in self._versions or connect.version > 0x30:
            return Entry.BAD_VERSION
        if secret is None:
            return Entry.BAD_ACCOUNT
        account = connect.source_addr
        fits = source_matches(connect.authenticator_source, account, secret, connect.timestamp)
        return Entry.OK if fits else Entry.BAD_SECRET

    def status(self, entry: Entry) -> int:
        return int(entry)

    def admit(self, login: Login, entry: Entry, secret: bytes) -> bytes:
        connect: Connect = login.pdu
        width = STATUS[self._codecs.version]
        source = connect.authenticator_source
        digest = NO_DIGEST if entry else server_digest(entry, source, secret, width=width)
        highest = 0x30 if V3 in self._versions else 0x20
        version = highest if entry else connect.version
        return self._codecs.encode(ConnectResp(connect.sequence_id, entry, digest, version))

    def answer(self, submit: Submitted, msg_id: str, result: int) -> bytes:
        octets = bytes.fromhex(msg_id) if msg_id else NO_ID
        return self._codecs.submit_resp.encode(SubmitResp(submit.pdu.sequence_id, octets, result))

    def deliver(self, sequence: int, own_id: str, item: Receipt | Text) -> bytes:
        pdu = self._report(item) if isinstance(item, Receipt) else _inbound(item)
        pdu.sequence_id = sequence
        if own_id:
            pdu.msg_id = bytes.fromhex(own_id)
        return self._codecs.deliver.encode(pdu)

    def test(self, sequence: int) -> bytes:
        return self._codecs.encode(ActiveTest(sequence))

    def leave(self, sequence: int) -> bytes:
        return self._codecs.encode(Terminate(sequence))

    def _connect(self, frame: bytes) -> ServerEvent:
        pdu: Connect = self._codecs.decode(frame)
        self._codecs = CODECS[V3 if pdu.version >= 0x30 else V2]
        version = f"{pdu.version >> 4}.{pdu.version & 15}"
        return Login(plain(pdu.source_addr), version, True, pdu)

    def _submit(self, frame: bytes) -> ServerEvent:
        pdu = self._codecs.submit.decode(frame)
        content = content_of(pdu.msg_content, pdu.msg_fmt, udh=bool(pdu.tp_udhi))
        return Submitted(
            sequence=pdu.sequence_id,
            source=plain(pdu.src_id),
            destinations=[plain(to) for to in pdu.dest_terminal_id],
            text=content.text,
            payload=pdu.msg_content,
            coding=pdu.msg_fmt,
            udh=bool(pdu.tp_udhi),
            reference=content.reference,
            total=pdu.pk_total,
            number=pdu.pk_number,
            report=pdu.registered_delivery == 1,
            pdu=pdu,
        )

    def _deliver_resp(self, frame: bytes) -> ServerEvent:
        pdu = self._codecs.deliver_resp.decode(frame)
        return Acknowledged(pdu.sequence_id, pdu.result)

    def _active_test(self, frame: bytes) -> ServerEvent:
        return TestAsked(self._codecs.encode(ActiveTestResp(_sequence(frame))))

    def _terminate(self, frame: bytes) -> ServerEvent:
        return Leaving(self._codecs.encode(TerminateResp(_sequence(frame))))

    def _cancel(self, frame: bytes) -> ServerEvent:
        return Declined(self._codecs.encode(CancelResp(_sequence(frame), 1)))

    def _report(self, item: Receipt) -> Deliver:
        phone = item.destination.encode(_ASCII, "replace")
        report = StatusReport(
            bytes.fromhex(item.id),
            item.stat.encode(_ASCII, "replace"),
            item.submitted.encode(_ASCII),
            item.done.encode(_ASCII),
            phone,
        )
        return Deliver(
            dest_id=item.source.encode(_ASCII, "replace"),
            src_terminal_id=phone,
            registered_delivery=1,
            msg_content=encode_report(report, self._codecs.version),
        )


def _inbound(item: Text) -> Deliver:
    return Deliver(
        dest_id=item.destination.encode(_ASCII, "replace"),
        src_terminal_id=item.source.encode(_ASCII, "replace"),
        tp_udhi=1 if item.udh else 0,
        msg_fmt=item.coding,
        msg_content=item.payload,
    )


def _sequence(frame: bytes) -> int:
    return int.from_bytes(frame[8:12], "big")


class CmppIds:
    """A gateway's ids (A6) as hex."""

    def __init__(self, gateway: int, first: int) -> None:
        self._ids = MsgIds(gateway, first)

    def of(self, submit: Submitted) -> Sequence[str]:
        count = len(submit.destinations)
        first = self._ids.take(count)
        return [first.hex()] if count == 1 else [nth(first, k).hex() for k in range(count)]

    def own(self) -> str:
        return self._ids.take().hex()


CMPP_SERVER = ServerProtocol(CmppServer, CmppIds, throttled=_FLOW_CONTROL)
