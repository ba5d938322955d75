"""Sealed streams: what comes out is what went in, or an error."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter.backup.faults import BackupError, DamagedError, WrongKeyError
from adapter.backup.sealing import PIECE, Sealer, unseal
from adapter.security.secrets import new_key

KEY = new_key()


def sealed(octets: bytes, key: bytes = KEY) -> bytes:
    file = io.BytesIO()
    sealer = Sealer(file, key)
    sealer.write(octets)
    sealer.finish()
    return file.getvalue()


def opened(octets: bytes, key: bytes = KEY) -> bytes:
    return b"".join(unseal(io.BytesIO(octets), key))


@pytest.mark.parametrize("length", [0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 2 * PIECE + 5])
def test_any_length_comes_back(length: int) -> None:
    octets = bytes(range(251)) * (length // 251 + 1)
    assert opened(sealed(octets[:length])) == octets[:length]


def test_the_text_is_not_in_it() -> None:
    assert b"13800138000" not in sealed(b"13800138000" * 10)


def test_another_key_is_told_apart_from_damage() -> None:
    with pytest.raises(WrongKeyError):
        opened(sealed(b"text"), new_key())


@settings(max_examples=200)
@given(at=st.integers(0, 200), bit=st.integers(0, 7))
def test_a_changed_bit_is_noticed(at: int, bit: int) -> None:
    whole = bytearray(sealed(b"x" * 150))
    whole[at] ^= 1 << bit
    with pytest.raises(BackupError):
        opened(bytes(whole))


@given(left=st.integers(0, 200))
def test_a_cut_is_noticed(left: int) -> None:
    with pytest.raises(DamagedError):
        opened(sealed(b"x" * 200)[:left])


def test_a_cut_between_two_pieces_is_noticed() -> None:
    whole = sealed(b"x" * (3 * PIECE))
    head = len(sealed(b"")) - 16
    with pytest.raises(DamagedError):
        opened(whole[: head + PIECE + 16])
    with pytest.raises(DamagedError):
        # A piece left out of the middle.
        opened(whole[: head + PIECE + 16] + whole[head + 2 * (PIECE + 16) :])


def test_two_seals_of_one_text_differ() -> None:
    assert sealed(b"text") != sealed(b"text")
