"""From a `Call` of the settings to requests on the wire."""

from __future__ import annotations

import codecs
import re
from collections.abc import Collection, Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from connectors.web.settings import Call, Format
from connectors.web.soap import SoapService
from connectors.web.templates import (
    Escape,
    Template,
    as_it_is,
    in_address,
    in_header,
    in_json,
    in_xml,
)

_TYPES = {
    Format.JSON: "application/json",
    Format.XML: "text/xml",
    Format.FORM: "application/x-www-form-urlencoded",
    Format.TEXT: "text/plain",
}
_WORD = re.compile(r"|[A-Za-z][A-Za-z._-]{0,19}\d{0,2}|v?\d{1,2}(\.\d{1,2})*|\$\{\w+\}")
METHODS = ("GET", "POST", "PUT")


class Request(NamedTuple):
    """What is sent."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    path: str = ""
    """What may be shown of the address: nothing that was filled in, no query."""


class Requests:
    """Makes the requests of one call. Raises ValueError for what is wrong with the call.

    `known` are the names that its values will have, `raw` those whose value is already written
    in the call's format.
    """

    def __init__(
        self,
        call: Call,
        known: Collection[str],
        soap: SoapService | None,
        raw: Collection[str] = (),
    ) -> None:
        _check(call)
        self._call = call
        self._soap = soap
        self._raw = raw
        self._url = template_of("url", call.url, known, in_address(call.charset))
        self._headers = [
            (name, template_of(f"header {name}", text, known, in_header))
            for name, text in call.headers
        ]
        self._fields = [
            (name, template_of(f"field {name}", text, known, self._in_field))
            for name, text in call.fields
        ]
        self._body = template_of("body", call.body, known, escape_of(call))
        if soap is not None and call.operation:
            soap.check(call.operation, [name for name, _ in call.fields])
        elif not call.url:
            raise ValueError("url: there is none")
        self._path = _open_path(call.url or (soap.url if soap is not None else ""))
        if call.operation:
            self._path += f" {call.operation}"
        _check_address(call.url)

    @property
    def names(self) -> frozenset[str]:
        """The values that the call has places for."""
        templates = [self._url, self._body, *(text for _, text in (*self._headers, *self._fields))]
        return frozenset().union(*(each.names for each in templates))

    @property
    def _in_field(self) -> Escape:
        # zeep escapes for itself.
        return as_it_is if self._call.operation else in_address(self._call.charset)

    def make(self, values: Mapping[str, str]) -> Request:
        """Raises ValueError (UnicodeEncodeError) for a text that cannot be written so."""
        return self._made(values)._replace(path=self._path)

    def _made(self, values: Mapping[str, str]) -> Request:
        call = self._call
        url = self._url.fill(values)
        headers = {name: text.fill(values) for name, text in self._headers}
        filled = {name: text.fill(values) for name, text in self._fields}
        if self._soap is not None and call.operation:
            body = self._soap.envelope(call.operation, filled)
            headers = {**self._soap.headers(call.operation), **headers}
            return Request("POST", url or self._soap.url, headers, body)
        form = "&".join(f"{name}={value}" for name, value in filled.items())
        if call.format is Format.QUERY:
            joint = "&" if urlsplit(url).query else "?"
            return Request(call.method, url + joint + form if form else url, headers, b"")
        if call.method == "GET":
            return Request("GET", url, headers, b"")
        text = form if call.format is Format.FORM else self._body.fill(values, self._raw)
        kind = call.content_type or f"{_TYPES[call.format]}; charset={call.charset}"
        return Request(call.method, url, {"Content-Type": kind, **headers}, _octets(text, call))


def escape_of(call: Call) -> Escape:
    """How values are written in the call's body."""
    if call.format is Format.JSON:
        return in_json
    if call.format is Format.XML:
        return in_xml
    return as_it_is if call.format is Format.TEXT else in_address(call.charset)


def template_of(what: str, text: str, known: Collection[str], escape: Escape) -> Template:
    """Raises ValueError that names the part of the call."""
    try:
        return Template(text, known, escape)
    except ValueError as e:
        raise ValueError(f"{what}: {e}") from None


def _check(call: Call) -> None:
    """What does not go together."""
    _check_charset(call.charset)
    in_form = call.format in (Format.FORM, Format.QUERY)
    if call.fields and not call.operation and not in_form:
        raise ValueError("format: fields need form or query")
    if call.body and (call.operation or in_form):
        raise ValueError("body: fields make up the request here, without a body")
    if call.method == "GET" and (call.body or (call.fields and call.format is Format.FORM)):
        raise ValueError("method: GET has no body; fields go into the address with format query")


def _check_charset(charset: str) -> None:
    try:
        codecs.lookup(charset)
    except LookupError:
        raise ValueError(f"charset: {charset!r} is unknown") from None


def _check_address(url: str) -> None:
    if url and not url.startswith(("http://", "https://")):
        raise ValueError("url: it must begin with http:// or https://")
    if url and "${" in url.split("://", 1)[1].partition("/")[0]:
        raise ValueError("url: the host is not to be filled in")


def _open_path(template: str) -> str:
    """The path as it is written in the configuration; what is no word there may be a secret."""
    segments = urlsplit(template).path.split("/")
    return "/".join(each if _WORD.fullmatch(each) else "****" for each in segments)


def _octets(text: str, call: Call) -> bytes:
    if call.format is Format.XML:
        # What the charset lacks goes as a character reference.
        return text.encode(call.charset, "xmlcharrefreplace")
    return text.encode(call.charset)
