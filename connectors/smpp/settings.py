"""What only SMPP can be told: by `LinkSettings.own` and `ServerSettings.own`."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from connectors.ids import IdBook, IdForm


class Bind(StrEnum):
    """What a connection is for. A transmitter submits, a receiver gets reports and texts."""

    TRANSCEIVER = "transceiver"
    TRANSMITTER = "transmitter"
    RECEIVER = "receiver"


class LongTexts(StrEnum):
    """How the parts of a long text are joined: a header in each, or the sar_ parameters.

    With PAYLOAD a text that was not split goes whole in message_payload, and the SMSC splits.
    """

    UDH = "udh"
    SAR = "sar"
    PAYLOAD = "payload"


class Alphabet(StrEnum):
    """What data_coding 0 is at this SMSC; one character an octet in all of them."""

    GSM = "gsm"
    LATIN1 = "latin1"
    ASCII = "ascii"


@dataclass(frozen=True, slots=True)
class SmppOptions:
    """The client's side. TON and NPI are smpp.md 4's numbers.

    A source with other characters than digits goes as alphanumeric (TON 5, NPI 0) by itself.
    `prefix` is put before destinations that lack it, such as 86. `ids`: how a receipt writes
    the id that the answer gave; the links of one channel share one `book`, because a receipt
    may come on any of them. `receipts_by_text`: a delivery that reads like a receipt is one,
    even when esm_class does not say so. `accepted_is_final`: ACCEPTD is the last word.
    `trailing_nul`: short_message ends in a NUL that sm_length counts (smpp.md 12).
    """

    bind: Bind = Bind.TRANSCEIVER
    system_type: str = ""
    interface_version: int = 0x34
    address_range: str = ""
    addr_ton: int = 0
    addr_npi: int = 0
    source_ton: int = 0
    source_npi: int = 0
    dest_ton: int = 1
    dest_npi: int = 1
    prefix: str = ""
    alphabet: Alphabet = Alphabet.GSM
    long_texts: LongTexts = LongTexts.UDH
    by_data_sm: bool = False
    ids: IdForm = IdForm.AUTO
    receipts_by_text: bool = False
    accepted_is_final: bool = False
    trailing_nul: bool = False
    book: IdBook = field(default_factory=IdBook, compare=False, repr=False)


class ReceiptBy(StrEnum):
    """Where a server puts what a receipt says."""

    TEXT = "text"
    TLV = "tlv"
    BOTH = "both"


class Base(StrEnum):
    """How a server writes an id; decimal ones have ten digits or more."""

    HEX = "hex"
    DECIMAL = "decimal"


@dataclass(frozen=True, slots=True)
class SmppServerOptions:
    """The server's side. `answer_ids` and `receipt_ids` apply to ids that are hex digits.

    `password` is what an outbind shows to the client.
    """

    system_id: str = "SMSC"
    password: str = field(default="", repr=False)
    alphabet: Alphabet = Alphabet.GSM
    receipt_by: ReceiptBy = ReceiptBy.BOTH
    answer_ids: Base = Base.HEX
    receipt_ids: Base = Base.HEX
    by_data_sm: bool = False
