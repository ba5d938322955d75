"""The status report inside a CMPP_DELIVER (protocols/cmpp.md A4).

The layout goes by the body's length, never by the version: 60 octets hold a number of 21,
71 one of 32, and both are seen in both versions. Whatever else is long enough is read as far
as it goes: id, stat and times first, the last four octets as the sequence.
"""

from __future__ import annotations

import struct

from msgspec import Struct

from connectors.text import plain

SHORT, LONG = 60, 71
_HEAD = struct.Struct(">8s7s10s10s")
_SEQUENCE = 4
_NUL = b"\0"
_WHOLE = {
    SHORT: struct.Struct(">8s7s10s10s21sI").unpack,
    LONG: struct.Struct(">8s7s10s10s32sI").unpack,
}
_NUMBER = {"2.0": 21, "3.0": 32}


class StatusReport(Struct, gc=False):
    """`msg_id` is the id of the submit's answer, the only thing that joins the two."""

    msg_id: bytes
    stat: bytes
    submit_time: bytes = b""
    done_time: bytes = b""
    dest_terminal_id: bytes = b""
    smsc_sequence: int = 0


def encode_report(report: StatusReport, version: str) -> bytes:
    """The body for a DELIVER of this version."""
    head = _HEAD.pack(report.msg_id, report.stat, report.submit_time, report.done_time)
    number = report.dest_terminal_id.ljust(_NUMBER[version], b"\0")
    return head + number + report.smsc_sequence.to_bytes(_SEQUENCE, "big")


def decode_report(body: bytes) -> StatusReport:
    """Never raises: a body that is too short gives empty fields."""
    whole = _WHOLE.get(len(body))
    if whole is not None:
        msg_id, stat, submitted, done, number, sequence = whole(body)
        return StatusReport(
            msg_id,
            stat.rstrip(_NUL),
            submitted.rstrip(_NUL),
            done.rstrip(_NUL),
            number.rstrip(_NUL),
            sequence,
        )
    msg_id, stat, submitted, done = _HEAD.unpack_from(body.ljust(_HEAD.size, b"\0"))
    end = max(_HEAD.size, len(body) - _SEQUENCE)
    return StatusReport(
        msg_id if len(body) >= 8 else b"",
        stat.rstrip(b"\0"),
        submitted.rstrip(b"\0"),
        done.rstrip(b"\0"),
        body[_HEAD.size : end].rstrip(b"\0"),
        int.from_bytes(body[end : end + _SEQUENCE], "big"),
    )


def report_stat(report: StatusReport) -> str:
    """The stat as it is compared: without padding, upper case."""
    return plain(report.stat).strip().upper()
