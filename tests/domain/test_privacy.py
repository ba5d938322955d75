from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.domain.privacy import mask, mask_all


def test_mask_keeps_what_an_engineer_needs() -> None:
    assert mask("13800138000") == "138****8000"
    assert mask("8613800138000") == "86138****8000"


@pytest.mark.parametrize("short", ["", "8000", "1380013800"])
def test_mask_hides_short_numbers_whole(short: str) -> None:
    assert mask(short) == "****"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("to 13800138000 now", "to 138****8000 now"),
        ("+8613800138000", "138****8000"),
        ("008619912345678,15012345678", "199****5678,150****5678"),
        ("138 0013 8000 or 138-0013-8000", "138****8000 or 138****8000"),
        ("号码13800138000有误", "号码138****8000有误"),
        ("id 913800138000456789", "id 913800138000456789"),
        ("at 1763832000123", "at 1763832000123"),
        ("hotline 12345678901", "hotline 12345678901"),
    ],
)
def test_mask_all(text: str, masked: str) -> None:
    assert mask_all(text) == masked


@given(
    st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True),
    st.text(st.characters(exclude_categories=["Nd"])),
    st.text(st.characters(exclude_categories=["Nd"])),
)
def test_no_number_stays_whole(mobile: str, before: str, after: str) -> None:
    assert mobile not in mask_all(f"{before}{mobile}{after}")
