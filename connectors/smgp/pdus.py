"""Every PDU of SMGP 1.3 to 3.0 between an SP and its gateway, described once (smgp.md 2 to 5).

Attributes are the specification's names in snake case. 2.0 has the layouts of 3.0; 1.3 lacks
FixedFee. Octets after the last field are tolerated and kept in `tail`: gateways send a body
where the specification has none, and parameters that are cut short.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Annotated, ClassVar

from connectors.codecs import Codecs
from connectors.fields import (
    PDU,
    Command,
    Counted,
    Length,
    Octets,
    Raw,
    Repeated,
    Spec,
    UInt,
)
from connectors.tlv import Rest, Tlv, Tlvs

V1, V2, V3 = "1.3", "2.0", "3.0"
FIXED_FEE = MappingProxyType({V2: 6, V3: 6})

NO_ID = bytes(10)


class Tag(IntEnum):
    """The optional parameters of section 5."""

    TP_PID = 0x0001
    TP_UDHI = 0x0002
    LINK_ID = 0x0003
    CHARGE_USER_TYPE = 0x0004
    CHARGE_TERM_TYPE = 0x0005
    CHARGE_TERM_PSEUDO = 0x0006
    DEST_TERM_TYPE = 0x0007
    DEST_TERM_PSEUDO = 0x0008
    PK_TOTAL = 0x0009
    PK_NUMBER = 0x000A
    SUBMIT_MSG_TYPE = 0x000B
    SP_DEAL_RESULT = 0x000C
    SRC_TERM_TYPE = 0x000D
    SRC_TERM_PSEUDO = 0x000E
    NODES_COUNT = 0x000F
    MSG_SRC = 0x0010
    SRC_TYPE = 0x0011
    M_SERVICE_ID = 0x0012


NUMBERS: Mapping[int, str] = MappingProxyType(
    {
        Tag.TP_PID: "TP_pid",
        Tag.TP_UDHI: "TP_udhi",
        Tag.CHARGE_USER_TYPE: "ChargeUserType",
        Tag.CHARGE_TERM_TYPE: "ChargeTermType",
        Tag.DEST_TERM_TYPE: "DestTermType",
        Tag.PK_TOTAL: "PkTotal",
        Tag.PK_NUMBER: "PkNumber",
        Tag.SUBMIT_MSG_TYPE: "SubmitMsgType",
        Tag.SP_DEAL_RESULT: "SPDealResult",
        Tag.SRC_TERM_TYPE: "SrcTermType",
        Tag.NODES_COUNT: "NodesCount",
        Tag.SRC_TYPE: "SrcType",
    }
)
"""Parameters of one octet, an unsigned number."""

TEXTS: Mapping[int, tuple[str, int]] = MappingProxyType(
    {
        Tag.LINK_ID: ("LinkID", 20),
        Tag.CHARGE_TERM_PSEUDO: ("ChargeTermPseudo", 0),
        Tag.DEST_TERM_PSEUDO: ("DestTermPseudo", 0),
        Tag.SRC_TERM_PSEUDO: ("SrcTermPseudo", 0),
        Tag.MSG_SRC: ("MsgSrc", 8),
        Tag.M_SERVICE_ID: ("MServiceID", 21),
    }
)
"""Name and width of the others. They are written NUL-padded to the width (0: as they are) and
read in any length, since implementations disagree about it."""


def number(tag: int, value: int) -> Tlv:
    """A parameter of one octet. Raises ValueError when the number needs more."""
    return Tlv(tag, bytes((value,)))


def text(tag: int, value: bytes) -> Tlv:
    """A text parameter in the specification's width."""
    return Tlv(tag, value.ljust(TEXTS[tag][1], b"\0"))


class Frame(PDU):
    """The header of 12 octets; `sequence_id` is the sender's, a response repeats it."""

    header: ClassVar[tuple[Spec, ...]] = (Length("PacketLength", 4), Command("RequestID", 4))

    sequence_id: Annotated[int, UInt("SequenceID", 4)] = 0


class Login(Frame):
    title: ClassVar[str] = "Login"
    command: ClassVar[int] = 0x00000001

    client_id: Annotated[bytes, Octets("ClientID", 8)] = b""
    authenticator_client: Annotated[bytes, Raw("AuthenticatorClient", 16)] = bytes(16)
    login_mode: Annotated[int, UInt("LoginMode")] = 2
    timestamp: Annotated[int, UInt("TimeStamp", 4)] = 0
    client_version: Annotated[int, UInt("ClientVersion")] = 0x30


class LoginResp(Frame):
    title: ClassVar[str] = "Login_Resp"
    command: ClassVar[int] = 0x80000001

    status: Annotated[int, UInt("Status", 4)] = 0
    authenticator_server: Annotated[bytes, Raw("AuthenticatorServer", 16)] = bytes(16)
    server_version: Annotated[int, UInt("ServerVersion")] = 0x30


