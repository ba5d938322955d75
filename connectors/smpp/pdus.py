"""Every PDU of SMPP 3.4, described once (smpp.md 2 to 5).

Attributes are the specification's names. Optional parameters stand in `tlvs`; octets that no
field claims are tolerated and kept in `tail`, so that every frame that decodes encodes to the
same octets. A response that carries an error may lack its body: its fields are None then.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Annotated, ClassVar

from connectors.codecs import Codecs
from connectors.fields import PDU, Command, Counted, Length, OptionalUInt, Spec, UInt
from connectors.smpp.fields import Address, CString, Destinations, Failures, Unsuccessful
from connectors.tlv import Rest, Tlv, Tlvs

VERSION = "3.4"
RESPONSE = 0x80000000

_SYSTEM_ID = CString("system_id", 16)
_PASSWORD = CString("password", 65)
"""The specification says 9, yet accounts with longer ones are common."""
_TIME = 17
_ADDRESS = 21
_LONG_ADDRESS = 65
_MESSAGE_ID = CString("message_id", 65)
_MESSAGE_ID_MAYBE = CString("message_id", 65, optional=True)


class Tag(IntEnum):
    """The optional parameters of section 5; their names are the specification's."""

    DEST_ADDR_SUBUNIT = 0x0005
    DEST_NETWORK_TYPE = 0x0006
    DEST_BEARER_TYPE = 0x0007
    DEST_TELEMATICS_ID = 0x0008
    SOURCE_ADDR_SUBUNIT = 0x000D
    SOURCE_NETWORK_TYPE = 0x000E
    SOURCE_BEARER_TYPE = 0x000F
    SOURCE_TELEMATICS_ID = 0x0010
    QOS_TIME_TO_LIVE = 0x0017
    PAYLOAD_TYPE = 0x0019
    ADDITIONAL_STATUS_INFO_TEXT = 0x001D
    RECEIPTED_MESSAGE_ID = 0x001E
    MS_MSG_WAIT_FACILITIES = 0x0030
    PRIVACY_INDICATOR = 0x0201
    SOURCE_SUBADDRESS = 0x0202
    DEST_SUBADDRESS = 0x0203
    USER_MESSAGE_REFERENCE = 0x0204
    USER_RESPONSE_CODE = 0x0205
    SOURCE_PORT = 0x020A
    DESTINATION_PORT = 0x020B
    SAR_MSG_REF_NUM = 0x020C
    LANGUAGE_INDICATOR = 0x020D
    SAR_TOTAL_SEGMENTS = 0x020E
    SAR_SEGMENT_SEQNUM = 0x020F
    SC_INTERFACE_VERSION = 0x0210
    CALLBACK_NUM_PRES_IND = 0x0302
    CALLBACK_NUM_ATAG = 0x0303
    NUMBER_OF_MESSAGES = 0x0304
    CALLBACK_NUM = 0x0381
    DPF_RESULT = 0x0420
    SET_DPF = 0x0421
    MS_AVAILABILITY_STATUS = 0x0422
    NETWORK_ERROR_CODE = 0x0423
    MESSAGE_PAYLOAD = 0x0424
    DELIVERY_FAILURE_REASON = 0x0425
    MORE_MESSAGES_TO_SEND = 0x0426
    MESSAGE_STATE = 0x0427
    USSD_SERVICE_OP = 0x0501
    DISPLAY_TIME = 0x1201
    SMS_SIGNAL = 0x1203
    MS_VALIDITY = 0x1204
    ALERT_ON_MESSAGE_DELIVERY = 0x130C
    ITS_REPLY_TYPE = 0x1380
    ITS_SESSION_INFO = 0x1383


TEXTS = frozenset({Tag.ADDITIONAL_STATUS_INFO_TEXT, Tag.RECEIPTED_MESSAGE_ID})
OCTETS = frozenset(
    {
        Tag.SOURCE_SUBADDRESS, Tag.DEST_SUBADDRESS, Tag.CALLBACK_NUM_ATAG, Tag.CALLBACK_NUM,
        Tag.NETWORK_ERROR_CODE, Tag.MESSAGE_PAYLOAD, Tag.ALERT_ON_MESSAGE_DELIVERY,
        Tag.ITS_SESSION_INFO,
    }
)  # fmt: skip
WIDTHS: Mapping[int, int] = MappingProxyType(
    {
        Tag.DEST_TELEMATICS_ID: 2, Tag.QOS_TIME_TO_LIVE: 4, Tag.USER_MESSAGE_REFERENCE: 2,
        Tag.SOURCE_PORT: 2, Tag.DESTINATION_PORT: 2, Tag.SAR_MSG_REF_NUM: 2, Tag.SMS_SIGNAL: 2,
    }
)  # fmt: skip
"""Octets of the integers that have more than one."""


