"""SMPP as a client (ESME) speaks it: frames for the link, and the events it reads."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from types import MappingProxyType

from connectors import codes
from connectors.dialect import (
    Delivered,
    Event,
    Leaving,
    Left,
    LoggedIn,
    LoginRefused,
    Noted,
    SubmitAnswered,
    TestAnswered,
    TestAsked,
    Unknown,
)
from connectors.errors import DecodeError
from connectors.parts import value
from connectors.settings import LinkSettings
from connectors.smpp import codes as status
from connectors.smpp.content import UDHI, Content, read_content, to_wire
from connectors.smpp.pdus import (
    CODECS,
    FRAME_LIMIT,
    HEADER_SIZE,
    LAST_SEQUENCE,
    RESPONSE,
    AlertNotification,
    BindReceiver,
    BindReceiverResp,
    BindTransceiver,
    BindTransceiverResp,
    BindTransmitter,
    BindTransmitterResp,
    DataSm,
    DataSmResp,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    Frame,
    GenericNack,
    Outbind,
    SubmitSm,
    SubmitSmResp,
    Tag,
    Unbind,
    UnbindResp,
    number,
)
from connectors.smpp.receipt import (
    INTERMEDIATE,
    RECEIPT,
    TYPE_MASK,
    exact_id,
    looks_like_receipt,
    minute_of,
    parse_receipt,
    stat_of,
)
from connectors.smpp.settings import Alphabet, Bind, LongTexts, SmppOptions
from connectors.text import parse_udh, plain
from connectors.tlv import Tlv, value_of
from connectors.values import Action, Answer, Coding, Inbound, Report, Submit

log = logging.getLogger(__name__)

ALPHANUMERIC = 5
SHORT_LIMIT = 254
"""What short_message holds by the specification; what is longer goes in message_payload."""
_WHOLE_LIMIT = 140
_ADDRESS_LIMIT = 20
_BINDS: Mapping[Bind, type[BindTransceiver] | type[BindTransmitter] | type[BindReceiver]] = (
    MappingProxyType(
        {
            Bind.TRANSCEIVER: BindTransceiver,
            Bind.TRANSMITTER: BindTransmitter,
            Bind.RECEIVER: BindReceiver,
        }
    )
)
_LASTING = frozenset(
    {
        status.BIND_FAILED,
        status.INVALID_PASSWORD,
        status.INVALID_SYSTEM_ID,
        status.INVALID_SYSTEM_TYPE,
    }
)


class SmppClient:
    """The client side of one SMPP connection. Ids are those of `connectors.ids`."""

    header_size = HEADER_SIZE
    frame_limit = FRAME_LIMIT
    last_sequence = LAST_SEQUENCE
    heartbeats = True

    def __init__(self, settings: LinkSettings) -> None:
        self._settings = settings
        self._options: SmppOptions = settings.own or SmppOptions()
        self.submits = self._options.bind is not Bind.RECEIVER
        self._service = settings.service_id.encode("ascii", "replace")
        self._bound = False
        self._readers: Mapping[int, Callable[[bytes], Event]] = {
            SubmitSmResp.command: self._answered,
            DataSmResp.command: self._answered,
            DeliverSm.command: self._deliver,
            DataSm.command: self._data,
            EnquireLink.command: self._enquired,
            EnquireLinkResp.command: lambda frame: TestAnswered(),
            BindTransceiverResp.command: self._bind_resp,
            BindTransmitterResp.command: self._bind_resp,
            BindReceiverResp.command: self._bind_resp,
            Unbind.command: self._unbind,
            UnbindResp.command: lambda frame: Left(),
            GenericNack.command: self._nacked,
            AlertNotification.command: self._noted,
            Outbind.command: self._noted,
        }

    def login(self, sequence: int) -> bytes:
        options, settings = self._options, self._settings
        return CODECS.encode(
            _BINDS[options.bind](
                sequence_number=sequence,
                system_id=settings.account.encode("ascii", "replace"),
                password=settings.password.encode("utf-8"),
                system_type=options.system_type.encode("ascii", "replace"),
                interface_version=options.interface_version,
                addr_ton=options.addr_ton,
                addr_npi=options.addr_npi,
                address_range=options.address_range.encode("ascii", "replace"),
            )
        )

    def submit(self, sequence: int, submit: Submit) -> bytes:
        options = self._options
        data_coding, content = to_wire(submit.payload, submit.coding, submit.udh, options.alphabet)
        tlvs: tuple[Tlv, ...] = ()
        udh = submit.udh
        if udh and options.long_texts is LongTexts.SAR:
            joined, content = parse_udh(content)
            if joined is not None:
                udh = False
                tlvs = (
                    number(Tag.SAR_MSG_REF_NUM, joined.reference),
                    number(Tag.SAR_TOTAL_SEGMENTS, joined.total),
                    number(Tag.SAR_SEGMENT_SEQNUM, joined.number),
                )
        if options.trailing_nul:
            content += b"\0"
        pdu: SubmitSm | DataSm
        if options.by_data_sm:
            pdu = DataSm(tlvs=(*tlvs, Tlv(Tag.MESSAGE_PAYLOAD, content)))
        elif self._goes_whole(content, data_coding, udh):
            pdu = SubmitSm(tlvs=(*tlvs, Tlv(Tag.MESSAGE_PAYLOAD, content)))
        else:
            pdu = SubmitSm(tlvs=tlvs, short_message=content)
        pdu.sequence_number = sequence
        pdu.service_type = self._service
        pdu.source_addr = submit.source.encode("ascii", "replace")
        pdu.source_addr_ton, pdu.source_addr_npi = self._source_kind(submit.source)
        pdu.destination_addr = self._destination(submit.destination).encode("ascii", "replace")
        pdu.dest_addr_ton, pdu.dest_addr_npi = options.dest_ton, options.dest_npi
        pdu.esm_class = UDHI if udh else 0
        pdu.registered_delivery = 1 if submit.report else 0
        pdu.data_coding = data_coding
        return CODECS.encode(pdu)

    def test(self, sequence: int) -> bytes:
        return CODECS.encode(EnquireLink(sequence_number=sequence))

    def leave(self, sequence: int) -> bytes:
        return CODECS.encode(Unbind(sequence_number=sequence))

    def read(self, command: int, frame: bytes) -> Event:
        reader = self._readers.get(command)
        if reader is None:
            return Unknown(command, nack(command, frame, status.INVALID_COMMAND))
        try:
            return reader(frame)
        except DecodeError as fault:
            log.warning("%s: unreadable frame: %s", self._settings.name, fault)
            return Unknown(command, nack(command, frame, status.INVALID_LENGTH))

    def _goes_whole(self, content: bytes, data_coding: int, udh: bool) -> bool:
        if len(content) > SHORT_LIMIT:
            return True
        if udh or self._options.long_texts is not LongTexts.PAYLOAD:
            return False
        single = 160 if data_coding == 0 else _WHOLE_LIMIT
        return len(content) > single

    def _source_kind(self, source: str) -> tuple[int, int]:
        if source and not source.removeprefix("+").isdigit():
            return ALPHANUMERIC, 0
        return self._options.source_ton, self._options.source_npi

    def _destination(self, destination: str) -> str:
        prefix = self._options.prefix
        bare = destination.removeprefix("+")
        return bare if not prefix or bare.startswith(prefix) else prefix + bare

    def _answered(self, frame: bytes) -> Event:
        pdu = CODECS.decode(frame)
        return SubmitAnswered(pdu.sequence_number, self._answer(pdu))

    def _answer(self, pdu: SubmitSmResp | DataSmResp) -> Answer:
        code = pdu.command_status
        if code:
            return _refusal(code)
        text = (pdu.message_id or b"").decode("ascii", "replace")
        return Answer(True, self._options.book.issued(text, self._options.ids), "0", Action.NONE)

    def _deliver(self, frame: bytes) -> Event:
        pdu: DeliverSm = CODECS.decode(frame)
        response = DeliverSmResp(sequence_number=pdu.sequence_number, message_id=b"")
        return self._delivered(pdu, pdu.short_message, CODECS.encode(response))

    def _data(self, frame: bytes) -> Event:
        pdu: DataSm = CODECS.decode(frame)
        response = DataSmResp(sequence_number=pdu.sequence_number, message_id=b"")
        return self._delivered(pdu, b"", CODECS.encode(response))

    def _delivered(self, pdu: DeliverSm | DataSm, short: bytes, response: bytes) -> Event:
        options = self._options
        if options.trailing_nul:
            short = short.removesuffix(b"\0")
        alphabet = options.alphabet
        kind = pdu.esm_class & TYPE_MASK
        if kind in (RECEIPT, INTERMEDIATE) and pdu.data_coding == 0:
            # A receipt's text is ASCII, whatever the alphabet of texts is.
            alphabet = Alphabet.ASCII
        content = read_content(short, pdu.tlvs, pdu.esm_class, pdu.data_coding, alphabet)
        if kind in (RECEIPT, INTERMEDIATE) or self._is_receipt(pdu, content):
            report, changed = self._report(pdu, content)
            return Delivered(report, response, changed)
        return Delivered(_inbound(pdu, content), response)

    def _is_receipt(self, pdu: DeliverSm | DataSm, content: Content) -> bool:
        if pdu.esm_class & TYPE_MASK:
            return False
        if value_of(pdu.tlvs, Tag.RECEIPTED_MESSAGE_ID) is not None:
            return value_of(pdu.tlvs, Tag.MESSAGE_STATE) is not None
        return self._options.receipts_by_text and looks_like_receipt(
            plain_text(content.octets, pdu.data_coding)
        )

    def _report(self, pdu: DeliverSm | DataSm, content: Content) -> tuple[Report, bool]:
        options = self._options
        fields = parse_receipt(plain_text(content.octets, pdu.data_coding))
        stat = stat_of(fields, pdu.tlvs)
        reading = codes.stat(stat)
        accepted = options.accepted_is_final and stat == "ACCEPTD"
        intermediate = pdu.esm_class & TYPE_MASK == INTERMEDIATE
        named = fields.id, options.ids, exact_id(pdu.tlvs)
        msg_id, changed = options.book.receipted(*named)
        report = Report(
            id=msg_id,
            stat=stat,
            delivered=(reading.delivered or accepted) and not intermediate,
            final=(reading.final or accepted) and not intermediate,
            destination=_address(pdu.source_addr),
            source=_address(pdu.destination_addr),
            submitted=minute_of(fields.submit_date),
            done=minute_of(fields.done_date),
            raw=content.payload,
            others=options.book.others(*named),
        )
        return report, changed

    def _enquired(self, frame: bytes) -> Event:
        return TestAsked(CODECS.encode(EnquireLinkResp(sequence_number=sequence_of(frame))))

    def _bind_resp(self, frame: bytes) -> Event:
        pdu = CODECS.decode(frame)
        code = pdu.command_status
        if code:
            return _login_refused(code)
        self._bound = True
        return LoggedIn()

    def _unbind(self, frame: bytes) -> Event:
        return Leaving(CODECS.encode(UnbindResp(sequence_number=sequence_of(frame))))

    def _nacked(self, frame: bytes) -> Event:
        pdu: GenericNack = CODECS.decode(frame)
        code = pdu.command_status or status.UNKNOWN_ERROR
        log.warning("%s: generic_nack %s", self._settings.name, status.code_text(code))
        if not self._bound:
            return _login_refused(code)
        return SubmitAnswered(pdu.sequence_number, _refusal(code))

    def _noted(self, frame: bytes) -> Event:
        """An alert or an outbind on a standing connection: nothing is answered."""
        return Noted(CODECS.decode(frame))


def _refusal(code: int) -> Answer:
    return Answer(False, "", status.code_text(code), codes.result("smpp", code).action)


def _login_refused(code: int) -> LoginRefused:
    text = codes.result("smpp", code).en
    return LoginRefused(f"login refused: {text} ({status.code_text(code)})", code in _LASTING)


def _inbound(pdu: DeliverSm | DataSm, content: Content) -> Inbound:
    source, destination = _address(pdu.source_addr), _address(pdu.destination_addr)
    return value(
        source, destination, content.payload, content.text, pdu.data_coding, content.joined, b""
    )


def _address(octets: bytes) -> str:
    """At most what the specification allows, whatever a peer sends."""
    return plain(octets)[:_ADDRESS_LIMIT]


def plain_text(octets: bytes, data_coding: int) -> str:
    """A receipt's text: ASCII, or UCS-2 where it says so."""
    if data_coding == Coding.UCS2:
        return octets.decode("utf-16-be", "replace")
    return octets.decode("latin-1")


def sequence_of(frame: bytes) -> int:
    """The sequence number of a whole frame."""
    return int.from_bytes(frame[12:16], "big")


def nack(command: int, frame: bytes, code: int) -> bytes:
    """The generic_nack to a request that cannot be served; empty for a response."""
    if command & RESPONSE:
        return b""
    answer: Frame = GenericNack(command_status=code, sequence_number=sequence_of(frame))
    return CODECS.encode(answer)
