"""The parameters that a statement of the hospital's own may name."""

from __future__ import annotations

ROW = (
    "STATUS",
    "MESSAGE_ID",
    "RESULT_CODE",
    "RESULT_TEXT",
    "SEGMENTS",
    "SUBMITTED_AT",
    "DONE_AT",
)
"""What is written into a row."""

RECEIPT = (
    "OUTBOUND_ID",
    "MESSAGE_ID",
    "MOBILE",
    "STATE",
    "CARRIER_CODE",
    "SEGMENTS",
    "CHANNEL",
    "SUBMITTED_AT",
    "DONE_AT",
)
INBOUND = (
    "ID",
    "MOBILE",
    "CONTENT",
    "ACCESS_NUMBER",
    "EXTENSION",
    "OUTBOUND_ID",
    "RECEIVED_AT",
)

_OF: dict[str, tuple[str, ...]] = {
    "fetch": ("MARK", "MOST"),
    "recover": ("MOST",),
    "claim": ("ID",),
    "remove": ("ID",),
    "result": ("ID", *ROW, "FINAL"),
    "receipt": RECEIPT,
    "inbound": INBOUND,
}


def of_statement(name: str) -> tuple[str, ...]:
    """Of `fetch`, `claim`, `recover`, `remove`, `result`, `receipt` or `inbound`."""
    return _OF[name]
