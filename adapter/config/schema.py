"""Holding a tree against `xsd/config.xsd`, and saying what is wrong in an administrator's words.

xmlschema finds the elements with faults; what is told about each is worked out here from the
schema itself: the names allowed there, and the description that every simple type of the
schema carries ("a whole number from 1 to 65535").
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any

from lxml import etree
from xmlschema import XMLSchema10
from xmlschema.validators import XsdAttribute, XsdElement, XsdList

from adapter.config.document import NAMESPACE, Document
from adapter.config.references import Hidden
from adapter.files import published

_ENGLISH = "{http://www.w3.org/XML/1998/namespace}lang"
_INSTANCE = "{http://www.w3.org/2001/XMLSchema-instance}"
_Told = tuple[etree._Element, str, str]
"""Where, at which attribute (or ""), and what."""

_NEVER_SHOWN = frozenset(
    {"password", "secret", "key", "hash", "url", "cmpp-secret", "cmpp-secret-old"}
)


@cache
def schema() -> XMLSchema10:
    """The schema of a configuration."""
    return XMLSchema10(str(published("xsd/config.xsd")))


def validate(document: Document, hidden: Hidden) -> None:
    """Note every fault against the schema."""
    root = document.root
    if root is None:
        return
    if root.tag != f"{{{NAMESPACE}}}adapter":
        document.fault(root, f'the outermost element must be <adapter xmlns="{NAMESPACE}">')
        return
    told: set[tuple[etree._Element, str]] = set()
    for error in schema().iter_errors(root, use_location_hints=False):
        element: Any = error.elem
        if not isinstance(element, etree._Element):
            continue
        for place, attribute, message in _explain(element, str(error.reason), hidden):
            if (place, message) not in told:
                told.add((place, message))
                document.fault(place, message, attribute)


def describe(component: Any) -> str:
    """The English documentation of a part of the schema, empty if it has none."""
    annotation = component.annotation
    for text in annotation.documentation if annotation is not None else ():
        if text.get(_ENGLISH) == "en":
            return (text.text or "").strip()
    return ""


def _explain(element: etree._Element, reason: str, hidden: Hidden) -> list[_Told]:
    """All that is wrong with an element and the names of its children."""
    declared = _declaration(element)
    faults: list[_Told] = []
    if declared is not None:
        faults.extend(_attribute_faults(element, declared, hidden))
        faults.extend(_child_faults(element, declared))
        faults.extend((element, "", message) for message in _text_faults(element, declared))
    if not faults and not any(owner is element for owner, _ in hidden.failed):
        faults.append((element, "", f"<{_local(element)}>: {reason}"))
    return faults


def _declaration(element: etree._Element) -> XsdElement | None:
    """The declaration of an element by its way from the root."""
    way = [element, *element.iterancestors()]
    declared: XsdElement | None = schema().elements.get("adapter")
    for step in reversed(way[:-1]):
        if declared is None:
            return None
        declared = _children(declared).get(str(step.tag))
    return declared


def _children(declared: XsdElement) -> dict[str, XsdElement]:
    group = declared.type.model_group
    if group is None:
        return {}
    return {str(e.name): e for e in group.iter_elements() if isinstance(e, XsdElement)}


def _attribute_faults(
    element: etree._Element, declared: XsdElement, hidden: Hidden
) -> Iterator[_Told]:
    allowed = {str(n): a for n, a in declared.attributes.items() if isinstance(a, XsdAttribute)}
    tag = _local(element)
    for name, value in ((str(n), str(v)) for n, v in element.attrib.items()):
        if name.startswith(_INSTANCE) or (element, name) in hidden.failed:
            continue
        if name not in allowed:
            known = ", ".join(allowed) or "none"
            yield element, name, f"<{tag}> has no attribute {_plain(name)}; allowed: {known}"
        elif not allowed[name].type.is_valid(value):
            shown = "" if (element, name) in hidden or name in _NEVER_SHOWN else f'="{value}"'
            yield element, name, f"{name}{shown}: must be {_allowed(allowed[name].type)}"
    for name, attribute in allowed.items():
        if attribute.use == "required" and name not in element.attrib:
            yield element, "", f"<{tag}> lacks {name}: {describe(attribute)}"


def _child_faults(element: etree._Element, declared: XsdElement) -> Iterator[_Told]:
    tag = _local(element)
    allowed = _children(declared)
    counts = Counter[str]()
    for child in element.iterchildren(etree.Element):
        name = str(child.tag)
        counts[name] += 1
        if name not in allowed:
            yield child, "", _unknown(child, tag, allowed)
        elif counts[name] > (most := allowed[name].max_occurs or counts[name]):
            times = "once" if most == 1 else f"{most} times"
            yield child, "", f"<{_plain(name)}> may stand in <{tag}> only {times}"
    for name, child_declared in allowed.items():
        if child_declared.min_occurs > counts[name]:
            yield element, "", f"<{tag}> lacks <{_plain(name)}>: {describe(child_declared)}"


def _unknown(child: etree._Element, tag: str, allowed: dict[str, XsdElement]) -> str:
    name = _local(child)
    if f"{{{NAMESPACE}}}{name}" in allowed:
        return f'<{name}> is not in the namespace: write xmlns="{NAMESPACE}"'
    known = ", ".join(f"<{_plain(each)}>" for each in allowed) or "none"
    return f"<{tag}> has no element <{name}>; allowed: {known}"


def _text_faults(element: etree._Element, declared: XsdElement) -> Iterator[str]:
    tag = _local(element)
    simple = declared.type.simple_type
    if simple is not None:
        if not simple.is_valid(element.text or ""):
            yield f"<{tag}>: its text must be {_allowed(simple)}"
    elif any((t or "").strip() for t in (element.text, *(c.tail for c in element))):
        yield f"<{tag}> holds text, where only attributes and elements are allowed"


def _allowed(simple: Any) -> str:
    """What a simple type allows."""
    item = simple.item_type if isinstance(simple, XsdList) else simple
    if item is not None and item.enumeration:
        words = ", ".join(filter(None, map(str, item.enumeration)))
        if item is not simple:
            return f"some of {words}, separated by spaces"
        return words if len(item.enumeration) == 1 else f"one of {words}"
    while simple is not None and not describe(simple):
        simple = simple.base_type
    return describe(simple) if simple is not None else "another value"


def _local(element: etree._Element) -> str:
    return _plain(str(element.tag))


def _plain(name: str) -> str:
    return name.rpartition("}")[2]
