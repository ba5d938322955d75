"""The doors of programs as one: ask any operation, hear its answer or why it is refused."""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from lxml import etree

from adapter.contract import NS
from tests.contract.forms import BARE, PLAIN, document, from_json, tag, value_of
from tests.doors.wire import SocketClient
from tests.nodes import HOST

SOAP11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP12 = "http://www.w3.org/2003/05/soap-envelope"


@dataclass(frozen=True, slots=True)
class Heard:
    """An answer: the result, or the code, words and field of a refusal. `status` is that of
    HTTP, 0 at doors without; `retry_after` the seconds after which to come again."""

    result: Any = None
    code: str = ""
    description: str = ""
    field: str = ""
    retry_after: str = ""
    status: int = 0

    @property
    def refused(self) -> bool:
        return self.result is None


@dataclass(frozen=True, slots=True)
class Who:
    """Account and password, as they are shown."""

    account: str
    password: str


class Door(Protocol):
    """`name` is also the account of the client that only this door uses."""

    name: str

    def ask(self, who: Who, operation: str, request: Mapping[str, Any]) -> Heard: ...

    def post(self, who: Who, operation: str, octets: bytes) -> Heard:
        """The same for a request that is written already, in the form of `octets_of`."""

    def octets_of(self, operation: str, request: Mapping[str, Any]) -> bytes: ...

    def leave(self) -> None:
        """Close what was kept open."""


def refusal(fault: Mapping[str, str], status: int = 0, retry_after: str = "") -> Heard:
    return Heard(
        None,
        fault["code"],
        fault.get("description", ""),
        fault.get("field", ""),
        fault.get("retryAfter", retry_after),
        status,
    )


def heard_of(answered: etree._Element, status: int = 0) -> Heard:
    """From `<SendResponse>` or `<ExchangeFault>`."""
    if answered.tag == tag("ExchangeFault"):
        return refusal(value_of(answered), status)
    (result,) = answered
    return Heard(value_of(result), status=status)


class Web:
    """What the doors on the web server have in common."""

    def __init__(self, port: int) -> None:
        self._port = port

    def leave(self) -> None:
        """Nothing is kept open."""

    def send(
        self, path: str, octets: bytes, headers: Mapping[str, str]
    ) -> tuple[int, bytes, Mapping[str, str]]:
        connection = http.client.HTTPConnection(HOST, self._port, timeout=60)
        try:
            connection.request("POST", path, octets, dict(headers))
            answer = connection.getresponse()
            return answer.status, answer.read(), {k.lower(): v for k, v in answer.getheaders()}
        finally:
            connection.close()


def _basic(who: Who) -> Mapping[str, str]:
    octets = f"{who.account}:{who.password}".encode()
    return {"Authorization": f"Basic {base64.b64encode(octets).decode()}"}


class Soap(Web):
    """SOAP with the header `Credentials`."""

    def __init__(self, name: str, port: int, path: str, env: str, mime: str) -> None:
        super().__init__(port)
        self.name = name
        self._path = path
        self._env = env
        self._mime = mime

    def ask(self, who: Who, operation: str, request: Mapping[str, Any]) -> Heard:
        return self.post(who, operation, self.octets_of(operation, request))

    def octets_of(self, operation: str, request: Mapping[str, Any]) -> bytes:
        return etree.tostring(document(operation, request))

    def post(self, who: Who, operation: str, octets: bytes) -> Heard:
        envelope = etree.fromstring(
            f'<s:Envelope xmlns:s="{self._env}"><s:Header/><s:Body>BODY</s:Body></s:Envelope>'
        )
        credentials = etree.SubElement(envelope[0], tag("Credentials"))
        etree.SubElement(credentials, tag("account")).text = who.account
        etree.SubElement(credentials, tag("password")).text = who.password
        # A prolog belongs before the envelope.
        prolog, mark, operation_ = octets.partition(b"<" + operation.encode())
        if not mark:
            prolog, operation_ = b"", octets
        body = prolog + etree.tostring(envelope).replace(b"BODY", mark + operation_)
        status, answer, _ = self.send(self._path, body, {"Content-Type": self._mime})
        (told,) = etree.fromstring(answer)[0]
        assert told.tag.startswith((f"{{{NS}}}", f"{{{self._env}}}"))
        if told.tag == f"{{{self._env}}}Fault":
            assert status == 500
            return heard_of(next(told.iter(tag("ExchangeFault"))), status)
        assert status == 200
        return heard_of(told, status)


