"""Every PDU of SGIP 1.2 between an SP and its gateway, described once (sgip.md 2 to 4).

Attributes are the specification's names in snake case. The sequence number is kept as its
twelve octets: it is copied, compared and, for a Submit, is the message's id; `sequence.py`
makes and reads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Annotated, ClassVar

from connectors.codecs import Codecs
from connectors.fields import PDU, Command, Counted, Length, Octets, Raw, Repeated, Spec, UInt

V1 = "1.2"
NO_SEQUENCE = bytes(12)
SP_PAYS = b"0" * 21


class LoginType(IntEnum):
    """Who binds to whom."""

    SP = 1
    SMG = 2
    TEST = 11


class Frame(PDU):
    """The header of 20 octets; a response repeats the request's `sequence_number`."""

    header: ClassVar[tuple[Spec, ...]] = (
        Length("MessageLength_total", 4),
        Command("CommandID", 4),
    )

    sequence_number: Annotated[bytes, Raw("SequenceNumber", 12)] = NO_SEQUENCE


class Response(Frame):
    """Bind_Resp, Submit_Resp, Deliver_Resp, Report_Resp and UserRpt_Resp are alike."""

    result: Annotated[int, UInt("Result")] = 0
    reserve: Annotated[bytes, Octets("Reserve", 8)] = b""


class Bind(Frame):
    title: ClassVar[str] = "SGIP_BIND"
    command: ClassVar[int] = 0x00000001

    login_type: Annotated[int, UInt("LoginType")] = LoginType.SP
    login_name: Annotated[bytes, Octets("LoginName", 16)] = b""
    login_password: Annotated[bytes, Octets("LoginPassword", 16)] = b""
    reserve: Annotated[bytes, Octets("Reserve", 8)] = b""


class BindResp(Response):
    title: ClassVar[str] = "SGIP_BIND_RESP"
    command: ClassVar[int] = 0x80000001


class Unbind(Frame):
    title: ClassVar[str] = "SGIP_UNBIND"
    command: ClassVar[int] = 0x00000002


class UnbindResp(Frame):
    title: ClassVar[str] = "SGIP_UNBIND_RESP"
    command: ClassVar[int] = 0x80000002


class Submit(Frame):
    title: ClassVar[str] = "SGIP_SUBMIT"
    command: ClassVar[int] = 0x00000003

    sp_number: Annotated[bytes, Octets("SPNumber", 21)] = b""
    charge_number: Annotated[bytes, Octets("ChargeNumber", 21)] = SP_PAYS
    user_number: Annotated[tuple[bytes, ...], Repeated("UserNumber", "UserCount", 21)] = ()
    corp_id: Annotated[bytes, Octets("CorpId", 5)] = b""
    service_type: Annotated[bytes, Octets("ServiceType", 10)] = b""
    fee_type: Annotated[int, UInt("FeeType")] = 1
    fee_value: Annotated[bytes, Octets("FeeValue", 6)] = b"0"
    given_value: Annotated[bytes, Octets("GivenValue", 6)] = b"0"
    agent_flag: Annotated[int, UInt("AgentFlag")] = 0
    more_late_to_mt_flag: Annotated[int, UInt("MorelatetoMTFlag")] = 2
    priority: Annotated[int, UInt("Priority")] = 0
    expire_time: Annotated[bytes, Octets("ExpireTime", 16)] = b""
    schedule_time: Annotated[bytes, Octets("ScheduleTime", 16)] = b""
    report_flag: Annotated[int, UInt("ReportFlag")] = 1
    tp_pid: Annotated[int, UInt("TP_pid")] = 0
    tp_udhi: Annotated[int, UInt("TP_udhi")] = 0
    message_coding: Annotated[int, UInt("MessageCoding")] = 8
    message_type: Annotated[int, UInt("MessageType")] = 0
    message_content: Annotated[bytes, Counted("MessageContent", "MessageLength", 4)] = b""
    reserve: Annotated[bytes, Octets("Reserve", 8)] = b""


