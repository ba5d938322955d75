"""Encrypted contents: the published vectors, the page's example, and what must not open."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from adapter.domain.client import ContentCipher, ContentKey
from adapter.security.contents import KEY_OCTETS, Binding, ContentError, seal, unseal

TESTS = Path(__file__).resolve().parent.parent
VECTORS = json.loads((TESTS / "data/encryption.json").read_text(encoding="utf-8"))
PAGE = TESTS.parent / "docs/integrator/encryption.md"
KEYS = {
    cipher.value: ContentKey(cipher, bytes(range(octets))) for cipher, octets in KEY_OCTETS.items()
}
BINDING = Binding("his", "OP-1", ("13800138000", "13900139000"))
ciphers = pytest.mark.parametrize("cipher", list(KEYS))


@pytest.mark.parametrize("vector", VECTORS)
def test_vectors(vector: dict[str, Any]) -> None:
    key = ContentKey(ContentCipher(vector["cipher"]), bytes.fromhex(vector["key"]))
    binding = Binding(vector["account"], vector["clientRef"], vector["mobiles"])
    assert binding.octets().hex() == vector["associatedData"]
    opened = unseal({vector["keyId"]: key}, vector["encryptedContent"], binding)
    assert opened == vector["content"]


def test_sm4_gcm_is_that_of_rfc_8998() -> None:
    """Appendix A.1."""
    cipher = Cipher(
        algorithms.SM4(bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")),
        modes.GCM(bytes.fromhex("00001234567800000000ABCD")),
    )
    encryptor = cipher.encryptor()
    encryptor.authenticate_additional_data(
        bytes.fromhex("FEEDFACEDEADBEEFFEEDFACEDEADBEEFABADDAD2")
    )
    text = b"".join(bytes([octet]) * 8 for octet in bytes.fromhex("AABBCCDDEEFFEEAA"))
    assert (encryptor.update(text) + encryptor.finalize()).hex().upper() == (
        "17F399F08C67D5EE19D0DC9969C4BB7D5FD46FD3756489069157B282BB200735"
        "D82710CA5C22F0CCFA7CBF93D496AC15A56834CBCF98C397B4024A2691233B8D"
    )
    assert encryptor.tag.hex().upper() == "83DE3541E4C2B58177E065A9BF7B62EC"


def test_the_example_of_the_page_prints_what_it_says() -> None:
    page = PAGE.read_text(encoding="utf-8")
    program = page.split("```python\n")[1].split("```")[0]
    done = subprocess.run(
        [sys.executable, "-X", "utf8", "-c", program], capture_output=True, check=True, text=True
    )
    printed = done.stdout.strip()
    assert printed == VECTORS[0]["encryptedContent"]
    assert page.count(printed) == 1
    assert page.count(VECTORS[3]["encryptedContent"]) == 1


@ciphers
@given(text=st.text(st.characters(codec="utf-8"), max_size=200))
def test_what_is_sealed_opens(cipher: str, text: str) -> None:
    assert unseal(KEYS, seal(cipher, KEYS[cipher], text, BINDING), BINDING) == text


@ciphers
def test_it_is_another_each_time(cipher: str) -> None:
    assert seal(cipher, KEYS[cipher], "hi", BINDING) != seal(cipher, KEYS[cipher], "hi", BINDING)


@ciphers
@pytest.mark.parametrize(
    "other",
    [
        replace(BINDING, account="lis"),
        replace(BINDING, client_ref="OP-2"),
        replace(BINDING, client_ref=""),
        replace(BINDING, mobiles=BINDING.mobiles[:1]),
        replace(BINDING, mobiles=(*BINDING.mobiles, "13700137000")),
        replace(BINDING, mobiles=tuple(reversed(BINDING.mobiles))),
        replace(BINDING, mobiles=("13800138001", "13900139000")),
    ],
)
def test_what_is_pasted_elsewhere_does_not_open(cipher: str, other: Binding) -> None:
    envelope = seal(cipher, KEYS[cipher], "hi", BINDING)
    with pytest.raises(ContentError, match="other recipients"):
        unseal(KEYS, envelope, other)


@ciphers
@given(place=st.integers(0, 12 + 2 + 16 - 1), bit=st.integers(0, 7))
def test_no_bit_can_be_changed(cipher: str, place: int, bit: int) -> None:
    head, _, written = seal(cipher, KEYS[cipher], "hi", BINDING).rpartition(":")
    octets = bytearray(base64.b64decode(written))
    octets[place] ^= 1 << bit
    with pytest.raises(ContentError):
        unseal(KEYS, f"{head}:{base64.b64encode(octets).decode()}", BINDING)


def test_another_key_under_the_same_id_does_not_open() -> None:
    envelope = seal("aes-256-gcm", KEYS["aes-256-gcm"], "hi", BINDING)
    other = {"aes-256-gcm": ContentKey(ContentCipher.AES_256_GCM, bytes(32))}
    with pytest.raises(ContentError, match="another key"):
        unseal(other, envelope, BINDING)


@pytest.mark.parametrize(
    ("envelope", "told"),
    [
        ("", "form"),
        ("AAAA", "form"),
        ("v2:aes-256-gcm:AAAA", "form"),
        ("v1:2020:AAAA", "no key '2020'"),
        ("v1:aes-256-gcm:A!", "base64"),
        ("v1:aes-256-gcm:é", "base64"),
        ("v1:aes-256-gcm:AAAA", "whole"),
        ("v1:aes-256-gcm:" + "A" * 36, "whole"),
        ("v1:aes-256-gcm:" + "A" * 40, "another key"),
    ],
)
def test_what_is_no_envelope_is_told_why(envelope: str, told: str) -> None:
    with pytest.raises(ContentError, match=told):
        unseal(KEYS, envelope, BINDING)


def test_line_breaks_of_base64_are_taken() -> None:
    envelope = seal("sm4-gcm", KEYS["sm4-gcm"], "a long text " * 20, BINDING)
    broken = "\r\n".join(envelope[at : at + 76] for at in range(0, len(envelope), 76))
    assert unseal(KEYS, broken, BINDING).startswith("a long text")


def test_lines_of_the_binding_cannot_be_moved() -> None:
    with pytest.raises(ContentError, match="line feeds"):
        Binding("his", "OP-1\n13800138000", ()).octets()
