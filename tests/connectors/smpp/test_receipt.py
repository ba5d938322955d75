"""Receipts as SMSCs write them, and ids in either base."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.ids import REMEMBERED, IdBook, IdForm, canonical, converted
from connectors.smpp.pdus import CODECS, Tag, number
from connectors.smpp.receipt import (
    STATES,
    ReceiptText,
    exact_id,
    format_receipt,
    looks_like_receipt,
    minute_of,
    parse_receipt,
    stat_of,
)
from connectors.tlv import Tlv
from tests.connectors.vectors import named

USUAL = ReceiptText(
    "0059113978", "001", "001", "1002101730", "1002101731", "DELIVRD", "000", "@$#!%&/:"
)


def test_the_usual_text_there_and_back() -> None:
    words = format_receipt(USUAL)
    assert words == (
        "id:0059113978 sub:001 dlvrd:001 submit date:1002101730 done date:1002101731 "
        "stat:DELIVRD err:000 text:@$#!%&/:"
    )
    assert parse_receipt(words) == USUAL
    assert looks_like_receipt(words)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ID:5f3c stat:UNDELIV", ReceiptText(id="5f3c", stat="UNDELIV")),
        ("stat:EXPIRED id:77", ReceiptText(id="77", stat="EXPIRED")),
        ("id: 77 stat: DELIVRD", ReceiptText(id="77", stat="DELIVRD")),
        (
            "id:7 submitdate:260309152312 donedate:20260309152401 stat:DELIVRD",
            ReceiptText(id="7", submit_date="260309152312", done_date="20260309152401",
                        stat="DELIVRD"),
        ),
        (
            "id:7 submit_date:2603091523 stat:DELIVRD err:0A5 Text:id:9 stat:REJECTD",
            ReceiptText(id="7", submit_date="2603091523", stat="DELIVRD", err="0A5",
                        text="id:9 stat:REJECTD"),
        ),
        ("id:7 sub: dlvrd:001\0", ReceiptText(id="7", dlvrd="001")),
        ("nothing of the kind", ReceiptText()),
        ("", ReceiptText()),
    ],
)  # fmt: skip
def test_other_texts(text: str, expected: ReceiptText) -> None:
    assert parse_receipt(text) == expected


@given(st.text(max_size=200))
def test_any_text_can_be_read(text: str) -> None:
    parse_receipt(text)
    looks_like_receipt(text)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("id:7 sub:001 stat:DELIVRD", True),
        ("ID:7 Stat:DELIVRD", True),
        ("My id:7 was wrong", False),
        ("id:7 and the rest", False),
    ],
)
def test_what_looks_like_a_receipt(text: str, is_one: bool) -> None:
    assert looks_like_receipt(text) is is_one


def test_the_state_comes_from_the_text_or_the_parameter() -> None:
    state = (number(Tag.MESSAGE_STATE, 3),)
    assert stat_of(ReceiptText(stat="delivrd"), state) == "DELIVRD"
    assert stat_of(ReceiptText(stat="UNDELIVERABLE"), ()) == "UNDELIV"
    assert stat_of(ReceiptText(), state) == "EXPIRED"
    assert stat_of(ReceiptText(), (number(Tag.MESSAGE_STATE, 99),)) == ""
    assert stat_of(ReceiptText(), ()) == ""
    assert stat_of(ReceiptText(stat="X" * 99), ()) == "X" * 16
    assert set(STATES) == set(range(1, 9))


def test_the_id_in_the_parameter_may_lack_its_nul() -> None:
    for value in (b"38601fa\0", b"38601fa"):
        assert exact_id((Tlv(Tag.RECEIPTED_MESSAGE_ID, value),)) == "38601fa"
    assert exact_id(()) == ""


@pytest.mark.parametrize(
    ("date", "minute"),
    [
        ("2603091523", "2603091523"),
        ("260309152312", "2603091523"),
        ("20260309152312", "2603091523"),
        ("", ""),
        ("soon", "soon"),
    ],
)
def test_dates(date: str, minute: str) -> None:
    assert minute_of(date) == minute


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("00AB12", "ab12"),
        ("9" * 99, "9" * 64),
        (" 7 ", "7"),
        ("000", "0"),
        ("", ""),
        ("Uuid-0-X", "uuid-0-x"),
    ],
)
def test_canonical(text: str, expected: str) -> None:
    assert canonical(text) == expected


@given(st.integers(0, 1 << 64))
def test_both_bases_name_the_same_id(value: int) -> None:
    assert converted(f"{value:010d}", IdForm.DECIMAL) == f"{value:x}"
    assert converted(f"{value:X}", IdForm.HEX) == str(value)


@pytest.mark.parametrize(
    ("text", "form", "expected"),
    [
        ("xyz", IdForm.HEX, None),
        ("1f", IdForm.DECIMAL, None),
        ("0059113978", IdForm.SAME, "59113978"),
    ],
)
def test_what_is_of_no_such_base(text: str, form: IdForm, expected: str | None) -> None:
    assert converted(text, form) == expected


def test_the_vector_with_both() -> None:
    pdu = CODECS.decode(bytes.fromhex(named("smpp_deliver_sm_receipt_hex_dec_ids")["hex"]))
    text = parse_receipt(pdu.short_message.decode("ascii")).id
    for issued in ("38601FA", "059113978"):
        book = IdBook()
        expected = book.issued(issued)
        found, _ = book.receipted(text, IdForm.AUTO, exact_id(pdu.tlvs))
        assert found == expected


def test_the_base_is_found_out_and_kept() -> None:
    book = IdBook()
    ids = [f"{value:x}" for value in range(70_000_000, 70_000_030)]
    for issued in ids:
        book.issued(issued)
    for issued in ids:
        assert book.receipted(f"{int(issued, 16):010d}", IdForm.AUTO) == (issued, True)
    assert book.votes[IdForm.DECIMAL] >= 20
    # An answer that was given before we began, or is still to come.
    assert book.receipted("0000001000", IdForm.AUTO) == ("3e8", True)


def test_decimal_answers_and_hexadecimal_receipts() -> None:
    book = IdBook()
    assert book.issued("0059113978") == "59113978"
    assert book.receipted("38601FA", IdForm.AUTO) == ("59113978", True)
    assert book.receipted("38601FB", IdForm.AUTO) == ("59113979", True)
    assert book.receipted("not-hex", IdForm.AUTO) == ("not-hex", False)


def test_equal_ids_are_left_alone_also_when_they_could_be_the_other_base() -> None:
    book = IdBook()
    for issued in ("10", "16", "a"):
        book.issued(issued)
    assert book.receipted("10", IdForm.AUTO) == ("10", False)
    assert book.receipted("5f3c", IdForm.AUTO) == ("5f3c", False)


def test_a_fixed_form_needs_no_memory() -> None:
    book = IdBook()
    assert book.receipted("0059113978", IdForm.DECIMAL) == ("38601fa", True)
    assert book.receipted("38601fa", IdForm.HEX) == ("59113978", True)
    assert book.receipted("0059113978", IdForm.SAME) == ("59113978", False)
    assert book.receipted("0059113978", IdForm.DECIMAL, "38601FA") == ("38601fa", False)


def test_after_a_restart_a_receipt_names_every_id_that_it_may_mean() -> None:
    for issued, written in (("38601FA", "0059113978"), ("59113978", "38601FA"), ("77", "0077")):
        answered = IdBook().issued(issued)
        fresh = IdBook()
        found, _ = fresh.receipted(written, IdForm.AUTO)
        assert answered in (found, *fresh.others(written, IdForm.AUTO))
        # What was answered just now leaves no doubt, and a form that is configured never does.
        fresh.issued(issued)
        assert fresh.others(written, IdForm.AUTO) == ()
        assert IdBook().others(written, IdForm.DECIMAL) == ()


def test_bases_that_are_known_leave_no_doubt() -> None:
    book = IdBook()
    for value in range(0xA1B2C3, 0xA1B2C3 + 30):
        book.issued(f"{value:x}")
        book.receipted(str(value), IdForm.AUTO)
    assert book.others("12345678", IdForm.AUTO) == ()


@pytest.mark.parametrize("tail", ["0123456789", "0000056789", "ABCDEF6789"])
def test_the_last_ten_characters_are_known_over_a_restart(tail: str) -> None:
    answered = IdBook().issued(f"7f31{tail}", IdForm.LAST10)
    for written in (tail, f"999999{tail}", tail.lower()):
        assert IdBook().receipted(written, IdForm.LAST10) == (answered, True)
        assert IdBook().receipted("", IdForm.LAST10, written) == (answered, True)


def test_memory_is_bounded() -> None:
    book = IdBook()
    for value in range(REMEMBERED + 5):
        book.issued(f"n{value}")
    assert len(book._recent) == REMEMBERED