class String(Soap):
    """The operation `Exchange`: documents in strings."""

    def __init__(self, port: int) -> None:
        super().__init__("string", port, "/soap", SOAP11, "text/xml")

    def post(self, who: Who, operation: str, octets: bytes) -> Heard:
        asked = {"account": who.account, "password": who.password, "xml": octets.decode()}
        outer = super().post(Who("", ""), "Exchange", etree.tostring(document("Exchange", asked)))
        return heard_of(etree.fromstring(outer.result))


class Xml(Web):
    """Documents over plain HTTP."""

    name = "xml"

    def ask(self, who: Who, operation: str, request: Mapping[str, Any]) -> Heard:
        return self.post(who, operation, self.octets_of(operation, request))

    def octets_of(self, operation: str, request: Mapping[str, Any]) -> bytes:
        return etree.tostring(document(operation, request))

    def post(self, who: Who, operation: str, octets: bytes) -> Heard:
        headers = {"Content-Type": "text/xml", **_basic(who)}
        status, answer, given = self.send(f"/api/xml/{operation}", octets, headers)
        heard = heard_of(etree.fromstring(answer), status)
        assert heard.retry_after == given.get("retry-after", "")
        return heard


class Json(Web):
    """Objects over plain HTTP."""

    name = "json"

    def ask(self, who: Who, operation: str, request: Mapping[str, Any]) -> Heard:
        return self.post(who, operation, self.octets_of(operation, request))

    def octets_of(self, operation: str, request: Mapping[str, Any]) -> bytes:
        return b"" if operation in BARE else json.dumps(request).encode()

    def post(self, who: Who, operation: str, octets: bytes) -> Heard:
        headers = {"Content-Type": "application/json", **_basic(who)}
        status, answer, given = self.send(f"/api/json/{operation}", octets, headers)
        told = from_json(answer)
        refused = isinstance(told, dict) and told.keys() <= {
            "code", "description", "field", "retryAfter"
        }  # fmt: skip
        if refused and (status >= 400 or operation in PLAIN):
            heard = refusal(told, status)
            assert heard.retry_after == given.get("retry-after", "")
            return heard
        return Heard(told, status=status)


class Socket:
    """Documents in frames; a connection for each account, kept."""

    name = "socket"

    def __init__(self, port: int) -> None:
        self._port = port
        self._kept: dict[Who, SocketClient] = {}

    def ask(self, who: Who, operation: str, request: Mapping[str, Any]) -> Heard:
        return self.post(who, operation, self.octets_of(operation, request))

    def octets_of(self, operation: str, request: Mapping[str, Any]) -> bytes:
        return etree.tostring(document(operation, request))

    def post(self, who: Who, operation: str, octets: bytes) -> Heard:
        client = self._kept.get(who)
        if client is None:
            client = SocketClient(self._port)
            entered = client.log_in(who.account, who.password)
            if entered.tag == tag("ExchangeFault"):
                client.socket.close()
                return heard_of(entered)
            self._kept[who] = client
        return heard_of(client.ask(octets.decode()))

    def leave(self) -> None:
        for client in self._kept.values():
            client.socket.close()
        self._kept.clear()


def doors_of(web_port: int, socket_port: int) -> dict[str, Door]:
    """By name, the one first that others are held against."""
    doors: list[Door] = [
        Soap("soap11", web_port, "/soap", SOAP11, "text/xml; charset=utf-8"),
        Soap("soap12", web_port, "/soap12", SOAP12, "application/soap+xml; charset=utf-8"),
        Xml(web_port),
        Json(web_port),
        String(web_port),
        Socket(socket_port),
    ]
    return {door.name: door for door in doors}
