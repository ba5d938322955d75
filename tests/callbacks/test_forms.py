"""How events are written, read by others: the published schema, Spyne, a hospital's own service."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import jsonschema
import pytest
import xmlschema
from lxml import etree
from msgspec import structs

from adapter import contract
from adapter.callbacks.forms import Form, form_of
from adapter.config.callback_rules import OF_INBOUND, OF_RECEIPT
from adapter.config.model import Callback, CallbackCall
from adapter.domain.values import InboundNotice
from adapter.doors.openapi import build_openapi
from adapter.doors.shapes import Shapes
from connectors.web.settings import Call, Format, Result
from connectors.web.transport import Given
from tests.callback_services import HospitalService, PublishedService
from tests.callbacks.test_callback import receipt
from tests.callbacks.test_target import bring
from tests.callbacks.words import WORDING

ROOT = Path(__file__).parents[2]
SHAPES = Shapes()
NS = {"e": contract.NS}
AWKWARD = 'no <b> & "c"\x00\x0b\ud83d\n好😀'
RECEIPT = structs.replace(receipt(1), client_ref="OP-1", text="发送成功", pass_through="a<b")
REPLY = InboundNotice(
    77, "client:his", 7, "13800138000", AWKWARD, "1069", "01", datetime(2026, 3, 1, tzinfo=UTC),
    RECEIPT.message_id, "OP-1",
)  # fmt: skip


def form(**settings: Any) -> Form:
    return form_of(Callback("his", url="http://h/e", **settings), WORDING, SHAPES)


def given(status: int = 200, body: bytes = b"") -> Given:
    return Given(status, {}, body)


def test_json_has_the_very_objects_of_the_fetch_operations() -> None:
    body = json.loads(form().request([RECEIPT, REPLY]).body)
    assert body == {
        "receipts": [
            {
                "receiptId": str(RECEIPT.id),
                "messageId": "1",
                "submissionId": "1",
                "clientRef": "OP-1",
                "mobile": "13800138000",
                "state": "DELIVERED",
                "carrierCode": "DELIVRD",
                "description": "发送成功",
                "segmentCount": 1,
                "channel": "main",
                "doneAt": "2026-03-01T16:00:00.000+08:00",
                "passThrough": "a<b",
            }
        ],
        "inbound": [
            {
                "inboundId": "77",
                "mobile": "13800138000",
                "content": 'no <b> & "c"   \n好😀',
                "accessNumber": "1069",
                "extension": "01",
                "receivedAt": "2026-03-01T08:00:00.000+08:00",
                "messageId": "1",
                "clientRef": "OP-1",
            }
        ],
    }
    assert json.loads(form().request([REPLY]).body).keys() == {"inbound"}
    document = build_openapi("http://h")
    webhook = document["webhooks"]["Notify"]["post"]["requestBody"]["content"]
    schema = {**webhook["application/json"]["schema"], "components": document["components"]}
    jsonschema.validate(body, schema)


@pytest.mark.parametrize("format_", ["xml", "soap"])
def test_xml_fits_the_published_schema(format_: str) -> None:
    root = etree.fromstring(form(format=format_).request([RECEIPT, REPLY]).body)
    notify = root if format_ == "xml" else root[0][0]
    schema = xmlschema.XMLSchema10(str(ROOT / "xsd/callback.xsd"))
    schema.validate(notify)
    assert notify.findtext("e:request/e:receipts/e:Receipt/e:passThrough", None, NS) == "a<b"
    text = notify.findtext("e:request/e:inbound/e:Inbound/e:content", None, NS)
    assert text == 'no <b> & "c"   \n好😀'


def test_an_integrator_reads_what_we_send_by_the_published_wsdl() -> None:
    with PublishedService() as service:
        assert bring(service.url, RECEIPT, REPLY, format="soap") == ""
        (told,), (text,) = service.receipts, service.inbound
        assert (told.receiptId, told.state) == (str(RECEIPT.id), "DELIVERED")
        assert told.doneAt == RECEIPT.done_at
        assert text.content == 'no <b> & "c"   \n好😀'
        service.answers = ["AGAIN", RuntimeError("broken")]
        assert bring(service.url, RECEIPT, format="soap") == "the answer says AGAIN"
        assert bring(service.url, RECEIPT, format="soap") == "HTTP 500"
        assert len(service.receipts) == 1


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", ""),
        (b"<html>It works!</html>", "the answer is no SOAP envelope"),
        (b"It works!", "the answer is no XML"),
        (b'<!DOCTYPE e [<!ENTITY x "y">]><e>&x;</e>', "the answer is no XML"),
        (b"<E:Envelope xmlns:E='s'><E:Body/></E:Envelope>", ""),
        (
            b"<E:Envelope xmlns:E='s'><E:Body><E:Fault><faultcode>E:Server</faultcode>"
            b"<faultstring>13800138000</faultstring></E:Fault></E:Body></E:Envelope>",
            "a SOAP fault: E:Server",
        ),
        (
            b"<Envelope><Body><NotifyResponse><NotifyResult><code>13800138000</code>"
            b"</NotifyResult></NotifyResponse></Body></Envelope>",
            "the answer says something else",
        ),
    ],
)
def test_what_an_answer_means(body: bytes, told: str) -> None:
    assert form(format="soap").fault([RECEIPT], given(200, body)) == told


@pytest.fixture
def hospital() -> Iterator[HospitalService]:
    with HospitalService() as service:
        yield service


def test_a_service_of_the_hospital_is_called_by_its_own_wsdl(
    hospital: HospitalService, tmp_path: Path
) -> None:
    wsdl = tmp_path / "his.wsdl"
    hospital.write_wsdl(wsdl)
    says = Result(Format.XML, success="//SmsStatusResult | //SmsReplyResult", success_is=("0",))
    fields = (("bizNo", "${clientRef}"), ("state", "${state}"), ("eventId", "${receiptId}"))
    calls = {
        "receipt": CallbackCall(Call(operation="SmsStatus", fields=fields), says),
        "inbound": CallbackCall(
            Call(operation="SmsReply", fields=(("mobile", "${mobile}"), ("text", "${content}"))),
            says,
        ),
    }
    assert bring(hospital.url, RECEIPT, wsdl=str(wsdl), **calls) == ""
    assert bring(hospital.url, REPLY, wsdl=str(wsdl), **calls) == ""
    assert hospital.statuses == [("OP-1", "DELIVERED", str(RECEIPT.id))]
    assert hospital.replies == [("13800138000", 'no <b> & "c"   \n好😀')]
    hospital.codes = ["-5"]
    assert bring(hospital.url, RECEIPT, wsdl=str(wsdl), **calls) == "the answer says -5"


def test_a_form_of_its_own_is_filled_in() -> None:
    fields = (("t", "${content}"), ("id", "${inboundId}"))
    call = CallbackCall(Call(format=Format.FORM, charset="GBK", fields=fields))
    asked = form(inbound=call).request([InboundNotice(
        5, "client:his", 7, "138", "好 &", "1069", "", datetime.now(UTC), None, "",
    )])  # fmt: skip
    assert parse_qs(asked.body.decode(), encoding="gbk") == {"t": ["好 &"], "id": ["5"]}


def test_a_text_that_the_charset_lacks_is_a_fault_of_that_event() -> None:
    call = CallbackCall(Call(format=Format.FORM, charset="GBK", fields=(("t", "${content}"),)))
    with pytest.raises(ValueError):
        form(inbound=call).request([REPLY])
    told = bring("http://127.0.0.1:9/", REPLY, inbound=call)
    assert told == "it cannot be written: UnicodeEncodeError"


def test_templates_know_every_field_of_the_contract() -> None:
    assert frozenset(contract.Receipt.get_flat_type_info(contract.Receipt)) == OF_RECEIPT
    assert frozenset(contract.Inbound.get_flat_type_info(contract.Inbound)) == OF_INBOUND
