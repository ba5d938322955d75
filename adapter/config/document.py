"""Reading adapter.xml: a hardened parser, xi:include, and where everything stands.

Owns the way from files to one tree. It promises that every element of the tree has a
`Place`, so that a fault is reported in the file and on the line where an administrator finds
it, to the line of the attribute. libxml2 knows only the line on which a start tag ends,
therefore each file is run through expat too, for places alone.

What is refused: a DTD (and with it every entity), a file of more than 4 MB, elements deeper than
32, includes deeper than 8 or in a circle, more than 200 included files, and an include of
anything but a whole local XML file. Nothing is ever fetched.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from lxml import etree

from adapter.config.faults import Fault

NAMESPACE = "urn:his-sms:config:1"
MAX_OCTETS = 4_000_000
MAX_DEPTH = 32
MAX_INCLUDE_DEPTH = 8
MAX_INCLUDES = 200

_INCLUDE = "{http://www.w3.org/2001/XInclude}include"
_TAG = re.compile(rb"<[^\s/>]+")
_ATTRIBUTE = re.compile(rb"""\s+([^\s=]+)\s*=\s*("[^"]*"|'[^']*')""")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]+:")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a start tag begins, and where each of its attributes does."""

    file: Path
    line: int
    attributes: dict[str, int] = field(default_factory=dict)


class Document:
    """One tree out of several files; `root` is None when the main file could not be read.

    `complete` is False when an include could not be followed: names may be missing then.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.complete = True
        self.faults: list[Fault] = []
        # lxml gives an element the same identity only as long as somebody holds it: this does.
        self._places: dict[etree._Element, Place] = {}
        self._includes = 0
        self.root = self._read(path, (), Place(path, 1))

    @property
    def files(self) -> list[Path]:
        """The files that were read, the main one first."""
        return list(dict.fromkeys(place.file for place in self._places.values()))

    def fault(
        self,
        element: etree._Element,
        message: str,
        attribute: str = "",
        *,
        warning: bool = False,
    ) -> None:
        """Note a fault at an element, or at the line of one of its attributes."""
        place = self._places[element]
        line = place.attributes.get(attribute, place.line)
        self.faults.append(Fault(place.file, line, message, warning))

    def _read(self, path: Path, chain: tuple[Path, ...], asked: Place) -> etree._Element | None:
        """The tree of a file with its includes; None with a fault noted where it was `asked`."""
        try:
            octets = _octets(path)
            root = _parse(octets)
            self._places.update(_places(path, root, octets))
        except etree.XMLSyntaxError as e:
            self.faults.append(Fault(path, e.lineno or 1, _syntax(e)))
        except _UnreadableError as e:
            self.faults.append(Fault(asked.file, asked.line, f"{path}: {e}"))
        except _RefusedError as e:
            self.faults.append(Fault(path, e.line, str(e)))
        else:
            self._include(root, (*chain, path.resolve()))
            return root
        return None

    def _include(self, root: etree._Element, chain: tuple[Path, ...]) -> None:
        for element in list(root.iter(_INCLUDE)):
            included = self._included(element, chain)
            parent = element.getparent()
            if included is None:
                self.complete = False
                # What stands in its place could only be told about twice.
                included = etree.Comment("not included")
            if parent is not None:
                included.tail = element.tail
                parent.replace(element, included)

    def _included(self, element: etree._Element, chain: tuple[Path, ...]) -> etree._Element | None:
        path = self._target(element, chain)
        if path is None:
            return None
        self._includes += 1
        return self._read(path, chain, self._places[element])

    def _target(self, element: etree._Element, chain: tuple[Path, ...]) -> Path | None:
        href = element.get("href", "")
        path = self._places[element].file.parent / href
        if set(element.attrib) - {"href", "parse"} or element.get("parse", "xml") != "xml":
            wrong = "xi:include takes href only, the name of a local XML file"
        elif len(element):
            wrong = "xi:include must be empty: a file that may be missing is not supported"
        elif not href:
            wrong = 'xi:include needs href="FILE"'
        elif _is_remote(href):
            wrong = f"{href}: only local files can be included, not an address"
        elif element.getparent() is None:
            wrong = "xi:include cannot be the outermost element of a file"
        elif path.resolve() in chain:
            wrong = f"{href} includes itself: " + " -> ".join(p.name for p in (*chain, path))
        elif len(chain) > MAX_INCLUDE_DEPTH:
            wrong = f"{href}: includes are nested deeper than {MAX_INCLUDE_DEPTH}"
        elif self._includes >= MAX_INCLUDES:
            wrong = f"{href}: more than {MAX_INCLUDES} files are included"
        else:
            return path
        self.fault(element, wrong, "href")
        return None


class _UnreadableError(Exception):
    """A file cannot be read at all."""


class _RefusedError(Exception):
    """A file holds what a configuration may not hold."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


