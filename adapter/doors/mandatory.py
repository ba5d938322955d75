"""Header blocks that a caller insists on: what is marked `mustUnderstand` and addressed to us must
be understood, or the whole request is refused before anything is done (SOAP 1.1, section 4.2.3;
SOAP 1.2 part 1, section 2.4; Basic Profile 1.1, R1025 and R1027).

Understood are the credentials, WS-Security (`credentials`), and WS-Addressing, whose blocks say
nothing that the HTTP request does not: an answer goes back the way the request came.
"""

from __future__ import annotations

from lxml import etree

from adapter.contract import NS
from adapter.domain.errors import Code, Refusal
from adapter.doors.elements import shown
from adapter.spyne_compat import NS_SOAP11_ENV, NS_SOAP12_ENV

_UNDERSTOOD = frozenset(
    {
        NS,
        "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd",
        "http://www.w3.org/2005/08/addressing",
        "http://schemas.xmlsoap.org/ws/2004/08/addressing",
    }
)
_YES = frozenset({"1", "true"})
# Roles that we act in: the next one on the way, and the one at its end (also named by nothing).
_OURS = frozenset(
    {
        "",
        "http://schemas.xmlsoap.org/soap/actor/next",
        f"{NS_SOAP12_ENV}/role/next",
        f"{NS_SOAP12_ENV}/role/ultimateReceiver",
    }
)


class NotUnderstood(Refusal):
    """A header block is mandatory, and we do not know what it asks for."""

    def __init__(self, block: etree._Element) -> None:
        name = shown(block)
        super().__init__(
            Code.BAD_REQUEST, f"the header {name} must be understood, but is not", name
        )


def check_mandatory(envelope: etree._Element) -> None:
    """Raises NotUnderstood for the first such block."""
    env = envelope.tag.rpartition("}")[0] + "}"
    role = f"{env}actor" if env == f"{{{NS_SOAP11_ENV}}}" else f"{env}role"
    header = envelope.find(f"{env}Header")
    for block in header if header is not None else ():
        mandatory = block.get(f"{env}mustUnderstand", "").strip() in _YES
        if mandatory and block.get(role, "").strip() in _OURS:
            namespace = etree.QName(block).namespace
            if namespace not in _UNDERSTOOD:
                raise NotUnderstood(block)
