"""Contents that travel encrypted (docs/integrator/encryption.md). Needs `cryptography`.

v1:KEY-ID:BASE64 of nonce (12 octets), ciphertext, tag (16 octets)
"""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from dataclasses import dataclass, field

KEY_OCTETS = {"aes-256-gcm": 32, "sm4-gcm": 16}


@dataclass(frozen=True)
class ContentKey:
    """A key that the hospital handed out, with its id."""

    id: str
    octets: bytes = field(repr=False)
    cipher: str = "aes-256-gcm"

    def __post_init__(self) -> None:
        wanted = KEY_OCTETS.get(self.cipher)
        if wanted is None:
            raise ValueError(f"cipher: one of {', '.join(KEY_OCTETS)}")
        if len(self.octets) != wanted:
            raise ValueError(f"a key for {self.cipher} has {wanted} octets, not {len(self.octets)}")

    @classmethod
    def from_base64(cls, key_id: str, written: str, cipher: str = "aes-256-gcm") -> ContentKey:
        """As the hospital writes it."""
        return cls(key_id, base64.b64decode(written.strip(), validate=True), cipher)

    def seal(
        self,
        content: str,
        account: str,
        client_ref: str,
        mobiles: Sequence[str],
        nonce: bytes | None = None,
    ) -> str:
        """The `encryptedContent` of a request. It fits this account, reference and these mobiles,
        as they stand in the request, and no others. `nonce` is for test vectors only."""
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

        lines = ("his-sms content 1", account, client_ref, *mobiles)
        if any("\n" in line for line in lines):
            raise ValueError("account, client_ref and mobiles must not hold line feeds")
        nonce = os.urandom(12) if nonce is None else nonce
        block = algorithms.SM4 if self.cipher == "sm4-gcm" else algorithms.AES
        encryptor = Cipher(block(self.octets), modes.GCM(nonce)).encryptor()
        encryptor.authenticate_additional_data("".join(f"{line}\n" for line in lines).encode())
        sealed = encryptor.update(content.encode()) + encryptor.finalize()
        written = base64.b64encode(nonce + sealed + encryptor.tag).decode()
        return f"v1:{self.id}:{written}"
