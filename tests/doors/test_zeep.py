"""Every operation with zeep, strict, in both versions of SOAP."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree

import pytest
import zeep
from zeep.exceptions import Fault

from adapter.contract import NS
from tests.doors.conftest import PASSWORD, Node


class Caller:
    """A client generated from the WSDL of one version; calls with the header Credentials."""

    def __init__(self, node: Node, path: str) -> None:
        settings = zeep.Settings(strict=True)
        client: Any = zeep.Client(f"{node.url}{path}?wsdl", settings=settings)
        (binding,) = client.wsdl.bindings
        service = client.create_service(binding, f"{node.url}{path}")
        credentials = client.get_element(f"{{{NS}}}Credentials")(account="his", password=PASSWORD)
        self.service = service
        self.client = client
        self.headers = [credentials]

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            return getattr(self.service, operation)(*arguments, _soapheaders=self.headers)

        return call


@pytest.fixture(params=["/soap", "/soap12"])
def his(node: Node, request: pytest.FixtureRequest) -> Caller:
    return Caller(node, request.param)


def request_to(*mobiles: str, **more: Any) -> dict[str, Any]:
    recipients = {"Recipient": [{"mobile": mobile} for mobile in mobiles]}
    return {"content": "您的就诊时间为14:30。", "recipients": recipients, **more}


def tomorrow() -> datetime:
    return datetime.now(UTC) + timedelta(days=1)


def test_send(his: Caller) -> None:
    reply = his.Send(
        {
            "clientRef": "OP-1",
            "content": "您的就诊时间为14:30。",
            "recipients": {
                "Recipient": [
                    {"mobile": "13800138000", "ref": "a"},
                    {"mobile": "13312345678"},
                    {"mobile": "１３８００１３８０００"},
                    {"mobile": "1380013800O"},
                ]
            },
            "lane": "realtime",
            "passThrough": "p",
        }
    )
    assert (reply.code, reply.accepted, reply.refused) == ("PARTIAL", 2, 2)
    assert reply.passThrough == "p"
    first, second, third, fourth = reply.results.Result
    assert (first.mobile, first.ref, first.code, first.segments) == ("13800138000", "a", "OK", 1)
    assert int(first.messageId) < int(second.messageId)
    assert (third.code, third.messageId) == ("BAD_NUMBER", None)
    assert fourth.code == "BAD_NUMBER"
    assert fourth.description


def test_a_repeated_reference_gets_the_first_answer(his: Caller, node: Node) -> None:
    first = his.Send(request_to("13800138000", clientRef="OP-2"))
    again = his.Send(request_to("13800138000", clientRef="OP-2"))
    assert again.submissionId == first.submissionId
    assert again.results.Result[0].messageId == first.results.Result[0].messageId
    assert len(node.arrived) == 1


def test_send_batch_with_own_texts_and_template_values(his: Caller, node: Node) -> None:
    values = [{"name": "name", "value": "王"}, {"name": "room", "value": "3号诊室"}]
    reply = his.SendBatch(
        {
            "template": "turn",
            "entries": {
                "Entry": [
                    {"mobile": "13800138000", "values": {"Value": values}},
                    {"mobile": "13800138001", "content": "报告已出。", "ref": "r"},
                    {"mobile": "13800138002"},
                ]
            },
        }
    )
    codes = [result.code for result in reply.results.Result]
    assert codes[:2] == ["OK", "OK"]
    assert codes[2] != "OK"
    texts = sorted(waiting.content for waiting in node.arrived)
    assert texts == ["【市一医院】报告已出。", "【市一医院】王，请到3号诊室就诊。"]


def test_query_by_each_key(his: Caller) -> None:
    reply = his.Send(request_to("13800138000", "13800138001", clientRef="Q-1", passThrough="x"))
    first = reply.results.Result[0]
    by_id = his.Query({"messageIds": {"MessageId": [first.messageId]}})
    (message,) = by_id.messages.Message
    assert by_id.code == "OK"
    assert (message.mobile, message.clientRef, message.passThrough) == ("13800138000", "Q-1", "x")
    assert message.state in ("ACCEPTED", "QUEUED")
    assert message.acceptedAt.utcoffset().total_seconds() == 8 * 3600
    assert len(his.Query({"clientRef": "Q-1"}).messages.Message) == 2
    assert len(his.Query({"submissionId": reply.submissionId}).messages.Message) == 2
    missing = his.Query({"clientRef": "nobody's"})
    assert (missing.code, missing.messages) == ("NOT_FOUND", None)


def test_cancel(his: Caller) -> None:
    reply = his.Send(
        request_to("13800138000", "13800138001", businessKey="A-7", scheduleAt=tomorrow())
    )
    one = reply.results.Result[0].messageId
    assert his.Cancel({"messageIds": {"MessageId": [one]}}).cancelled == 1
    assert his.Cancel({"businessKey": "A-7"}).cancelled == 1
    assert his.Cancel({"submissionId": reply.submissionId}).cancelled == 0
    (message, _) = his.Query({"submissionId": reply.submissionId}).messages.Message
    assert message.state == "CANCELLED"


def test_receipts_come_until_they_are_acknowledged(his: Caller) -> None:
    reply = his.Send(request_to("13800138000", "13800138001", "13800138002", scheduleAt=tomorrow()))
    his.Cancel({"submissionId": reply.submissionId})
    page = his.FetchReceipts({"max": 2})
    assert len(page.receipts.Receipt) == 2
    assert page.more is True
    receipt = page.receipts.Receipt[0]
    assert (receipt.state, receipt.submissionId) == ("CANCELLED", reply.submissionId)
    rest = his.FetchReceipts({"cursor": page.cursor})
    assert (len(rest.receipts.Receipt), rest.more) == (1, False)
    assert len(his.FetchReceipts({}).receipts.Receipt) == 3

    assert his.AckReceipts({"cursor": page.cursor}).acknowledged == 2
    assert his.AckReceipts({"cursor": page.cursor}).acknowledged == 0
    (last,) = his.FetchReceipts({}).receipts.Receipt
    assert last.receiptId == rest.receipts.Receipt[0].receiptId
    ids = {"ReceiptId": [last.receiptId]}
    assert his.AckReceipts({"receiptIds": ids}).acknowledged == 1
    nothing = his.FetchReceipts({})
    assert (nothing.receipts, nothing.more) == (None, False)


def test_inbound_comes_until_it_is_acknowledged(his: Caller, node: Node) -> None:
    node.receive("13800138000", "回复\x0b：好的 <&>")
    page = his.FetchInbound({"max": 5})
    (inbound,) = page.inbound.Inbound
    assert (inbound.mobile, inbound.content) == ("13800138000", "回复 ：好的 <&>")
    assert isinstance(inbound.receivedAt, datetime)
    assert his.AckInbound({"cursor": page.cursor}).acknowledged == 1
    assert his.FetchInbound({}).inbound is None


def test_get_account(his: Caller) -> None:
    account = his.GetAccount()
    assert (account.account, account.title, account.signature) == ("his", "门诊系统", "市一医院")
    assert (account.extension, account.lane, account.ratePerMinute) == ("01", "normal", 1000)
    assert (account.dailyQuota, account.quotaLeft) == (50_000, 50_000)
    his.Send(request_to("13800138000", "13800138001", "nobody"))
    assert his.GetAccount().quotaLeft == 49_998
    assert account.maxSegments == 10


def test_ping_needs_no_credentials(his: Caller) -> None:
    pong = his.service.Ping()
    assert pong.state == "running"
    assert pong.version
    assert pong.time.utcoffset() is not None


def test_send_text(his: Caller) -> None:
    answer = his.service.SendText("his", PASSWORD, "13800138000；13800138001,", "您好", "")
    code, submission, words = answer.split(";", 2)
    assert (code, words) == ("OK", "2 accepted")
    assert len(his.Query({"submissionId": submission}).messages.Message) == 2


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("his", "wrong", "13800138000", "您好", ""), "AUTH_FAILED"),
        (("his", PASSWORD, " ;,", "您好", ""), "BAD_REQUEST"),
        (("his", PASSWORD, "13800138000", "", ""), "BAD_CONTENT"),
        (("his", PASSWORD, "110", "您好", ""), "BAD_NUMBER"),
    ],
)
def test_send_text_refuses_in_a_string(his: Caller, arguments: tuple[str, ...], code: str) -> None:
    answer = his.service.SendText(*arguments)
    assert answer.split(";", 2)[:2] == [code, ""]
    assert answer.split(";", 2)[2]


def test_exchange(his: Caller) -> None:
    document = (
        f'<?xml version="1.0" encoding="GBK"?>\n<Send xmlns="{NS}"><request>'
        "<content>您好</content><recipients><Recipient><mobile>13800138000</mobile></Recipient>"
        "</recipients></request></Send>"
    )
    answer = ElementTree.fromstring(his.service.Exchange("his", PASSWORD, document))
    assert answer.tag == f"{{{NS}}}SendResponse"
    assert answer.findtext(f"{{{NS}}}SendResult/{{{NS}}}code") == "OK"
    pong = ElementTree.fromstring(his.service.Exchange("", "", f'<Ping xmlns="{NS}"/>'))
    assert pong.findtext(f"{{{NS}}}PingResult/{{{NS}}}state") == "running"


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ("<Send", "BAD_REQUEST"),
        ("", "BAD_REQUEST"),
        ("&lt;Ping/&gt;", "BAD_REQUEST"),
        ("<Ping/>", "BAD_REQUEST"),
        (f'<Exchange xmlns="{NS}"/>', "BAD_REQUEST"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "BAD_REQUEST"),
        (f'<Send xmlns="{NS}"><request/></Send>', "BAD_REQUEST"),
        (f'<Query xmlns="{NS}"><request/></Query>', "BAD_REQUEST"),
    ],
)
def test_exchange_refuses_in_a_document(his: Caller, document: str, code: str) -> None:
    answer = ElementTree.fromstring(his.service.Exchange("his", PASSWORD, document))
    assert answer.tag == f"{{{NS}}}ExchangeFault"
    assert answer.findtext(f"{{{NS}}}code") == code


def test_exchange_with_a_wrong_password(his: Caller) -> None:
    answer = his.service.Exchange("his", "wrong", f'<GetAccount xmlns="{NS}"/>')
    assert ElementTree.fromstring(answer).findtext(f"{{{NS}}}code") == "AUTH_FAILED"


def test_a_whole_refusal_is_a_fault_with_detail(his: Caller) -> None:
    his.headers[0]["password"] = "wrong"
    with pytest.raises(Fault) as caught:
        his.Send(request_to("13800138000"))
    fault: Any = caught.value
    assert fault.code.rpartition(":")[2] in ("Client", "Sender")
    (detail,) = fault.detail
    typed = his.client.get_element(f"{{{NS}}}ExchangeFault").parse(detail, his.client.wsdl.types)
    assert typed.code == "AUTH_FAILED"
    assert typed.description


def test_encrypted_content_has_no_key_yet(his: Caller) -> None:
    with pytest.raises(Fault, match="encryptedContent"):
        his.Send({"encryptedContent": "AAAA", "recipients": {"Recipient": [{"mobile": "138"}]}})
