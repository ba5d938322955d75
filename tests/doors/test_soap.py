"""What old toolkits send and need, over the wire; one test for each cure."""

from __future__ import annotations

import http.client
import socket

import pytest
from lxml import etree
from sqlalchemy import func, select

from adapter.contract import NS
from adapter.store.schema import submission
from tests.doors.conftest import CREDENTIALS, SOAP11, SOAP12, Answer, Node, envelope, send

TEXT = "您的检查报告已出，请到自助机打印"
XSI = "http://www.w3.org/2001/XMLSchema-instance"


def content_of(node: Node) -> str:
    return node.arrived[-1].content.removeprefix("【市一医院】")


def test_the_version_is_that_of_the_envelope(shared: Node) -> None:
    for path in ("/soap", "/soap12"):
        old = shared.post(envelope(send()), path)
        assert (old.status, old.headers["content-type"]) == (200, "text/xml; charset=utf-8")
        assert old.envelope.tag == f"{{{SOAP11}}}Envelope"
        new = shared.post(envelope(send(), soap=SOAP12), path, "application/soap+xml")
        assert new.headers["content-type"] == "application/soap+xml; charset=utf-8"
        assert new.envelope.tag == f"{{{SOAP12}}}Envelope"
        assert new.text("code") == "OK"


def test_a_fault_in_soap_11(shared: Node) -> None:
    answer = shared.call(send(), header="")
    fault = answer.envelope[0][0]
    assert fault.tag == f"{{{SOAP11}}}Fault"
    assert [child.tag for child in fault] == ["faultcode", "faultstring", "detail"]
    prefix, _, code = (fault[0].text or "").partition(":")
    assert (fault.nsmap[prefix], code) == (SOAP11, "Client")
    assert [child.tag for child in fault[2]] == [f"{{{NS}}}ExchangeFault"]
    assert [child.tag for child in fault[2][0]] == [f"{{{NS}}}code", f"{{{NS}}}description"]
    assert answer.text("code") == "AUTH_FAILED"


def test_a_fault_in_soap_12(shared: Node) -> None:
    answer = shared.call(send(), header="", soap=SOAP12)
    fault = answer.envelope[0][0]
    env = f"{{{SOAP12}}}"
    assert [child.tag for child in fault] == [f"{env}Code", f"{env}Reason", f"{env}Detail"]
    prefix, _, code = (fault[0][0].text or "").partition(":")
    assert (fault.nsmap[prefix], code) == (SOAP12, "Sender")
    assert fault[1][0].get("{http://www.w3.org/XML/1998/namespace}lang") == "en"


@pytest.mark.parametrize(
    ("charset", "declared", "encoding"),
    [
        ("utf-8", None, "utf-8"),
        ("utf-8", "utf-8", "utf-8"),
        ("utf-8", "utf-8", "utf-8-sig"),
        (None, None, "utf-8"),
        ("gbk", None, "gbk"),
        ("GB18030", "GB18030", "gb18030"),
        ("gb2312", "gb2312", "gbk"),
        (None, "gb2312", "gb18030"),
        ("utf-8", "utf-8", "gbk"),
        ("utf-8", "gbk", "gbk"),
        ("iso-8859-1", None, "utf-8"),
        ("us-ascii", None, "gbk"),
        ("utf-16", "utf-8", "utf-8"),
        ("nonsense", "nonsense", "utf-8"),
        ("utf-16", "utf-16", "utf-16"),
        (None, "utf-16", "utf-16-le"),
    ],
)
def test_encodings(shared: Node, charset: str | None, declared: str | None, encoding: str) -> None:
    text = TEXT + ("镕" if encoding in ("gbk", "gb18030") else "")
    head = f'<?xml version="1.0" encoding="{declared}"?>\n' if declared else ""
    body = (head + envelope(send(text))).encode(encoding)
    if encoding == "utf-16-le":
        body = b"\xff\xfe" + body
    kind = "text/xml" if charset is None else f'text/xml; charset="{charset}"'
    answer = shared.post(body, content_type=kind)
    assert answer.text("code") == "OK"
    assert content_of(shared) == text


