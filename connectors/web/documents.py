"""Reading what a provider says: JSON, XML, forms and plain text, by paths.

Nothing here trusts its input: XML is read without DTD, entities and network, and a document
that cannot be read raises UnreadableError, whatever is wrong with it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import jmespath
from jmespath.exceptions import JMESPathError
from lxml import etree

from connectors.web.settings import Format

Select = Callable[[Any], list[Any] | None]
"""Finds nodes from a node; None where there is no such place, which only JSON tells from an
empty one."""


class UnreadableError(Exception):
    """A document is not what it should be. The message holds nothing of its content."""


def compile_path(format_: Format, path: str) -> Select:
    """Raises ValueError that says what is wrong with the path; an empty one finds nothing."""
    if not path:
        return lambda _node: None
    return _COMPILERS[format_](path)


def path_of(name: str, format_: Format, path: str) -> Select:
    """Raises ValueError that names the attribute."""
    try:
        return compile_path(format_, path)
    except ValueError as e:
        raise ValueError(f"{name}: {e}") from None


class Opening:
    """How a body becomes a document: what it is written in and, with `inside`, where in an XML
    document its text stands. Raises ValueError for a path that is none."""

    def __init__(self, format_: Format, charset: str, inside: str) -> None:
        self._format = format_
        self._charset = charset
        self._inside = path_of("inside", Format.XML, inside) if inside else None

    def document(self, octets: bytes) -> Any:
        """Raises UnreadableError."""
        if self._inside is None:
            return read(octets, self._format, self._charset)
        return read(unwrap(octets, self._inside, self._charset), self._format, "utf-8")


def read(octets: bytes, format_: Format, charset: str = "") -> Any:
    """The document's outermost node. Raises UnreadableError."""
    try:
        return _PARSERS[format_](octets, charset)
    except UnreadableError:
        raise
    except (ValueError, LookupError, RecursionError, etree.XMLSyntaxError):
        raise UnreadableError(f"the answer is not {_NAMES[format_]}") from None


def unwrap(octets: bytes, inside: Select, charset: str = "") -> bytes:
    """The text within an XML document, as UTF-8. Raises UnreadableError."""
    found = nodes(inside, read(octets, Format.XML, charset))
    if not found:
        raise UnreadableError("the answer has no text where `inside` looks for it")
    return _unmarked(text_of(found[0]).strip()).encode()


def nodes(select: Select, node: Any) -> list[Any] | None:
    """What a path finds; None where there is no such place. Raises UnreadableError where the
    document does not suit it."""
    try:
        return select(node)
    except (JMESPathError, etree.XPathError, TypeError, ValueError, RecursionError):
        raise UnreadableError("the answer does not have the expected form") from None


def first(select: Select, node: Any) -> str:
    """The text that a path finds first, without white space around it; empty if none."""
    found = nodes(select, node)
    return text_of(found[0]).strip() if found else ""


def text_of(node: Any) -> str:
    """A node as text."""
    if isinstance(node, etree._Element):
        return "".join(str(part) for part in node.itertext())
    if node is None:
        return ""
    if isinstance(node, bool):
        return "true" if node else "false"
    if isinstance(node, float) and node.is_integer():
        return str(int(node))
    return str(node) if isinstance(node, (str, int, float)) else json.dumps(node)


def _listed(found: Any) -> list[Any] | None:
    if found is None:
        return None
    return list(found) if isinstance(found, list) else [found]


def _json_path(path: str) -> Select:
    try:
        search = jmespath.compile(path).search
    except JMESPathError as e:
        raise ValueError(f"{path!r} is no JMESPath: {_one_line(e)}") from None
    return lambda node: _listed(search(node))


def _xml_path(path: str) -> Select:
    if re.search(r"[\w\-]:[A-Za-z_]", re.sub(r"[\w\-]+::|'[^']*'|\"[^\"]*\"", "", path)):
        raise ValueError(f"{path!r} has a prefix: write names without, namespaces are taken off")
    try:
        find = etree.XPath(path)
    except etree.XPathSyntaxError as e:
        raise ValueError(f"{path!r} is no XPath: {_one_line(e)}") from None
    return lambda node: _listed(find(node)) or None


def _form_path(path: str) -> Select:
    return lambda node: node.get(path)


def _text_path(path: str) -> Select:
    try:
        pattern = re.compile(path)
    except re.error as e:
        raise ValueError(f"{path!r} is no regular expression: {e}") from None
    group = 1 if pattern.groups else 0
    return lambda node: [found.group(group) or "" for found in pattern.finditer(node)] or None


def _one_line(error: Exception) -> str:
    return str(error).splitlines()[0]


def _parse_json(octets: bytes, charset: str) -> Any:
    # Without a charset json finds out which Unicode it is.
    return json.loads(_unmarked(octets.decode(charset)) if charset else octets)


def _parse_xml(octets: bytes, charset: str) -> Any:
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        encoding=charset or None,
    )
    # A document within a text (`inside`) still names the encoding that it once had.
    root = etree.fromstring(octets, parser)
    if root.getroottree().docinfo.internalDTD is not None:
        raise UnreadableError("the answer has a DTD")
    for element in root.iter(etree.Element):
        element.tag = etree.QName(element).localname
    return root


def _parse_form(octets: bytes, charset: str) -> Any:
    return parse_qs(
        octets.decode("ascii"),
        keep_blank_values=True,
        encoding=charset or "utf-8",
        errors="strict",
        max_num_fields=10_000,
    )


def _parse_text(octets: bytes, charset: str) -> Any:
    return _unmarked(octets.decode(charset or "utf-8"))


def _unmarked(text: str) -> str:
    """Without the byte order mark that some toolkits begin with."""
    return text.removeprefix("\ufeff")


_COMPILERS: dict[Format, Callable[[str], Select]] = {
    Format.JSON: _json_path,
    Format.XML: _xml_path,
    Format.FORM: _form_path,
    Format.QUERY: _form_path,
    Format.TEXT: _text_path,
}
_PARSERS: dict[Format, Callable[[bytes, str], Any]] = {
    Format.JSON: _parse_json,
    Format.XML: _parse_xml,
    Format.FORM: _parse_form,
    Format.QUERY: _parse_form,
    Format.TEXT: _parse_text,
}
_NAMES = {
    Format.JSON: "JSON",
    Format.XML: "XML",
    Format.FORM: "a form",
    Format.QUERY: "a form",
    Format.TEXT: "text in its charset",
}
