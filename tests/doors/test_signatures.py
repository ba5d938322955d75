"""Signed envelopes, and what is done to them on the way (signature wrapping)."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, SignatureConstructionMethod
from signxml.signer import XMLSigner

from adapter.domain.client import Certificate, Client, WayIn
from adapter.domain.proofs import ProofKind
from adapter.domain.states import Door
from adapter.security.certificates import ShownCertificate
from adapter.security.signatures import DS, WSSE, WSU
from tests.certificates import Authority, Pair, self_signed
from tests.doors.conftest import CREDENTIALS, SOAP11, SOAP12, Node, envelope, open_node, send
from tests.doors.test_proofs import moment

X509 = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return self_signed(tmp_path_factory.mktemp("his"), "his")


@pytest.fixture(scope="module")
def signing(client: Client, pair: Pair) -> Client:
    shown = ShownCertificate.read(Path(pair.certificate).read_text())
    return replace(client, certificates=(Certificate(fingerprint=shown.fingerprint),))


@pytest.fixture(scope="module")
def node_(tmp_path_factory: pytest.TempPathFactory, signing: Client) -> Iterator[Node]:
    with open_node(tmp_path_factory.mktemp("node"), signing) as opened:
        yield opened


def signed(
    pair: Pair,
    *,
    body: str = "",
    header: str = "",
    soap: str = SOAP11,
    created: str = "",
    parts: tuple[str, ...] = ("body", "time"),
) -> etree._Element:
    """An envelope as toolkits sign it: a token, a Timestamp, a Signature."""
    tree = etree.fromstring(envelope(body or send(), header, soap))
    head, content = tree[0], tree[1]
    ids = {"body": f"b-{uuid4().hex}", "time": f"t-{uuid4().hex}", "token": f"x-{uuid4().hex}"}
    content.set(f"{WSU}Id", ids["body"])
    security = etree.SubElement(head, f"{WSSE}Security")
    token = etree.SubElement(security, f"{WSSE}BinarySecurityToken", ValueType=X509)
    token.set(f"{WSU}Id", ids["token"])
    certificate = x509.load_pem_x509_certificate(Path(pair.certificate).read_bytes())
    der = certificate.public_bytes(serialization.Encoding.DER)
    token.text = base64.b64encode(der).decode()
    time = etree.SubElement(security, f"{WSU}Timestamp")
    time.set(f"{WSU}Id", ids["time"])
    etree.SubElement(time, f"{WSU}Created").text = created or moment()
    info = etree.Element(f"{DS}KeyInfo")
    reference = etree.SubElement(info, f"{WSSE}SecurityTokenReference")
    etree.SubElement(reference, f"{WSSE}Reference", URI=f"#{ids['token']}", ValueType=X509)
    signer = XMLSigner(
        method=SignatureConstructionMethod.detached,
        signature_algorithm="ecdsa-sha256",
        c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    )
    signature = signer.sign(
        tree,
        key=Path(pair.key).read_bytes(),
        reference_uri=[f"#{ids[part]}" for part in parts],
        key_info=info,
        id_attribute="Id",
    )
    security.append(signature)
    return tree


def code(node: Node, tree: etree._Element) -> str | None:
    answer = node.post(etree.tostring(tree))
    return answer.text("code")


@pytest.mark.parametrize("soap", [SOAP11, SOAP12])
def test_a_signed_envelope_is_taken(node_: Node, pair: Pair, soap: str) -> None:
    assert code(node_, signed(pair, soap=soap)) == "OK"


def test_it_may_stand_beside_a_password(node_: Node, pair: Pair) -> None:
    assert code(node_, signed(pair, header=CREDENTIALS)) == "OK"
    wrong = CREDENTIALS.replace("S3cret", "wrong")
    assert code(node_, signed(pair, header=wrong)) == "SIGNATURE_INVALID"


def test_a_replayed_envelope_is_refused(node_: Node, pair: Pair) -> None:
    tree = signed(pair)
    assert code(node_, tree) == "OK"
    assert code(node_, tree) == "SIGNATURE_INVALID"


def test_an_old_envelope_is_refused(node_: Node, pair: Pair) -> None:
    assert code(node_, signed(pair, created=moment(-301))) == "SIGNATURE_INVALID"
    assert code(node_, signed(pair, created="today")) == "SIGNATURE_INVALID"


def test_a_certificate_of_the_same_name_is_not_the_clients(node_: Node, tmp_path: Path) -> None:
    assert code(node_, signed(self_signed(tmp_path, "his"))) == "SIGNATURE_INVALID"


@pytest.mark.parametrize("parts", [("body",), ("time",)])
def test_body_and_timestamp_must_be_signed(node_: Node, pair: Pair, parts: tuple[str, ...]) -> None:
    assert code(node_, signed(pair, parts=parts)) == "SIGNATURE_INVALID"


def part(tree: etree._Element, tag: str) -> Any:
    """The first of this tag in the header."""
    return tree[0].find(f".//{tag}")


def body_changed(tree: etree._Element) -> None:
    tree[1][0][0][0].text = "Another text"


def body_wrapped(tree: etree._Element) -> None:
    """The signed Body in the header, another one in its place."""
    wrapper = etree.SubElement(tree[0], "Wrapper")
    other = etree.fromstring(etree.tostring(tree[1]))
    del other.attrib[f"{WSU}Id"]
    other[0][0][0].text = "Another text"
    wrapper.append(tree[1])
    tree.append(other)


def body_wrapped_with_its_id(tree: etree._Element) -> None:
    body_wrapped(tree)
    tree[1].set(f"{WSU}Id", part(tree, "Wrapper")[0].get(f"{WSU}Id"))


def body_wrapped_with_another_id_attribute(tree: etree._Element) -> None:
    body_wrapped(tree)
    tree[1].set("ID", part(tree, "Wrapper")[0].get(f"{WSU}Id"))


def body_nested(tree: etree._Element) -> None:
    """The signed Body inside the one that would be executed."""
    other = etree.Element(tree[1].tag)
    tree.replace(tree[1], other)


def second_body(tree: etree._Element) -> None:
    other = etree.fromstring(etree.tostring(tree[1]))
    del other.attrib[f"{WSU}Id"]
    tree.insert(1, other)


def time_wrapped(tree: etree._Element) -> None:
    """A newer Timestamp in the place of the signed one."""
    time = part(tree, f"{WSU}Timestamp")
    time[0].text = datetime.now(UTC).isoformat()


def signature_moved(tree: etree._Element) -> None:
    tree[1].append(part(tree, f"{DS}Signature"))


def second_signature(tree: etree._Element) -> None:
    found = part(tree, f"{DS}Signature")
    found.getparent().append(etree.fromstring(etree.tostring(found)))


def token_exchanged(tree: etree._Element) -> None:
    token = part(tree, f"{WSSE}BinarySecurityToken")
    token.text = "AAAA"


def whole_document_referred_to(tree: etree._Element) -> None:
    part(tree, f"{DS}Reference").set("URI", "")


def weak_digest(tree: etree._Element) -> None:
    method = part(tree, f"{DS}DigestMethod")
    method.set("Algorithm", "http://www.w3.org/2000/09/xmldsig#sha1")


def hmac_by_the_public_certificate(tree: etree._Element) -> None:
    method = part(tree, f"{DS}SignatureMethod")
    method.set("Algorithm", "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256")


def xslt_transform(tree: etree._Element) -> None:
    transform = part(tree, f"{DS}Transform")
    transform.set("Algorithm", "http://www.w3.org/TR/1999/REC-xslt-19991116")


def no_value(tree: etree._Element) -> None:
    part(tree, f"{DS}SignatureValue").text = ""


def no_key_info(tree: etree._Element) -> None:
    info = part(tree, f"{DS}KeyInfo")
    info.getparent().remove(info)


@pytest.mark.parametrize(
    "attack",
    [
        body_changed,
        body_wrapped,
        body_wrapped_with_its_id,
        body_wrapped_with_another_id_attribute,
        body_nested,
        second_body,
        time_wrapped,
        signature_moved,
        second_signature,
        token_exchanged,
        whole_document_referred_to,
        weak_digest,
        hmac_by_the_public_certificate,
        xslt_transform,
        no_value,
        no_key_info,
    ],
)
def test_attacks(
    tmp_path: Path, signing: Client, pair: Pair, attack: Callable[[etree._Element], None]
) -> None:
    with open_node(tmp_path, signing) as node:
        tree = signed(pair)
        attack(tree)
        assert code(node, tree) == "SIGNATURE_INVALID"
        tree = signed(pair, header=CREDENTIALS)
        attack(tree)
        assert code(node, tree) == "SIGNATURE_INVALID", "nor does the password help"
        assert not node.arrived


def test_signatures_may_be_required(tmp_path: Path, signing: Client, pair: Pair) -> None:
    only = WayIn((ProofKind.SIGNATURE,), (Door.SOAP,))
    with open_node(tmp_path, replace(signing, entries=(only,))) as node:
        assert node.call(send()).text("code") == "SIGNATURE_INVALID"
        assert code(node, signed(pair)) == "OK"
        unsigned = signed(pair, header=CREDENTIALS)
        found = part(unsigned, f"{DS}Signature")
        found.getparent().remove(found)
        assert code(node, unsigned) == "SIGNATURE_INVALID"


def test_a_signed_by_another_authority_is_nobody(node_: Node, tmp_path: Path) -> None:
    stranger = Authority(tmp_path).sign("stranger")
    assert code(node_, signed(stranger)) == "SIGNATURE_INVALID"
