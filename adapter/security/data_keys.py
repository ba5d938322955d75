"""Keys that seal values, each kept wrapped by a master key (envelope encryption).

    a sealed value   base64( 12 octets nonce, AES-256-GCM ciphertext, 16 octets tag )
    a wrapped key    the same, of the 32 octets of a key; associated data: mark and key number

From the 32 octets of a key HKDF-SHA-256 derives two: one seals values, the other makes the
keyed digest by which equal values are found. Associated data bind a value to its place.

A nonce counts on from 64 random bits that each process draws for each key, in the 96 bits of
GCM's deterministic construction (NIST SP 800-38D, 8.2.1): two of them are the same with a
probability below 2^-24 even after a million starts.

    SecretError     a key cannot be unwrapped
    ValueError      a value cannot be opened; neither says what it holds
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import struct
from binascii import a2b_base64, b2a_base64
from collections.abc import Sequence
from itertools import count

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from adapter.security.secrets import KEY_OCTETS, SecretError, new_key

_NONCE = 12
_TAG = 16
_SIGNED = struct.Struct(">q")
_DRAWN = 8
_WRAP = b"his-sms store key 1/"
_DERIVE = b"his-sms store values 1"
_NAME = b"his-sms store key name 1"


def master_of(written: str) -> bytes:
    """A master key from its base64. Raises SecretError."""
    try:
        key = base64.b64decode("".join(written.split()), validate=True)
    except (binascii.Error, ValueError):
        raise SecretError("is no key: it must be 32 octets in base64") from None
    if len(key) != KEY_OCTETS:
        raise SecretError(f"has {len(key)} octets in base64, it must have {KEY_OCTETS}")
    return key


def name_of(master: bytes) -> str:
    """What a master key may be called by: eight hex digits that tell nothing of it."""
    return HKDF(SHA256(), 4, None, _NAME).derive(master).hex()


def new_wrapped(master: bytes, number: int) -> str:
    """A fresh data key, wrapped."""
    return wrap(master, number, new_key())


def wrap(master: bytes, number: int, octets: bytes) -> str:
    """The octets of a data key, wrapped."""
    nonce = os.urandom(_NONCE)
    wrapped = AESGCM(master).encrypt(nonce, octets, _WRAP + str(number).encode())
    return base64.b64encode(nonce + wrapped).decode()


def unwrap(masters: Sequence[bytes], number: int, wrapped: str) -> bytes:
    """The octets of a data key, by the first of the master keys that fits. Raises SecretError."""
    try:
        octets = base64.b64decode(wrapped, validate=True)
    except (binascii.Error, ValueError):
        raise SecretError("it is no wrapped key") from None
    for master in masters:
        try:
            return AESGCM(master).decrypt(
                octets[:_NONCE], octets[_NONCE:], _WRAP + str(number).encode()
            )
        except (InvalidTag, ValueError):
            continue
    raise SecretError("no master key fits")


class DataKey:
    """Seals and opens values. Safe to share between threads."""

    def __init__(self, octets: bytes) -> None:
        derived = HKDF(SHA256(), 2 * KEY_OCTETS, None, _DERIVE).derive(octets)
        cipher = AESGCM(derived[:KEY_OCTETS])
        self._encrypt, self._decrypt = cipher.encrypt, cipher.decrypt
        self._digest = hashlib.blake2b(key=derived[KEY_OCTETS:], digest_size=_SIGNED.size)
        first = int.from_bytes(os.urandom(_DRAWN), "big") << 8 * (_NONCE - _DRAWN)
        # One step of the interpreter: no two threads get the same.
        self._next_nonce = count(first).__next__

    def seal(self, text: str, place: bytes) -> str:
        """`text` sealed for its place; another value each time."""
        nonce = self._next_nonce().to_bytes(_NONCE, "big")
        octets = nonce + self._encrypt(nonce, text.encode(), place)
        return b2a_base64(octets, newline=False).decode()

    def open(self, value: str, place: bytes) -> str:
        """The text of a value. Raises ValueError where it was changed, or sealed for another
        place."""
        octets = a2b_base64(value)
        try:
            return self._decrypt(octets[:_NONCE], octets[_NONCE:], place).decode()
        except InvalidTag:
            raise ValueError("it was changed, moved, or sealed with another key") from None

    def digest(self, text: str) -> int:
        """The same number for the same text, in 64 bits with a sign; who does not have the key
        can neither make it nor tell what it stands for."""
        digest = self._digest.copy()
        digest.update(text.encode())
        found: int = _SIGNED.unpack(digest.digest())[0]
        return found
