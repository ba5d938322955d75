"""The operation `Exchange`: a request and its answer as XML documents in strings.

Whoever uses it cannot read faults either, so a refusal is a document, too: ExchangeFault.
"""

from __future__ import annotations

from typing import Any

from lxml import etree

from adapter.contract import NS, SmsExchange
from adapter.domain.errors import Code, Refusal
from adapter.doors.decoding import parse
from adapter.doors.elements import DEFAULT_NS, Elements, local
from adapter.doors.faults import internal, tell
from adapter.doors.service import Caller, Exchange

_PREFIX = f"{{{NS}}}"


class Documents:
    """Answers documents through the operations."""

    def __init__(self, exchange: Exchange, elements: Elements) -> None:
        self._exchange = exchange
        self._elements = elements

    def answer(
        self, caller: Caller, account: str | None, password: str | None, document: str | None
    ) -> str:
        """The response document, or ExchangeFault."""
        inner = Caller(account or "", password or "", caller.address, caller.door)
        try:
            answered = self._answer(inner, document or "")
        except Refusal as refusal:
            answered = tell(None, refusal)
        except Exception as error:
            answered = tell(None, internal(error))
        return etree.tostring(answered, encoding="unicode")

    def _answer(self, caller: Caller, document: str) -> etree._Element:
        if not document.strip():
            raise Refusal(Code.BAD_REQUEST, "xml: holds no document", "xml")
        root = parse(document)
        name = local(root)
        if name == "Exchange" or name not in SmsExchange.public_methods:
            raise Refusal(Code.BAD_REQUEST, "xml: there is no such operation", "xml")
        if root.tag != _PREFIX + name:
            raise Refusal(Code.BAD_REQUEST, f"xml: is in a wrong namespace, not {NS}", "xml")
        operation = SmsExchange.public_methods[name]
        arguments = self._elements.arguments(operation.in_message, root)
        result = self._exchange.run(name, caller, *arguments)
        return self._response(operation.out_message, name, result)

    def _response(self, model: Any, name: str, result: Any) -> etree._Element:
        response = etree.Element(f"{_PREFIX}{name}Response", nsmap=DEFAULT_NS)
        self._elements.fill(model, {f"{name}Result": result}, response)
        return response
