"""The nginx configuration of docs/operator/nginx.md, run by a real nginx."""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.client import HTTPSConnection
from pathlib import Path
from urllib.parse import quote

import pytest

from adapter.domain.client import Certificate, Client
from tests.certificates import Authority, Pair
from tests.doors.conftest import open_node
from tests.doors.test_proofs import BODY, SEND
from tests.nodes import free_port, until

PAGE = Path(__file__).parents[2] / "docs/operator/nginx.md"
NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")

FROM = "127.0.0.2"
"""Where this nginx connects from, so that the test itself is a stranger to the node."""


@contextmanager
def nginx(folder: Path, node_port: int, authority: Authority) -> Iterator[int]:
    """The port of an nginx with the page's configuration, its places put in."""
    port = free_port()
    server = authority.sign("localhost", "localhost", "127.0.0.1")
    text = PAGE.read_text(encoding="utf-8").split("```nginx\n")[1].split("```")[0]
    for written, real in (
        ("127.0.0.1:8080", f"127.0.0.1:{node_port}"),
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        ("/etc/nginx/sms/server.pem", server.certificate),
        ("/etc/nginx/sms/server.key", server.key),
        ("/etc/nginx/sms/clients-ca.pem", authority.ca),
        ("proxy_pass http://sms;", f"proxy_pass http://sms; proxy_bind {FROM};"),
    ):
        assert text.count(written) == 1, written
        text = text.replace(written, real)
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    main = folder / "nginx.conf"
    main.write_text(
        f"daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;"
        f"events {{}} http {{ access_log off; {temporary}\n{text}\n}}"
    )
    assert NGINX is not None
    process = subprocess.Popen([NGINX, "-e", str(folder / "error.log"), "-c", str(main)])
    try:
        until(lambda: process.poll() is not None or answers(port), "nginx answers")
        assert process.poll() is None, (folder / "error.log").read_text()
        yield port
    finally:
        process.terminate()
        process.wait(20)


def answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 5):
            return True
    except OSError:
        return False


def code(port: int, ca: str, shown: Pair | None = None, **headers: str) -> str:
    """What a client hears that sends one text."""
    context = ssl.create_default_context(cafile=ca)
    if shown is not None:
        context.load_cert_chain(shown.certificate, shown.key)
    connection = HTTPSConnection("127.0.0.1", port, context=context, timeout=30)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("POST", SEND, BODY, {"Content-Type": "application/json", **named})
        return str(json.loads(connection.getresponse().read())["code"])
    finally:
        connection.close()


def test_certificates_through_nginx(tmp_path: Path, client: Client) -> None:
    authority = Authority(tmp_path)
    his, other = authority.sign("his"), authority.sign("other")
    known = replace(client, certificates=(Certificate(subject="CN=his"),), networks=("127.0.0.1",))
    pem = quote(Path(his.certificate).read_text())
    with (
        open_node(tmp_path, known, proxies=(FROM,)) as node,
        nginx(tmp_path, node.server.port, authority) as port,
    ):
        assert code(port, authority.ca, his) == "OK"
        assert code(port, authority.ca, other) == "CERT_DENIED"
        assert code(port, authority.ca) == "AUTH_FAILED"
        forged = {"X_SSL_Client_Verify": "SUCCESS", "X_SSL_Client_Cert": pem}
        assert code(port, authority.ca, None, **forged) == "AUTH_FAILED"
        direct = node.post(
            BODY, SEND, "application/json", {n.replace("_", "-"): v for n, v in forged.items()}
        )
        assert json.loads(direct.body)["code"] == "AUTH_FAILED"