class Submit(Frame):
    title: ClassVar[str] = "Submit"
    command: ClassVar[int] = 0x00000002

    msg_type: Annotated[int, UInt("MsgType")] = 6
    need_report: Annotated[int, UInt("NeedReport")] = 1
    priority: Annotated[int, UInt("Priority")] = 1
    service_id: Annotated[bytes, Octets("ServiceID", 10)] = b""
    fee_type: Annotated[bytes, Octets("FeeType", 2)] = b"00"
    fee_code: Annotated[bytes, Octets("FeeCode", 6)] = b"000000"
    fixed_fee: Annotated[bytes, Octets("FixedFee", FIXED_FEE)] = b"000000"
    msg_format: Annotated[int, UInt("MsgFormat")] = 8
    valid_time: Annotated[bytes, Octets("ValidTime", 17)] = b""
    at_time: Annotated[bytes, Octets("AtTime", 17)] = b""
    src_term_id: Annotated[bytes, Octets("SrcTermID", 21)] = b""
    charge_term_id: Annotated[bytes, Octets("ChargeTermID", 21)] = b""
    dest_term_id: Annotated[tuple[bytes, ...], Repeated("DestTermID", "DestTermIDCount", 21)] = ()
    msg_content: Annotated[bytes, Counted("MsgContent", "MsgLength")] = b""
    reserve: Annotated[bytes, Octets("Reserve", 8)] = b""
    tlvs: Annotated[tuple[Tlv, ...], Tlvs("tlvs")] = ()
    tail: Annotated[bytes, Rest("tail")] = b""


class SubmitResp(Frame):
    title: ClassVar[str] = "Submit_Resp"
    command: ClassVar[int] = 0x80000002

    msg_id: Annotated[bytes, Raw("MsgID", 10)] = NO_ID
    status: Annotated[int, UInt("Status", 4)] = 0


class Deliver(Frame):
    title: ClassVar[str] = "Deliver"
    command: ClassVar[int] = 0x00000003

    msg_id: Annotated[bytes, Raw("MsgID", 10)] = NO_ID
    is_report: Annotated[int, UInt("IsReport")] = 0
    msg_format: Annotated[int, UInt("MsgFormat")] = 0
    recv_time: Annotated[bytes, Octets("RecvTime", 14)] = b""
    src_term_id: Annotated[bytes, Octets("SrcTermID", 21)] = b""
    dest_term_id: Annotated[bytes, Octets("DestTermID", 21)] = b""
    msg_content: Annotated[bytes, Counted("MsgContent", "MsgLength")] = b""
    reserve: Annotated[bytes, Octets("Reserve", 8)] = b""
    tlvs: Annotated[tuple[Tlv, ...], Tlvs("tlvs")] = ()
    tail: Annotated[bytes, Rest("tail")] = b""


class DeliverResp(Frame):
    title: ClassVar[str] = "Deliver_Resp"
    command: ClassVar[int] = 0x80000003

    msg_id: Annotated[bytes, Raw("MsgID", 10)] = NO_ID
    status: Annotated[int, UInt("Status", 4)] = 0


class ActiveTest(Frame):
    title: ClassVar[str] = "Active_Test"
    command: ClassVar[int] = 0x00000004

    tail: Annotated[bytes, Rest("tail")] = b""


class ActiveTestResp(Frame):
    title: ClassVar[str] = "Active_Test_Resp"
    command: ClassVar[int] = 0x80000004

    tail: Annotated[bytes, Rest("tail")] = b""


class Exit(Frame):
    title: ClassVar[str] = "Exit"
    command: ClassVar[int] = 0x00000006

    tail: Annotated[bytes, Rest("tail")] = b""


class ExitResp(Frame):
    title: ClassVar[str] = "Exit_Resp"
    command: ClassVar[int] = 0x80000006

    tail: Annotated[bytes, Rest("tail")] = b""


class Query(Frame):
    title: ClassVar[str] = "Query"
    command: ClassVar[int] = 0x00000007

    query_time: Annotated[bytes, Octets("QueryTime", 8)] = b""
    query_type: Annotated[int, UInt("QueryType")] = 0
    query_code: Annotated[bytes, Octets("QueryCode", 10)] = b""


class QueryResp(Frame):
    title: ClassVar[str] = "Query_Resp"
    command: ClassVar[int] = 0x80000007

    query_time: Annotated[bytes, Octets("QueryTime", 8)] = b""
    query_type: Annotated[int, UInt("QueryType")] = 0
    query_code: Annotated[bytes, Octets("QueryCode", 10)] = b""
    mt_tl_msg: Annotated[int, UInt("MT_TLMsg", 4)] = 0
    mt_tl_usr: Annotated[int, UInt("MT_Tlusr", 4)] = 0
    mt_scs: Annotated[int, UInt("MT_Scs", 4)] = 0
    mt_wt: Annotated[int, UInt("MT_WT", 4)] = 0
    mt_fl: Annotated[int, UInt("MT_FL", 4)] = 0
    mo_scs: Annotated[int, UInt("MO_Scs", 4)] = 0
    mo_wt: Annotated[int, UInt("MO_WT", 4)] = 0
    mo_fl: Annotated[int, UInt("MO_FL", 4)] = 0
    reserve: Annotated[bytes, Octets("Reserve", 8)] = b""


PDUS: tuple[type[Frame], ...] = (
    Login, LoginResp, Submit, SubmitResp, Deliver, DeliverResp,
    ActiveTest, ActiveTestResp, Exit, ExitResp, Query, QueryResp,
)  # fmt: skip

LAYOUTS: Mapping[str, str] = MappingProxyType({V1: V1, V2: V2, V3: V3, "3.1": V3})
"""The version whose layouts a version has; nobody found 3.1 to differ on the wire."""

LAST_SEQUENCE = 0xFFFFFFFF
HEADER_SIZE = 12
FRAME_LIMIT = 8192
"""100 recipients and 255 octets of content make 2,481; the parameters may fill the rest."""

CODECS: Mapping[str, Codecs] = MappingProxyType(
    {version: Codecs(version, PDUS, header_size=HEADER_SIZE) for version in (V1, V2, V3)}
)
