"""SGIP as an SP speaks it: the connection it opens to submit.

Deliveries belong on the connection that the gateway opens (`listener.py`); aggregators push
them here, too, and they are taken.
"""

from __future__ import annotations

from msgspec import structs

from connectors import codes
from connectors.codings import wire_number
from connectors.dialect import Event, LoggedIn, LoginRefused, SubmitAnswered
from connectors.quirks import BARE
from connectors.settings import LinkSettings
from connectors.sgip.incoming import incoming
from connectors.sgip.pdus import (
    CODECS,
    FRAME_LIMIT,
    HEADER_SIZE,
    LAST_SEQUENCE,
    Bind,
    BindResp,
    LoginType,
    SubmitResp,
    Unbind,
)
from connectors.sgip.pdus import Submit as SubmitPDU
from connectors.sgip.sequence import Sequences
from connectors.sgip.settings import SgipSettings
from connectors.values import Action, Answer, Submit

_LASTING = frozenset((1, 4, 5, 34))
_REPORT, _NO_REPORT = 1, 2
_MOBILE_DIGITS = 11


class SgipClient:
    """The SP's connection. Ids are 24 lower-case hex digits: the submit's sequence number."""

    header_size = HEADER_SIZE
    frame_limit = FRAME_LIMIT
    last_sequence = LAST_SEQUENCE
    heartbeats = False
    submits = True

    def __init__(self, settings: LinkSettings) -> None:
        own: SgipSettings = settings.own or SgipSettings()
        self._own = own
        self._bare_answers = settings.quirks.bare_answers
        self._codecs = CODECS[settings.version]
        self._submit = self._codecs.of(SubmitPDU)
        self._answer = self._codecs.of(SubmitResp)
        self._sequences = Sequences(own.node_id, settings.number - 1)
        self._account = _ascii(settings.account)
        self._password = settings.password.encode("utf-8")
        self._service = _ascii(settings.service_id)
        self._corp = _ascii(own.corp)
        self._fees = _ascii(own.charge_number), _ascii(own.fee_value), _ascii(own.given_value)

    def login(self, sequence: int) -> bytes:
        number = self._sequences.make(sequence)
        return self._codecs.encode(Bind(number, LoginType.SP, self._account, self._password))

    def submit(self, sequence: int, submit: Submit) -> bytes:
        charge_number, fee_value, given_value = self._fees
        return self._submit.encode(
            SubmitPDU(
                sequence_number=self._sequences.make(sequence),
                sp_number=_ascii(submit.source),
                charge_number=charge_number,
                user_number=(self._user(submit.destination),),
                corp_id=self._corp,
                service_type=self._service,
                fee_type=self._own.fee_type,
                fee_value=fee_value,
                given_value=given_value,
                priority=self._own.priority,
                report_flag=_REPORT if submit.report else _NO_REPORT,
                tp_udhi=1 if submit.udh else 0,
                message_coding=wire_number("sgip", submit.coding),
                message_content=submit.payload,
            )
        )

    def test(self, sequence: int) -> bytes:
        return b""

    def leave(self, sequence: int) -> bytes:
        return self._codecs.encode(Unbind(self._sequences.make(sequence)))

    def read(self, command: int, frame: bytes) -> Event:
        if command == SubmitResp.command:
            return self._submit_resp(frame)
        if command == BindResp.command:
            return self._bind_resp(frame)
        return incoming(command, frame)

    def _submit_resp(self, frame: bytes) -> Event:
        if len(frame) == HEADER_SIZE and self._bare_answers:
            ordinal = self._sequences.ordinal(frame[8:20])
            return SubmitAnswered(frame[8:20] if ordinal is None else ordinal, _bare(frame))
        pdu = self._answer.decode(frame)
        code, number = pdu.result, pdu.sequence_number
        if code == 0:
            answer = Answer(True, number.hex(), "0", Action.NONE)
        else:
            answer = Answer(False, "", str(code), codes.result("sgip", code).action)
        ordinal = self._sequences.ordinal(number)
        # A number that is not ours stays what it is, and finds nothing in the window.
        return SubmitAnswered(number if ordinal is None else ordinal, answer)

    def _bind_resp(self, frame: bytes) -> Event:
        pdu: BindResp = self._codecs.decode(frame)
        if pdu.result:
            reading = codes.result("sgip", pdu.result)
            reason = f"login refused: {reading.en} ({pdu.result})"
            return LoginRefused(reason, pdu.result in _LASTING)
        return LoggedIn()

    def _user(self, number: str) -> bytes:
        mobile = len(number) == _MOBILE_DIGITS and number.startswith("1")
        return _ascii(self._own.country + number if mobile else number.removeprefix("+"))


def _bare(frame: bytes) -> Answer:
    """The id is the submit's own number, so it is known even so."""
    return structs.replace(BARE, id=frame[8:20].hex())


def _ascii(value: str) -> bytes:
    return value.encode("ascii", "replace")
