"""Report bodies: every captured variant, ids that look like labels, junk."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from connectors import codes
from connectors.smgp.pdus import CODECS
from connectors.smgp.report import StatusReport, decode_report, encode_report, report_stat
from tests.connectors.vectors import named

REPORT = StatusReport(
    bytes.fromhex("01006101161700012345"), b"001", b"001", b"2603091523", b"2603091524",
    b"DELIVRD", b"000", bytes.fromhex("303233a1bec4b3c4b3d2bdd4baa1bfc4fa000000"),
)  # fmt: skip


def test_the_vectors_body_is_encoded_to_its_octets() -> None:
    vector = named("smgp_deliver_report_delivrd_122")
    body = CODECS["3.0"].decode(bytes.fromhex(vector["hex"])).msg_content
    assert encode_report(REPORT) == body
    assert len(body) == 122
    assert decode_report(body) == REPORT


@given(st.binary(min_size=10, max_size=10))
def test_an_id_may_hold_any_octets(msg_id: bytes) -> None:
    made = structs.replace(REPORT, msg_id=msg_id)
    assert decode_report(encode_report(made)) == made


@pytest.mark.parametrize("msg_id", [b"stat:REJEC", b" sub:002 s", b"\r\n\0 :id:sub:"[:10]])
def test_an_id_may_look_like_a_label(msg_id: bytes) -> None:
    made = structs.replace(REPORT, msg_id=msg_id)
    assert decode_report(encode_report(made)) == made


def test_an_id_in_hexadecimal_digits_is_read_too() -> None:
    body = encode_report(REPORT)
    spelled = body[:3] + REPORT.msg_id.hex().upper().encode() + body[13:]
    assert decode_report(spelled) == REPORT


def test_ten_digits_are_ten_octets() -> None:
    made = structs.replace(REPORT, msg_id=b"1234567890")
    assert decode_report(encode_report(made)).msg_id == b"1234567890"


def test_the_specifications_stray_blank() -> None:
    body = encode_report(REPORT).replace(b"done date:", b"done date: ")
    assert decode_report(body).done_date == b"2603091524"


@given(st.binary(max_size=200))
def test_junk_never_raises(junk: bytes) -> None:
    for body in (junk, b"id:" + junk):
        report_stat(decode_report(body))


def test_a_body_that_is_too_short_has_no_id() -> None:
    assert decode_report(b"id:short").msg_id == b""


@pytest.mark.parametrize(
    ("stat", "err", "expected"),
    [
        (b"DELIVRD", b"000", "DELIVRD"),
        (b"DELIVRD", b"123", "DELIVRD"),
        (b"undeliv", b"005", "UNDELIV:005"),
        (b"UNDELIV", b"   ", "UNDELIV"),
        (b"EXPIRED", b"000", "EXPIRED"),
        (b"UNDELIV", b"IB1", "UNDELIV:IB1"),
        (b"", b"005", ""),
    ],
)
def test_a_failure_carries_the_gateways_code(stat: bytes, err: bytes, expected: str) -> None:
    assert report_stat(structs.replace(REPORT, stat=stat, err=err)) == expected


def test_codes_of_a_report_are_readable() -> None:
    assert codes.reason("UNDELIV:005", chinese=False) == "user is blacklisted (UNDELIV:005)"
    assert codes.reason("EXPIRED:007") == "用户内存满 (EXPIRED:007)"
    assert codes.reason("UNDELIV:601", chinese=False) == "undeliverable (UNDELIV:601)"
    assert not codes.stat("ACCEPTD:001").final
    assert codes.stat("UNDELIV:005").final
