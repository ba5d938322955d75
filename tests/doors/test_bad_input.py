"""What must be refused: each with its stable code and field, and the node goes on."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from lxml import etree

from adapter.contract import NS
from adapter.domain.errors import SpoolFull, StoreUnavailable
from adapter.domain.values import Reply, Request
from tests.doors.conftest import SOAP11, SOAP12, Node, envelope, send

BAD = ("Client", "BAD_REQUEST")
BOMB = (
    '<!DOCTYPE b [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>'
)


def goes_on(node: Node) -> bool:
    return node.call(send()).text("code") == "OK"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   \r\n",
        b"hello",
        b'{"content": "x"}',
        b"<",
        b"<Envelope",
        b"\x00\x01\x02",
        b"\xff\xfe\x00\xd8",
        b"\x89PNG\r\n\x1a\n",
        envelope(send()).encode()[:-5],
        envelope(send()).replace("13800138000", "138\x0000138000").encode(),
        envelope(send()).replace("13800138000", "138&#0;00138000").encode(),
        envelope(send()).replace("13800138000", "138&unknown;").encode(),
        envelope(send(content="a & b")).encode(),
        b"<a/>",
        f'<Envelope xmlns="{NS}"/>'.encode(),
        f'<s:Envelope xmlns:s="{SOAP11}"/>'.encode(),
        envelope("").encode(),
        envelope("text").encode(),
        envelope(send() + send()).encode(),
        (BOMB + envelope(send(content="&c;"))).encode(),
        ('<?xml version="1.0"?><!-- x -->' + BOMB + envelope(send())).encode(),
        ('<!DOCTYPE a SYSTEM "http://127.0.0.1:1/x.dtd">' + envelope(send())).encode(),
        ('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + envelope(send("&x;"))).encode(),
        b"<a>" * 20_000,
        envelope("<a>" * 5_000 + "</a>" * 5_000).encode(),
        ("<a/>" * 600_000).encode(),
    ],
)
@pytest.mark.parametrize("path", ["/soap", "/soap12"])
def test_what_is_no_request(shared: Node, body: bytes, path: str) -> None:
    answer = shared.post(body, path)
    assert answer.status == 500
    assert answer.fault[0] in ("Client", "Sender")
    assert answer.fault[1] == "BAD_REQUEST"
    assert goes_on(shared)


@pytest.mark.parametrize(
    ("operation", "field"),
    [
        ('<Send xmlns="urn:wrong"><request/></Send>', None),
        ("<Send><request/></Send>", None),
        (f'<Fetch xmlns="{NS}"/>', None),
        (f'<Send xmlns="{NS}"/>', "request"),
        (f'<Send xmlns="{NS}"><request/></Send>', "recipients"),
        (f'<Send xmlns="{NS}"><request>x</request></Send>', "request"),
        (send(more="<colour>red</colour>"), "colour"),
        (send(more="<Colour/>"), "Colour"),
        (send(more='<lane xmlns="urn:other">bulk</lane>'), "lane"),
        (send(more="<mobile>1</mobile>"), "mobile"),
        (send(more="<content>again</content>"), "content"),
        (send(more="<lane>fast</lane>"), "lane"),
        (send(more="<lane>URGENT</lane>"), "lane"),
        (send(more="<receipt>maybe</receipt>"), "receipt"),
        (send(more="<receipt>TRUE</receipt>"), "receipt"),
        (send(more="<scheduleAt>tomorrow</scheduleAt>"), "scheduleAt"),
        (send(more="<scheduleAt>2026-03-01</scheduleAt>"), "scheduleAt"),
        (send(more="<scheduleAt>2026-02-30T08:00:00</scheduleAt>"), "scheduleAt"),
        (send(more="<scheduleAt>0001-01-01T00:00:00+14:00</scheduleAt>"), "scheduleAt"),
        (send(more="<expireAt>9999-12-31T23:59:59-14:00</expireAt>"), "expireAt"),
        (send(more=f"<clientRef>{'r' * 65}</clientRef>"), "clientRef"),
        (send(more=f"<passThrough>{'字' * 201}</passThrough>"), "passThrough"),
        (send(more=f"<businessKey>{'k' * 65}</businessKey>"), "businessKey"),
        (send(more="<extension>12a</extension>"), None),
        (send(more="<replace>true</replace>"), "businessKey"),
        (send(more="<template>turn</template>"), "template"),
        (send(content="<b>bold</b>"), "content"),
        (send().replace("<mobile>", "<ref>r</ref><mobile>1</mobile><mobile>"), None),
        (
            send().replace(
                "<Recipient>", "<Recipient><mobile>1</mobile></Recipient><Recipient><x/>"
            ),
            "recipients[2].x",
        ),
        (send().replace("<Recipient>", "<Person>").replace("</Recipient>", "</Person>"), None),
        (send().replace("<mobile>13800138000</mobile>", "<ref>r</ref>"), "recipients[1].mobile"),
        (
            send().replace("<mobile>", f"<ref>{'r' * 65}</ref><mobile>"),
            "recipients[1].ref",
        ),
        (f'<Query xmlns="{NS}"><request/></Query>', "messageIds"),
        (
            f'<Query xmlns="{NS}"><request><clientRef>a</clientRef>'
            "<submissionId>1</submissionId></request></Query>",
            "submissionId",
        ),
        (
            f'<Query xmlns="{NS}"><request><submissionId>1.5</submissionId></request></Query>',
            "submissionId",
        ),
        (
            f'<Query xmlns="{NS}"><request><messageIds><MessageId>1</MessageId>'
            "<MessageId>9223372036854775808</MessageId></messageIds></request></Query>",
            "messageIds[2]",
        ),
        (
            f'<FetchReceipts xmlns="{NS}"><request><max>0</max></request></FetchReceipts>',
            "max",
        ),
        (
            f'<FetchReceipts xmlns="{NS}"><request><max>1001</max></request></FetchReceipts>',
            "max",
        ),
        (
            f'<FetchReceipts xmlns="{NS}"><request><max>１０</max></request></FetchReceipts>',
            "max",
        ),
        (
            f'<FetchInbound xmlns="{NS}"><request><cursor>x</cursor></request></FetchInbound>',
            "cursor",
        ),
        (f'<AckReceipts xmlns="{NS}"><request/></AckReceipts>', "cursor"),
        (f'<Cancel xmlns="{NS}"><request/></Cancel>', "submissionId"),
        (f'<Ping xmlns="{NS}"><wish/></Ping>', "wish"),
        (
            f'<SendText xmlns="{NS}"><account>his</account><colour/></SendText>',
            "colour",
        ),
    ],
)
@pytest.mark.parametrize(("soap", "side"), [(SOAP11, "Client"), (SOAP12, "Sender")])
def test_what_is_a_wrong_request(
    shared: Node, operation: str, field: str | None, soap: str, side: str
) -> None:
    before = len(shared.arrived)
    answer = shared.call(operation, soap=soap)
    assert answer.status == 500
    assert answer.fault[:2] == (side, "BAD_REQUEST")
    if field is not None:
        assert answer.fault[2] == field
    assert answer.text("description")
    assert len(shared.arrived) == before


@pytest.mark.parametrize(
    ("mobile", "code"),
    [
        ("1380013800O", "BAD_NUMBER"),
        ("１３８００１３８０００", "BAD_NUMBER"),
        ("110", "BAD_NUMBER"),
        ("", "BAD_NUMBER"),
        ("9" * 5_000, "BAD_NUMBER"),
        ("+1 202 555 0123", "BAD_NUMBER"),
    ],
)
def test_a_wrong_number_is_refused_in_the_results(shared: Node, mobile: str, code: str) -> None:
    answer = shared.call(send(mobile=mobile))
    assert answer.status == 200
    assert answer.texts("code") == [code, code]
    assert answer.text("submissionId") is None


@pytest.mark.parametrize(
    ("content", "code"),
    [("", "BAD_CONTENT"), ("   ", "BAD_CONTENT"), ("字" * 2_000, "TOO_LONG")],
)
def test_a_wrong_content_has_its_code(shared: Node, content: str, code: str) -> None:
    before = len(shared.arrived)
    answer = shared.call(send(content=content))
    assert answer.text("code") == code
    assert len(shared.arrived) == before


def test_too_many_recipients(shared: Node) -> None:
    one = "<Recipient><mobile>13800138000</mobile></Recipient>"
    answer = shared.call(send().replace(one, one * 10_001))
    assert answer.fault == (*BAD, "recipients")


def test_a_body_that_announces_too_much_is_refused_unread(shared: Node) -> None:
    """Only the header is sent: the answer comes without the 50 MB."""
    with socket.create_connection(("127.0.0.1", shared.server.port), timeout=10) as connection:
        connection.sendall(
            b"POST /soap HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\n"
            b"Content-Length: 50000000\r\n\r\n"
        )
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"code>BAD_REQUEST<" in answer
    assert goes_on(shared)


def test_chunks_beyond_the_limit_are_refused(shared: Node) -> None:
    chunk = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
    with socket.create_connection(("127.0.0.1", shared.server.port), timeout=10) as connection:
        connection.sendall(
            b"POST /soap HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        answer = b""
        with suppress(OSError):
            for _ in range(50):
                connection.sendall(chunk)
        # The server may have closed before all was sent: then its answer can be lost.
        with suppress(OSError):
            answer = connection.recv(100)
        assert not answer or answer.startswith(b"HTTP/1.1 413 ")
    assert goes_on(shared)


def test_attachments_are_refused(shared: Node) -> None:
    multipart = shared.post(envelope(send()), content_type="multipart/related; boundary=x")
    assert multipart.fault[:2] == BAD


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("gzip", lambda body: body),
        ("gzip", lambda body: gzip.compress(body)[:-9]),
        ("gzip", lambda body: gzip.compress(body) + b"more"),
        ("gzip", lambda body: gzip.compress(body + b" " * 6_000_000)),
        ("br", gzip.compress),
    ],
)
def test_what_is_not_whole_and_bounded_gzip_is_refused(
    shared: Node, encoding: str, pack: Callable[[bytes], bytes]
) -> None:
    body = pack(envelope(send()).encode())
    packed = shared.post(body, headers={"Content-Encoding": encoding})
    assert packed.fault[:2] == BAD


def test_gzip_is_unpacked(shared: Node) -> None:
    packed = shared.post(
        gzip.compress(envelope(send()).encode()), headers={"Content-Encoding": "gzip"}
    )
    assert packed.text("code") == "OK"


class Broken:
    """An intake that fails in a way nobody thought of."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def accept(self, client: object, requests: list[Request]) -> list[Reply]:
        raise self._error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (StoreUnavailable(), "STORE_UNAVAILABLE"),
        (SpoolFull(10), "SPOOL_FULL"),
        (RuntimeError("13800138000 S3cret"), "INTERNAL"),
    ],
)
@pytest.mark.parametrize(("soap", "side"), [(SOAP11, "Server"), (SOAP12, "Receiver")])
def test_what_is_ours_is_a_server_fault(
    node: Node, error: Exception, code: str, soap: str, side: str
) -> None:
    node.exchange._intake = Broken(error)  # type: ignore[assignment]
    answer = node.call(send(), soap=soap)
    assert answer.status == 500
    assert answer.fault[:2] == (side, code)
    assert b"13800138000" not in answer.body
    document = f"&lt;Send xmlns='{NS}'&gt;{etree_text(send())}&lt;/Send&gt;"
    told = node.call(
        f'<Exchange xmlns="{NS}"><account>his</account><password>S3cret-of-the-HIS</password>'
        f"<xml>{document}</xml></Exchange>"
    )
    assert f"<code>{code}</code>" in (told.text("ExchangeResult") or "")


