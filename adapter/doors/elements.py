"""Models of the contract as XML elements: read and checked in one pass, written in one.

Spyne can do both, but it looks every member up anew for every element, and it lets unknown
elements and odd booleans pass. Here each model is compiled once into a shape, and a shape
reads or writes without further questions. What old toolkits send is taken kindly (any order,
unqualified children, `xsi:type`, `xsi:nil`, an empty element for an absent one); what could
only be a mistake is refused with the name of the field.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lxml import etree

from adapter.contract import NS
from adapter.domain.errors import Code, Refusal
from adapter.spyne_compat import Array, Boolean, ComplexModelBase, DateTime, Integer32

DEFAULT_NS: Any = {None: NS}
"""Namespace map of a document of our own; lxml's stubs know only named prefixes."""
_PREFIX = f"{{{NS}}}"
_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)?", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d{1,12}", re.ASCII)
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
# XML 1.0 has no way to write these; texts from phones have them.
_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# A name given back to the caller: short, and no number in disguise.
_SHOWABLE = re.compile(r"(?!.*\d{5})[A-Za-z_][A-Za-z0-9_.-]{0,39}", re.ASCII)


def local(element: etree._Element) -> str:
    """Local name of an element."""
    return element.tag.rpartition("}")[2]


def shown(element: etree._Element) -> str:
    """Local name of an element that the caller made up, fit for a description."""
    name = local(element)
    return name if _SHOWABLE.fullmatch(name) else "?"


def path_of(element: etree._Element) -> str:
    """The field as the caller wrote it: `recipients[3].mobile`, items counted from 1."""
    parts: list[str] = []
    node = element
    while (parent := node.getparent()) is not None and local(parent) not in ("Body", "Header"):
        listed = local(parent)[:1].islower() and local(parent) != "request"
        parts.append(f"[{parent.index(node) + 1}]" if listed else f".{shown(node)}")
        node = parent
    return "".join(reversed(parts)).removeprefix(".").removeprefix("request.")


def _bad(element: etree._Element, problem: str) -> Refusal:
    path = path_of(element)
    return Refusal(Code.BAD_REQUEST, f"{path or shown(element)}: {problem}", path)


def _boolean(text: str) -> bool:
    try:
        return _BOOLEANS[text.strip()]
    except KeyError:
        raise ValueError("must be true or false") from None


def _moment(text: str) -> datetime:
    text = text.strip()
    try:
        if _MOMENT.fullmatch(text):
            return datetime.fromisoformat(text)
    except ValueError:
        pass
    raise ValueError("must be a date and time such as 2026-03-01T14:30:00+08:00")


