"""Client certificates, as TLS or a trusted proxy has checked them.

Whoever verified the chain is the one that says so; here a certificate is only held against those
that a client has configured, by fingerprint (SHA-256 of its DER form) or by subject. A subject
outlives renewals, and is as good as the authority that signs it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from adapter.domain.client import Client
from adapter.domain.proofs import ProofKind


@dataclass(frozen=True, slots=True)
class ShownCertificate:
    """A client's certificate whose chain was verified."""

    fingerprint: str
    subject: x509.Name

    @classmethod
    def read(cls, pem: str) -> ShownCertificate:
        """Raises ValueError for what is no certificate."""
        return cls._of(x509.load_pem_x509_certificate(pem.encode("ascii", "replace")))

    @classmethod
    def read_der(cls, der: bytes) -> ShownCertificate:
        """Raises ValueError for what is no certificate."""
        return cls._of(x509.load_der_x509_certificate(der))

    @classmethod
    def _of(cls, certificate: x509.Certificate) -> ShownCertificate:
        return cls(certificate.fingerprint(hashes.SHA256()).hex(), certificate.subject)

    @property
    def kind(self) -> ProofKind:
        return ProofKind.CERTIFICATE

    @property
    def stamp(self) -> None:
        """None: it is shown with every request."""
        return None

    def fits(self, client: Client) -> bool:
        """Whether it is one of the client's."""
        return any(
            self.fingerprint == plain_fingerprint(each.fingerprint)
            if each.fingerprint
            else self.subject == subject(each.subject)
            for each in client.certificates
        )


def shown_in(der: bytes) -> tuple[ShownCertificate, ...]:
    """The certificate of a connection, as the one thing that it shows; nothing where it has none,
    or one that cannot be read."""
    try:
        return (ShownCertificate.read_der(der),) if der else ()
    except ValueError:
        return ()


def plain_fingerprint(written: str) -> str:
    """As openssl writes it, with colons and in capitals, or without."""
    return written.replace(":", "").lower()


@lru_cache(maxsize=4_096)
def subject(written: str) -> x509.Name:
    """From `CN=his,O=Hospital` (RFC 4514). Raises ValueError."""
    return x509.Name.from_rfc4514_string(written)
