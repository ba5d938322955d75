"""A stream of octets, encrypted and authenticated piece by piece: AES-256-GCM.

Layout: 12 octets `HISSMSBACKUP`, 1 octet version, 16 octets salt, 8 octets to tell a wrong
key from a damaged file; then pieces of 1 MiB, each with its tag of 16 octets, the last one
shorter. The key of a file comes from the node's key and the salt by HKDF-SHA-256, so a
nonce need only be unique within the file: it is the number of the piece and a mark on the
last one. Pieces that were changed, exchanged, left out or cut off at the end are noticed;
the head is authenticated with each of them.

Memory: two pieces. Limits: 2^88 pieces.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from adapter.backup.faults import DamagedError, WrongKeyError

PIECE = 1 << 20
_TAG = 16
_MAGIC = b"HISSMSBACKUP\x01"
_SALT = 16
_CHECK = 8
_HEAD = len(_MAGIC) + _SALT + _CHECK


class Sealer:
    """Writes to `file`; `finish` must be called, or the file counts as cut off."""

    def __init__(self, file: BinaryIO, key: bytes) -> None:
        salt = os.urandom(_SALT)
        self._head, self._cipher = _prepare(key, salt)
        self._file = file
        self._waiting = bytearray()
        self._number = 0
        file.write(self._head)

    def write(self, octets: bytes) -> None:
        self._waiting += octets
        # The last piece is known only at the end: a full one waits for what follows it.
        while len(self._waiting) > PIECE:
            self._seal(bytes(self._waiting[:PIECE]), last=False)
            del self._waiting[:PIECE]

    def finish(self) -> None:
        self._seal(bytes(self._waiting), last=True)
        self._waiting.clear()

    def _seal(self, octets: bytes, *, last: bool) -> None:
        nonce = _nonce(self._number, last=last)
        self._file.write(self._cipher.encrypt(nonce, octets, self._head))
        self._number += 1


def unseal(file: BinaryIO, key: bytes) -> Iterator[bytes]:
    """What was sealed, piece by piece. Raises DamagedError, WrongKeyError.

    Each piece is authentic when it comes; that nothing is missing is known at the end.
    """
    head = file.read(_HEAD)
    if len(head) < _HEAD or not head.startswith(_MAGIC):
        raise DamagedError("it is not a backup of this program, or it was cut off")
    expected, cipher = _prepare(key, head[len(_MAGIC) : len(_MAGIC) + _SALT])
    if head != expected:
        raise WrongKeyError("it was made with another key than the one of <security key-file=...>")
    number = 0
    sealed = file.read(PIECE + _TAG)
    while True:
        following = file.read(PIECE + _TAG)
        try:
            yield cipher.decrypt(_nonce(number, last=not following), sealed, head)
        except (InvalidTag, ValueError):
            raise DamagedError(f"it was cut off or changed, in MiB {number + 1}") from None
        if not following:
            return
        sealed, number = following, number + 1


def _prepare(key: bytes, salt: bytes) -> tuple[bytes, AESGCM]:
    """The head of a file, and the cipher for its pieces."""
    made = HKDF(SHA256(), 32 + _CHECK, salt, b"his-sms backup 1").derive(key)
    return _MAGIC + salt + made[32:], AESGCM(made[:32])


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])
