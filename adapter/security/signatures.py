"""WS-Security signatures by X.509 certificates: what is executed is exactly what was signed.

One signature in the Security header, over the envelope's Body and a Timestamp, by the
certificate in a BinarySecurityToken or in X509Data. signxml verifies; RSA, ECDSA and digests of
SHA-256 or more, no transforms but canonicalization. Against wrapping: ids must be unique, the
Body that stands in the envelope must be the one signed, and it is replaced by the octets that the
signature was verified over. A certificate is only worth what a client's configuration says of its
fingerprint; no authority is asked.

A Timestamp's own Expires is not looked at: the clock window of the node decides. The same request
signed twice with the same Timestamp is a replay.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from lxml import etree
from signxml.verifier import SignatureConfiguration, XMLVerifier

from adapter.domain.client import Client
from adapter.domain.proofs import ProofKind, Stamp
from adapter.security.certificates import ShownCertificate, plain_fingerprint
from adapter.security.moments import read_moment

_WSS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity"
WSSE = f"{{{_WSS}-secext-1.0.xsd}}"
WSU = f"{{{_WSS}-utility-1.0.xsd}}"
DS = "{http://www.w3.org/2000/09/xmldsig#}"
_ID = f"{WSU}Id"
_DER = serialization.Encoding.DER
_MOST_REFERENCES = 4


class SignatureError(ValueError):
    """A signature does not hold; says why."""


@dataclass(frozen=True, slots=True)
class EnvelopeSignature:
    """A signature that holds: by this certificate, over a Timestamp of this moment."""

    certificate: ShownCertificate
    made_at: datetime
    digest: str

    @property
    def kind(self) -> ProofKind:
        return ProofKind.SIGNATURE

    @property
    def stamp(self) -> Stamp:
        return Stamp(self.made_at, f"signature {self.digest}")

    def fits(self, client: Client) -> bool:
        """Whether its certificate is one of the client's, by fingerprint."""
        return any(
            self.certificate.fingerprint == plain_fingerprint(each.fingerprint)
            for each in client.certificates
        )


def take_signature(envelope: etree._Element) -> EnvelopeSignature | None:
    """The signature of an envelope, whose Body becomes the one that was signed. None where
    nothing is signed. Raises SignatureError."""
    found = list(envelope.iter(f"{DS}Signature"))
    if not found:
        return None
    env = f"{{{etree.QName(envelope).namespace}}}"
    signature = _in_its_place(envelope, env, found)
    certificate = _certificate(signature)
    body, timestamp, digest = _verified(envelope, signature, certificate, env)
    _put(envelope, env, body)
    made_at = read_moment((timestamp.findtext(f"{WSU}Created") or "").strip())
    if made_at is None:
        raise SignatureError("the Timestamp has no Created")
    shown = ShownCertificate.read_der(certificate.public_bytes(_DER))
    return EnvelopeSignature(shown, made_at, digest)


def _in_its_place(
    envelope: etree._Element, env: str, found: list[etree._Element]
) -> etree._Element:
    """The one signature, where it belongs."""
    ways = [[each.tag for each in signature.iterancestors()] for signature in found]
    if ways != [[f"{WSSE}Security", f"{env}Header", f"{env}Envelope"]]:
        raise SignatureError("there must be one Signature, in the Security header")
    references = found[0].findall(f"{DS}SignedInfo/{DS}Reference")
    if not 2 <= len(references) <= _MOST_REFERENCES:
        raise SignatureError("Body and Timestamp must be signed, and little else")
    if not all((each.get("URI") or "").startswith("#") for each in references):
        raise SignatureError("references must name ids")
    return found[0]


def _certificate(signature: etree._Element) -> x509.Certificate:
    info = signature.find(f"{DS}KeyInfo")
    if info is None:
        raise SignatureError("there is no KeyInfo")
    named = info.find(f"{WSSE}SecurityTokenReference/{WSSE}Reference")
    if named is None:
        held = list(info.iter(f"{DS}X509Certificate"))
    else:
        uri = named.get("URI") or ""
        security = signature.getparent()
        assert security is not None
        tokens = security.findall(f"{WSSE}BinarySecurityToken")
        held = [each for each in tokens if f"#{each.get(_ID)}" == uri]
    if len(held) != 1:
        raise SignatureError("KeyInfo must name one certificate: a BinarySecurityToken, X509Data")
    try:
        der = base64.b64decode("".join((held[0].text or "").split()), validate=True)
        return x509.load_der_x509_certificate(der)
    except (binascii.Error, ValueError):
        raise SignatureError("the certificate cannot be read") from None


def _verified(
    envelope: etree._Element, signature: etree._Element, certificate: x509.Certificate, env: str
) -> tuple[etree._Element, etree._Element, str]:
    """Body and Timestamp as they were signed, and a digest of all that was."""
    expected = SignatureConfiguration(
        location=f"./{env}Header/{WSSE}Security/",
        expect_references=len(signature.findall(f"{DS}SignedInfo/{DS}Reference")),
    )
    try:
        verified = XMLVerifier().verify(
            envelope, x509_cert=certificate, id_attribute="Id", expect_config=expected
        )
    except Exception as error:  # whatever a stranger's document makes of the verifier
        raise SignatureError(f"{type(error).__name__}: {error}") from None
    results = verified if isinstance(verified, list) else [verified]
    digest = sha256(b"\n".join(each.signed_data for each in results)).hexdigest()
    signed = [each.signed_xml for each in results if each.signed_xml is not None]
    return _one(signed, f"{env}Body"), _one(signed, f"{WSU}Timestamp"), digest


def _one(signed: list[etree._Element], tag: str) -> etree._Element:
    found = [each for each in signed if each.tag == tag]
    if len(found) != 1:
        raise SignatureError(f"{tag.rpartition('}')[2]} must be signed, once")
    return found[0]


def _put(envelope: etree._Element, env: str, signed: etree._Element) -> None:
    """The Body that was signed in the place of the one that came; they must be the same one."""
    bodies = envelope.findall(f"{env}Body")
    if len(bodies) != 1 or not signed.get(_ID) or bodies[0].get(_ID) != signed.get(_ID):
        raise SignatureError("the Body of the envelope is not the one that was signed")
    envelope.replace(bodies[0], signed)
