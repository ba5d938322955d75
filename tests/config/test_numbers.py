"""Access number, spare number and extensions together."""

from __future__ import annotations

import pytest

from adapter.config.load import load
from adapter.domain.states import Carrier
from adapter.intake.reach import reaches
from tests.config.conftest import Write
from tests.config.test_faults import ROUTED, channel, told

CLIENT = '<clients><client account="his" extension="123456"/></clients>'


def spared(number: str) -> str:
    return ROUTED.format(channel().replace(
        ' enabled="true"', f' spare-number="{number}"'
    ))  # fmt: skip


@pytest.mark.parametrize("number", ["10690000", "1069", "106900001"])
def test_numbers_that_begin_alike(number: str, write: Write) -> None:
    assert told(write(spared(number))) == [
        "2: spare-number: it and access-number begin alike: replies cannot be told apart"
    ]


def test_a_number_too_long_by_itself_is_told_once(write: Write) -> None:
    assert told(write(spared("1" * 21) + CLIENT)) == [
        f'2: spare-number="{"1" * 21}": must be at most 20 digits'
    ]


def test_a_version_that_no_protocol_has_is_told_once(write: Write) -> None:
    path = write(ROUTED.format(channel().replace('version="3.0"', 'version="2.1"')))
    assert told(path) == ['2: version="2.1": cmpp has 2.0, 3.0']


def test_the_longer_number_leaves_the_room(write: Write) -> None:
    path = write(spared("106955550000123") + CLIENT)
    assert told(path) == [
        "2: extension: with the spare-number of channel m1 it has 21 digits, at most 20 are allowed"
    ]
    good = load(write(spared("10695555000012") + CLIENT))
    assert reaches(good)[Carrier.MOBILE].room == 6
