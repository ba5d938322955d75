"""Every PDU of CMPP 2.0 and 3.0, described once (protocols/cmpp.md A2 to A4).

Attributes are the specification's names in lower case. Version 2.1 has the layouts of 2.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, ClassVar

from connectors.errors import DecodeError
from connectors.fields import (
    PDU,
    Codec,
    Command,
    Counted,
    Length,
    Octets,
    OptionalUInt,
    Raw,
    Repeated,
    Spec,
    UInt,
    compile_codec,
)

V2, V3 = "2.0", "3.0"
NUMBER = MappingProxyType({V2: 21, V3: 32})
STATUS = MappingProxyType({V2: 1, V3: 4})
LINK_ID = MappingProxyType({V3: 20})
RESERVE = MappingProxyType({V2: 8})
ONLY_V3 = MappingProxyType({V3: 1})

NO_ID = bytes(8)


class Frame(PDU):
    """The header of 12 octets; `sequence_id` is the sender's, a response repeats it."""

    header: ClassVar[tuple[Spec, ...]] = (Length("Total_Length", 4), Command("Command_Id", 4))

    sequence_id: Annotated[int, UInt("Sequence_Id", 4)] = 0


class Connect(Frame):
    title: ClassVar[str] = "CMPP_CONNECT"
    command: ClassVar[int] = 0x00000001

    source_addr: Annotated[bytes, Octets("Source_Addr", 6)] = b""
    authenticator_source: Annotated[bytes, Raw("AuthenticatorSource", 16)] = bytes(16)
    version: Annotated[int, UInt("Version")] = 0x30
    timestamp: Annotated[int, UInt("Timestamp", 4)] = 0


class ConnectResp(Frame):
    title: ClassVar[str] = "CMPP_CONNECT_RESP"
    command: ClassVar[int] = 0x80000001

    status: Annotated[int, UInt("Status", STATUS)] = 0
    authenticator_ismg: Annotated[bytes, Raw("AuthenticatorISMG", 16)] = bytes(16)
    version: Annotated[int, UInt("Version")] = 0x30


class Terminate(Frame):
    title: ClassVar[str] = "CMPP_TERMINATE"
    command: ClassVar[int] = 0x00000002


class TerminateResp(Frame):
    title: ClassVar[str] = "CMPP_TERMINATE_RESP"
    command: ClassVar[int] = 0x80000002


class Submit(Frame):
    title: ClassVar[str] = "CMPP_SUBMIT"
    command: ClassVar[int] = 0x00000004

    msg_id: Annotated[bytes, Raw("Msg_Id", 8)] = NO_ID
    pk_total: Annotated[int, UInt("Pk_total")] = 1
    pk_number: Annotated[int, UInt("Pk_number")] = 1
    registered_delivery: Annotated[int, UInt("Registered_Delivery")] = 1
    msg_level: Annotated[int, UInt("Msg_level")] = 0
    service_id: Annotated[bytes, Octets("Service_Id", 10)] = b""
    fee_user_type: Annotated[int, UInt("Fee_UserType")] = 2
    fee_terminal_id: Annotated[bytes, Octets("Fee_terminal_Id", NUMBER)] = b""
    fee_terminal_type: Annotated[int, UInt("Fee_terminal_type", ONLY_V3)] = 0
    tp_pid: Annotated[int, UInt("TP_pId")] = 0
    tp_udhi: Annotated[int, UInt("TP_udhi")] = 0
    msg_fmt: Annotated[int, UInt("Msg_Fmt")] = 8
    msg_src: Annotated[bytes, Octets("Msg_src", 6)] = b""
    fee_type: Annotated[bytes, Octets("FeeType", 2)] = b"01"
    fee_code: Annotated[bytes, Octets("FeeCode", 6)] = b"000000"
    valid_time: Annotated[bytes, Octets("ValId_Time", 17)] = b""
    at_time: Annotated[bytes, Octets("At_Time", 17)] = b""
    src_id: Annotated[bytes, Octets("Src_Id", 21)] = b""
    dest_terminal_id: Annotated[
        tuple[bytes, ...], Repeated("Dest_terminal_Id", "DestUsr_tl", NUMBER)
    ] = ()
    dest_terminal_type: Annotated[int, UInt("Dest_terminal_type", ONLY_V3)] = 0
    msg_content: Annotated[bytes, Counted("Msg_Content", "Msg_Length")] = b""
    reserve: Annotated[bytes, Octets("Reserve", RESERVE)] = b""
    link_id: Annotated[bytes, Octets("LinkID", LINK_ID)] = b""


class SubmitResp(Frame):
    title: ClassVar[str] = "CMPP_SUBMIT_RESP"
    command: ClassVar[int] = 0x80000004

    msg_id: Annotated[bytes, Raw("Msg_Id", 8)] = NO_ID
    result: Annotated[int, UInt("Result", STATUS)] = 0


