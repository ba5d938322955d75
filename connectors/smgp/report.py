"""The status report inside a SMGP Deliver (protocols/smgp.md 7).

A text with a binary id: octets 3 to 12 are the id whatever they look like, and the labels are
searched only behind them, in any capitalisation, with blanks or underscores.
"""

from __future__ import annotations

import re

from msgspec import Struct

from connectors.smgp.pdus import NO_ID
from connectors.text import plain

_ID_AT, _ID_SIZE = 3, 10
_ID_END = _ID_AT + _ID_SIZE
_HEX_ID = re.compile(rb"[0-9A-Fa-f]{20}")
_HEX_ID_END = _ID_AT + 2 * _ID_SIZE
_TEXT_SIZE = 20


class StatusReport(Struct, frozen=True, gc=False):
    """`msg_id` is the id of the submit's answer. `err` is three characters of the gateway.

    `submit_date` and `done_date` read YYMMDDhhmm; `text` counts and begins the message.
    """

    msg_id: bytes = NO_ID
    sub: bytes = b"001"
    dlvrd: bytes = b"001"
    submit_date: bytes = b""
    done_date: bytes = b""
    stat: bytes = b"DELIVRD"
    err: bytes = b"000"
    text: bytes = b""


def _labelled(label: bytes, size: int) -> re.Pattern[bytes]:
    return re.compile(rb"%s: ?(.{0,%d})" % (label, size), re.IGNORECASE | re.DOTALL)


_LABELS = {
    "sub": _labelled(rb"sub", 3),
    "dlvrd": _labelled(rb"dlvrd", 3),
    "submit_date": _labelled(rb"submit[ _]date", 10),
    "done_date": _labelled(rb"done[ _]date", 10),
    "stat": _labelled(rb"stat", 7),
    "err": _labelled(rb"err", 3),
}
_TEXT = re.compile(rb"te?xt:(.{0,%d})" % _TEXT_SIZE, re.IGNORECASE | re.DOTALL)


def encode_report(report: StatusReport) -> bytes:
    """The body of 122 octets. Values longer than their place are cut."""
    return b"".join(
        (
            b"id:" + _fit(report.msg_id, _ID_SIZE),
            b" sub:" + _fit(report.sub, 3),
            b" dlvrd:" + _fit(report.dlvrd, 3),
            b" submit date:" + _fit(report.submit_date, 10),
            b" done date:" + _fit(report.done_date, 10),
            b" stat:" + _fit(report.stat, 7),
            b" err:" + _fit(report.err, 3),
            b" text:" + _fit(report.text, _TEXT_SIZE),
        )
    )


def decode_report(body: bytes) -> StatusReport:
    """Never raises: what is not there is empty."""
    msg_id, rest = body[_ID_AT:_ID_END], body[_ID_END:]
    digits = body[_ID_AT:_HEX_ID_END]
    after = body[_HEX_ID_END : _HEX_ID_END + 5].lower()
    if _HEX_ID.fullmatch(digits) and after == b" sub:":
        msg_id, rest = bytes.fromhex(digits.decode("ascii")), body[_HEX_ID_END:]
    found = {name: pattern.search(rest) for name, pattern in _LABELS.items()}
    text = _TEXT.search(rest)
    return StatusReport(
        msg_id=msg_id if len(msg_id) == _ID_SIZE else b"",
        text=text[1] if text else b"",
        **{name: match[1] if match else b"" for name, match in found.items()},
    )


def report_stat(report: StatusReport) -> str:
    """The stat in upper case; of a failure with the gateway's code behind a colon."""
    stat, err = (plain(octets).strip().upper() for octets in (report.stat, report.err))
    return stat if not stat or stat == "DELIVRD" or err in ("", "000") else f"{stat}:{err}"


def _fit(octets: bytes, size: int) -> bytes:
    return octets[:size].ljust(size, b"\0")
