"""CMPP as a client speaks it: frames for the link, and the events it reads."""

from __future__ import annotations

import logging
from collections.abc import Callable

from connectors import codes
from connectors.cmpp.auth import server_matches, source_digest, timestamp
from connectors.cmpp.codes import CONNECT_STATUS
from connectors.cmpp.pdus import (
    CODECS,
    FRAME_LIMIT,
    HEADER_SIZE,
    LAST_SEQUENCE,
    V2,
    V3,
    ActiveTest,
    ActiveTestResp,
    Connect,
    ConnectResp,
    Deliver,
    DeliverResp,
    SubmitResp,
    Terminate,
    TerminateResp,
)
from connectors.cmpp.pdus import Submit as SubmitPDU
from connectors.cmpp.report import decode_report, report_stat
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
from connectors.text import parse_udh, plain
from connectors.values import Action, Answer, Inbound, Report, Submit

log = logging.getLogger(__name__)

_VERSION_BYTE = {"2.0": 0x20, "2.1": 0x21, "3.0": 0x30}
_LASTING = range(1, 5)
_CONNECT_RESP_V2 = 30
_NO_ACTION = Action.NONE
_UDHI = 0x41  # some gateways copy SMPP's esm_class, 0x40 (A11)


class CmppClient:
    """The client side of one CMPP connection. Ids are 16 lower-case hex digits."""

    header_size = HEADER_SIZE
    frame_limit = FRAME_LIMIT
    last_sequence = LAST_SEQUENCE
    heartbeats = True
    submits = True

    def __init__(self, settings: LinkSettings) -> None:
        self._settings = settings
        self._version_byte = _VERSION_BYTE[settings.version]
        self._codecs = CODECS[V3 if self._version_byte >= 0x30 else V2]
        self._account = settings.account.encode("ascii", "replace")
        self._secret = settings.password.encode("utf-8")
        # One for all submits of the connection; each writes what differs.
        self._submit = SubmitPDU(
            service_id=settings.service_id.encode("ascii", "replace"),
            fee_user_type=settings.fee_user_type,
            msg_src=self._account,
            fee_type=settings.fee_type.encode("ascii", "replace"),
            fee_code=settings.fee_code.encode("ascii", "replace"),
        )
        self._digest = b""
        self._readers: dict[int, Callable[[bytes], Event]] = {
            SubmitResp.command: self._submit_resp,
            Deliver.command: self._deliver,
            ActiveTest.command: self._active_test,
            ActiveTestResp.command: lambda frame: TestAnswered(),
            ConnectResp.command: self._connect_resp,
            Terminate.command: self._terminate,
            TerminateResp.command: lambda frame: Left(),
        }

    def login(self, sequence: int) -> bytes:
        stamp = timestamp()
        padded = self._settings.account_padded
        self._digest = source_digest(self._account, self._secret, stamp, padded=padded)
        return self._codecs.encode(
            Connect(sequence, self._account, self._digest, self._version_byte, stamp)
        )

    def submit(self, sequence: int, submit: Submit) -> bytes:
        pdu = self._submit
        pdu.sequence_id = sequence
        pdu.pk_total = submit.total
        pdu.pk_number = submit.number
        pdu.registered_delivery = 1 if submit.report else 0
        pdu.tp_udhi = 1 if submit.udh else 0
        pdu.msg_fmt = wire_number("cmpp", submit.coding)
        pdu.src_id = submit.source.encode("ascii", "replace")
        pdu.dest_terminal_id = (submit.destination.encode("ascii", "replace"),)
        pdu.msg_content = submit.payload
        return self._codecs.submit.encode(pdu)

    def test(self, sequence: int) -> bytes:
        return self._codecs.encode(ActiveTest(sequence))

    def leave(self, sequence: int) -> bytes:
        return self._codecs.encode(Terminate(sequence))

    def read(self, command: int, frame: bytes) -> Event:
        reader = self._readers.get(command)
        return Unknown(command) if reader is None else reader(frame)

    def _submit_resp(self, frame: bytes) -> Event:
        if len(frame) == HEADER_SIZE and self._settings.quirks.bare_answers:
            return SubmitAnswered(int.from_bytes(frame[8:12], "big"), BARE)
        pdu = self._codecs.submit_resp.decode(frame)
        code = pdu.result
        if code == 0:
            answer = Answer(True, pdu.msg_id.hex(), "0", _NO_ACTION)
        else:
            answer = Answer(False, "", str(code), codes.result("cmpp", code).action)
        return SubmitAnswered(pdu.sequence_id, answer)

    def _deliver(self, frame: bytes) -> Event:
        pdu = self._codecs.deliver.decode(frame)
        response = self._codecs.deliver_resp.encode(DeliverResp(pdu.sequence_id, pdu.msg_id, 0))
        return Delivered(_report(pdu) if pdu.registered_delivery else _inbound(pdu), response)

    def _connect_resp(self, frame: bytes) -> Event:
        # A gateway that knows 2.0 alone may answer a 3.0 CONNECT in its own layout (A4).
        version = V2 if len(frame) == _CONNECT_RESP_V2 else V3
        pdu: ConnectResp = CODECS[version].decode(frame)
        if pdu.status:
            text = CONNECT_STATUS.get(pdu.status, ("", "other error"))[1]
            return LoginRefused(f"login refused: {text} ({pdu.status})", pdu.status in _LASTING)
        if not server_matches(pdu.authenticator_ismg, pdu.status, self._digest, self._secret):
            log.warning("%s: the gateway's authenticator does not fit", self._settings.name)
        return LoggedIn()

    def _active_test(self, frame: bytes) -> Event:
        sequence = int.from_bytes(frame[8:12], "big")
        return TestAsked(self._codecs.encode(ActiveTestResp(sequence)))

    def _terminate(self, frame: bytes) -> Event:
        sequence = int.from_bytes(frame[8:12], "big")
        return Leaving(self._codecs.encode(TerminateResp(sequence)))


def _report(pdu: Deliver) -> Report:
    body = decode_report(pdu.msg_content)
    stat = report_stat(body)
    reading = codes.stat(stat)
    return Report(
        body.msg_id.hex(),
        stat,
        reading.delivered,
        reading.final,
        plain(body.dest_terminal_id) or plain(pdu.src_terminal_id),
        plain(pdu.dest_id),
        plain(body.submit_time),
        plain(body.done_time),
        pdu.msg_content,
    )


def _inbound(pdu: Deliver) -> Inbound:
    udh, octets = parse_udh(pdu.msg_content) if pdu.tp_udhi & _UDHI else (None, pdu.msg_content)
    source, destination = plain(pdu.src_terminal_id), plain(pdu.dest_id)
    return inbound(source, destination, pdu.msg_content, octets, pdu.msg_fmt, udh, pdu.msg_id)
