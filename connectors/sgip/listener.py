"""SGIP as an SP speaks it: the connections that the gateway opens to deliver."""

from __future__ import annotations

import hmac

from connectors.dialect import Event
from connectors.listener_dialect import Arrival, Refusal
from connectors.sgip.incoming import incoming
from connectors.sgip.pdus import CODECS, FRAME_LIMIT, HEADER_SIZE, V1, Bind, BindResp, LoginType
from connectors.text import plain

_CODECS = CODECS[V1]
_BIND = _CODECS.of(Bind)
_LOGIN_TYPES = frozenset((LoginType.SMG, LoginType.SP))
"""2 by the specification; aggregators come with 1."""
_RESULT = {
    Refusal.NONE: 0,
    Refusal.BAD_LOGIN: 1,
    Refusal.TOO_MANY: 3,
    Refusal.BAD_TYPE: 4,
}


class SgipListener:
    """The SP's side of one connection that a gateway opened."""

    header_size = HEADER_SIZE
    frame_limit = FRAME_LIMIT
    first = frozenset({Bind.command})

    def arrival(self, frame: bytes) -> Arrival:
        pdu = _BIND.decode(frame)
        return Arrival(plain(pdu.login_name), pdu)

    def check(self, arrival: Arrival, account: str, password: bytes) -> Refusal:
        pdu: Bind = arrival.pdu
        if pdu.login_type not in _LOGIN_TYPES:
            return Refusal.BAD_TYPE
        name_fits = hmac.compare_digest(pdu.login_name, account.encode("utf-8"))
        password_fits = hmac.compare_digest(pdu.login_password, password)
        return Refusal.NONE if name_fits and password_fits else Refusal.BAD_LOGIN

    def admit(self, arrival: Arrival, refusal: Refusal) -> bytes:
        return _CODECS.encode(BindResp(arrival.pdu.sequence_number, _RESULT[refusal]))

    def read(self, command: int, frame: bytes) -> Event:
        return incoming(command, frame)
