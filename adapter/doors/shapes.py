"""Models of the contract, compiled once for the forms that read and write them (XML, JSON).

Spyne can read and write models itself, but it looks every member up anew for every element, and
it lets unknown elements and odd booleans pass. A shape knows its members by name and by tag, how
to read and write each, and which ones must be there.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from adapter.contract import NS, SmsCallback, SmsExchange
from adapter.spyne_compat import Array, Boolean, ComplexModelBase, DateTime, Integer32

PREFIX = f"{{{NS}}}"
UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""XML 1.0 has no way to write these; texts from phones have them. Every form writes a space."""
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)?", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d{1,12}", re.ASCII)
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_LEAST, _MOST = -(2**31), 2**31 - 1


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


def bounds(model: Any) -> tuple[int, int]:
    """The least and the greatest value of a whole number."""
    attributes = model.Attributes
    return int(max(attributes.ge, _LEAST)), int(min(attributes.le, _MOST))


def _reader(model: Any) -> Callable[[str], Any]:
    """How to read the text of an element of this simple type; raises ValueError."""
    attributes = model.Attributes
    if issubclass(model, Boolean):
        return _boolean
    if issubclass(model, DateTime):
        return _moment
    if issubclass(model, Integer32):
        return _number(*bounds(model))
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
class Member:
    """A member of a shape. Exactly one of `read` (a text) and `inner` (more members) is there.
    `kind` is the model; `many` the most items of a wrapped list, 0 for no list."""

    name: str
    tag: str
    kind: Any
    required: bool
    read: Callable[[str], Any] | None
    write: Callable[[Any], str]
    inner: Shape | None
    many: int = 0

    @property
    def is_flag(self) -> bool:
        """Whether it is true or false."""
        return issubclass(self.kind, Boolean)


@dataclass(slots=True)
class Shape:
    """A model, or the item of a list, made ready to read and write."""

    model: Any
    make: Any
    members: list[Member] = field(default_factory=list)
    by_name: dict[str, Member] = field(default_factory=dict)
    by_tag: dict[str, Member] = field(default_factory=dict)
    blank: dict[str, None] = field(default_factory=dict)
    required: list[str] = field(default_factory=list)

    def add(self, member: Member) -> None:
        self.members.append(member)
        # Hand-made envelopes often leave the namespace of the children out.
        self.by_tag[member.tag] = self.by_tag[member.name] = member
        self.by_name[member.name] = member
        self.blank[member.name] = None
        if member.required:
            self.required.append(member.name)


class Shapes:
    """The shapes of all operations, the callback's too; never changes once made, safe to share
    between threads."""

    def __init__(self) -> None:
        self._shapes: dict[Any, Shape] = {}
        for service in (SmsExchange, SmsCallback):
            for operation in service.public_methods.values():
                self._compile(operation.in_message)
                self._compile(operation.out_message)

    def __getitem__(self, model: Any) -> Shape:
        return self._shapes[model]

    def _compile(self, model: Any) -> Shape:
        """Compile a model and all that it holds."""
        shape = self._shapes.get(model)
        if shape is None:
            shape = self._shapes[model] = Shape(model, model.__orig__ or model)
            for name, kind in model.get_flat_type_info(model).items():
                shape.add(self._member(name, kind))
        return shape

    def _member(self, name: str, kind: Any) -> Member:
        required = kind.Attributes.min_occurs > 0
        tag = PREFIX + name
        if issubclass(kind, Array):
            ((item_name, item),) = kind._type_info.items()
            items = Shape(kind, list)
            items.add(self._member(item_name, item))
            most = kind.Attributes.max_items
            return Member(name, tag, kind, required, None, str, items, most)
        if issubclass(kind, ComplexModelBase):
            return Member(name, tag, kind, required, None, str, self._compile(kind))
        return Member(name, tag, kind, required, _reader(kind), _writer(kind), None)
