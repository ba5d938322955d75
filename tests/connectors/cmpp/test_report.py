"""Status reports by the length of their body."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.cmpp.report import StatusReport, decode_report, encode_report, report_stat

REPORT = StatusReport(
    b"\x34\xbd\x74\x01\xa1\x95\x01\x02", b"DELIVRD", b"2603091523", b"2603091524",
    b"13800138000", 4660,
)  # fmt: skip


@pytest.mark.parametrize(("version", "size"), [("2.0", 60), ("3.0", 71)])
def test_there_and_back(version: str, size: int) -> None:
    body = encode_report(REPORT, version)
    assert len(body) == size
    assert decode_report(body) == REPORT


def test_an_odd_length_is_read_as_far_as_it_goes() -> None:
    body = encode_report(REPORT, "2.0")[:35] + b"8613800138000" + (7).to_bytes(4, "big")
    report = decode_report(body)
    assert (report.msg_id, report.stat) == (REPORT.msg_id, b"DELIVRD")
    assert (report.dest_terminal_id, report.smsc_sequence) == (b"8613800138000", 7)


@given(st.binary(max_size=255))
def test_no_body_raises(body: bytes) -> None:
    report = decode_report(body)
    assert len(report.msg_id) == (8 if len(body) >= 8 else 0)


@pytest.mark.parametrize("stat", [b"DELIVRD", b"delivrd", b"DELIVRD\0", b"DELIVRD "])
def test_stats_are_compared_bare_and_in_capitals(stat: bytes) -> None:
    assert report_stat(StatusReport(bytes(8), stat)) == "DELIVRD"
