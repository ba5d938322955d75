"""SOAP by a provider's WSDL, made with Spyne: requests that it takes, answers and faults."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connectors.values import Action
from connectors.web.link import WebLink
from connectors.web.settings import Call, Format, Items, Pull, Result, Submission, Then, WebSettings
from connectors.web.soap import SoapService
from tests.connectors.recorder import Recorder, run, text
from tests.providers import Given, Provider
from tests.soap_provider import SoapProvider

SECRET = "soap-secret"
SEND = Call(
    operation="SendSms",
    fields=(
        ("account", "a"),
        ("password", SECRET),
        ("message.mobile", "${mobile}"),
        ("message.content", "${text}"),
    ),
)
ANSWER = Result(
    format=Format.XML,
    success="//code",
    success_is=("0",),
    id="//taskId",
    actions={"-3": Then.THROTTLE, "-9": Then.RETRY},
)


@pytest.fixture
def provider() -> Iterator[SoapProvider]:
    with SoapProvider(SECRET) as standing:
        yield standing


@pytest.fixture
def wsdl(provider: SoapProvider, tmp_path: Path) -> str:
    path = tmp_path / "provider.wsdl"
    provider.write_wsdl(path)
    return str(path)


def link(told: Recorder, wsdl: str, call: Call = SEND, **changes: Any) -> WebLink:
    submit = Submission(call, ANSWER)
    return WebLink(WebSettings("soap-1", submit, wsdl=wsdl, **changes), told)


def test_a_text_goes_out_and_its_receipt_is_fetched(provider: SoapProvider, wsdl: str) -> None:
    own = (("account", "a"), ("password", SECRET))
    fetch = Pull(
        "receipts",
        Call(operation="GetReports", fields=own),
        interval_s=0.02,
        receipts=Items(Format.XML, each="//Report", id="taskId", mobile="mobile", stat="status"),
        acknowledge=Call(operation="Acknowledge", fields=(*own, ("ids", "${ids}"))),
    )
    content = "<b>&院😀"

    async def test() -> None:
        told = Recorder()
        of = link(told, wsdl, pulls=(fetch,))
        of.start()
        try:
            await told.until(lambda: told.ups == 1)
            of.submit_many([text(1, payload=content.encode("utf-16-be"))])
            await told.until(lambda: bool(told.answers and told.reports))
            assert told.answers[0][1].id == told.reports[0].id == "S-1"
            assert told.reports[0].delivered
        finally:
            await of.stop(1)

    run(test())
    assert provider.taken == [("13800138000", content, None)]


@pytest.mark.parametrize(("code", "action"), [("-9", Action.RETRY), ("-4", Action.PERMANENT)])
def test_a_code_is_answered(provider: SoapProvider, wsdl: str, code: str, action: Action) -> None:
    provider.codes.append(code)

    async def test() -> None:
        told = Recorder()
        of = link(told, wsdl)
        of.start()
        try:
            await told.until(lambda: told.ups == 1)
            of.submit_many([text(1)])
            await told.until(lambda: bool(told.answers))
            assert (told.answers[0][1].code, told.answers[0][1].action) == (code, action)
        finally:
            await of.stop(1)

    run(test())


FAULT = (
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault>'
    "<faultcode>s:{}</faultcode><faultstring>no</faultstring></s:Fault></s:Body></s:Envelope>"
)


@pytest.mark.parametrize(("code", "refused"), [("Client.Bad", True), ("Server", False)])
def test_a_fault_is_a_refusal_only_where_it_blames_us(wsdl: str, code: str, refused: bool) -> None:
    async def test() -> None:
        with Provider() as other:
            other.serve("/", lambda _asked: Given(500, FAULT.format(code).encode(), "text/xml"))
            told = Recorder()
            of = link(told, wsdl, replace(SEND, url=other.url("/")))
            of.start()
            try:
                await told.until(lambda: told.ups == 1)
                of.submit_many([text(1)])
                await told.until(lambda: bool(told.answers or told.lost_tokens))
                assert bool(told.answers) == refused
                if refused:
                    assert told.answers[0][1].code == code
            finally:
                await of.stop(1)

    run(test())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (replace(SEND, operation="Send"), "no operation 'Send'; it has Acknowledge, GetReports"),
        (replace(SEND, fields=(("acount", "a"),)), "acount"),
        (replace(SEND, fields=(("message.phone", "a"),)), "phone"),
        (replace(SEND, fields=(("message", "a"), ("message.mobile", "b"))), "message"),
        (replace(SEND, body="x"), "body: "),
    ],
)
def test_a_request_that_the_wsdl_does_not_have(wsdl: str, call: Call, message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("'", ".")):
        link(Recorder(), wsdl, call)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it cannot be used"),
        (b"<html/>", "it "),
        (b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "it cannot be used"),
        (
            b'<w:definitions xmlns:w="http://schemas.xmlsoap.org/wsdl/">'
            b'<w:import namespace="u" location="http://127.0.0.1:9/x.wsdl"/></w:definitions>',
            "it imports http://127.0.0.1:9/x.wsdl: save that beside it",
        ),
    ],
)
def test_a_wsdl_that_cannot_be_used(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.wsdl"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        SoapService(str(path))
