"""Every operation as JSON and as XML over plain HTTP, on the wire."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping
from typing import Any

import pytest
from lxml import etree

from adapter.contract import NS
from adapter.domain.errors import Code, Refusal, SpoolFull, StoreUnavailable
from adapter.domain.values import Reply, Request
from adapter.doors.http import OPERATIONS, status_of
from tests.doors.conftest import PASSWORD, Answer, Node, send
from tests.doors.test_bad_input import BOMB

BASIC = {"Authorization": "Basic " + base64.b64encode(f"his:{PASSWORD}".encode()).decode()}
TEXT = "您的检查报告已出，请到自助机打印"


def call(
    node: Node,
    operation: str,
    body: Any,
    headers: Mapping[str, str] = BASIC,
    content_type: str = "application/json",
) -> Answer:
    octets = body if isinstance(body, bytes) else json.dumps(body).encode()
    return node.post(octets, f"/api/json/{operation}", content_type, dict(headers))


def sending(content: Any = TEXT, mobile: Any = "13800138000", **more: Any) -> dict[str, Any]:
    return {"content": content, "recipients": [{"mobile": mobile}], **more}


def held(answer: Answer) -> Any:
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    return json.loads(answer.body)


def test_a_message_on_its_way_through_json(node: Node) -> None:
    sent = call(node, "Send", sending(clientRef="r-1", passThrough="p", receipt=True))
    reply = held(sent)
    assert (sent.status, reply["code"], reply["accepted"]) == (200, "OK", 1)
    (result,) = reply["results"]
    assert result["segments"] == 1
    assert isinstance(result["messageId"], str)

    (found,) = held(call(node, "Query", {"messageIds": [result["messageId"]]}))["messages"]
    assert (found["state"], found["clientRef"], found["passThrough"]) == ("QUEUED", "r-1", "p")
    assert found["acceptedAt"].endswith("+08:00")

    cancelled = held(call(node, "Cancel", {"submissionId": reply["submissionId"]}))
    assert cancelled == {"code": "OK", "cancelled": 1}
    receipts = held(call(node, "FetchReceipts", {"max": 10}))
    assert [each["state"] for each in receipts["receipts"]] == ["CANCELLED"]
    assert receipts["more"] is False
    assert held(call(node, "AckReceipts", {"cursor": receipts["cursor"]}))["acknowledged"] == 1

    node.receive("13800138000", "好的\x07")
    (text,) = held(call(node, "FetchInbound", {}))["inbound"]
    assert text["content"] == "好的 "
    assert held(call(node, "AckInbound", {"inboundIds": [text["inboundId"]]}))["acknowledged"] == 1

    batch = {"entries": [{"mobile": "13900139000", "content": "一"}, {"mobile": "1"}]}
    reply = held(call(node, "SendBatch", batch))
    assert (reply["code"], reply["accepted"], reply["refused"]) == ("PARTIAL", 1, 1)
    assert held(call(node, "GetAccount", {}))["title"] == "门诊系统"
    assert held(call(node, "GetAccount", b""))["account"] == "his"
    assert held(node.request("GET", "/api/json/Ping"))["state"] == "running"
    text_only = {"account": "his", "password": PASSWORD, "mobiles": "13800138000", "content": "x"}
    assert held(call(node, "SendText", text_only, {})).startswith("OK;")


def test_xml_says_what_exchange_says(node: Node) -> None:
    answer = node.post(send(), "/api/xml/Send", headers=BASIC)
    assert (answer.status, answer.headers["content-type"]) == (200, "text/xml; charset=utf-8")
    assert answer.envelope.tag == f"{{{NS}}}SendResponse"
    assert answer.text("code") == "OK"
    refused = node.post(send(mobile="12"), "/api/xml/Send", headers=BASIC)
    assert (refused.status, refused.text("code")) == (422, "BAD_NUMBER")
    wrong = node.post(send(), "/api/xml/Query", headers=BASIC)
    assert (wrong.status, wrong.envelope.tag) == (400, f"{{{NS}}}ExchangeFault")
    assert node.post(send(), "/api/xml/Send").status == 401
    assert node.post(BOMB + send(), "/api/xml/Send", headers=BASIC).status == 400
    assert node.request("GET", "/api/xml/GetAccount", headers=BASIC).text("account") == "his"


@pytest.mark.parametrize("name", OPERATIONS)
def test_each_operation_stands_at_both_paths(shared: Node, name: str) -> None:
    """An empty request is refused by its own reader, not by a missing path."""
    for form in ("json", "xml"):
        answer = shared.post(b"", f"/api/{form}/{name}", headers=BASIC)
        assert answer.status in (200, 400)


def test_the_key_of_the_header_is_the_client_reference(node: Node) -> None:
    keyed = {**BASIC, "Idempotency-Key": "appointment-7"}
    first, again = (held(call(node, "Send", sending(), keyed)) for _ in range(2))
    assert first == again
    assert len(node.arrived) == 1
    xml = node.post(send(), "/api/xml/Send", headers=keyed)
    assert xml.text("submissionId") == first["submissionId"]
    other = call(node, "Send", sending(clientRef="another"), keyed)
    assert (other.status, held(other)["field"]) == (400, "clientRef")
    long = call(node, "Send", sending(), {**BASIC, "Idempotency-Key": "k" * 65})
    assert (long.status, held(long)["field"]) == (400, "clientRef")


@pytest.mark.parametrize(
    ("charset", "encoding"),
    [
        (None, "utf-8"),
        ("utf-8", "utf-8-sig"),
        ("gb18030", "gb18030"),
        ("gbk", "gb18030"),
        ("utf-8", "gb18030"),
        (None, "utf-16"),
    ],
)
def test_encodings(shared: Node, charset: str | None, encoding: str) -> None:
    body = json.dumps(sending(TEXT + "镕"), ensure_ascii=False).encode(encoding)
    kind = "application/json" + (f"; charset={charset}" if charset else "")
    assert held(call(shared, "Send", body, content_type=kind))["code"] == "OK"
    assert shared.arrived[-1].content.endswith(TEXT + "镕")


def test_gzip(shared: Node) -> None:
    packed = gzip.compress(json.dumps(sending("packed")).encode())
    answer = call(shared, "Send", packed, {**BASIC, "Content-Encoding": "gzip"})
    assert held(answer)["code"] == "OK"


def test_numbers_may_be_numbers(shared: Node) -> None:
    assert held(call(shared, "Send", sending(mobile=13800138000, extension=7)))["code"] == "OK"
    assert shared.arrived[-1].submission.extension == "7"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"{", ""),
        (b'{"content": "a"} x', ""),
        (b"[]", ""),
        (b'"text"', ""),
        (b'{"content": NaN}', ""),
        (b'{"content": 1' + b"0" * 5000 + b"}", ""),
        (b'{"content": "a", "content": "b", "recipients": [{"mobile": "1"}]}', ""),
        (b"[" * 100_000, ""),
        (b'{"a":' * 30 + b"1" + b"}" * 30, ""),
        (b"\xff\xfe\x00\xd8", ""),
        (json.dumps(sending(content=True)).encode(), "content"),
        (json.dumps(sending(content=1.5)).encode(), "content"),
        (json.dumps(sending(content=["a"])).encode(), "content"),
        (json.dumps(sending(receipt="maybe")).encode(), "receipt"),
        (json.dumps(sending(receipt=1)).encode(), "receipt"),
        (json.dumps(sending(lane="fast")).encode(), "lane"),
        (json.dumps(sending(scheduleAt="tomorrow")).encode(), "scheduleAt"),
        (json.dumps(sending(clientRef="x" * 65)).encode(), "clientRef"),
        (json.dumps(sending(contents="a")).encode(), "contents"),
        (json.dumps({"content": "a"}).encode(), "recipients"),
        (json.dumps({"content": "a", "recipients": {}}).encode(), "recipients"),
        (json.dumps({"content": "a", "recipients": [{}]}).encode(), "recipients[1].mobile"),
        (json.dumps({"content": "a", "recipients": ["138"]}).encode(), "recipients[1]"),
        (
            json.dumps({"content": "a", "recipients": [{"mobile": "1"}] * 10_001}).encode(),
            "recipients",
        ),
    ],
)
def test_bad_json_is_refused_with_the_field(shared: Node, body: bytes, field: str) -> None:
    answer = call(shared, "Send", body)
    fault = held(answer)
    assert (answer.status, fault["code"], fault.get("field", "")) == (400, "BAD_REQUEST", field)
    assert held(call(shared, "Send", sending()))["code"] == "OK"


def test_a_wrong_name_is_not_repeated(shared: Node) -> None:
    fault = held(call(shared, "Send", sending(**{"13800138000": 1})))
    assert "13800138000" not in json.dumps(fault)


def test_who_is_not_let_in(shared: Node) -> None:
    wrong = {"Authorization": "Basic " + base64.b64encode(b"his:wrong").decode()}
    for headers in ({}, wrong, {"Authorization": "Basic ?"}, {"Authorization": "Bearer x"}):
        answer = call(shared, "Send", sending(), headers)
        assert (answer.status, held(answer)["code"]) == (401, "AUTH_FAILED")
        assert answer.headers["www-authenticate"].startswith("Basic ")


def test_paths_and_methods(shared: Node) -> None:
    unknown = call(shared, "Sned", {})
    assert (unknown.status, held(unknown)["code"]) == (404, "NOT_FOUND")
    assert call(shared, "Exchange", {}).status == 404
    answer = shared.request("GET", "/api/json/Send", headers=BASIC)
    assert (answer.status, answer.headers["allow"]) == (405, "POST")
    assert shared.request("DELETE", "/api/json/Ping").status == 405
    head = shared.request("HEAD", "/api/json/Ping")
    assert (head.status, head.body) == (200, b"")


def test_the_status_is_that_of_the_code(shared: Node) -> None:
    none = call(shared, "Query", {"clientRef": "nobody's"})
    assert (none.status, held(none)["code"]) == (404, "NOT_FOUND")
    template = call(
        shared, "Send", {"template": "no such", "recipients": [{"mobile": "13800138000"}]}
    )
    assert (template.status, held(template)["code"]) == (422, "TEMPLATE_UNKNOWN")
    all_refused = call(shared, "Send", sending(mobile="12345"))
    assert all_refused.status == 422
    assert held(all_refused)["results"][0]["code"] == "BAD_NUMBER"
    assert {status_of(code) for code in Code} >= {200, 400, 401, 403, 404, 409, 422, 429, 500, 503}


class Refusing:
    """An intake that refuses."""

    def __init__(self, refusal: Exception) -> None:
        self._refusal = refusal

    def accept(self, client: object, requests: list[Request]) -> list[Reply]:
        raise self._refusal


@pytest.mark.parametrize(
    ("refusal", "status", "code", "retry_after"),
    [
        (StoreUnavailable(), 503, "STORE_UNAVAILABLE", "5"),
        (SpoolFull(7), 503, "SPOOL_FULL", "5"),
        (Refusal(Code.RATE_LIMITED, "slower", retry_after_s=9), 429, "RATE_LIMITED", "9"),
        (Refusal(Code.QUOTA_EXCEEDED, "tomorrow"), 429, "QUOTA_EXCEEDED", None),
        (RuntimeError("13800138000"), 500, "INTERNAL", None),
    ],
)
def test_when_it_cannot_be_taken_now(
    node: Node, refusal: Exception, status: int, code: str, retry_after: str | None
) -> None:
    node.exchange._intake = Refusing(refusal)  # type: ignore[assignment]
    for form, body in (("json", json.dumps(sending()).encode()), ("xml", send().encode())):
        answer = node.post(body, f"/api/{form}/Send", headers=BASIC)
        assert answer.status == status
        assert code in answer.body.decode()
        assert answer.headers.get("retry-after") == retry_after
        assert "13800138000" not in answer.body.decode()


def test_too_large(shared: Node) -> None:
    packed = gzip.compress(json.dumps(sending("x" * 6_000_000)).encode())
    answer = call(shared, "Send", packed, {**BASIC, "Content-Encoding": "gzip"})
    assert (answer.status, held(answer)["code"]) == (413, "BAD_REQUEST")


def test_what_xml_cannot_hold_json_can(node: Node) -> None:
    node.receive("13800138000", "a\x0bb")
    answer = node.request("POST", "/api/xml/FetchInbound", _fetch(), BASIC)
    assert etree.fromstring(answer.body).findtext(".//{*}content") == "a b"


def _fetch() -> bytes:
    return f'<FetchInbound xmlns="{NS}"><request/></FetchInbound>'.encode()