def _number(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        text = text.strip()
        if _NUMBER.fullmatch(text) and least <= int(text) <= most:
            return int(text)
        raise ValueError(f"must be a whole number from {least} to {most}")

    return read


def _word(values: frozenset[str]) -> Callable[[str], str]:
    def read(text: str) -> str:
        text = text.strip()
        if text in values:
            return text
        raise ValueError(f"must be one of: {', '.join(sorted(values))}")

    return read


def _text(limit: float) -> Callable[[str], str]:
    def read(text: str) -> str:
        if len(text) > limit:
            raise ValueError(f"must have at most {int(limit)} characters")
        return text

    return read


def _reader(model: Any) -> Callable[[str], Any]:
    """How to read the text of an element of this simple type; raises ValueError."""
    attributes = model.Attributes
    if issubclass(model, Boolean):
        return _boolean
    if issubclass(model, DateTime):
        return _moment
    if issubclass(model, Integer32):
        return _number(
            max(-(2**31), int(max(attributes.ge, -(2**31)))),
            min(2**31 - 1, int(min(attributes.le, 2**31 - 1))),
        )
    if attributes.values:
        return _word(frozenset(attributes.values))
    return _text(attributes.max_len)


def _writer(model: Any) -> Callable[[Any], str]:
    """How to write a value of this simple type."""
    if issubclass(model, Boolean):
        return lambda value: "true" if value else "false"
    if issubclass(model, DateTime):
        return lambda value: value.isoformat(timespec="milliseconds")
    return str


@dataclass(slots=True)
class _Member:
    """A member of a shape. Exactly one of `read` (a text) and `inner` (elements) is there."""

    name: str
    tag: str
    required: bool
    read: Callable[[str], Any] | None
    write: Callable[[Any], str]
    inner: _Shape | None
    many: int = 0
    """Most items of a wrapped list; 0 for no list."""


@dataclass(slots=True)
class _Shape:
    """A model, or the item of a list, made ready to read and write."""

    make: Any
    members: list[_Member] = field(default_factory=list)
    by_tag: dict[str, _Member] = field(default_factory=dict)
    blank: dict[str, None] = field(default_factory=dict)
    required: list[str] = field(default_factory=list)

    def add(self, member: _Member) -> None:
        self.members.append(member)
        # Hand-made envelopes often leave the namespace of the children out.
        self.by_tag[member.tag] = self.by_tag[member.name] = member
        self.blank[member.name] = None
        if member.required:
            self.required.append(member.name)


class Elements:
    """Reads and writes the models of the contract. Safe to share between threads once the
    models have been prepared."""

    def __init__(self) -> None:
        self._shapes: dict[Any, _Shape] = {}

    def prepare(self, model: Any) -> _Shape:
        """Compile a model and all that it holds."""
        shape = self._shapes.get(model)
        if shape is None:
            shape = self._shapes[model] = _Shape(model.__orig__ or model)
            for name, kind in model.get_flat_type_info(model).items():
                shape.add(self._member(name, kind))
        return shape

    def _member(self, name: str, kind: Any) -> _Member:
        required = kind.Attributes.min_occurs > 0
        tag = _PREFIX + name
        if issubclass(kind, Array):
            ((item_name, item),) = kind._type_info.items()
            items = _Shape(list)
            items.add(self._member(item_name, item))
            most = kind.Attributes.max_items
            return _Member(name, tag, required, None, str, items, most)
        if issubclass(kind, ComplexModelBase):
            return _Member(name, tag, required, None, str, self.prepare(kind))
        return _Member(name, tag, required, _reader(kind), _writer(kind), None)

    def arguments(self, model: Any, element: etree._Element) -> list[Any]:
        """The arguments of an operation, in order; None for those not given."""
        shape = self._shapes[model]
        if not shape.members:
            # <Ping><request/></Ping>: the common form of an operation, with nothing in it.
            if len(element) and not (
                len(element) == 1 and local(element[0]) == "request" and not len(element[0])
            ):
                raise _bad(element[0], "unknown element")
            return []
        values = self._values(shape, element)
        for member in shape.members:
            if member.inner is not None and values[member.name] is None:
                raise Refusal(
                    Code.BAD_REQUEST, f"the element {member.name} is missing", member.name
                )
        return [values[member.name] for member in shape.members]

    def read(self, model: Any, element: etree._Element) -> Any:
        """The model that an element holds. Raises Refusal(BAD_REQUEST)."""
        return self._read(self._shapes[model], element)

    def _read(self, shape: _Shape, element: etree._Element) -> Any:
        values = self._values(shape, element)
        for name in shape.required:
            if values[name] is None:
                missing = f"{path_of(element)}.{name}".removeprefix("request").lstrip(".")
                raise Refusal(Code.BAD_REQUEST, f"{missing} is missing", missing)
        made = shape.make.__new__(shape.make)
        made.__dict__.update(values)
        return made

    def _values(self, shape: _Shape, element: etree._Element) -> dict[str, Any]:
        if element.text and not element.text.isspace():
            raise _bad(element, "holds text where elements are expected")
        values: dict[str, Any] = dict(shape.blank)
        by_tag = shape.by_tag
        for child in element:
            member = by_tag.get(child.tag)
            if member is None:
                raise self._unknown(shape, child)
            if values[member.name] is not None:
                raise _bad(child, "is given twice")
            if member.read is not None:
                values[member.name] = self._leaf(member, child)
            elif member.many:
                values[member.name] = self._items(member, child)
            elif member.inner is not None and child.get(_NIL) not in ("true", "1"):
                values[member.name] = self._read(member.inner, child)
        return values

    def _leaf(self, member: _Member, element: etree._Element) -> Any:
        if len(element):
            raise _bad(element, "holds elements where a text is expected")
        text = element.text
        if not text or element.get(_NIL) in ("true", "1"):
            return "" if member.required else None
        try:
            return member.read(text)  # type: ignore[misc]
        except ValueError as error:
            raise _bad(element, str(error)) from None

    def _items(self, member: _Member, element: etree._Element) -> list[Any] | None:
        items = member.inner
        assert items is not None
        (item,) = items.members
        if len(element) > member.many:
            raise _bad(element, f"has more than {member.many} items")
        if element.text and not element.text.isspace():
            raise _bad(element, "holds text where elements are expected")
        by_tag, inner = items.by_tag, item.inner
        read: list[Any] = []
        for child in element:
            if child.tag not in by_tag:
                raise self._unknown(items, child)
            if inner is not None:
                read.append(self._read(inner, child))
            elif (value := self._leaf(item, child)) is not None:
                read.append(value)
        return read or None

    def _unknown(self, shape: _Shape, element: etree._Element) -> Refusal:
        name = local(element)
        if name in shape.blank:
            return _bad(element, f"is in a wrong namespace, not {NS}")
        known = ", ".join(shape.blank)
        return _bad(element, f"unknown element; here may stand: {known}")

    def fill(self, model: Any, values: Mapping[str, Any], element: etree._Element) -> None:
        """Append the members of a model. Absent ones are left out, empty ones if they may."""
        for member in self._shapes[model].members:
            self._append(member, values.get(member.name), element)

    def _append(self, member: _Member, value: Any, element: etree._Element) -> None:
        if value is None:
            return
        if member.inner is None:
            if value != "" or member.required:
                write_text(etree.SubElement(element, member.tag), member.write(value))
        elif member.many:
            self._write_items(member.inner.members[0], value, element, member.tag)
        else:
            self._write(member.inner, value, etree.SubElement(element, member.tag))

    def _write(self, shape: _Shape, value: Any, element: etree._Element) -> None:
        for member in shape.members:
            self._append(member, getattr(value, member.name, None), element)

    def _write_items(self, item: _Member, values: Any, parent: etree._Element, tag: str) -> None:
        element = etree.SubElement(parent, tag)
        for value in values:
            child = etree.SubElement(element, item.tag)
            if item.inner is not None:
                self._write(item.inner, value, child)
            else:
                write_text(child, item.write(value))


def write_text(element: etree._Element, text: str) -> None:
    """Set the text of an element; what XML cannot hold becomes a space."""
    try:
        element.text = text
    except ValueError:
        element.text = _UNWRITABLE.sub(" ", text)
