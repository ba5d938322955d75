"""Requests to the operations of a provider's WSDL, written by zeep.

zeep reads the WSDL and writes the envelope; the exchange itself and the answer go the way of
every other request, so that the same promises hold. The WSDL and what it imports are local
files: nothing is ever fetched.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

import zeep
from lxml import etree
from zeep import exceptions
from zeep.transports import Transport

_SOAP12 = "http://schemas.xmlsoap.org/wsdl/soap12/"
_MOST_OCTETS = 10_000_000


class _LocalFiles(Transport):
    """Loads files, never addresses."""

    def load(self, url: Any) -> bytes:
        if not isinstance(url, str):
            return bytes(url.read())
        parts = urlsplit(url)
        if parts.scheme in ("http", "https", "ftp"):
            raise ValueError(f"it imports {url}: save that beside it, and name the file")
        path = Path(url2pathname(unquote(parts.path)) if parts.scheme == "file" else url)
        if path.stat().st_size > _MOST_OCTETS:
            raise ValueError(f"it is longer than {_MOST_OCTETS} octets")
        return path.read_bytes()


class SoapService:
    """The operations of one port. Raises ValueError with the reason when the WSDL cannot be
    used."""

    def __init__(self, wsdl: str, service: str = "", port: str = "") -> None:
        settings = zeep.Settings(forbid_dtd=True, forbid_entities=True)
        files: Any = _LocalFiles
        try:
            self._client = zeep.Client(wsdl, transport=files(), settings=settings)
            self._service = self._client.bind(service or None, port or None)
        except OSError as e:
            raise ValueError(f"the file cannot be read: {e.strerror or e}") from None
        except (exceptions.Error, ValueError, etree.XMLSyntaxError) as e:
            raise ValueError(f"it cannot be used: {e}") from None
        if self._service is None:
            raise ValueError("it has no service")
        self._binding = self._service._binding
        self.url: str = self._service._binding_options["address"]

    @property
    def operations(self) -> list[str]:
        return sorted(self._binding.all())

    def check(self, operation: str, fields: list[str]) -> None:
        """Raises ValueError for an operation that is none, or arguments that it does not take."""
        if operation not in self._binding.all():
            known = ", ".join(self.operations)
            raise ValueError(f"the WSDL has no operation {operation!r}; it has {known}")
        try:
            self.envelope(operation, dict.fromkeys(fields, "1"))
        except ValueError as e:
            raise ValueError(f"{operation}: {e}") from None

    def envelope(self, operation: str, fields: Mapping[str, str]) -> bytes:
        """The request. Raises ValueError for arguments that do not fit."""
        try:
            made = self._client.create_message(self._service, operation, **_nested(fields))
        except (TypeError, exceptions.ValidationError, exceptions.LookupError) as e:
            raise ValueError(str(e)) from None
        return etree.tostring(made, xml_declaration=True, encoding="utf-8")

    def headers(self, operation: str) -> dict[str, str]:
        """Content-Type, and where the operation is named."""
        action = self._binding.get(operation).soapaction
        if self._binding.nsmap.get("soap") == _SOAP12:
            kind = f'application/soap+xml; charset=utf-8; action="{action}"'
            return {"Content-Type": kind}
        return {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{action}"'}


def _nested(fields: Mapping[str, str]) -> dict[str, Any]:
    """`request.mobile` is the argument `mobile` inside `request`."""
    made: dict[str, Any] = {}
    for name, value in fields.items():
        *way, last = name.split(".")
        place = made
        for step in way:
            place = place.setdefault(step, {})
            if not isinstance(place, dict):
                raise ValueError(f"{step} is a field with a value and has fields inside")
        place[last] = value
    return made
