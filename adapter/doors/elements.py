"""Models of the contract as XML elements: read and checked in one pass, written in one.

What old toolkits send is taken kindly (any order, unqualified children, `xsi:type`, `xsi:nil`, an
empty element for an absent one); what could only be a mistake is refused with the name of the
field.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lxml import etree

from adapter.contract import NS
from adapter.domain.errors import Code, Refusal
from adapter.doors.giving_way import giving_way
from adapter.doors.shapes import UNWRITABLE, Member, Shape, Shapes

DEFAULT_NS: Any = {None: NS}
"""Namespace map of a document of our own; lxml's stubs know only named prefixes."""
_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
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


class Elements:
    """Reads and writes the models of the contract. Safe to share between threads."""

    def __init__(self, shapes: Shapes) -> None:
        self._shapes = shapes

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

    def _read(self, shape: Shape, element: etree._Element) -> Any:
        values = self._values(shape, element)
        for name in shape.required:
            if values[name] is None:
                missing = f"{path_of(element)}.{name}".removeprefix("request").lstrip(".")
                raise Refusal(Code.BAD_REQUEST, f"{missing} is missing", missing)
        made = shape.make.__new__(shape.make)
        made.__dict__.update(values)
        return made

    def _values(self, shape: Shape, element: etree._Element) -> dict[str, Any]:
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

    def _leaf(self, member: Member, element: etree._Element) -> Any:
        if len(element):
            raise _bad(element, "holds elements where a text is expected")
        text = element.text
        if not text or element.get(_NIL) in ("true", "1"):
            return "" if member.required else None
        try:
            return member.read(text)  # type: ignore[misc]
        except ValueError as error:
            raise _bad(element, str(error)) from None

    def _items(self, member: Member, element: etree._Element) -> list[Any] | None:
        items = member.inner
        assert items is not None
        (item,) = items.members
        if len(element) > member.many:
            raise _bad(element, f"has more than {member.many} items")
        if element.text and not element.text.isspace():
            raise _bad(element, "holds text where elements are expected")
        by_tag, inner = items.by_tag, item.inner
        read: list[Any] = []
        for child in giving_way(element):
            if child.tag not in by_tag:
                raise self._unknown(items, child)
            if inner is not None:
                read.append(self._read(inner, child))
            elif (value := self._leaf(item, child)) is not None:
                read.append(value)
        return read or None

    def _unknown(self, shape: Shape, element: etree._Element) -> Refusal:
        name = local(element)
        if name in shape.blank:
            return _bad(element, f"is in a wrong namespace, not {NS}")
        known = ", ".join(shape.blank)
        return _bad(element, f"unknown element; here may stand: {known}")

    def fill(self, model: Any, values: Mapping[str, Any], element: etree._Element) -> None:
        """Append the members of a model. Absent ones are left out, empty ones if they may."""
        for member in self._shapes[model].members:
            self._append(member, values.get(member.name), element)

    def _append(self, member: Member, value: Any, element: etree._Element) -> None:
        if value is None:
            return
        if member.inner is None:
            if value != "" or member.required:
                write_text(etree.SubElement(element, member.tag), member.write(value))
        elif member.many:
            self._write_items(member.inner.members[0], value, element, member.tag)
        else:
            self._write(member.inner, value, etree.SubElement(element, member.tag))

    def _write(self, shape: Shape, value: Any, element: etree._Element) -> None:
        for member in shape.members:
            self._append(member, getattr(value, member.name, None), element)

    def _write_items(self, item: Member, values: Any, parent: etree._Element, tag: str) -> None:
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
        element.text = UNWRITABLE.sub(" ", text)
