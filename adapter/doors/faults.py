"""Refusals on their way out: as Spyne's fault, and as the element ExchangeFault."""

from __future__ import annotations

import traceback
from typing import Any

import structlog
from lxml import etree

from adapter.contract import NS
from adapter.domain.errors import Code, Refusal
from adapter.doors.elements import DEFAULT_NS, write_text
from adapter.spyne_compat import Fault

# Ours to mend, or to try again later; every other code is for the caller to mend.
_SERVER_CODES = frozenset({Code.SPOOL_FULL, Code.STORE_UNAVAILABLE, Code.INTERNAL})

log = structlog.get_logger(__name__)


def fault_of(refusal: Refusal) -> Any:
    """A refusal as the fault that Spyne carries to the writer; `detail` is the Refusal's."""
    side = "Server" if refusal.code in _SERVER_CODES else "Client"
    return Fault(side, refusal.description, detail={"refusal": refusal})


def refusal_of(fault: Any) -> Refusal:
    """What a fault says. Spyne's own ones, in words of its own, become BAD_REQUEST or INTERNAL."""
    if isinstance(fault.detail, dict):
        refusal: Refusal = fault.detail["refusal"]
        return refusal
    if fault.faultcode.startswith("Client"):
        return Refusal(Code.BAD_REQUEST, "the request cannot be read")
    return Refusal(Code.INTERNAL, "the request failed within")


def is_ours(refusal: Refusal) -> bool:
    """Whether the fault lies with the node (SOAP: Server, Receiver), not with the caller."""
    return refusal.code in _SERVER_CODES


def internal(error: BaseException) -> Refusal:
    """A refusal for what should not have happened. Its place is logged, its words are not:
    a database's message quotes the values of the statement."""
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    log.error(
        "operation_failed",
        error=type(error).__name__,
        cause=type(error.__cause__).__name__ if error.__cause__ else "",
        where=[f"{frame.name}:{frame.lineno}" for frame in frames],
    )
    return Refusal(Code.INTERNAL, "the request failed within; the node's log says where")


def tell(parent: etree._Element | None, refusal: Refusal) -> etree._Element:
    """The element ExchangeFault for a refusal, appended to `parent` where there is one."""
    tag = f"{{{NS}}}ExchangeFault"
    told = etree.Element(tag, nsmap=DEFAULT_NS) if parent is None else etree.SubElement(parent, tag)
    words = (
        ("code", str(refusal.code)),
        ("description", refusal.description),
        ("field", refusal.field),
        ("retryAfter", str(refusal.retry_after_s or "")),
    )
    for name, text in words:
        if text:
            write_text(etree.SubElement(told, f"{{{NS}}}{name}"), text)
    return told
