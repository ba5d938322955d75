"""What a data key sealed opens in its own place and nowhere else."""

from __future__ import annotations

import base64
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.security.data_keys import DataKey, master_of, name_of, new_wrapped, unwrap, wrap
from adapter.security.secrets import SecretError

KEY, OTHER = DataKey(bytes(range(32))), DataKey(bytes(32))
MASTER, STRANGER = b"m" * 32, b"s" * 32
texts = st.text(st.characters(codec="utf-8"), max_size=300)
places = st.binary(min_size=1, max_size=40)


@given(texts, places)
def test_what_was_sealed_opens(text: str, place: bytes) -> None:
    assert KEY.open(KEY.seal(text, place), place) == text


@given(texts, places, st.data())
def test_a_value_that_was_changed_does_not_open(
    text: str, place: bytes, data: st.DataObject
) -> None:
    octets = bytearray(base64.b64decode(KEY.seal(text, place)))
    bit = data.draw(st.integers(0, 8 * len(octets) - 1))
    octets[bit // 8] ^= 1 << bit % 8
    with pytest.raises(ValueError):
        KEY.open(base64.b64encode(octets).decode(), place)


@given(texts, st.data())
def test_a_value_that_was_cut_does_not_open(text: str, data: st.DataObject) -> None:
    value = KEY.seal(text, b"p")
    with pytest.raises(ValueError):
        KEY.open(value[: data.draw(st.integers(0, len(value) - 1))], b"p")


@given(texts, places, places)
def test_a_value_that_was_moved_does_not_open(text: str, place: bytes, other: bytes) -> None:
    if place != other:
        with pytest.raises(ValueError):
            KEY.open(KEY.seal(text, place), other)


@given(texts)
def test_another_key_does_not_open_it(text: str) -> None:
    with pytest.raises(ValueError):
        OTHER.open(KEY.seal(text, b"p"), b"p")


def test_the_same_text_is_never_sealed_alike() -> None:
    sealed: list[str] = []

    def seal() -> None:
        sealed.extend(KEY.seal("13800138000", b"p") for _ in range(2_000))

    threads = [threading.Thread(target=seal) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    again = DataKey(bytes(range(32)))
    sealed += [again.seal("13800138000", b"p") for _ in range(2_000)]
    nonces = {base64.b64decode(each)[:12] for each in sealed}
    assert len(nonces) == len(sealed) == 10_000


@given(texts, texts)
def test_a_digest_finds_equals_and_fits_into_64_bits(one: str, other: str) -> None:
    assert KEY.digest(one) == DataKey(bytes(range(32))).digest(one) != OTHER.digest(one)
    assert (KEY.digest(one) == KEY.digest(other)) == (one == other)
    assert -(2**63) <= KEY.digest(one) < 2**63


def test_a_key_is_wrapped_for_its_number_by_its_master() -> None:
    wrapped = wrap(MASTER, 3, bytes(32))
    assert unwrap([STRANGER, MASTER], 3, wrapped) == bytes(32)
    assert wrapped != wrap(MASTER, 3, bytes(32))
    assert len(unwrap([MASTER], 1, new_wrapped(MASTER, 1))) == 32
    broken = wrapped[:-4] + ("AAA=" if wrapped[-4:] != "AAA=" else "BBB=")
    for masters, number, value in (
        ([STRANGER], 3, wrapped),
        ([MASTER], 4, wrapped),
        ([], 3, wrapped),
        ([MASTER], 3, broken),
        ([MASTER], 3, "no base64"),
        ([MASTER], 3, ""),
    ):
        with pytest.raises(SecretError):
            unwrap(masters, number, value)


def test_a_master_key_is_called_by_a_name_that_tells_nothing() -> None:
    assert name_of(MASTER) == name_of(b"m" * 32) != name_of(STRANGER)
    assert master_of(base64.b64encode(MASTER).decode() + "\n") == MASTER
    for written in ("", "QUJD", "no base64!", base64.b64encode(bytes(31)).decode()):
        with pytest.raises(SecretError) as refusal:
            master_of(written)
        assert "QUJD" not in str(refusal.value)
