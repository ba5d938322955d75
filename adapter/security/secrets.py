"""Secrets of a configuration: `{enc:...}` by AES-256-GCM under a key of 32 octets.

An envelope is `{enc:` + URL-safe base64 of 12 octets nonce, ciphertext and 16 octets tag +
`}`. The version mark is authenticated, so that a later format can be told apart.

    SecretError        an envelope or a key cannot be used; says why, never what it holds
"""

from __future__ import annotations

import base64
import binascii
import os
import stat
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_OCTETS = 32
_NONCE_OCTETS = 12
_TAG_OCTETS = 16
_OPEN, _CLOSE = "{enc:", "}"
_MARK = b"his-sms secret 1"


class SecretError(ValueError):
    """A secret or its key cannot be used."""


def new_key() -> bytes:
    """A fresh key."""
    return AESGCM.generate_key(bit_length=8 * KEY_OCTETS)


def encrypt(key: bytes, text: str) -> str:
    """The envelope of `text`; another one each time."""
    nonce = os.urandom(_NONCE_OCTETS)
    sealed = AESGCM(key).encrypt(nonce, text.encode(), _MARK)
    return _OPEN + base64.urlsafe_b64encode(nonce + sealed).decode() + _CLOSE


def is_encrypted(text: str) -> bool:
    """Whether this is meant as an envelope."""
    return text.startswith(_OPEN) and text.endswith(_CLOSE)


def decrypt(key: bytes, envelope: str) -> str:
    """The text of an envelope. Raises SecretError for a damaged one or another key."""
    if not is_encrypted(envelope):
        raise SecretError("not of the form {enc:...}")
    try:
        octets = base64.b64decode(envelope[len(_OPEN) : -len(_CLOSE)], b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise SecretError("{enc:...} is not whole: it was cut off or mistyped") from None
    if len(octets) < _NONCE_OCTETS + _TAG_OCTETS:
        raise SecretError("{enc:...} is not whole: it was cut off or mistyped")
    try:
        text = AESGCM(key).decrypt(octets[:_NONCE_OCTETS], octets[_NONCE_OCTETS:], _MARK)
    except InvalidTag:
        raise SecretError("{enc:...} was made with another key, or was changed") from None
    return text.decode()


def write_key(path: Path, key: bytes) -> None:
    """Write a key file that only its owner may read. Raises FileExistsError, OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(base64.b64encode(key) + b"\n")


def read_key(path: Path) -> bytes:
    """The key of a key file. Raises SecretError, with a reason fit for an administrator."""
    try:
        with path.open("rb") as file:
            written = file.read(1_024)
    except OSError as e:
        raise SecretError(f"cannot be read: {e.strerror or e}") from None
    try:
        key = base64.b64decode(b"".join(written.split()), validate=True)
    except (binascii.Error, ValueError):
        raise SecretError("is not a key file: it must hold 32 octets in base64") from None
    if len(key) != KEY_OCTETS:
        raise SecretError(f"holds {len(key)} octets in base64, it must be {KEY_OCTETS}")
    return key


def is_exposed(path: Path) -> bool:
    """Whether others than the owner may read the file; always False on Windows."""
    return os.name == "posix" and bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))