def etree_text(operation: str) -> str:
    """What is inside an operation, escaped for a string."""
    inner = etree.tostring(etree.fromstring(operation)[0], encoding="unicode")
    return inner.replace("&", "&amp;").replace("<", "&lt;")


def test_nothing_of_a_request_reaches_the_log(
    node: Node, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(0)
    secrets = ("S3cret-of-the-HIS", "13800138000", "Diagnosis-Text")
    requests = [
        envelope(send("Diagnosis-Text")),
        envelope(send("Diagnosis-Text", more="<colour>Diagnosis-Text</colour>")),
        envelope(send("Diagnosis-Text", more="<Diagnosis-Text/>")),
        envelope(send("Diagnosis-Text", more="<lane>Diagnosis-Text</lane>")),
        envelope(send("Diagnosis-Text"))[:-3],
        envelope(send("Diagnosis-Text")).replace("his<", "his2<"),
        envelope('<Send xmlns="urn:x">Diagnosis-Text 13800138000</Send>'),
    ]
    for request in requests:
        node.post(request)
        node.post(request, "/soap12?secret=S3cret-of-the-HIS")
        node.post(request, "/13800138000/Diagnosis-Text")
    node.exchange._intake = Broken(RuntimeError("13800138000"))  # type: ignore[assignment]
    assert node.post(requests[0]).fault[1] == "INTERNAL"
    out, err = capfd.readouterr()
    logged = out + err + caplog.text
    assert logged.count("mount=") + logged.count('"mount"') >= len(requests) * 3
    for secret in secrets:
        assert secret not in logged
