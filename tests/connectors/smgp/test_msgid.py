"""A gateway's ids: the specification's example, counting, wrapping."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from connectors.smgp.msgid import MsgIds, nth

AT = datetime(2026, 1, 16, 9, 0, 30, tzinfo=UTC).timestamp()


def test_the_specifications_example() -> None:
    ids = MsgIds(10061, 12345, clock=lambda: AT)
    assert [ids.take(2).hex(), ids.take().hex()] == [
        "01006101161700012345", "01006101161700012347",
    ]  # fmt: skip


def test_the_sequence_wraps_and_the_minute_moves() -> None:
    now = [AT]
    ids = MsgIds(10061, 999_999, clock=lambda: now[0])
    assert ids.take().hex() == "01006101161700999999"
    now[0] += 60
    assert ids.take().hex() == "01006101161701000000"


def test_recipients_of_a_group_count_on_in_the_last_six_digits() -> None:
    first = bytes.fromhex("01006101161700999998")
    assert [nth(first, k).hex()[-6:] for k in range(4)] == ["999998", "999999", "000000", "000001"]
    with pytest.raises(ValueError):
        nth(bytes.fromhex("6495c36ac4ea6b00000b"), 1)


def test_a_gateway_has_six_digits() -> None:
    with pytest.raises(ValueError, match="gateway"):
        MsgIds(1_000_000)
