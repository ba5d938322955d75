"""Every operation with zeep, strict, in both versions of SOAP."""

from __future__ import annotations

from typing import Any

import pytest
import zeep

from tests.doors.conftest import PASSWORD, Node


@pytest.fixture(params=["/soap", "/soap12"])
def service(node: Node, request: pytest.FixtureRequest) -> Any:
    client = zeep.Client(f"{node.url}{request.param}?wsdl", settings=zeep.Settings(strict=True))
    (binding,) = client.wsdl.bindings
    return client.create_service(binding, f"{node.url}{request.param}"), client


@pytest.fixture
def header(service: Any) -> list[Any]:
    _, client = service
    element = client.get_element("{urn:his-sms:exchange:1}Credentials")
    return [element(account="his", password=PASSWORD)]


def test_send(service: Any, header: list[Any]) -> None:
    exchange, _ = service
    reply = exchange.Send(
        {
            "clientRef": "OP-1",
            "content": "您的就诊时间为14:30。",
            "recipients": {
                "Recipient": [
                    {"mobile": "13800138000", "ref": "a"},
                    {"mobile": "13312345678"},
                    {"mobile": "１３８００１３８０００"},
                ]
            },
            "lane": "realtime",
            "passThrough": "p",
        },
        _soapheaders=header,
    )
    assert (reply.code, reply.accepted, reply.refused) == ("PARTIAL", 2, 1)
    assert reply.passThrough == "p"
    first, second, third = reply.results.Result
    assert (first.mobile, first.ref, first.code, first.segments) == ("13800138000", "a", "OK", 1)
    assert int(first.messageId) < int(second.messageId)
    assert (third.code, third.messageId) == ("BAD_NUMBER", None)
    assert third.description
