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
_TEXT = escape(CONTENT)


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
<soapenv:Body>"""
    _end = "</soapenv:Body></soapenv:Envelope>"
    _accepted = re.compile(rb"<[^>]*\baccepted>(\d+)<")
    _receipt = re.compile(rb"<[^>/]*\bmessageId>(\d+)<")
    _cursor = re.compile(rb"<[^>/]*cursor>([^<]+)<")

    def __init__(self, account: str = ACCOUNT) -> None:
        self._start = self._envelope.format(account=account, password=PASSWORD)

    def send(self, numbers: range) -> Request:
        name = "Send" if len(numbers) == 1 else "SendBatch"
        return self._request(f"<{name}>{self.request_of(numbers)}</{name}>")

    @staticmethod
    def request_of(numbers: range) -> str:
        """The element `request` of `Send` for one number, of `SendBatch` for several."""
        head = f"<request><clientRef>bench-{numbers[0]}</clientRef><business>bench</business>"
        if len(numbers) == 1:
            recipient = f"<Recipient><mobile>{mobile(numbers[0])}</mobile></Recipient>"
            return f"{head}<content>{_TEXT}</content><recipients>{recipient}</recipients></request>"
        entries = "".join(
            f"<Entry><mobile>{mobile(n)}</mobile><content>{_TEXT}</content></Entry>"
            for n in numbers
        )
        return f"{head}<entries>{entries}</entries></request>"

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
        return Request("/soap", f"{self._start}{body}{self._end}".encode())


class Json:
    """JSON with HTTP Basic. `lane` of single messages; the client's where it is empty."""

    _accepted = re.compile(rb'"accepted": ?(\d+)')

    def __init__(self, account: str = ACCOUNT, lane: str = "") -> None:
        shown = base64.b64encode(f"{account}:{PASSWORD}".encode()).decode()
        self.headers: Mapping[str, str] = {
            "Content-Type": "application/json",
            "Authorization": f"Basic {shown}",
        }
        self._lane = {"lane": lane} if lane else {}

    def send(self, numbers: range) -> Request:
        keyed = {"clientRef": f"bench-{numbers[0]}", "business": "bench", "content": CONTENT}
        recipients = [{"mobile": mobile(n)} for n in numbers]
        if len(numbers) == 1:
            return _json("Send", keyed | self._lane | {"recipients": recipients})
        return _json("SendBatch", keyed | {"entries": recipients})

    def accepted(self, answer: bytes) -> int | None:
        found = self._accepted.search(answer)
        return int(found[1]) if found else None

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
"""By the door's name, for the account of the benchmark."""


def form_of(door: str, account: str) -> Form:
    """The form of a web door for another account."""
    return Soap(account) if door == "soap" else Json(account)
