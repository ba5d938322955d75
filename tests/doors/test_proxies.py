"""Certificates and addresses that a proxy tells: believed of the configured ones only."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest

from adapter.domain.client import Certificate, Client, WayIn
from adapter.domain.proofs import ProofKind
from adapter.domain.states import Door
from adapter.security.certificates import ShownCertificate
from tests.certificates import Authority
from tests.doors.conftest import CREDENTIALS, Answer, Node, envelope, open_node, send
from tests.doors.test_proofs import code, post

BASIC = {"Authorization": "Basic " + base64.b64encode(b"his:S3cret-of-the-HIS").decode()}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def pem(authority: Authority) -> str:
    return Path(authority.sign("his").certificate).read_text()


@pytest.fixture(scope="module")
def certified(client: Client) -> Client:
    both = WayIn((ProofKind.PASSWORD, ProofKind.CERTIFICATE), (Door.SOAP,))
    return replace(client, certificates=(Certificate(subject="CN=his"),), entries=(both,))


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory, certified: Client) -> Iterator[Node]:
    """A node that believes whoever calls from this machine."""
    folder = tmp_path_factory.mktemp("node")
    with open_node(folder, certified, proxies=("127.0.0.0/8",)) as opened:
        yield opened


def told(pem: str = "", verified: str = "SUCCESS", address: str = "10.1.2.3") -> dict[str, str]:
    """What a proxy says."""
    return {
        "X-Real-IP": address,
        "X-SSL-Client-Verify": verified,
        "X-SSL-Client-Cert": quote(pem),
    }


def test_a_certificate_alone_tells_whose_it_is(behind: Node, pem: str) -> None:
    assert code(post(behind, told(pem))) == "OK"


def test_a_certificate_of_nobody_is_denied(behind: Node, authority: Authority) -> None:
    other = Path(authority.sign("somebody").certificate).read_text()
    answer = post(behind, told(other))
    assert (answer.status, code(answer)) == (403, "CERT_DENIED")
    assert code(post(behind, told(other) | BASIC)) == "CERT_DENIED"


@pytest.mark.parametrize("verified", ["NONE", "FAILED:self-signed", "", "success"])
def test_what_the_proxy_did_not_verify_is_none(behind: Node, pem: str, verified: str) -> None:
    assert code(post(behind, told(pem, verified))) == "AUTH_FAILED"


@pytest.mark.parametrize("pem", ["x", "-----BEGIN CERTIFICATE-----\n%%%\n", "é" * 9_000])
def test_what_is_no_certificate_is_none(behind: Node, pem: str) -> None:
    assert code(post(behind, told(pem))) == "AUTH_FAILED"


def test_a_fingerprint_is_of_one_certificate(
    tmp_path: Path, client: Client, authority: Authority
) -> None:
    first, renewed = (Path(authority.sign("his").certificate).read_text() for _ in range(2))
    shown = ShownCertificate.read(first).fingerprint.upper()
    colons = ":".join(shown[at : at + 2] for at in range(0, 64, 2))
    of_one = replace(client, certificates=(Certificate(fingerprint=colons),))
    with open_node(tmp_path, of_one, proxies=("127.0.0.1",)) as node:
        assert code(post(node, told(first))) == "OK"
        assert code(post(node, told(renewed))) == "CERT_DENIED"
        assert code(post(node, told() | BASIC)) == "OK", "a password alone is enough here"


def test_both_may_be_needed(behind: Node, pem: str) -> None:
    def soap(headers: dict[str, str], header: str) -> Answer:
        return behind.post(envelope(send(), header), headers=headers)

    assert soap(told(pem), CREDENTIALS).text("code") == "OK"
    assert soap(told(), CREDENTIALS).text("code") == "CERT_DENIED"
    assert soap(told(pem), "").text("code") == "AUTH_FAILED"


def test_a_certificate_means_nothing_to_a_client_that_has_none(
    tmp_path: Path, client: Client, pem: str
) -> None:
    with open_node(tmp_path, client, proxies=("127.0.0.1",)) as node:
        assert code(post(node, told(pem) | BASIC)) == "OK"
        assert code(post(node, told(pem))) == "CERT_DENIED"


def test_forged_headers_of_a_stranger_are_taken_out(
    tmp_path: Path, certified: Client, pem: str
) -> None:
    inside = replace(certified, networks=("10.1.0.0/16",))
    with open_node(tmp_path, inside, proxies=("10.9.9.9",)) as node:
        assert code(post(node, told(pem))) == "AUTH_FAILED"
        assert code(post(node, told(pem) | BASIC)) == "IP_DENIED"


def test_the_address_is_the_one_that_the_proxy_tells(tmp_path: Path, client: Client) -> None:
    inside = replace(client, networks=("10.1.0.0/16",))
    with open_node(tmp_path, inside, proxies=("127.0.0.1",)) as node:
        assert code(post(node, BASIC | told(address="10.1.9.9"))) == "OK"
        for address in ("10.2.0.1", "", "10.1.9.9, 10.1.9.9", "localhost"):
            assert code(post(node, BASIC | told(address=address))) == "IP_DENIED", address
