"""Models of the contract written as XML text at once, without a tree: for the answers that are
written most.

Promises the octets that `Elements` and lxml would write (tests/doors/test_markup.py compares
them over drawn models).
"""

from __future__ import annotations

from typing import Any

from adapter.contract import NS
from adapter.doors.giving_way import giving_way
from adapter.doors.shapes import UNWRITABLE, Member, Shape, Shapes

DECLARATION = "<?xml version='1.0' encoding='UTF-8'?>\n"
_TEXT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
_QUOTED = _TEXT | str.maketrans({'"': "&quot;", "\t": "&#9;", "\n": "&#10;"})


class Markup:
    """Writes with this prefix of the contract's namespace, "" where it is the default. Safe to
    share between threads."""

    def __init__(self, shapes: Shapes, prefix: str = "") -> None:
        self._shapes = shapes
        self._prefix = f"{prefix}:" if prefix else ""

    def members(self, model: Any, values: dict[str, Any]) -> str:
        """The members of a model. Absent ones are left out, empty ones if they may."""
        out: list[str] = []
        for member in self._shapes[model].members:
            self._append(member, values.get(member.name), out)
        return "".join(out)

    def _append(self, member: Member, value: Any, out: list[str]) -> None:
        if value is None:
            return
        tag = self._prefix + member.name
        if member.inner is None:
            if value != "" or member.required:
                out.append(f"<{tag}>{text(member.write(value))}</{tag}>")
        elif member.many:
            self._items(member.inner.members[0], value, tag, out)
        else:
            self._inner(member.inner, value, tag, out)

    def _inner(self, shape: Shape, value: Any, tag: str, out: list[str]) -> None:
        held = value.__dict__
        start = len(out)
        out.append(f"<{tag}>")
        for member in shape.members:
            self._append(member, held.get(member.name), out)
        if len(out) == start + 1:
            out[start] = f"<{tag}/>"
        else:
            out.append(f"</{tag}>")

    def _items(self, item: Member, values: Any, tag: str, out: list[str]) -> None:
        if not values:
            out.append(f"<{tag}/>")
            return
        out.append(f"<{tag}>")
        name = self._prefix + item.name
        for value in giving_way(values):
            if item.inner is not None:
                self._inner(item.inner, value, name, out)
            else:
                out.append(f"<{name}>{text(item.write(value))}</{name}>")
        out.append(f"</{tag}>")


def text(written: str) -> str:
    """Character data; what XML cannot hold becomes a space."""
    if written.isalnum() and written.isascii():
        return written
    return UNWRITABLE.sub(" ", written).translate(_TEXT)


def document(markup: Markup, operation: str, model: Any, result: Any, mark: str = "") -> bytes:
    """The response document of an operation, with `mark` as its id."""
    inner = markup.members(model, {f"{operation}Result": result})
    marked = f' id="{mark.translate(_QUOTED)}"' if mark else ""
    name = f"{operation}Response"
    return f'{DECLARATION}<{name} xmlns="{NS}"{marked}>{inner}</{name}>'.encode()
