"""SMPP as a server (SMSC) speaks it: frames for its session, and the events it reads."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Mapping, Sequence

from connectors import codes as readings
from connectors.dialect import Declined, Leaving, Left, TestAnswered, TestAsked, Unknown
from connectors.errors import DecodeError
from connectors.parts import join
from connectors.server_dialect import (
    Acknowledged,
    Entry,
    Login,
    Receipt,
    ServerEvent,
    ServerProtocol,
    Submitted,
    Text,
)
from connectors.settings import ServerSettings
from connectors.smpp import codes as status
from connectors.smpp.client import SHORT_LIMIT, nack, sequence_of
from connectors.smpp.content import UDHI, read_content, to_wire
from connectors.smpp.fields import LIST
from connectors.smpp.pdus import (
    CODECS,
    FRAME_LIMIT,
    HEADER_SIZE,
    LAST_SEQUENCE,
    PDUS,
    RESPONSE,
    BindReceiver,
    BindReceiverResp,
    BindTransceiver,
    BindTransceiverResp,
    BindTransmitter,
    BindTransmitterResp,
    CancelSm,
    CancelSmResp,
    DataSm,
    DataSmResp,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    Frame,
    GenericNack,
    Outbind,
    QuerySm,
    QuerySmResp,
    ReplaceSm,
    ReplaceSmResp,
    SubmitMulti,
    SubmitMultiResp,
    SubmitSm,
    SubmitSmResp,
    Tag,
    Unbind,
    UnbindResp,
    number,
)
from connectors.smpp.receipt import NUMBERS, RECEIPT, ReceiptText, format_receipt
from connectors.smpp.settings import Base, ReceiptBy, SmppServerOptions
from connectors.text import plain
from connectors.tlv import Tlv

_INTERNATIONAL, _ISDN = 1, 1
_UNDELIVERED = 5
_STATUS: Mapping[Entry, int] = {
    Entry.OK: status.OK,
    Entry.BAD_STRUCTURE: status.BIND_FAILED,
    Entry.BAD_ACCOUNT: status.INVALID_SYSTEM_ID,
    Entry.BAD_SECRET: status.INVALID_PASSWORD,
    Entry.BAD_VERSION: status.BIND_FAILED,
    Entry.TOO_MANY: status.BIND_FAILED,
}
_BIND_RESPS: Mapping[
    type, type[BindReceiverResp] | type[BindTransmitterResp] | type[BindTransceiverResp]
] = {
    BindReceiver: BindReceiverResp,
    BindTransmitter: BindTransmitterResp,
    BindTransceiver: BindTransceiverResp,
}
_SUBMIT_RESPS: Mapping[type, type[SubmitSmResp] | type[DataSmResp] | type[SubmitMultiResp]] = {
    SubmitSm: SubmitSmResp,
    DataSm: DataSmResp,
    SubmitMulti: SubmitMultiResp,
}
_NOT_HERE: Mapping[int, tuple[type[Frame], int]] = {
    QuerySm.command: (QuerySmResp, status.QUERY_FAILED),
    CancelSm.command: (CancelSmResp, status.CANCEL_FAILED),
    ReplaceSm.command: (ReplaceSmResp, status.REPLACE_FAILED),
}
_HEX = frozenset("0123456789abcdef")


class SmppServer:
    """The server side of one SMPP connection. Ids are hex digits without leading zeros."""

    header_size = HEADER_SIZE
    frame_limit = FRAME_LIMIT
    last_sequence = LAST_SEQUENCE
    heartbeats = True
    first = frozenset(pdu.command for pdu in PDUS if not pdu.command & RESPONSE)

    def __init__(self, settings: ServerSettings) -> None:
        self._options: SmppServerOptions = settings.own or SmppServerOptions()
        self._bound: type | None = None
        self._readers: Mapping[int, Callable[[bytes], ServerEvent]] = {
            SubmitSm.command: self._submit,
            DataSm.command: self._submit,
            SubmitMulti.command: self._submit,
            DeliverSmResp.command: self._acknowledged,
            DataSmResp.command: self._acknowledged,
            GenericNack.command: self._acknowledged,
            BindReceiver.command: self._bind,
            BindTransmitter.command: self._bind,
            BindTransceiver.command: self._bind,
            EnquireLink.command: self._enquired,
            EnquireLinkResp.command: lambda frame: TestAnswered(),
            Unbind.command: self._unbind,
            UnbindResp.command: lambda frame: Left(),
            QuerySm.command: self._not_here,
            CancelSm.command: self._not_here,
            ReplaceSm.command: self._not_here,
        }

    def greeting(self, sequence: int) -> bytes:
        return b""

    def read(self, command: int, frame: bytes) -> ServerEvent:
        reader = self._readers.get(command)
        if reader is None:
            return Unknown(command, nack(command, frame, status.INVALID_COMMAND))
        try:
            return reader(frame)
        except DecodeError:
            answer = nack(command, frame, status.INVALID_LENGTH)
            return Unknown(command, answer) if self._bound else Declined(answer)

    def check(self, login: Login, secret: bytes | None) -> Entry:
        if secret is None:
            return Entry.BAD_ACCOUNT
        fits = hmac.compare_digest(login.pdu.password, secret)
        return Entry.OK if fits else Entry.BAD_SECRET

    def status(self, entry: Entry) -> int:
        return _STATUS[entry]

    def admit(self, login: Login, entry: Entry, secret: bytes) -> bytes:
        if entry is Entry.OK:
            self._bound = type(login.pdu)
        return CODECS.encode(
            _BIND_RESPS[type(login.pdu)](
                command_status=_STATUS[entry],
                sequence_number=login.pdu.sequence_number,
                system_id=self._options.system_id.encode("ascii", "replace"),
                tlvs=() if entry else (number(Tag.SC_INTERFACE_VERSION, 0x34),),
            )
        )

    def answer(self, submit: Submitted, msg_id: str, result: int) -> bytes:
        pdu = _SUBMIT_RESPS[type(submit.pdu)](
            command_status=result, sequence_number=submit.pdu.sequence_number
        )
        if not result:
            pdu.message_id = _written(msg_id, self._options.answer_ids)
            if isinstance(pdu, SubmitMultiResp):
                pdu.unsuccess_sme = ()
        return CODECS.encode(pdu)

    def deliver(self, sequence: int, own_id: str, item: Receipt | Text) -> bytes:
        pdu = self._receipt(item) if isinstance(item, Receipt) else self._text(item)
        pdu.sequence_number = sequence
        pdu.source_addr_ton, pdu.source_addr_npi = _INTERNATIONAL, _ISDN
        return CODECS.encode(pdu)

    def test(self, sequence: int) -> bytes:
        return CODECS.encode(EnquireLink(sequence_number=sequence))

    def leave(self, sequence: int) -> bytes:
        return CODECS.encode(Unbind(sequence_number=sequence))

    def _bind(self, frame: bytes) -> ServerEvent:
        pdu = CODECS.decode(frame)
        if self._bound is not None:
            return self._declined(_BIND_RESPS[type(pdu)], frame, status.ALREADY_BOUND)
        version = f"{pdu.interface_version >> 4}.{pdu.interface_version & 15}"
        return Login(plain(pdu.system_id), version, not isinstance(pdu, BindTransmitter), pdu)

    def _submit(self, frame: bytes) -> ServerEvent:
        pdu: SubmitSm | DataSm | SubmitMulti = CODECS.decode(frame)
        refused = self._refused(pdu)
        if refused:
            return self._declined(_SUBMIT_RESPS[type(pdu)], frame, refused)
        short = b"" if isinstance(pdu, DataSm) else pdu.short_message
        alphabet = self._options.alphabet
        content = read_content(short, pdu.tlvs, pdu.esm_class, pdu.data_coding, alphabet)
        joined = content.joined
        return Submitted(
            sequence=pdu.sequence_number,
            source=plain(pdu.source_addr),
            destinations=_destinations(pdu),
            text=join([content.text]),
            payload=content.payload,
            coding=pdu.data_coding,
            udh=content.udh,
            reference=joined.reference if joined else 0,
            total=joined.total if joined else 1,
            number=joined.number if joined else 1,
            report=bool(pdu.registered_delivery & 3),
            pdu=pdu,
        )

    def _refused(self, pdu: SubmitSm | DataSm | SubmitMulti) -> int:
        if self._bound is None or self._bound is BindReceiver:
            return status.WRONG_STATE
        if isinstance(pdu, SubmitMulti):
            if any(to.flag == LIST for to in pdu.dest_address):
                return status.INVALID_LIST
            if not pdu.dest_address:
                return status.NO_DESTINATION
        return status.OK

    def _acknowledged(self, frame: bytes) -> ServerEvent:
        pdu = CODECS.decode(frame)
        result = pdu.command_status
        if isinstance(pdu, GenericNack):
            result = result or status.UNKNOWN_ERROR
        return Acknowledged(pdu.sequence_number, result)

    def _enquired(self, frame: bytes) -> ServerEvent:
        if self._bound is None:
            return self._declined(EnquireLinkResp, frame, status.WRONG_STATE)
        return TestAsked(CODECS.encode(EnquireLinkResp(sequence_number=sequence_of(frame))))

    def _unbind(self, frame: bytes) -> ServerEvent:
        if self._bound is None:
            return self._declined(UnbindResp, frame, status.WRONG_STATE)
        return Leaving(CODECS.encode(UnbindResp(sequence_number=sequence_of(frame))))

    def _not_here(self, frame: bytes) -> ServerEvent:
        response, code = _NOT_HERE[CODECS.decode(frame).command]
        return self._declined(response, frame, code if self._bound else status.WRONG_STATE)

    def _declined(self, response: type[Frame], frame: bytes, code: int) -> Declined:
        pdu = response(command_status=code, sequence_number=sequence_of(frame))
        return Declined(CODECS.encode(pdu))

    def _receipt(self, item: Receipt) -> DeliverSm | DataSm:
        options = self._options
        delivered = readings.stat(item.stat).delivered
        written = _written(item.id, options.receipt_ids)
        tlvs: tuple[Tlv, ...] = ()
        if options.receipt_by is not ReceiptBy.TEXT:
            state = NUMBERS.get(item.stat, _UNDELIVERED)
            # The parameter holds the id as the answer wrote it; the text may not.
            exact = _written(item.id, options.answer_ids)
            tlvs = (
                Tlv(Tag.RECEIPTED_MESSAGE_ID, exact + b"\0"),
                number(Tag.MESSAGE_STATE, state),
            )
        text = b""
        if options.receipt_by is not ReceiptBy.TLV:
            words = ReceiptText(
                written.decode("ascii"), "001", "001" if delivered else "000",
                item.submitted, item.done, item.stat, "000" if delivered else "001",
            )  # fmt: skip
            text = format_receipt(words).encode("ascii", "replace")
        return self._message(item.destination, item.source, text, 0, RECEIPT, tlvs)

    def _text(self, item: Text) -> DeliverSm | DataSm:
        alphabet = self._options.alphabet
        coding, content = to_wire(item.payload, item.coding, item.udh, alphabet)
        esm_class = UDHI if item.udh else 0
        return self._message(item.source, item.destination, content, coding, esm_class, ())

    def _message(
        self,
        source: str,
        destination: str,
        content: bytes,
        data_coding: int,
        esm_class: int,
        tlvs: tuple[Tlv, ...],
    ) -> DeliverSm | DataSm:
        pdu: DeliverSm | DataSm
        if self._options.by_data_sm:
            pdu = DataSm(tlvs=(*tlvs, Tlv(Tag.MESSAGE_PAYLOAD, content)))
        elif len(content) > SHORT_LIMIT:
            pdu = DeliverSm(tlvs=(*tlvs, Tlv(Tag.MESSAGE_PAYLOAD, content)))
        else:
            pdu = DeliverSm(short_message=content, tlvs=tlvs)
        pdu.source_addr = source.encode("ascii", "replace")
        pdu.destination_addr = destination.encode("ascii", "replace")
        pdu.esm_class, pdu.data_coding = esm_class, data_coding
        return pdu


class SmppCaller(SmppServer):
    """A connection that the server opens: an outbind asks the client to bind as receiver."""

    def greeting(self, sequence: int) -> bytes:
        options = self._options
        return CODECS.encode(
            Outbind(
                sequence_number=sequence,
                system_id=options.system_id.encode("ascii", "replace"),
                password=options.password.encode("utf-8"),
            )
        )


class SmppIds:
    """Hexadecimal ids that count on from the time of the start."""

    def __init__(self, gateway: int, first: int) -> None:
        self._next = int(time.time()) << 24 | first

    def of(self, submit: Submitted) -> Sequence[str]:
        """All destinations of a submit_multi share one id."""
        msg_id = self.own()
        return [msg_id] * len(submit.destinations)

    def own(self) -> str:
        self._next += 1
        return f"{self._next:x}"


SMPP_SERVER = ServerProtocol(SmppServer, SmppIds, status.THROTTLED, caller=SmppCaller)


def _destinations(pdu: SubmitSm | DataSm | SubmitMulti) -> Sequence[str]:
    if isinstance(pdu, SubmitMulti):
        return [plain(to.address) for to in pdu.dest_address]
    return [plain(pdu.destination_addr)]


def _written(msg_id: str, base: Base) -> bytes:
    if base is Base.DECIMAL and msg_id and not set(msg_id) - _HEX:
        return f"{int(msg_id, 16):010d}".encode("ascii")
    return msg_id.encode("ascii", "replace")
