"""Msg_Id's bit fields."""

from __future__ import annotations

from datetime import datetime

import pytest

from connectors.cmpp.auth import BEIJING
from connectors.cmpp.msgid import MAX_GATEWAY, MsgIds, nth

MOMENT = datetime(2026, 3, 9, 15, 23, 16, tzinfo=BEIJING).timestamp()


def test_the_vectors_bits() -> None:
    ids = MsgIds(106901, 258, clock=lambda: MOMENT + 0.9)
    assert ids.take().hex() == "34bd7401a1950102"
    assert ids.take().hex() == "34bd7401a1950103"


def test_a_group_takes_consecutive_ids_and_wraps() -> None:
    ids = MsgIds(1, 0xFFFE, clock=lambda: MOMENT)
    first = ids.take(3)
    assert [nth(first, k)[6:].hex() for k in range(3)] == ["fffe", "ffff", "0000"]
    assert ids.take()[6:].hex() == "0001"


def test_december_needs_all_64_bits() -> None:
    moment = datetime(2026, 12, 31, 23, 59, 59, tzinfo=BEIJING).timestamp()
    bits = f"{12:04b}{31:05b}{23:05b}{59:06b}{59:06b}{MAX_GATEWAY:022b}{0xFFFF:016b}"
    made = MsgIds(MAX_GATEWAY, 0xFFFF, clock=lambda: moment).take()
    assert int.from_bytes(made, "big") == int(bits, 2) > 1 << 63


def test_a_gateway_code_beyond_22_bits_is_refused() -> None:
    with pytest.raises(ValueError, match="gateway"):
        MsgIds(MAX_GATEWAY + 1)