class SubmitResp(Response):
    title: ClassVar[str] = "SGIP_SUBMIT_RESP"
    command: ClassVar[int] = 0x80000003


class Deliver(Frame):
    title: ClassVar[str] = "SGIP_DELIVER"
    command: ClassVar[int] = 0x00000004

    user_number: Annotated[bytes, Octets("UserNumber", 21)] = b""
    sp_number: Annotated[bytes, Octets("SPNumber", 21)] = b""
    tp_pid: Annotated[int, UInt("TP_pid")] = 0
    tp_udhi: Annotated[int, UInt("TP_udhi")] = 0
    message_coding: Annotated[int, UInt("MessageCoding")] = 0
    message_content: Annotated[bytes, Counted("MessageContent", "MessageLength", 4)] = b""
    reserve: Annotated[bytes, Octets("Reserve", 8)] = b""


class DeliverResp(Response):
    title: ClassVar[str] = "SGIP_DELIVER_RESP"
    command: ClassVar[int] = 0x80000004


class Report(Frame):
    title: ClassVar[str] = "SGIP_REPORT"
    command: ClassVar[int] = 0x00000005

    submit_sequence_number: Annotated[bytes, Raw("SubmitSequenceNumber", 12)] = NO_SEQUENCE
    report_type: Annotated[int, UInt("ReportType")] = 0
    user_number: Annotated[bytes, Octets("UserNumber", 21)] = b""
    state: Annotated[int, UInt("State")] = 0
    error_code: Annotated[int, UInt("ErrorCode")] = 0
    reserve: Annotated[bytes, Octets("Reserve", 8)] = b""


class ReportResp(Response):
    title: ClassVar[str] = "SGIP_REPORT_RESP"
    command: ClassVar[int] = 0x80000005


class UserRpt(Frame):
    title: ClassVar[str] = "SGIP_USERRPT"
    command: ClassVar[int] = 0x00000011

    sp_number: Annotated[bytes, Octets("SPNumber", 21)] = b""
    user_number: Annotated[bytes, Octets("UserNumber", 21)] = b""
    user_condition: Annotated[int, UInt("UserCondition")] = 0
    reserve: Annotated[bytes, Octets("Reserve", 8)] = b""


class UserRptResp(Response):
    title: ClassVar[str] = "SGIP_USERRPT_RESP"
    command: ClassVar[int] = 0x80000011


class Trace(Frame):
    title: ClassVar[str] = "SGIP_TRACE"
    command: ClassVar[int] = 0x00001000

    submit_sequence_number: Annotated[bytes, Raw("SubmitSequenceNumber", 12)] = NO_SEQUENCE
    user_number: Annotated[bytes, Octets("UserNumber", 21)] = b""
    reserve: Annotated[bytes, Octets("Reserve", 8)] = b""


class TraceResp(Frame):
    """`nodes`: 47 octets each, less their padding; `trace.py` makes and reads them."""

    title: ClassVar[str] = "SGIP_TRACE_RESP"
    command: ClassVar[int] = 0x80001000

    nodes: Annotated[tuple[bytes, ...], Repeated("Nodes", "Count", 47)] = ()


PDUS: tuple[type[Frame], ...] = (
    Bind, BindResp, Unbind, UnbindResp, Submit, SubmitResp, Deliver, DeliverResp,
    Report, ReportResp, UserRpt, UserRptResp, Trace, TraceResp,
)  # fmt: skip

LAST_SEQUENCE = 0xFFFFFFFF
HEADER_SIZE = 20
FRAME_LIMIT = 4096
"""The specification says 2,048, and with 100 recipients exceeds it itself: 2,383."""

CODECS: Mapping[str, Codecs] = MappingProxyType({V1: Codecs(V1, PDUS, header_size=HEADER_SIZE)})
