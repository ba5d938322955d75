"""Every way to say who calls over SOAP."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path

import pytest

from adapter.contract import NS
from adapter.domain.client import Client
from tests.doors.conftest import (
    CREDENTIALS,
    PASSWORD,
    TOKEN,
    WSSE,
    Node,
    envelope,
    open_node,
    send,
)


def token(password: str, kind: str | None, account: str = "his") -> str:
    typed = f' Type="{TOKEN}#{kind}"' if kind else ""
    return (
        f'<w:Security xmlns:w="{WSSE}" xmlns:s="urn:any"><w:UsernameToken>'
        f"<w:Username>{account}</w:Username><w:Password{typed}>{password}</w:Password>"
        "</w:UsernameToken></w:Security>"
    )


def basic(text: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}


@pytest.mark.parametrize(
    "header",
    [
        CREDENTIALS,
        f'<c:Credentials xmlns:c="{NS}"><account>his</account><password>{PASSWORD}</password>'
        "</c:Credentials>",
        token(PASSWORD, None),
        token(PASSWORD, "PasswordText"),
        f'<w:Security xmlns:w="{WSSE}"/>{CREDENTIALS}',
    ],
)
def test_headers(shared: Node, header: str) -> None:
    assert shared.call(send(), header=header).text("code") == "OK"


def test_http_basic(shared: Node) -> None:
    answer = shared.post(envelope(send(), header=""), headers=basic(f"his:{PASSWORD}"))
    assert answer.text("code") == "OK"


def test_soap_headers_go_before_http_basic(shared: Node) -> None:
    wrong = CREDENTIALS.replace(PASSWORD, "wrong")
    answer = shared.post(envelope(send(), header=wrong), headers=basic(f"his:{PASSWORD}"))
    assert answer.text("code") == "AUTH_FAILED"


@pytest.mark.parametrize(
    "header",
    [
        "",
        f'<Credentials xmlns="{NS}"/>',
        f'<Credentials xmlns="{NS}"><account>his</account></Credentials>',
        CREDENTIALS.replace(PASSWORD, PASSWORD.lower()),
        CREDENTIALS.replace(">his<", ">HIS<"),
        CREDENTIALS.replace(">his<", ">nobody<"),
        CREDENTIALS.replace("Credentials", "Identity"),
        token("wrong", "PasswordText"),
        token("", "PasswordText"),
        f'<w:Security xmlns:w="{WSSE}"><w:UsernameToken/></w:Security>',
    ],
)
def test_without_the_right_ones_nobody_enters(shared: Node, header: str) -> None:
    answer = shared.call(send(), header=header)
    assert (answer.status, answer.fault) == (500, ("Client", "AUTH_FAILED", None))


@pytest.mark.parametrize(
    "value", ["Basic", "Basic !!!", "Basic " + base64.b64encode(b"\xff:\xff").decode(), "Bearer x"]
)
def test_odd_http_headers(shared: Node, value: str) -> None:
    answer = shared.post(envelope(send(), header=""), headers={"Authorization": value})
    assert answer.text("code") == "AUTH_FAILED"


def test_a_digest_of_a_client_without_a_secret_for_them_is_refused(
    shared: Node, capfd: pytest.CaptureFixture[str]
) -> None:
    answer = shared.call(send(), header=token("tL1wKq==", "PasswordDigest"))
    assert answer.text("code") == "AUTH_FAILED"
    logged = "".join(capfd.readouterr())
    assert "entry.refused" in logged
    assert "tL1wKq" not in logged


def test_ping_checks_credentials_that_are_given(shared: Node) -> None:
    ping = f'<Ping xmlns="{NS}"/>'
    assert shared.call(ping, header="").text("state") == "running"
    assert shared.call(ping).text("state") == "running"
    wrong = CREDENTIALS.replace(PASSWORD, "wrong")
    assert shared.call(ping, header=wrong).text("code") == "AUTH_FAILED"


def test_the_address_is_that_of_the_connection(tmp_path: Path, client: Client) -> None:
    elsewhere = replace(client, networks=["192.0.2.0/24"])
    with open_node(tmp_path, elsewhere) as node:
        forged = node.post(envelope(send()), headers={"X-Forwarded-For": "192.0.2.1"})
        assert forged.text("code") == "IP_DENIED"


def test_a_client_sees_only_its_own(shared: Node) -> None:
    other = CREDENTIALS.replace(">his<", ">lis<")
    made = shared.call(send()).text("messageId")
    query = (
        f'<Query xmlns="{NS}"><request><messageIds><MessageId>{made}</MessageId></messageIds>'
        "</request></Query>"
    )
    assert shared.call(query).text("messageId") == made
    hidden = shared.call(query, header=other)
    assert (hidden.text("code"), hidden.text("messageId")) == ("NOT_FOUND", None)
