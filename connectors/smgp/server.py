"""SMGP as a server speaks it: frames for its session, and the events it reads.

Every version at once: the client's version byte tells the layouts apart, unless the settings
allow one version alone, which then holds for whatever byte the client sends.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

from connectors.clock import BEIJING
from connectors.dialect import Leaving, Left, TestAnswered, TestAsked, Unknown
from connectors.server_dialect import (
    Acknowledged,
    Entry,
    Receipt,
    ServerEvent,
    ServerProtocol,
    Submitted,
    Text,
    content_of,
)
from connectors.server_dialect import Login as LoginEvent
from connectors.settings import ServerSettings
from connectors.smgp.auth import NO_DIGEST, client_matches, server_digest
from connectors.smgp.msgid import MsgIds, nth
from connectors.smgp.pdus import (
    CODECS,
    FRAME_LIMIT,
    HEADER_SIZE,
    LAST_SEQUENCE,
    LAYOUTS,
    NO_ID,
    V1,
    V2,
    V3,
    ActiveTest,
    ActiveTestResp,
    Deliver,
    DeliverResp,
    Exit,
    ExitResp,
    Login,
    LoginResp,
    Submit,
    SubmitResp,
    Tag,
    number,
)
from connectors.smgp.report import StatusReport, encode_report
from connectors.smgp.settings import SEND
from connectors.text import plain
from connectors.tlv import uint_of

_BUSY = 1
_HIGHEST = 0x31
_ASCII = "ascii"

_STATUS: Mapping[Entry, int] = MappingProxyType(
    {
        Entry.OK: 0,
        Entry.BAD_STRUCTURE: 10,
        Entry.BAD_ACCOUNT: 21,
        Entry.BAD_SECRET: 21,
        Entry.BAD_VERSION: 22,
        Entry.TOO_MANY: 2,
    }
)


class SmgpServer:
    """The server side of one SMGP connection. Ids are 20 lower-case hex digits."""

    header_size = HEADER_SIZE
    frame_limit = FRAME_LIMIT
    last_sequence = LAST_SEQUENCE
    heartbeats = True
    first = frozenset({Login.command})

    def __init__(self, settings: ServerSettings) -> None:
        self._versions: Sequence[str] = [LAYOUTS[version] for version in settings.versions] or [
            V1,
            V2,
            V3,
        ]
        self._codecs = CODECS[self._versions[-1]]
        self._readers: dict[int, Callable[[bytes], ServerEvent]] = {
            Submit.command: self._submit,
            DeliverResp.command: self._deliver_resp,
            Login.command: self._login,
            ActiveTest.command: self._active_test,
            ActiveTestResp.command: lambda frame: TestAnswered(),
            Exit.command: self._exit,
            ExitResp.command: lambda frame: Left(),
        }

    def greeting(self, sequence: int) -> bytes:
        return b""

    def read(self, command: int, frame: bytes) -> ServerEvent:
        reader = self._readers.get(command)
        return Unknown(command) if reader is None else reader(frame)

    def check(self, login: LoginEvent, secret: bytes | None) -> Entry:
        pdu: Login = login.pdu
        if self._codecs.version not in self._versions or pdu.client_version > _HIGHEST:
            return Entry.BAD_VERSION
        if secret is None:
            return Entry.BAD_ACCOUNT
        fits = client_matches(pdu.authenticator_client, pdu.client_id, secret, pdu.timestamp)
        return Entry.OK if fits else Entry.BAD_SECRET

    def status(self, entry: Entry) -> int:
        return _STATUS[entry]

    def admit(self, login: LoginEvent, entry: Entry, secret: bytes) -> bytes:
        pdu: Login = login.pdu
        status = _STATUS[entry]
        digest = NO_DIGEST if status else server_digest(status, pdu.authenticator_client, secret)
        version = min(pdu.client_version, _HIGHEST)
        return self._codecs.encode(LoginResp(pdu.sequence_id, status, digest, version))

    def answer(self, submit: Submitted, msg_id: str, result: int) -> bytes:
        octets = bytes.fromhex(msg_id) if msg_id else NO_ID
        return self._codecs.encode(SubmitResp(submit.pdu.sequence_id, octets, result))

    def deliver(self, sequence: int, own_id: str, item: Receipt | Text) -> bytes:
        pdu = _report(item) if isinstance(item, Receipt) else _inbound(item)
        pdu.sequence_id = sequence
        if own_id:
            pdu.msg_id = bytes.fromhex(own_id)
        return self._codecs.encode(pdu)

    def test(self, sequence: int) -> bytes:
        return self._codecs.encode(ActiveTest(sequence))

    def leave(self, sequence: int) -> bytes:
        return self._codecs.encode(Exit(sequence))

    def _login(self, frame: bytes) -> ServerEvent:
        pdu: Login = self._codecs.decode(frame)
        if len(self._versions) > 1:
            self._codecs = CODECS[_layout(pdu.client_version)]
        version = f"{pdu.client_version >> 4}.{pdu.client_version & 15}"
        return LoginEvent(plain(pdu.client_id), version, pdu.login_mode != SEND, pdu)

    def _submit(self, frame: bytes) -> ServerEvent:
        pdu: Submit = self._codecs.decode(frame)
        tlvs = pdu.tlvs
        flagged = bool(uint_of(tlvs, Tag.TP_UDHI))
        content = content_of(pdu.msg_content, pdu.msg_format, udh=flagged)
        return Submitted(
            sequence=pdu.sequence_id,
            source=plain(pdu.src_term_id),
            destinations=[plain(to) for to in pdu.dest_term_id],
            text=content.text,
            payload=pdu.msg_content,
            coding=pdu.msg_format,
            udh=flagged,
            reference=content.reference,
            # Some clients write 0 of 0 for a text in one piece.
            total=uint_of(tlvs, Tag.PK_TOTAL) or content.total,
            number=uint_of(tlvs, Tag.PK_NUMBER) or content.number,
            report=pdu.need_report == 1,
            pdu=pdu,
        )

    def _deliver_resp(self, frame: bytes) -> ServerEvent:
        pdu: DeliverResp = self._codecs.decode(frame)
        return Acknowledged(pdu.sequence_id, pdu.status)

    def _active_test(self, frame: bytes) -> ServerEvent:
        return TestAsked(self._codecs.encode(ActiveTestResp(_sequence(frame))))

    def _exit(self, frame: bytes) -> ServerEvent:
        return Leaving(self._codecs.encode(ExitResp(_sequence(frame))))


def _layout(version_byte: int) -> str:
    if version_byte >= 0x30:
        return V3
    return V2 if version_byte >= 0x20 else V1


def _sequence(frame: bytes) -> int:
    return int.from_bytes(frame[8:12], "big")


def _report(item: Receipt) -> Deliver:
    stat, _, err = item.stat.partition(":")
    delivered = stat == "DELIVRD"
    report = StatusReport(
        msg_id=bytes.fromhex(item.id),
        dlvrd=b"001" if delivered else b"000",
        submit_date=item.submitted.encode(_ASCII),
        done_date=item.done.encode(_ASCII),
        stat=stat.encode(_ASCII, "replace"),
        err=(err or ("000" if delivered else "999")).encode(_ASCII, "replace"),
    )
    return Deliver(
        is_report=1,
        recv_time=b"20" + item.done.encode(_ASCII) + b"00",
        src_term_id=item.destination.encode(_ASCII, "replace"),
        dest_term_id=item.source.encode(_ASCII, "replace"),
        msg_content=encode_report(report),
    )


def _inbound(item: Text) -> Deliver:
    return Deliver(
        msg_format=item.coding,
        recv_time=datetime.now(BEIJING).strftime("%Y%m%d%H%M%S").encode(_ASCII),
        src_term_id=item.source.encode(_ASCII, "replace"),
        dest_term_id=item.destination.encode(_ASCII, "replace"),
        msg_content=item.payload,
        tlvs=(number(Tag.TP_UDHI, 1),) if item.udh else (),
    )


class SmgpIds:
    """A gateway's ids (section 7) as hex."""

    def __init__(self, gateway: int, first: int) -> None:
        self._ids = MsgIds(gateway, first)

    def of(self, submit: Submitted) -> Sequence[str]:
        count = len(submit.destinations)
        first = self._ids.take(count)
        return [nth(first, k).hex() for k in range(count)]

    def own(self) -> str:
        return self._ids.take().hex()


SMGP_SERVER = ServerProtocol(SmgpServer, SmgpIds, throttled=_BUSY)