def number(tag: Tag, value: int) -> Tlv:
    """A parameter that holds an integer, in the specification's width."""
    return Tlv(tag, value.to_bytes(WIDTHS.get(tag, 1), "big"))


class Frame(PDU):
    """The header of 16 octets; `sequence_number` is the sender's, a response repeats it."""

    header: ClassVar[tuple[Spec, ...]] = (Length("command_length", 4), Command("command_id", 4))

    command_status: Annotated[int, UInt("command_status", 4)] = 0
    sequence_number: Annotated[int, UInt("sequence_number", 4)] = 0


class _Bare(Frame):
    tail: Annotated[bytes, Rest("tail")] = b""


class _Bind(Frame):
    system_id: Annotated[bytes, _SYSTEM_ID] = b""
    password: Annotated[bytes, _PASSWORD] = b""
    system_type: Annotated[bytes, CString("system_type", 13)] = b""
    interface_version: Annotated[int, UInt("interface_version")] = 0x34
    addr_ton: Annotated[int, UInt("addr_ton")] = 0
    addr_npi: Annotated[int, UInt("addr_npi")] = 0
    address_range: Annotated[bytes, CString("address_range", 41)] = b""
    tlvs: Annotated[tuple[Tlv, ...], Tlvs("tlvs")] = ()
    tail: Annotated[bytes, Rest("tail")] = b""


class _BindResp(Frame):
    system_id: Annotated[bytes | None, CString("system_id", 16, optional=True)] = None
    tlvs: Annotated[tuple[Tlv, ...], Tlvs("tlvs")] = ()
    tail: Annotated[bytes, Rest("tail")] = b""


class _IdResp(Frame):
    message_id: Annotated[bytes | None, _MESSAGE_ID_MAYBE] = None
    tlvs: Annotated[tuple[Tlv, ...], Tlvs("tlvs")] = ()
    tail: Annotated[bytes, Rest("tail")] = b""


class _Message(Frame):
    service_type: Annotated[bytes, CString("service_type", 6)] = b""
    source_addr_ton: Annotated[int, UInt("source_addr_ton")] = 0
    source_addr_npi: Annotated[int, UInt("source_addr_npi")] = 0
    source_addr: Annotated[bytes, CString("source_addr", _ADDRESS)] = b""
    dest_addr_ton: Annotated[int, UInt("dest_addr_ton")] = 0
    dest_addr_npi: Annotated[int, UInt("dest_addr_npi")] = 0
    destination_addr: Annotated[bytes, CString("destination_addr", _ADDRESS)] = b""
    esm_class: Annotated[int, UInt("esm_class")] = 0
    protocol_id: Annotated[int, UInt("protocol_id")] = 0
    priority_flag: Annotated[int, UInt("priority_flag")] = 0
    schedule_delivery_time: Annotated[bytes, CString("schedule_delivery_time", _TIME)] = b""
    validity_period: Annotated[bytes, CString("validity_period", _TIME)] = b""
    registered_delivery: Annotated[int, UInt("registered_delivery")] = 0
    replace_if_present_flag: Annotated[int, UInt("replace_if_present_flag")] = 0
    data_coding: Annotated[int, UInt("data_coding")] = 0
    sm_default_msg_id: Annotated[int, UInt("sm_default_msg_id")] = 0
    short_message: Annotated[bytes, Counted("short_message", "sm_length")] = b""
    tlvs: Annotated[tuple[Tlv, ...], Tlvs("tlvs")] = ()
    tail: Annotated[bytes, Rest("tail")] = b""


class BindReceiver(_Bind):
    title: ClassVar[str] = "bind_receiver"
    command: ClassVar[int] = 0x00000001


class BindReceiverResp(_BindResp):
    title: ClassVar[str] = "bind_receiver_resp"
    command: ClassVar[int] = 0x80000001


class BindTransmitter(_Bind):
    title: ClassVar[str] = "bind_transmitter"
    command: ClassVar[int] = 0x00000002


class BindTransmitterResp(_BindResp):
    title: ClassVar[str] = "bind_transmitter_resp"
    command: ClassVar[int] = 0x80000002


class BindTransceiver(_Bind):
    title: ClassVar[str] = "bind_transceiver"
    command: ClassVar[int] = 0x00000009


class BindTransceiverResp(_BindResp):
    title: ClassVar[str] = "bind_transceiver_resp"
    command: ClassVar[int] = 0x80000009


class Outbind(Frame):
    title: ClassVar[str] = "outbind"
    command: ClassVar[int] = 0x0000000B

    system_id: Annotated[bytes, _SYSTEM_ID] = b""
    password: Annotated[bytes, _PASSWORD] = b""
    tail: Annotated[bytes, Rest("tail")] = b""