def test_a_blank_line_before_the_declaration(shared: Node) -> None:
    answer = shared.post('\r\n\r\n<?xml version="1.0" encoding="utf-8"?>\r\n' + envelope(send()))
    assert answer.text("code") == "OK"


def test_no_content_type_and_any_action(shared: Node) -> None:
    assert shared.post(envelope(send()), content_type=None).text("code") == "OK"
    action = {"SOAPAction": '"urn:anything"'}
    assert shared.post(envelope(send()), headers=action).text("code") == "OK"


def test_chunked(shared: Node) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", shared.server.port, timeout=10)
    pieces = iter([envelope(send())[:100].encode(), envelope(send())[100:].encode()])
    connection.request("POST", "/soap", pieces, {"Content-Type": "text/xml"}, encode_chunked=True)
    response = connection.getresponse()
    assert Answer(response.status, {}, response.read()).text("code") == "OK"
    connection.close()


def test_a_client_that_waits_for_leave_to_send_the_body_gets_it(shared: Node) -> None:
    """.NET sends `Expect: 100-continue` with every request."""
    body = envelope(send()).encode()
    with socket.create_connection(("127.0.0.1", shared.server.port), timeout=10) as connection:
        connection.sendall(
            b"POST /soap HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml; charset=utf-8\r\n"
            b"Expect: 100-continue\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
        )
        assert connection.recv(4096).startswith(b"HTTP/1.1 100 ")
        connection.sendall(body)
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"code>OK<" in answer


def test_ten_thousand_chinese_texts_in_one_batch(node: Node) -> None:
    """More than the 2 MiB that Spyne takes by itself."""
    content = "检查报告已出，请取。" * 6
    entries = "".join(
        f"<Entry><mobile>138{number:08}</mobile><content>{content}</content></Entry>"
        for number in range(10_000)
    )
    batch = f'<SendBatch xmlns="{NS}"><request><entries>{entries}</entries></request></SendBatch>'
    assert len(batch.encode()) > 2**21
    answer = node.call(batch)
    assert (answer.text("code"), answer.text("accepted")) == ("OK", "10000")
    assert len(answer.texts("messageId")) == 10_000


@pytest.mark.parametrize(
    "more",
    [
        "<lane/>",
        "<scheduleAt></scheduleAt>",
        "<receipt/><values/><template/>",
        f'<lane xmlns:xsi="{XSI}" xsi:nil="true"/>',
        f'<expireAt xmlns:xsi="{XSI}" xsi:nil="1"/>',
        f'<values xmlns:xsi="{XSI}" xsi:nil="true"/>',
        "<!-- a comment --><?pi x?>",
    ],
)
def test_an_empty_optional_is_an_absent_one(shared: Node, more: str) -> None:
    assert shared.call(send(more=more)).text("code") == "OK"


def test_nil_false_keeps_the_value(shared: Node) -> None:
    more = f'<passThrough xmlns:xsi="{XSI}" xsi:nil="false">kept</passThrough>'
    assert shared.call(send(more=more)).text("passThrough") == "kept"


def test_a_guessed_type_is_ignored(shared: Node) -> None:
    typed = send().replace(
        "<mobile>",
        f'<mobile xmlns:xsi="{XSI}" xmlns:xsd="http://www.w3.org/2001/XMLSchema" '
        'xsi:type="xsd:long">',
    )
    assert shared.call(typed).text("code") == "OK"


def test_children_without_a_namespace_and_in_any_order(shared: Node) -> None:
    body = (
        f'<m:Send xmlns:m="{NS}"><request><lane>bulk</lane><recipients><Recipient>'
        "<ref>r</ref><mobile> 13800138000 </mobile></Recipient></recipients>"
        "<content>x</content></request></m:Send>"
    )
    answer = shared.call(body)
    assert (answer.texts("code"), answer.text("ref")) == (["OK", "OK"], "r")


