"""Every operation with suds or zeep.  python client.py suds|zeep WSDL ACCOUNT PASSWORD

Prints what tests/clients/conftest.py asks for, one line a step.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

NS = "urn:his-sms:exchange:1"
Call = Callable[..., Any]


def say(*words: Any) -> None:
    print("\t".join("" if word is None else str(word) for word in words))


def by_suds(wsdl: str, account: str, password: str) -> tuple[Call, type[Exception], Call]:
    """How to call, what a refusal raises, and its detail."""
    from suds import WebFault
    from suds.client import Client

    his = Client(wsdl)

    def call(operation: str, *arguments: Any, secret: str = password) -> Any:
        credentials = his.factory.create("ns0:Credentials")
        credentials.account, credentials.password = account, secret
        his.set_options(soapheaders=credentials)
        return getattr(his.service, operation)(*arguments)

    def detail(fault: Any) -> Any:
        inner = fault.fault.detail if hasattr(fault.fault, "detail") else fault.fault.Detail
        return inner.ExchangeFault.code, getattr(inner.ExchangeFault, "field", None)

    return call, WebFault, detail


def by_zeep(wsdl: str, account: str, password: str) -> tuple[Call, type[Exception], Call]:
    """The same."""
    import zeep

    his: Any = zeep.Client(wsdl, settings=zeep.Settings(strict=True))
    credentials = his.get_element(f"{{{NS}}}Credentials")

    def call(operation: str, *arguments: Any, secret: str = password) -> Any:
        header = [credentials(account=account, password=secret)]
        return getattr(his.service, operation)(*arguments, _soapheaders=header)

    def detail(fault: Any) -> Any:
        (inner,) = fault.detail
        typed = his.get_element(f"{{{NS}}}ExchangeFault").parse(inner, his.wsdl.types)
        return typed.code, typed.field

    return call, zeep.exceptions.Fault, detail


def items(answer: Any, list_: str, item: str) -> list[Any]:
    """Of a wrapped list: suds gives "" for an empty one, zeep None."""
    return list(getattr(getattr(answer, list_, None) or None, item, []))


def attribute(answer: Any, name: str) -> Any:
    return getattr(answer, name, None)


def main(package: str, wsdl: str, account: str, password: str) -> None:
    make = {"suds": by_suds, "zeep": by_zeep}[package]
    call, refusal, detail = make(wsdl, account, password)

    say("ping", call("Ping").state)
    say("account", call("GetAccount").account)

    recipients = [
        {"mobile": "13800138000", "ref": "甲"},
        {"mobile": "13900139000"},
        {"mobile": "1380013800O"},
    ]
    request = {
        "clientRef": f"{package}-1",
        "content": "王①镕您好：体温<37.3℃ & 无症状，请于14:30就诊。",
        "recipients": {"Recipient": recipients},
        "lane": "realtime",
        "passThrough": "门诊",
    }
    sent = call("Send", request)
    say("send", sent.code, sent.accepted, sent.refused, sent.passThrough)
    for each in sent.results.Result:
        say("result", each.mobile, attribute(each, "ref"), each.code)
    again = call("Send", request)
    say("again", "same" if again.submissionId == sent.submissionId else "other")

    entries = [
        {"mobile": "13800138001", "content": "报告已出"},
        {"mobile": "13800138002", "content": "请取药"},
    ]
    batch = call("SendBatch", {"entries": {"Entry": entries}})
    say("batch", batch.code, batch.accepted, batch.refused)

    later = {
        "content": "明天见",
        "recipients": {"Recipient": [{"mobile": "13800138003"}]},
        "scheduleAt": datetime.now(UTC) + timedelta(days=1),
        "receipt": False,
        "businessKey": "A-7",
    }
    say("later", call("Send", later).code)
    cancelled = call("Cancel", {"businessKey": "A-7"})
    say("cancel", cancelled.code, cancelled.cancelled)

    for _ in range(300):
        page = call("FetchReceipts", {"max": 10})
        receipts = items(page, "receipts", "Receipt")
        if len(receipts) >= 4:
            break
        time.sleep(0.1)
    for each in receipts:
        say("receipt", each.mobile, each.state)
    say("acknowledged", call("AckReceipts", {"cursor": page.cursor}).acknowledged)
    left = call("FetchReceipts", {})
    say("left", len(items(left, "receipts", "Receipt")), "more" if left.more else "none")

    found = call("Query", {"submissionId": sent.submissionId})
    for each in found.messages.Message:
        say("message", each.mobile, each.state, each.segmentCount)

    texts = call("FetchInbound", {}).inbound.Inbound
    for each in texts:
        say("inbound", each.mobile, each.content)
    ids = {"InboundId": [texts[0].inboundId]}
    say("noted", call("AckInbound", {"inboundIds": ids}).acknowledged)

    for secret in (password, "wrong"):
        numbers = "13800138004，13800138005"
        answer = call("SendText", account, secret, numbers, "一串文字", "", secret=secret)
        code, id_, text = answer.split(";", 2)
        say("text", code, text if code == "OK" else id_)

    # suds leaves &amp; in a string as it is: CDATA says the same without it.
    document = (
        f'<Send xmlns="{NS}"><request><content><![CDATA[文档 & 一串]]></content><recipients>'
        "<Recipient><mobile>13800138006</mobile></Recipient></recipients></request></Send>"
    )
    response = str(call("Exchange", account, password, document))
    named = re.match(r"<(\w+) .*?<code>(\w+)<", response)
    assert named, response
    say("exchange", *named.groups())

    for secret in (password, "wrong"):
        try:
            call("Query", {"clientRef": "a", "submissionId": "1"}, secret=secret)
        except refusal as fault:
            say("fault", *detail(fault))


if __name__ == "__main__":
    main(*sys.argv[1:])