class Unbind(_Bare):
    title: ClassVar[str] = "unbind"
    command: ClassVar[int] = 0x00000006


class UnbindResp(_Bare):
    title: ClassVar[str] = "unbind_resp"
    command: ClassVar[int] = 0x80000006


class EnquireLink(_Bare):
    title: ClassVar[str] = "enquire_link"
    command: ClassVar[int] = 0x00000015


class EnquireLinkResp(_Bare):
    title: ClassVar[str] = "enquire_link_resp"
    command: ClassVar[int] = 0x80000015


class GenericNack(_Bare):
    title: ClassVar[str] = "generic_nack"
    command: ClassVar[int] = 0x80000000


class SubmitSm(_Message):
    title: ClassVar[str] = "submit_sm"
    command: ClassVar[int] = 0x00000004


class SubmitSmResp(_IdResp):
    title: ClassVar[str] = "submit_sm_resp"
    command: ClassVar[int] = 0x80000004


class DeliverSm(_Message):
    title: ClassVar[str] = "deliver_sm"
    command: ClassVar[int] = 0x00000005


class DeliverSmResp(_IdResp):
    title: ClassVar[str] = "deliver_sm_resp"
    command: ClassVar[int] = 0x80000005


class DataSm(Frame):
    """The text stands in the parameter message_payload."""

    title: ClassVar[str] = "data_sm"
    command: ClassVar[int] = 0x00000103

    service_type: Annotated[bytes, CString("service_type", 6)] = b""
    source_addr_ton: Annotated[int, UInt("source_addr_ton")] = 0
    source_addr_npi: Annotated[int, UInt("source_addr_npi")] = 0
    source_addr: Annotated[bytes, CString("source_addr", _LONG_ADDRESS)] = b""
    dest_addr_ton: Annotated[int, UInt("dest_addr_ton")] = 0
    dest_addr_npi: Annotated[int, UInt("dest_addr_npi")] = 0
    destination_addr: Annotated[bytes, CString("destination_addr", _LONG_ADDRESS)] = b""
    esm_class: Annotated[int, UInt("esm_class")] = 0
    registered_delivery: Annotated[int, UInt("registered_delivery")] = 0
    data_coding: Annotated[int, UInt("data_coding")] = 0
    tlvs: Annotated[tuple[Tlv, ...], Tlvs("tlvs")] = ()
    tail: Annotated[bytes, Rest("tail")] = b""


class DataSmResp(_IdResp):
    title: ClassVar[str] = "data_sm_resp"
    command: ClassVar[int] = 0x80000103


class SubmitMulti(Frame):
    title: ClassVar[str] = "submit_multi"
    command: ClassVar[int] = 0x00000021

    service_type: Annotated[bytes, CString("service_type", 6)] = b""
    source_addr_ton: Annotated[int, UInt("source_addr_ton")] = 0
    source_addr_npi: Annotated[int, UInt("source_addr_npi")] = 0
    source_addr: Annotated[bytes, CString("source_addr", _ADDRESS)] = b""
    dest_address: Annotated[
        tuple[Address, ...], Destinations("dest_address", "number_of_dests")
    ] = ()
    esm_class: Annotated[int, UInt("esm_class")] = 0
    protocol_id: Annotated[int, UInt("protocol_id")] = 0
    priority_flag: Annotated[int, UInt("priority_flag")] = 0
    schedule_delivery_time: Annotated[bytes, CString("schedule_delivery_time", _TIME)] = b""
    validity_period: Annotated[bytes, CString("validity_period", _TIME)] = b""
    registered_delivery: Annotated[int, UInt("registered_delivery")] = 0
    replace_if_present_flag: Annotated[int, UInt("replace_if_present_flag")] = 0
    data_coding: Annotated[int, UInt("data_coding")] = 0
    sm_default_msg_id: Annotated[int, UInt("sm_default_msg_id")] = 0
    short_message: Annotated[bytes, Counted("short_message", "sm_length")] = b""
    tlvs: Annotated[tuple[Tlv, ...], Tlvs("tlvs")] = ()
    tail: Annotated[bytes, Rest("tail")] = b""


class SubmitMultiResp(Frame):
    title: ClassVar[str] = "submit_multi_resp"
    command: ClassVar[int] = 0x80000021

    message_id: Annotated[bytes | None, _MESSAGE_ID_MAYBE] = None
    unsuccess_sme: Annotated[
        tuple[Unsuccessful, ...] | None, Failures("unsuccess_sme", "no_unsuccess")
    ] = None
    tlvs: Annotated[tuple[Tlv, ...], Tlvs("tlvs")] = ()
    tail: Annotated[bytes, Rest("tail")] = b""


