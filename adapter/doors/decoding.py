"""From the bytes of a request to a tree, for clients that say one encoding and send another.

Promises: no DTD, no entity, no external resource, no NUL; a document has bounded depth
(libxml2's own limit, 256 levels) and a bounded number of nodes. Whatever cannot be read is
a Refusal(BAD_REQUEST) with line and column, never another exception.

Limits: a single text of more than 10 MB is refused by libxml2.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from lxml import etree

from adapter.domain.errors import Code, Refusal

_DECLARATION = re.compile(r"\s*<\?xml\s[^>]*\?>")
_DECLARED = re.compile(rb"""^\s*<\?xml\s[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# The labels that we know, by the codec that reads them. Python knows others, some of which take
# quadratic time (punycode), decode escapes, or hide what they hold (utf-7); and it remembers
# every label that it was ever asked for. A GB2312 or GBK label often stands on text with
# characters of the larger set.
_LABELS = {
    "utf-8": ("utf-8", "utf8"),
    "utf-16": ("utf-16", "utf16", "ucs-2", "iso-10646-ucs-2"),
    "utf-16-le": ("utf-16le", "utf-16-le"),
    "utf-16-be": ("utf-16be", "utf-16-be"),
    "gb18030": ("gb18030", "gbk", "x-gbk", "cp936", "ms936", "windows-936", "gb2312", "euc-cn"),
    "big5": ("big5", "cp950"),
    "ascii": ("us-ascii", "ascii"),
    "latin-1": ("iso-8859-1", "iso8859-1", "latin-1", "latin1"),
    "cp1252": ("windows-1252", "cp1252"),
    "iso8859-15": ("iso-8859-15", "iso8859-15"),
}
_CODECS = {label: codec for codec, labels in _LABELS.items() for label in labels}
# Labels that toolkits put on without knowing: any octets can be read with them.
_VAGUE = frozenset({"ascii", "latin-1", "cp1252", "iso8859-15"})
# Begins a character of three octets in UTF-8, as all of Chinese are.
_THREE_OCTETS = re.compile(rb"[\xe1-\xef]")

# A node takes a hundred octets or more of memory and three of the request: 20 MB of `<a/>`
# would take half a gigabyte. The longest honest request stays well beneath.
MAX_NODES = 1_000_000
_COUNT_FROM = 100_000


def _codec(label: str | None) -> str | None:
    return _CODECS.get((label or "").lower().replace("_", "-"))


def _candidates(body: bytes, charset: str | None) -> Iterator[str]:
    for bom, name in _BOMS:
        if body.startswith(bom):
            yield name
    declared = _DECLARED.match(body[:200])
    named = [_codec(charset), _codec(declared[1].decode("ascii") if declared else None)]
    if "gb18030" in named and _THREE_OCTETS.search(body):
        # Chinese in UTF-8 reads as GB18030, too, only wrongly. The other way round it does not:
        # of GB18030 no more than single characters pass as UTF-8, and those with two octets.
        yield "utf-8"
    yield from (name for name in named if name and name not in _VAGUE)
    yield "utf-8"
    yield "gb18030"
    yield from (name for name in named if name in _VAGUE)


def decode(body: bytes, charset: str | None = None, opens: tuple[str, ...] = ("<",)) -> str:
    """The text of a document, with the first encoding that makes one of it: `opens` are the
    characters it may begin with.

    In turn: byte order mark, `charset` of the HTTP header, XML declaration, UTF-8, GB18030; before
    a label that says GB18030, UTF-8 where it can be nothing else.
    Raises Refusal(BAD_REQUEST).
    """
    for name in _candidates(body, charset):
        try:
            text = body.decode(name)
        except UnicodeDecodeError:
            continue
        # Octets of UTF-8 also pass as UTF-16, but then no document begins.
        if text.lstrip("\ufeff \t\r\n").startswith(opens):
            return text
    if not body.strip():
        raise Refusal(Code.BAD_REQUEST, "the request is empty")
    raise Refusal(Code.BAD_REQUEST, "the request is no document in a known encoding")


def _has_doctype(text: str) -> bool:
    """Whether a DOCTYPE stands before the first element."""
    at = 0
    while (at := text.find("<", at)) >= 0:
        if text.startswith("<!--", at):
            at = text.find("-->", at)
        elif text.startswith("<?", at):
            at = text.find("?>", at)
        else:
            return text.startswith("<!", at)
        if at < 0:
            return False
    return False


def parse(text: str) -> etree._Element:
    """The root element of a document given as text."""
    text = text.lstrip("\ufeff")
    if "\x00" in text:
        raise Refusal(Code.BAD_REQUEST, "the request holds a NUL character")
    if _has_doctype(text):
        raise Refusal(Code.BAD_REQUEST, "a document type declaration (DTD) is not allowed")
    if len(text) > _COUNT_FROM and (
        text.count("<") + text.count('="') + text.count("='") > MAX_NODES
    ):
        raise Refusal(Code.BAD_REQUEST, "the request has too many elements")
    declaration = _DECLARATION.match(text)
    octets = text[declaration.end() if declaration else 0 :].encode("utf-8", "replace")
    # A parser of our own for each request: neither shared by threads nor changed by others.
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        remove_comments=True,
        remove_pis=True,
        huge_tree=False,
    )
    try:
        root = etree.fromstring(octets, parser)
    except etree.XMLSyntaxError as error:
        line, column = error.position
        raise Refusal(
            Code.BAD_REQUEST, f"the request is not well-formed XML: line {line}, column {column}"
        ) from None
    if root is None or root.getroottree().docinfo.internalDTD is not None:
        raise Refusal(Code.BAD_REQUEST, "the request is no XML document")
    return root
