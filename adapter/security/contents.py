"""Contents that a client encrypts before they leave it (docs/integrator/encryption.md).

    encryptedContent = "v1:" key id ":" base64( nonce, ciphertext, tag )

The nonce has 12 octets, the tag 16; the cipher is that of the key: AES-256-GCM, or SM4-GCM
(RFC 8998). The associated data bind the text to its account, client reference and recipients, so
that it cannot be cut out of one request and pasted into another. In UTF-8, each line ended by LF:

    his-sms content 1
    account
    client reference, an empty line without
    each recipient's mobile, as it stands in the request and in its order

    ContentError       an envelope cannot be opened; says why, never what it holds
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from adapter.domain.client import ContentCipher, ContentKey

KEY_OCTETS: Mapping[ContentCipher, int] = {
    ContentCipher.AES_256_GCM: 32,
    ContentCipher.SM4_GCM: 16,
}
_ALGORITHMS: Mapping[ContentCipher, type[algorithms.AES | algorithms.SM4]] = {
    ContentCipher.AES_256_GCM: algorithms.AES,
    ContentCipher.SM4_GCM: algorithms.SM4,
}
_VERSION = "v1"
_MARK = "his-sms content 1"
_NONCE_OCTETS = 12
_TAG_OCTETS = 16


class ContentError(ValueError):
    """An encrypted content cannot be opened."""


@dataclass(frozen=True, slots=True)
class Binding:
    """What a content belongs to."""

    account: str
    client_ref: str
    mobiles: Sequence[str]

    def octets(self) -> bytes:
        """The associated data. Raises ContentError where a part holds a line feed, since it could
        then be read in two ways."""
        lines = (_MARK, self.account, self.client_ref, *self.mobiles)
        if any("\n" in line for line in lines):
            raise ContentError("clientRef and mobiles must not hold line feeds")
        return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogatepass")


def seal(key_id: str, key: ContentKey, text: str, binding: Binding) -> str:
    """The encrypted content; another one each time."""
    nonce = os.urandom(_NONCE_OCTETS)
    encryptor = Cipher(_ALGORITHMS[key.cipher](key.octets), modes.GCM(nonce)).encryptor()
    encryptor.authenticate_additional_data(binding.octets())
    sealed = encryptor.update(text.encode()) + encryptor.finalize()
    octets = nonce + sealed + encryptor.tag
    return f"{_VERSION}:{key_id}:{base64.b64encode(octets).decode()}"


def unseal(keys: Mapping[str, ContentKey], envelope: str, binding: Binding) -> str:
    """The text of an encrypted content. Raises ContentError."""
    key, octets = _parts(keys, envelope)
    nonce, sealed, tag = (
        octets[:_NONCE_OCTETS],
        octets[_NONCE_OCTETS:-_TAG_OCTETS],
        octets[-_TAG_OCTETS:],
    )
    decryptor = Cipher(_ALGORITHMS[key.cipher](key.octets), modes.GCM(nonce, tag)).decryptor()
    decryptor.authenticate_additional_data(binding.octets())
    try:
        text = decryptor.update(sealed) + decryptor.finalize()
    except InvalidTag:
        raise ContentError(
            "it was made with another key, or for another account, clientRef or other recipients,"
            " or it was changed"
        ) from None
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise ContentError("its text is not in UTF-8") from None


def _parts(keys: Mapping[str, ContentKey], envelope: str) -> tuple[ContentKey, bytes]:
    version, _, rest = envelope.strip().partition(":")
    key_id, colon, written = rest.partition(":")
    if version != _VERSION or not colon:
        raise ContentError("it is not of the form v1:KEY-ID:BASE64")
    key = keys.get(key_id)
    if key is None:
        raise ContentError(f"no key {key_id[:32]!r} is agreed upon with this client")
    try:
        # Some toolkits break base64 into lines.
        octets = base64.b64decode("".join(written.split()), validate=True)
    except (binascii.Error, ValueError):
        raise ContentError("it is not base64 after the second colon") from None
    if len(octets) < _NONCE_OCTETS + _TAG_OCTETS:
        raise ContentError("it is not whole")
    return key, octets
