"""What `check` says about TLS, and that a link gets what was configured."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from adapter.config.load import load
from adapter.links import open_links
from connectors.listener import DuplexLink
from connectors.pace import Pace
from tests.certificates import Authority
from tests.config.conftest import Write
from tests.config.test_faults import ROUTED, channel, told
from tests.connectors.recorder import Recorder

SGIP = (
    '<channel name="m1" protocol="sgip" version="1.2" access-number="1065501234">{}'
    '<sgip corp="12345"/><listener port="8801" account="smg" password="p" {}/></channel>'
)


def connection(attributes: str) -> str:
    return f'<connection host="10.0.0.1" port="7890" account="900001" password="p" {attributes}/>'


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ('tls="true"', []),
        (
            'tls-ca="x.pem" tls-verify="false"',
            [
                '2: tls-ca has no effect without tls="true"',
                '2: tls-verify has no effect without tls="true"',
            ],
        ),
        (
            'tls="true" tls-verify="false"',
            [
                "2: warning: tls-verify: the gateway's certificate is not checked:"
                " anybody may pose as it"
            ],
        ),
        (
            'tls="true" tls-ca="nowhere.pem"',
            ["2: tls-ca: cannot be read: No such file or directory"],
        ),
        (
            'tls="true" tls-key="a.key"',
            ["2: tls-key has no effect without tls-certificate"],
        ),
    ],
)
def test_faults_of_a_connection(attributes: str, expected: list[str], write: Write) -> None:
    assert told(write(ROUTED.format(channel(connection(attributes))))) == expected


def test_files_that_are_no_certificates(tmp_path: Path, write: Write) -> None:
    authority = Authority(tmp_path)
    one, other = authority.sign("one"), authority.sign("other")
    (tmp_path / "text.pem").write_text("no certificate")
    path = write(ROUTED.format(channel(connection('tls="true" tls-ca="text.pem"'))))
    (found,) = told(path)
    assert found.startswith("2: tls-ca: not usable: TLS: no certificate")
    mixed = f'tls="true" tls-certificate="{one.certificate}" tls-key="{other.key}"'
    (found,) = told(write(ROUTED.format(channel(connection(mixed)))))
    assert found == "2: tls-certificate: not usable: TLS: key values mismatch"


@pytest.mark.skipif("os.name == 'nt'")
def test_a_key_that_others_may_read(tmp_path: Path, write: Write) -> None:
    pair = Authority(tmp_path).sign("ours")
    Path(pair.key).chmod(0o644)
    own = f'tls="true" tls-certificate="{pair.certificate}" tls-key="{pair.key}"'
    (found,) = told(write(ROUTED.format(channel(connection(own)))))
    assert found.startswith("2: warning: tls-key: others than the owner may read")


def test_links_and_listeners_get_it(tmp_path: Path, write: Write) -> None:
    authority = Authority(tmp_path)
    pair = authority.sign("ours")
    path = write(
        ROUTED.format(
            SGIP.format(
                connection('tls="true" tls-ca="authority.pem" tls-name="smg.example"'),
                'tls-certificate="ours.crt" tls-key="ours.key" tls-ca="authority.pem"',
            )
        )
    )
    assert told(path) == []
    (configured,) = load(path).channels
    assert configured.listener is not None
    assert configured.listener.tls_key == pair.key
    (link,) = open_links(configured, Recorder(), Pace(100))
    assert isinstance(link, DuplexLink)
    assert link.settings.tls_name == "smg.example"
    assert link.settings.tls is not None
    assert link.settings.tls.verify_mode is ssl.CERT_REQUIRED
    assert link.settings.tls.check_hostname
    listening = link.listener.settings.tls
    assert listening is not None
    assert listening.verify_mode is ssl.CERT_REQUIRED
    plain = SGIP.format(connection(""), 'tls-ca="authority.pem"')
    assert told(write(ROUTED.format(plain))) == ["2: tls-ca has no effect without tls-certificate"]
