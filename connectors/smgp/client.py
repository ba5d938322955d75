"""SMGP as a client speaks it: frames for the link, and the events it reads."""

from __future__ import annotations

import logging
from collections.abc import Callable

from connectors import codes
from connectors.clock import timestamp
from connectors.codings import wire_number
from connectors.dialect import (
    Delivered,
    Event,
    Leaving,
    Left,
    LoggedIn,
    LoginRefused,
    SubmitAnswered,
    TestAnswered,
    TestAsked,
    Unknown,
)
from connectors.parts import inbound
from connectors.quirks import BARE
from connectors.settings import LinkSettings
from connectors.smgp.auth import client_digest, server_matches
from connectors.smgp.pdus import (
    CODECS,
    FRAME_LIMIT,
    HEADER_SIZE,
    LAST_SEQUENCE,
    LAYOUTS,
    V1,
    V2,
    ActiveTest,
    ActiveTestResp,
    Deliver,
    DeliverResp,
    Exit,
    ExitResp,
    Login,
    LoginResp,
    SubmitResp,
    Tag,
    number,
    text,
)
from connectors.smgp.pdus import Submit as SubmitPDU
from connectors.smgp.report import decode_report, report_stat
from connectors.smgp.settings import RECEIVE, SmgpSettings
from connectors.text import Udh, parse_udh, plain
from connectors.tlv import Tlv, uint_of
from connectors.values import Action, Answer, Inbound, Report, Submit

log = logging.getLogger(__name__)

_LASTING = frozenset((10, 11, 20, 21, 22, 76))
_MT = 6


class SmgpClient:
    """The client side of one SMGP connection. Ids are 20 lower-case hex digits."""

    header_size = HEADER_SIZE
    frame_limit = FRAME_LIMIT
    last_sequence = LAST_SEQUENCE
    heartbeats = True

    def __init__(self, settings: LinkSettings) -> None:
        own = settings.own or SmgpSettings()
        self._settings = settings
        self._own = own
        self._version_byte = own.version_byte or _version_byte(settings.version)
        self._layout(LAYOUTS[settings.version])
        self.submits = own.login_mode != RECEIVE
        self._account = _ascii(settings.account)
        self._secret = settings.password.encode("utf-8")
        self._service = _ascii(settings.service_id)
        self._fees = _ascii(own.fee_type), _ascii(own.fee_code), _ascii(own.fixed_fee)
        self._tlvs = _contract(own)
        self._digest = b""
        self._readers: dict[int, Callable[[bytes], Event]] = {
            SubmitResp.command: self._submit_resp,
            Deliver.command: self._deliver,
            ActiveTest.command: self._active_test,
            ActiveTestResp.command: lambda frame: TestAnswered(),
            LoginResp.command: self._login_resp,
            Exit.command: self._exit,
            ExitResp.command: lambda frame: Left(),
        }

    def login(self, sequence: int) -> bytes:
        stamp = timestamp()
        padded = self._settings.account_padded
        self._digest = client_digest(self._account, self._secret, stamp, padded=padded)
        mode, version = self._own.login_mode, self._version_byte
        login = Login(sequence, self._account, self._digest, mode, stamp, version)
        return self._codecs.encode(login)

    def submit(self, sequence: int, submit: Submit) -> bytes:
        fee_type, fee_code, fixed_fee = self._fees
        return self._submit.encode(
            SubmitPDU(
                sequence_id=sequence,
                msg_type=_MT,
                need_report=1 if submit.report else 0,
                priority=self._own.priority,
                service_id=self._service,
                fee_type=fee_type,
                fee_code=fee_code,
                fixed_fee=fixed_fee,
                msg_format=wire_number("smgp", submit.coding),
                src_term_id=_ascii(submit.source),
                dest_term_id=(_ascii(submit.destination),),
                msg_content=submit.payload,
                tlvs=_part(submit) + self._tlvs if submit.udh else self._tlvs,
            )
        )

    def test(self, sequence: int) -> bytes:
        return self._codecs.encode(ActiveTest(sequence))

    def leave(self, sequence: int) -> bytes:
        return self._codecs.encode(Exit(sequence))

    def read(self, command: int, frame: bytes) -> Event:
        reader = self._readers.get(command)
        return Unknown(command) if reader is None else reader(frame)

    def _layout(self, version: str) -> None:
        self._codecs = CODECS[version]
        self._submit = self._codecs.of(SubmitPDU)
        self._answer = self._codecs.of(SubmitResp)

    def _submit_resp(self, frame: bytes) -> Event:
        if len(frame) == HEADER_SIZE and self._settings.quirks.bare_answers:
            return SubmitAnswered(_sequence(frame), BARE)
        pdu = self._answer.decode(frame)
        code = pdu.status
        if code == 0:
            answer = Answer(True, pdu.msg_id.hex(), "0", Action.NONE)
        else:
            answer = Answer(False, "", str(code), codes.result("smgp", code).action)
        return SubmitAnswered(pdu.sequence_id, answer)

    def _deliver(self, frame: bytes) -> Event:
        pdu: Deliver = self._codecs.decode(frame)
        if pdu.tail:
            log.info("%s: parameters of a delivery are cut short", self._settings.name)
        response = self._codecs.encode(DeliverResp(pdu.sequence_id, pdu.msg_id, 0))
        return Delivered(_report(pdu) if pdu.is_report else _inbound(pdu), response)

    def _login_resp(self, frame: bytes) -> Event:
        pdu: LoginResp = self._codecs.decode(frame)
        status = pdu.status
        if status:
            reading = codes.result("smgp", status)
            return LoginRefused(f"login refused: {reading.en} ({status})", status in _LASTING)
        if not server_matches(pdu.authenticator_server, status, self._digest, self._secret):
            log.warning("%s: the gateway's authenticator does not fit", self._settings.name)
        if self._own.follow_server and pdu.server_version < self._version_byte:
            self._layout(V1 if pdu.server_version < _version_byte(V2) else V2)
        return LoggedIn()

    def _active_test(self, frame: bytes) -> Event:
        return TestAsked(self._codecs.encode(ActiveTestResp(_sequence(frame))))

    def _exit(self, frame: bytes) -> Event:
        return Leaving(self._codecs.encode(ExitResp(_sequence(frame))))


