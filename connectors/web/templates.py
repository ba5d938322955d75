"""Templates: `${name}` replaced by a value, escaped for the format around it.

url, form, query    percent-encoded in the call's charset
json                as within a JSON string
xml                 as within XML text or an attribute
header              without control characters
text                as it is
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from urllib.parse import quote_plus

PLACE = re.compile(r"\$\{(\w+)\}")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff\ud800-\udfff]")
_IN_HEADER = re.compile(r"[\x00-\x1f\x7f]+")
_XML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;"})

Escape = Callable[[str], str]


class Template:
    """Raises ValueError for a place that is none or that nobody fills."""

    def __init__(self, text: str, known: Collection[str], escape: Escape) -> None:
        if "${" in PLACE.sub("", text):
            raise ValueError("a place to fill in is written ${name}")
        pieces = PLACE.split(text)
        self._pieces, self._names = pieces[::2], pieces[1::2]
        self._escape = escape
        for name in self._names:
            if name not in known:
                raise ValueError(f"nothing fills ${{{name}}}; known: {', '.join(sorted(known))}")

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self._names)

    def fill(self, values: Mapping[str, str], raw: Collection[str] = ()) -> str:
        """The text with its values; those named in `raw` are put in as they are."""
        filled = [self._pieces[0]]
        for name, piece in zip(self._names, self._pieces[1:], strict=True):
            value = values[name]
            filled += (value if name in raw else self._escape(value), piece)
        return "".join(filled)


def as_it_is(value: str) -> str:
    return value


def in_json(value: str) -> str:
    return json.dumps(value.encode("utf-8", "replace").decode(), ensure_ascii=False)[1:-1]


def in_xml(value: str) -> str:
    return _CONTROL.sub("?", value).translate(_XML)


def in_header(value: str) -> str:
    return _IN_HEADER.sub(" ", value)


def in_address(charset: str) -> Escape:
    """Percent-encoding; raises UnicodeEncodeError for what the charset does not have."""

    def escape(value: str) -> str:
        return quote_plus(value, encoding=charset, errors="strict")

    return escape
