"""A whole node with TLS, signatures, digests and locks, as its configuration says (R-2.2)."""

from __future__ import annotations

import json
import ssl
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any

import pytest
import requests
import zeep
from zeep.transports import Transport
from zeep.wsse.username import UsernameToken

from adapter.config.load import load
from tests.certificates import Authority
from tests.doors.test_proofs import BODY, SEND, signature
from tests.doors.test_proxies import told
from tests.nodes import PASSWORD, Carrier, Node, Setup, password_hash_of_clients

KEY = "0123456789abcdef"


class Secured(Node):
    """A node reached by TLS; its own certificate is its authority's."""

    def __init__(self, config: Path, port: int, ca: str) -> None:
        super().__init__(config, port)
        self._web = load(config, {}).web
        self.url = f"https://127.0.0.1:{port}"
        self.ca = ca

    def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.last_words()
        try:
            return requests.get(f"{self.url}/readyz", verify=self.ca, timeout=5).ok
        except requests.RequestException:
            return False

    def send(self, headers: dict[str, str], body: bytes = BODY) -> requests.Response:
        typed = {"Content-Type": "application/json", **headers}
        return requests.post(self.url + SEND, body, headers=typed, verify=self.ca, timeout=30)


def write(setup: Setup, authority: Authority) -> Path:
    """The configuration, with TLS, and the client `web` with every kind of secret."""
    server = authority.sign("server", "127.0.0.1")
    path = setup.write()
    text = path.read_text()
    files = f'tls-certificate="{server.certificate}" tls-key="{server.key}" tls-ca="{authority.ca}"'
    password = f'<password hash="{password_hash_of_clients()}"/>'
    for plain, secured in (
        (f'port="{setup.web_port}"/>', f'port="{setup.web_port}" {files}/>'),
        ("<logging", '<security wrong-tries="4" lock="10min"/><logging'),
        (
            password,
            f'{password}<digest-secret secret="clear"/><hmac-key id="k" secret="{KEY}"/>'
            '<certificate subject="CN=web"/><entry doors="soap" needs="digest"/>',
        ),
    ):
        assert text.count(plain) == 1, plain
        text = text.replace(plain, secured)
    path.write_text(text)
    return path


def test_a_node_that_believes_nobody(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with Carrier() as carrier:
        setup = Setup(tmp_path, f"sqlite:///{tmp_path / 'store.db'}", carrier.port)
        with Secured(write(setup, authority), setup.web_port, authority.ca) as node:
            node.start()
            recorded = signature(secret=KEY.encode(), account="web", key="k")
            assert node.send(recorded).json()["code"] == "OK"
            assert by_certificate(node, authority) == "OK"
            assert by_digest(node, "clear") == "OK"
            with pytest.raises(zeep.exceptions.Fault, match="wrong"):
                by_digest(node, PASSWORD)
            node.stop()
            node.start()
            refused = node.send(recorded)
            assert (refused.status_code, refused.json()["code"]) == (401, "SIGNATURE_INVALID")
            for _ in range(3):
                refused = node.send({"Authorization": "Basic d2ViOmd1ZXNz"})
            assert refused.status_code == 401
            locked = node.send({"Authorization": "Basic d2ViOmd1ZXNz"})
            assert (locked.status_code, locked.headers["Retry-After"]) == (429, "600")
            metrics = requests.get(f"{node.url}/metrics", verify=node.ca, timeout=30).text
            assert 'sms_lockouts_total{client="web",door="http"} 1.0' in metrics
            assert node.status()["ready"]
            carrier.wait_for("submit", 3)
            assert node.stop() == 0


def by_digest(node: Secured, secret: str) -> Any:
    """zeep's own UsernameToken, as a digest."""
    session = requests.Session()
    session.verify, session.trust_env = node.ca, False
    token = UsernameToken("web", secret, use_digest=True)
    client = zeep.Client(f"{node.url}/soap?wsdl", wsse=token, transport=Transport(session=session))
    recipients = {"Recipient": [{"mobile": "13800138001"}]}
    return client.service.Send({"content": "hi", "recipients": recipients}).code


def by_certificate(node: Secured, authority: Authority) -> str:
    shown = authority.sign("web")
    context = ssl.create_default_context(cafile=node.ca)
    context.load_cert_chain(shown.certificate, shown.key)
    connection = HTTPSConnection("127.0.0.1", int(node.url[-5:].strip(":")), context=context)
    connection.request("POST", SEND, BODY, {"Content-Type": "application/json", **told()})
    found: str = json.loads(connection.getresponse().read())["code"]
    connection.close()
    return found
