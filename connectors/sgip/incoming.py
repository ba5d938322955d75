"""What a gateway sends an SP, on whatever connection: deliveries, reports, users' states."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType

from connectors import codes
from connectors.clock import BEIJING
from connectors.dialect import Declined, Delivered, Event, Leaving, Left, Unknown
from connectors.parts import inbound
from connectors.sgip.codes import PREFIX
from connectors.sgip.pdus import (
    CODECS,
    V1,
    Bind,
    BindResp,
    Deliver,
    DeliverResp,
    Report,
    ReportResp,
    Submit,
    SubmitResp,
    Trace,
    TraceResp,
    Unbind,
    UnbindResp,
    UserRpt,
    UserRptResp,
)
from connectors.text import parse_udh, plain
from connectors.values import Report as ReportValue

log = logging.getLogger(__name__)

_CODECS = CODECS[V1]
_WRONG_COMMAND = 7
_REPEATED_LOGIN = 2
_DELIVERED, _WAITING = 0, 1


def incoming(command: int, frame: bytes) -> Event:
    """The event of a frame that is no answer of ours to wait for. Raises DecodeError."""
    reader = _READERS.get(command)
    return Unknown(command) if reader is None else reader(frame)


def _deliver(frame: bytes) -> Event:
    pdu: Deliver = _CODECS.decode(frame)
    content = pdu.message_content
    udh, octets = parse_udh(content) if pdu.tp_udhi else (None, content)
    item = inbound(
        plain(pdu.user_number),
        plain(pdu.sp_number),
        content,
        octets,
        pdu.message_coding,
        udh,
        pdu.sequence_number,
    )
    return Delivered(item, _CODECS.encode(DeliverResp(pdu.sequence_number)))


def _report(frame: bytes) -> Event:
    pdu: Report = _CODECS.decode(frame)
    stat = _stat(pdu.state, pdu.error_code)
    reading = codes.stat(stat)
    item = ReportValue(
        id=pdu.submit_sequence_number.hex(),
        stat=stat,
        delivered=reading.delivered,
        final=reading.final,
        destination=plain(pdu.user_number),
        source="",
        submitted="",
        done=datetime.now(BEIJING).strftime("%y%m%d%H%M"),
        raw=frame,
    )
    return Delivered(item, _CODECS.encode(ReportResp(pdu.sequence_number)))


def _stat(state: int, error: int) -> str:
    if state == _DELIVERED:
        return "DELIVRD"
    return "ENROUTE" if state == _WAITING else f"{PREFIX}:{error}"


def _user_report(frame: bytes) -> Event:
    pdu: UserRpt = _CODECS.decode(frame)
    log.info("a user's service changed to condition %d", pdu.user_condition)
    return Declined(_CODECS.encode(UserRptResp(pdu.sequence_number)))


def _unbind(frame: bytes) -> Event:
    return Leaving(_CODECS.encode(UnbindResp(_CODECS.decode(frame).sequence_number)))


def _bind(frame: bytes) -> Event:
    pdu: Bind = _CODECS.decode(frame)
    return Declined(_CODECS.encode(BindResp(pdu.sequence_number, _REPEATED_LOGIN)))


def _submit(frame: bytes) -> Event:
    pdu: Submit = _CODECS.decode(frame)
    return Declined(_CODECS.encode(SubmitResp(pdu.sequence_number, _WRONG_COMMAND)))


def _trace(frame: bytes) -> Event:
    pdu: Trace = _CODECS.decode(frame)
    return Declined(_CODECS.encode(TraceResp(pdu.sequence_number)))


_READERS: Mapping[int, Callable[[bytes], Event]] = MappingProxyType(
    {
        Deliver.command: _deliver,
        Report.command: _report,
        UserRpt.command: _user_report,
        Unbind.command: _unbind,
        UnbindResp.command: lambda frame: Left(),
        Bind.command: _bind,
        Submit.command: _submit,
        Trace.command: _trace,
    }
)
