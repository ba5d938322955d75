"""Secrets: what is sealed opens with its key, unchanged, and with nothing else."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.security.secrets import (
    SecretError,
    decrypt,
    encrypt,
    is_encrypted,
    is_exposed,
    new_key,
    read_key,
    write_key,
)

KEY = bytes(range(32))


@given(st.text(st.characters(codec="utf-8")))
def test_a_sealed_text_opens_again(text: str) -> None:
    envelope = encrypt(KEY, text)
    assert is_encrypted(envelope)
    assert decrypt(KEY, envelope) == text


def test_two_envelopes_of_one_text_differ_and_hide_it() -> None:
    first, second = encrypt(KEY, "password"), encrypt(KEY, "password")
    assert first != second
    assert "password" not in first


def test_a_flipped_bit_anywhere_is_noticed() -> None:
    octets = bytearray(base64.urlsafe_b64decode(encrypt(KEY, "secret")[5:-1]))
    for at in range(len(octets)):
        octets[at] ^= 1
        envelope = "{enc:" + base64.urlsafe_b64encode(octets).decode() + "}"
        with pytest.raises(SecretError, match="another key, or was changed"):
            decrypt(KEY, envelope)
        octets[at] ^= 1


def test_another_key_does_not_open_it() -> None:
    with pytest.raises(SecretError, match="another key"):
        decrypt(new_key(), encrypt(KEY, "secret"))


@pytest.mark.parametrize("broken", ["", "secret", "{enc:}", "{enc:AAAA}", "{enc:%%}", "{enc:AAA}"])
def test_what_is_no_envelope_is_refused(broken: str) -> None:
    with pytest.raises(SecretError):
        decrypt(KEY, broken)


def test_a_key_file_keeps_a_key_and_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "adapter.key"
    write_key(path, KEY)
    assert read_key(path) == KEY
    with pytest.raises(FileExistsError):
        write_key(path, new_key())
    assert read_key(path) == KEY


@pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")
def test_a_key_file_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "adapter.key"
    write_key(path, KEY)
    assert not is_exposed(path)
    for mode in (0o640, 0o604, 0o660):
        path.chmod(mode)
        assert is_exposed(path)


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        (b"", "holds 0 octets"),
        (base64.b64encode(b"short"), "holds 5 octets"),
        (b"\xff\xfe not base64", "not a key file"),
    ],
)
def test_a_bad_key_file_says_why(tmp_path: Path, written: bytes, reason: str) -> None:
    path = tmp_path / "adapter.key"
    path.write_bytes(written)
    with pytest.raises(SecretError, match=reason):
        read_key(path)
    with pytest.raises(SecretError, match="cannot be read"):
        read_key(tmp_path / "missing.key")