def _is_remote(href: str) -> bool:
    """`http:...`, `file:...`, `//host/...` and UNC names; a drive letter is not a scheme."""
    return bool(_SCHEME.match(href)) or href.replace("\\", "/").startswith("//")


def _octets(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            octets = file.read(MAX_OCTETS + 1)
    except (OSError, ValueError) as e:
        reason = (e.strerror if isinstance(e, OSError) else "") or "not a file name"
        raise _UnreadableError(f"the file cannot be read: {reason}") from None
    if len(octets) > MAX_OCTETS:
        raise _UnreadableError(f"the file is longer than {MAX_OCTETS} octets")
    return octets


def _parse(octets: bytes) -> etree._Element:
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
    )
    root = etree.fromstring(octets, parser)
    if root.getroottree().docinfo.internalDTD is not None:
        line = octets[: octets.find(b"<!DOCTYPE")].count(b"\n") + 1
        raise _RefusedError(line, "<!DOCTYPE> and entities are not allowed")
    depth = 0
    for event, element in etree.iterwalk(root, events=("start", "end")):
        depth += 1 if event == "start" else -1
        if depth > MAX_DEPTH:
            raise _RefusedError(
                element.sourceline or 1, f"elements are nested deeper than {MAX_DEPTH}"
            )
    return root


def _places(path: Path, root: etree._Element, octets: bytes) -> dict[etree._Element, Place]:
    """Expat and lxml meet the elements of a file in the same order."""
    encoding = root.getroottree().docinfo.encoding or "utf-8"
    try:
        data = octets.decode(encoding, "replace").encode()
    except LookupError:
        raise _RefusedError(1, f"the encoding {encoding} is not known: use UTF-8") from None
    found: list[Place] = []
    parser = expat.ParserCreate("utf-8")

    def start(_name: str, _attributes: dict[str, str]) -> None:
        line = parser.CurrentLineNumber
        found.append(Place(path, line, _attribute_lines(data, parser.CurrentByteIndex, line)))

    parser.StartElementHandler = start
    try:
        parser.Parse(data, True)
    except expat.ExpatError as e:
        # Names with full-width digits or signs: new in the fifth edition of XML, expat has the
        # fourth, and a name of ours never holds them.
        reason = expat.ErrorString(e.code)
        raise _RefusedError(e.lineno, f"not well-formed XML: {reason}") from None
    return dict(zip(root.iter(etree.Element), found, strict=True))


def _attribute_lines(data: bytes, begin: int, line: int) -> dict[str, int]:
    tag = _TAG.match(data, begin)
    at = tag.end() if tag else begin
    lines = {}
    while attribute := _ATTRIBUTE.match(data, at):
        name = attribute[1].decode()
        lines[name] = line + data.count(b"\n", begin, attribute.start(1))
        at = attribute.end()
    return lines


def _syntax(error: etree.XMLSyntaxError) -> str:
    text = (error.msg or "").split(", line ")[0].strip()
    if "not proper UTF-8" in text or "encoding" in text.lower():
        text = (
            "the file is not in the encoding that it names: save it as UTF-8,"
            ' or name the encoding in its first line: <?xml version="1.0" encoding="GBK"?>'
        )
    elif text.startswith("Document is empty"):
        text = "the file is empty"
    return f"not well-formed XML: {text}"