class QuerySm(Frame):
    title: ClassVar[str] = "query_sm"
    command: ClassVar[int] = 0x00000003

    message_id: Annotated[bytes, _MESSAGE_ID] = b""
    source_addr_ton: Annotated[int, UInt("source_addr_ton")] = 0
    source_addr_npi: Annotated[int, UInt("source_addr_npi")] = 0
    source_addr: Annotated[bytes, CString("source_addr", _ADDRESS)] = b""
    tail: Annotated[bytes, Rest("tail")] = b""


class QuerySmResp(Frame):
    title: ClassVar[str] = "query_sm_resp"
    command: ClassVar[int] = 0x80000003

    message_id: Annotated[bytes | None, _MESSAGE_ID_MAYBE] = None
    final_date: Annotated[bytes | None, CString("final_date", _TIME, optional=True)] = None
    message_state: Annotated[int | None, OptionalUInt("message_state")] = None
    error_code: Annotated[int | None, OptionalUInt("error_code")] = None
    tail: Annotated[bytes, Rest("tail")] = b""


class CancelSm(Frame):
    title: ClassVar[str] = "cancel_sm"
    command: ClassVar[int] = 0x00000008

    service_type: Annotated[bytes, CString("service_type", 6)] = b""
    message_id: Annotated[bytes, _MESSAGE_ID] = b""
    source_addr_ton: Annotated[int, UInt("source_addr_ton")] = 0
    source_addr_npi: Annotated[int, UInt("source_addr_npi")] = 0
    source_addr: Annotated[bytes, CString("source_addr", _ADDRESS)] = b""
    dest_addr_ton: Annotated[int, UInt("dest_addr_ton")] = 0
    dest_addr_npi: Annotated[int, UInt("dest_addr_npi")] = 0
    destination_addr: Annotated[bytes, CString("destination_addr", _ADDRESS)] = b""
    tail: Annotated[bytes, Rest("tail")] = b""


class CancelSmResp(_Bare):
    title: ClassVar[str] = "cancel_sm_resp"
    command: ClassVar[int] = 0x80000008


class ReplaceSm(Frame):
    title: ClassVar[str] = "replace_sm"
    command: ClassVar[int] = 0x00000007

    message_id: Annotated[bytes, _MESSAGE_ID] = b""
    source_addr_ton: Annotated[int, UInt("source_addr_ton")] = 0
    source_addr_npi: Annotated[int, UInt("source_addr_npi")] = 0
    source_addr: Annotated[bytes, CString("source_addr", _ADDRESS)] = b""
    schedule_delivery_time: Annotated[bytes, CString("schedule_delivery_time", _TIME)] = b""
    validity_period: Annotated[bytes, CString("validity_period", _TIME)] = b""
    registered_delivery: Annotated[int, UInt("registered_delivery")] = 0
    sm_default_msg_id: Annotated[int, UInt("sm_default_msg_id")] = 0
    short_message: Annotated[bytes, Counted("short_message", "sm_length")] = b""
    tail: Annotated[bytes, Rest("tail")] = b""


class ReplaceSmResp(_Bare):
    title: ClassVar[str] = "replace_sm_resp"
    command: ClassVar[int] = 0x80000007


class AlertNotification(Frame):
    title: ClassVar[str] = "alert_notification"
    command: ClassVar[int] = 0x00000102

    source_addr_ton: Annotated[int, UInt("source_addr_ton")] = 0
    source_addr_npi: Annotated[int, UInt("source_addr_npi")] = 0
    source_addr: Annotated[bytes, CString("source_addr", _LONG_ADDRESS)] = b""
    esme_addr_ton: Annotated[int, UInt("esme_addr_ton")] = 0
    esme_addr_npi: Annotated[int, UInt("esme_addr_npi")] = 0
    esme_addr: Annotated[bytes, CString("esme_addr", _LONG_ADDRESS)] = b""
    tlvs: Annotated[tuple[Tlv, ...], Tlvs("tlvs")] = ()
    tail: Annotated[bytes, Rest("tail")] = b""


PDUS: tuple[type[Frame], ...] = (
    BindReceiver, BindReceiverResp, BindTransmitter, BindTransmitterResp, BindTransceiver,
    BindTransceiverResp, Outbind, Unbind, UnbindResp, EnquireLink, EnquireLinkResp, GenericNack,
    SubmitSm, SubmitSmResp, DeliverSm, DeliverSmResp, DataSm, DataSmResp, SubmitMulti,
    SubmitMultiResp, QuerySm, QuerySmResp, CancelSm, CancelSmResp, ReplaceSm, ReplaceSmResp,
    AlertNotification,
)  # fmt: skip

HEADER_SIZE = 16
FRAME_LIMIT = 1 << 16
LAST_SEQUENCE = 0x7FFFFFFF

CODECS = Codecs(VERSION, PDUS, header_size=HEADER_SIZE)
