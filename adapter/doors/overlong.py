"""A body beyond the limit, refused by the web server before it is read, with a stable code.

waitress answers such a request itself, in plain text; clients of every door read the
fault of the contract instead.
"""

from __future__ import annotations

import time
from typing import Any

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.utilities import RequestEntityTooLarge

from adapter.contract import NS
from adapter.domain.errors import Code
from adapter.doors.hands import Task

_FAULT = """\
<?xml version='1.0' encoding='UTF-8'?>
<soap11env:Envelope xmlns:soap11env="http://schemas.xmlsoap.org/soap/envelope/"><soap11env:Body>\
<soap11env:Fault><faultcode>soap11env:Client</faultcode><faultstring>{text}</faultstring>\
<detail><tns:ExchangeFault xmlns:tns="{namespace}"><tns:code>{code}</tns:code>\
<tns:description>{text}</tns:description></tns:ExchangeFault></detail></soap11env:Fault>\
</soap11env:Body></soap11env:Envelope>
"""


class _Overlong(RequestEntityTooLarge):
    """Says so as the SOAP 1.1 fault of the contract."""

    # The stubs say that the body is text; it is sent as it is, so it has to be octets.
    def to_response(  # type: ignore[override]
        self, ident: str | None = None
    ) -> tuple[str, list[tuple[str, str]], bytes]:
        fault = _FAULT.format(text=self.body, namespace=NS, code=Code.BAD_REQUEST.value)
        return (
            f"{self.code} {self.reason}",
            [("Content-Type", "text/xml; charset=utf-8")],
            fault.encode(),
        )


class Incoming(HTTPRequestParser):
    """One request; `began` and `octets` tell how it comes in."""

    def __init__(self, adj: Any) -> None:
        super().__init__(adj)
        self.began = time.monotonic()
        self.octets = 0

    def received(self, data: bytes) -> Any:
        taken = super().received(data)
        self.octets += taken
        if isinstance(self.error, RequestEntityTooLarge):
            limit = self.adj.max_request_body_size
            self.error = _Overlong(f"the request is larger than {limit} octets")
        return taken


class Channel(HTTPChannel):
    """One connection of a client. `known`: it had a whole request, the last one at `whole_at`; else
    that is when it came."""

    parser_class = Incoming
    task_class = Task

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.known = False
        self.whole_at = time.monotonic()

    def received(self, data: bytes) -> Any:
        kept = super().received(data)
        if self.requests:
            self.known = True
            self.whole_at = time.monotonic()
        return kept