class Deliver(Frame):
    title: ClassVar[str] = "CMPP_DELIVER"
    command: ClassVar[int] = 0x00000005

    msg_id: Annotated[bytes, Raw("Msg_Id", 8)] = NO_ID
    dest_id: Annotated[bytes, Octets("Dest_Id", 21)] = b""
    service_id: Annotated[bytes, Octets("Service_Id", 10)] = b""
    tp_pid: Annotated[int, UInt("TP_pid")] = 0
    tp_udhi: Annotated[int, UInt("TP_udhi")] = 0
    msg_fmt: Annotated[int, UInt("Msg_Fmt")] = 0
    src_terminal_id: Annotated[bytes, Octets("Src_terminal_Id", NUMBER)] = b""
    src_terminal_type: Annotated[int, UInt("Src_terminal_type", ONLY_V3)] = 0
    registered_delivery: Annotated[int, UInt("Registered_Delivery")] = 0
    msg_content: Annotated[bytes, Counted("Msg_Content", "Msg_Length")] = b""
    reserved: Annotated[bytes, Octets("Reserved", RESERVE)] = b""
    link_id: Annotated[bytes, Octets("LinkID", LINK_ID)] = b""


class DeliverResp(Frame):
    title: ClassVar[str] = "CMPP_DELIVER_RESP"
    command: ClassVar[int] = 0x80000005

    msg_id: Annotated[bytes, Raw("Msg_Id", 8)] = NO_ID
    result: Annotated[int, UInt("Result", STATUS)] = 0


class Query(Frame):
    title: ClassVar[str] = "CMPP_QUERY"
    command: ClassVar[int] = 0x00000006

    time: Annotated[bytes, Octets("Time", 8)] = b""
    query_type: Annotated[int, UInt("Query_Type")] = 0
    query_code: Annotated[bytes, Octets("Query_Code", 10)] = b""
    reserve: Annotated[bytes, Octets("Reserve", 8)] = b""


class QueryResp(Frame):
    title: ClassVar[str] = "CMPP_QUERY_RESP"
    command: ClassVar[int] = 0x80000006

    time: Annotated[bytes, Octets("Time", 8)] = b""
    query_type: Annotated[int, UInt("Query_Type")] = 0
    query_code: Annotated[bytes, Octets("Query_Code", 10)] = b""
    mt_tlmsg: Annotated[int, UInt("MT_TLMsg", 4)] = 0
    mt_tlusr: Annotated[int, UInt("MT_Tlusr", 4)] = 0
    mt_scs: Annotated[int, UInt("MT_Scs", 4)] = 0
    mt_wt: Annotated[int, UInt("MT_WT", 4)] = 0
    mt_fl: Annotated[int, UInt("MT_FL", 4)] = 0
    mo_scs: Annotated[int, UInt("MO_Scs", 4)] = 0
    mo_wt: Annotated[int, UInt("MO_WT", 4)] = 0
    mo_fl: Annotated[int, UInt("MO_FL", 4)] = 0


class Cancel(Frame):
    title: ClassVar[str] = "CMPP_CANCEL"
    command: ClassVar[int] = 0x00000007

    msg_id: Annotated[bytes, Raw("Msg_Id", 8)] = NO_ID


class CancelResp(Frame):
    title: ClassVar[str] = "CMPP_CANCEL_RESP"
    command: ClassVar[int] = 0x80000007

    success_id: Annotated[int, UInt("Success_Id", STATUS)] = 0


class ActiveTest(Frame):
    title: ClassVar[str] = "CMPP_ACTIVE_TEST"
    command: ClassVar[int] = 0x00000008


class ActiveTestResp(Frame):
    """Some gateways leave `reserved` out (A11)."""

    title: ClassVar[str] = "CMPP_ACTIVE_TEST_RESP"
    command: ClassVar[int] = 0x80000008

    reserved: Annotated[int | None, OptionalUInt("Reserved")] = 0


PDUS: tuple[type[Frame], ...] = (
    Connect, ConnectResp, Terminate, TerminateResp, Submit, SubmitResp, Deliver, DeliverResp,
    Query, QueryResp, Cancel, CancelResp, ActiveTest, ActiveTestResp,
)  # fmt: skip


class Codecs:
    """The codecs of one version, by PDU and by command number."""

    def __init__(self, version: str) -> None:
        self.version = version
        self.submit = compile_codec(Submit, version)
        self.submit_resp = compile_codec(SubmitResp, version)
        self.deliver = compile_codec(Deliver, version)
        self.deliver_resp = compile_codec(DeliverResp, version)
        own: list[Codec[Any]] = [
            self.submit, self.submit_resp, self.deliver, self.deliver_resp,
        ]  # fmt: skip
        done = {codec.pdu for codec in own}
        own += [compile_codec(pdu, version) for pdu in PDUS if pdu not in done]
        self.by_command: Mapping[int, Codec[Any]] = {codec.pdu.command: codec for codec in own}

    def encode(self, pdu: Frame) -> bytes:
        """One frame; raises EncodeError."""
        return self.by_command[pdu.command].encode(pdu)

    def decode(self, frame: bytes) -> Any:
        """The PDU of a whole frame; raises DecodeError, also for an unknown command."""
        if len(frame) < HEADER_SIZE:
            raise DecodeError(f"a header has {HEADER_SIZE} octets", offset=0, field="Total_Length")
        command = int.from_bytes(frame[4:8], "big")
        codec = self.by_command.get(command)
        if codec is None:
            raise DecodeError(f"unknown command 0x{command:08x}", offset=4, field="Command_Id")
        return codec.decode(frame)


HEADER_SIZE = 12
LAST_SEQUENCE = (1 << 32) - 1
FRAME_LIMIT = 4096
"""99 recipients and 140 octets of content make 3,471 in 3.0: every legal frame fits."""

CODECS: Mapping[str, Codecs] = MappingProxyType({version: Codecs(version) for version in (V2, V3)})