def test_a_comment_within_a_value(shared: Node) -> None:
    assert shared.call(send(mobile="138<!-- x -->00138000")).text("code") == "OK"
    assert shared.call(send(content="<![CDATA[a < b & c]]>")).text("code") == "OK"
    assert content_of(shared) == "a < b & c"


@pytest.mark.parametrize(("word", "kept"), [("1", 1), ("true", 1), (" false ", 0), ("0", 0)])
def test_booleans(node: Node, word: str, kept: int) -> None:
    assert node.call(send(more=f"<receipt>{word}</receipt>")).text("code") == "OK"
    assert node.arrived[-1].submission.receipt is bool(kept)


@pytest.mark.parametrize(
    ("written", "utc"),
    [
        ("T08:30:00", "00:30:00"),
        ("T08:30:00Z", "08:30:00"),
        ("T08:30:00+08:00", "00:30:00"),
        ("T08:30:00.1234567+08:00", "00:30:00.123"),
        ("T03:00:00.5-05:30", "08:30:00.5"),
    ],
)
def test_times(shared: Node, tomorrow: str, written: str, utc: str) -> None:
    answer = shared.call(send(more=f"<scheduleAt>{tomorrow}{written}</scheduleAt>"))
    assert answer.text("code") == "OK"
    with shared.engine.connect() as connection:
        newest = select(submission.c.due_at).where(
            submission.c.id == select(func.max(submission.c.id)).scalar_subquery()
        )
        due = connection.execute(newest).scalar_one()
    assert due % 86_400_000 == milliseconds(utc)


def milliseconds(clock: str) -> int:
    hours, minutes, seconds = clock.split(":")
    return int((int(hours) * 3600 + int(minutes) * 60 + float(seconds)) * 1000)


def test_a_control_character_in_an_answer_is_cleaned(shared: Node) -> None:
    shared.receive("13800138000", "a\x00b\x1bc\ufffed")
    answer = shared.call(f'<FetchInbound xmlns="{NS}"><request/></FetchInbound>')
    assert answer.text("content") == "a b c d"


def test_an_empty_request_element_of_an_operation_without_one(shared: Node) -> None:
    for inner in ("", "<request/>", "<request></request>"):
        assert shared.call(f'<Ping xmlns="{NS}">{inner}</Ping>').text("state") == "running"


def test_unknown_headers_are_passed_over(shared: Node) -> None:
    header = (
        '<a:To xmlns:a="http://www.w3.org/2005/08/addressing" '
        f'xmlns:s="{SOAP11}" s:mustUnderstand="1">x</a:To>{CREDENTIALS}'
    )
    assert shared.call(send(), header=header).text("code") == "OK"


@pytest.mark.parametrize("path", ["/soap", "/soap12"])
@pytest.mark.parametrize("query", ["wsdl", "WSDL", "wsdl=1", "singleWsdl"])
def test_the_wsdl_has_the_configured_address(shared: Node, path: str, query: str) -> None:
    answer = shared.request("GET", f"{path}?{query}", headers={"Host": "evil.example"})
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/xml; charset=utf-8"
    (address,) = answer.envelope.iter("{*}address")
    assert address.get("location") == f"http://sms.hospital.example:8080{path}"


def test_other_methods(shared: Node) -> None:
    assert shared.request("GET", "/soap").status == 200
    head = shared.request("HEAD", "/soap?wsdl")
    assert (head.status, head.body) == (200, b"")
    refused = shared.request("PUT", "/soap", b"x")
    assert (refused.status, refused.headers["allow"]) == (405, "GET, HEAD, POST")


def test_the_answer_declares_no_namespace_in_vain(shared: Node) -> None:
    answer = shared.call(send())
    assert set(answer.envelope.nsmap.values()) == {SOAP11, NS}
    assert etree.tostring(answer.envelope).count(b"xmlns") == 2