def _ascii(value: str) -> bytes:
    return value.encode("ascii", "replace")


def _version_byte(version: str) -> int:
    major, _, minor = version.partition(".")
    return int(major) << 4 | int(minor)


def _sequence(frame: bytes) -> int:
    return int.from_bytes(frame[8:12], "big")


def _contract(own: SmgpSettings) -> tuple[Tlv, ...]:
    """What every submit of this account carries."""
    values = ((Tag.MSG_SRC, own.msg_src), (Tag.M_SERVICE_ID, own.product))
    return tuple(text(tag, _ascii(value)) for tag, value in values if value)


def _part(submit: Submit) -> tuple[Tlv, ...]:
    return (
        number(Tag.TP_UDHI, 1),
        number(Tag.PK_TOTAL, submit.total),
        number(Tag.PK_NUMBER, submit.number),
    )


def _report(pdu: Deliver) -> Report:
    body = decode_report(pdu.msg_content)
    stat = report_stat(body)
    reading = codes.stat(stat)
    return Report(
        id=body.msg_id.hex(),
        stat=stat,
        delivered=reading.delivered,
        final=reading.final,
        destination=plain(pdu.src_term_id),
        source=plain(pdu.dest_term_id),
        submitted=plain(body.submit_date),
        done=plain(body.done_date),
        raw=pdu.msg_content,
    )


def _inbound(pdu: Deliver) -> Inbound:
    joined, octets = _joined(pdu)
    source, destination = plain(pdu.src_term_id), plain(pdu.dest_term_id)
    return inbound(source, destination, pdu.msg_content, octets, pdu.msg_format, joined, pdu.msg_id)


def _joined(pdu: Deliver) -> tuple[Udh | None, bytes]:
    """By the header that TP_udhi announces; else by PkTotal and PkNumber, which some gateways
    send with a header that nothing announces, or with none."""
    beside = Udh(0, uint_of(pdu.tlvs, Tag.PK_TOTAL), uint_of(pdu.tlvs, Tag.PK_NUMBER), 0)
    found, octets = parse_udh(pdu.msg_content)
    if uint_of(pdu.tlvs, Tag.TP_UDHI):
        return found or beside, octets
    if found is not None and (found.total, found.number) == (beside.total, beside.number):
        return found, octets
    return beside, pdu.msg_content
