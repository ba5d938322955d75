"""Operations as XML documents: for `Exchange`, whose documents are strings, and for /api/xml."""

from __future__ import annotations

from typing import Any

from lxml import etree

from adapter.contract import NS, SmsExchange
from adapter.domain.errors import Code, Refusal
from adapter.doors.decoding import parse
from adapter.doors.elements import DEFAULT_NS, Elements, local
from adapter.doors.faults import internal, tell
from adapter.doors.service import Caller, Exchange
from adapter.doors.shapes import PREFIX


class Documents:
    """Reads requests from documents and writes responses as such."""

    def __init__(self, elements: Elements) -> None:
        self._elements = elements

    def read(self, document: str) -> tuple[str, list[Any]]:
        """The operation that a document asks for, and its arguments. Raises
        Refusal(BAD_REQUEST)."""
        if not document.strip():
            raise Refusal(Code.BAD_REQUEST, "xml: holds no document", "xml")
        return self.read_root(parse(document))

    def read_root(self, root: etree._Element) -> tuple[str, list[Any]]:
        """The same of a document's root element."""
        name = local(root)
        if name == "Exchange" or name not in SmsExchange.public_methods:
            raise Refusal(Code.BAD_REQUEST, "xml: there is no such operation", "xml")
        if root.tag != PREFIX + name:
            raise Refusal(Code.BAD_REQUEST, f"xml: is in a wrong namespace, not {NS}", "xml")
        operation = SmsExchange.public_methods[name]
        return name, self._elements.arguments(operation.in_message, root)

    def write(self, name: str, result: Any) -> etree._Element:
        """The response document of an operation."""
        model = SmsExchange.public_methods[name].out_message
        response = etree.Element(f"{PREFIX}{name}Response", nsmap=DEFAULT_NS)
        self._elements.fill(model, {f"{name}Result": result}, response)
        return response


def exchange_documents(
    exchange: Exchange,
    documents: Documents,
    caller: Caller,
    account: str | None,
    password: str | None,
    document: str | None,
) -> str:
    """The operation `Exchange`. Whoever uses it cannot read faults, so a refusal is a
    document, too: ExchangeFault."""
    inner = caller.another(account, password)
    try:
        name, arguments = documents.read(document or "")
        answered = documents.write(name, exchange.run(name, inner, *arguments))
    except Refusal as refusal:
        answered = tell(None, refusal)
    except Exception as error:
        answered = tell(None, internal(error))
    return etree.tostring(answered, encoding="unicode")
