"""Requests and answers of the web doors, written and read with as little work as can be: the
load shares the machine with the node that it measures."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import NamedTuple, Protocol
from xml.sax.saxutils import escape

from adapter.bench.load import CONTENT, mobile
from adapter.bench.rig import ACCOUNT, PASSWORD

FETCH = 1_000


class Request(NamedTuple):
    """A POST to make."""

    path: str
    body: bytes


class Form(Protocol):
    """How a door is spoken to. What is read returns None where the answer is none of the kind."""

    headers: Mapping[str, str]

    def send(self, numbers: range) -> Request:
        """Messages to the mobiles of these numbers."""

    def accepted(self, answer: bytes) -> int | None:
        """How many messages were accepted."""

    def fetch(self) -> Request:
        """Ask for receipts."""

    def fetched(self, answer: bytes) -> list[int]:
        """The messages whose receipts came."""

    def acknowledge(self, answer: bytes) -> Request:
        """Acknowledge the receipts of this answer. Raises RuntimeError where it has no cursor."""


class Soap:
    """SOAP 1.1 with the header `Credentials`."""

    headers: Mapping[str, str] = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""'}
    _envelope = """\
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" \
xmlns="urn:his-sms:exchange:1"><soapenv:Header><Credentials><account>{account}</account>\
<password>{password}</password></Credentials></soapenv:Header>\
<soapenv:Body>{body}</soapenv:Body></soapenv:Envelope>"""
    _accepted = re.compile(rb"<[^>]*\baccepted>(\d+)<")
    _receipt = re.compile(rb"<[^>/]*\bmessageId>(\d+)<")
    _cursor = re.compile(rb"<[^>/]*cursor>([^<]+)<")

    def send(self, numbers: range) -> Request:
        if len(numbers) == 1:
            recipient = f"<Recipient><mobile>{mobile(numbers[0])}</mobile></Recipient>"
            return self._request(
                f"<Send><request><clientRef>bench-{numbers[0]}</clientRef>"
                f"<business>bench</business><content>{escape(CONTENT)}</content>"
                f"<recipients>{recipient}</recipients></request></Send>"
            )
        entries = "".join(
            f"<Entry><mobile>{mobile(n)}</mobile><content>{escape(CONTENT)}</content></Entry>"
            for n in numbers
        )
        return self._request(
            f"<SendBatch><request><clientRef>bench-{numbers[0]}</clientRef>"
            f"<business>bench</business><entries>{entries}</entries></request></SendBatch>"
        )

    def accepted(self, answer: bytes) -> int | None:
        found = self._accepted.search(answer)
        return int(found[1]) if found else None

    def fetch(self) -> Request:
        return self._request(
            f"<FetchReceipts><request><max>{FETCH}</max></request></FetchReceipts>"
        )

    def fetched(self, answer: bytes) -> list[int]:
        return [int(each) for each in self._receipt.findall(answer)]

    def acknowledge(self, answer: bytes) -> Request:
        cursor = self._cursor.search(answer)
        if cursor is None:
            raise RuntimeError("no cursor in the answer")
        return self._request(
            f"<AckReceipts><request><cursor>{cursor[1].decode()}</cursor></request></AckReceipts>"
        )

    def _request(self, body: str) -> Request:
        envelope = self._envelope.format(account=ACCOUNT, password=PASSWORD, body=body)
        return Request("/soap", envelope.encode())


class Json:
    """JSON with HTTP Basic. `lane` of single messages; the client's where it is empty."""

    headers: Mapping[str, str] = {
        "Content-Type": "application/json",
        "Authorization": f"Basic {base64.b64encode(f'{ACCOUNT}:{PASSWORD}'.encode()).decode()}",
    }

    def __init__(self, lane: str = "") -> None:
        self._lane = {"lane": lane} if lane else {}

    def send(self, numbers: range) -> Request:
        keyed = {"clientRef": f"bench-{numbers[0]}", "business": "bench", "content": CONTENT}
        recipients = [{"mobile": mobile(n)} for n in numbers]
        if len(numbers) == 1:
            return _json("Send", keyed | self._lane | {"recipients": recipients})
        return _json("SendBatch", keyed | {"entries": recipients})

    def accepted(self, answer: bytes) -> int | None:
        found: int | None = json.loads(answer).get("accepted")
        return found

    def fetch(self) -> Request:
        return _json("FetchReceipts", {"max": FETCH})

    def fetched(self, answer: bytes) -> list[int]:
        return [int(each["messageId"]) for each in json.loads(answer).get("receipts", ())]

    def acknowledge(self, answer: bytes) -> Request:
        cursor = json.loads(answer).get("cursor")
        if cursor is None:
            raise RuntimeError("no cursor in the answer")
        return _json("AckReceipts", {"cursor": cursor})


def _json(operation: str, request: Mapping[str, object]) -> Request:
    return Request(f"/api/json/{operation}", json.dumps(request).encode())


FORMS: Mapping[str, Form] = {"soap": Soap(), "http": Json()}
"""By the door's name."""
