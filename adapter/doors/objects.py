"""Models of the contract as JSON values: read and checked in one pass, written in one.

A list is a plain array; times are strings as in XML; ids are strings, because a JavaScript
program keeps only 53 bits of a number. What programs send is taken kindly (null for an absent
member, a number where a number is written as text, such as a mobile); what could only be a
mistake is refused with the name of the field.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from adapter.domain.errors import Code, Refusal
from adapter.doors.giving_way import giving_way
from adapter.doors.shapes import UNWRITABLE, Member, Shape

MAX_DEPTH = 20
# As many as of XML (adapter.doors.decoding): an empty list of three octets takes sixty in memory.
MAX_VALUES = 1_000_000
# A string that is not closed reaches to the end: looking for its end anew from each escaped quote
# in it would take quadratic time.
_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_BRACKET = re.compile(r"[\[\]{}]")
_SHOWABLE = re.compile(r"(?!.*\d{5})[A-Za-z_][A-Za-z0-9_.-]{0,39}", re.ASCII)


def parse(text: str) -> Any:
    """The value of a JSON text (RFC 8259). Raises Refusal(BAD_REQUEST): also for a member given
    twice, for NaN, and beyond `MAX_DEPTH` or `MAX_VALUES`."""
    _check_size(text)
    try:
        return json.loads(
            text, object_pairs_hook=_members_once, parse_constant=_no_number, parse_float=_Fraction
        )
    except json.JSONDecodeError as error:
        raise Refusal(
            Code.BAD_REQUEST,
            f"the request is no JSON: line {error.lineno}, column {error.colno}",
        ) from None
    except ValueError:
        # Beyond the interpreter's limit for the digits of a number.
        raise Refusal(Code.BAD_REQUEST, "the request holds a number that is too long") from None


class _Fraction(str):
    """A number that is not whole, as it was written: no member takes one."""

    __slots__ = ()


def _check_size(text: str) -> None:
    """Refuses what is nested too deeply or holds too many values, whatever its texts hold."""
    opened = text.count("[") + text.count("{")
    if opened <= MAX_DEPTH and text.count(",") <= MAX_VALUES:
        return
    bare = _STRING.sub("", text)
    if bare.count(",") + bare.count("[") + bare.count("{") > MAX_VALUES:
        raise Refusal(Code.BAD_REQUEST, "the request has too many values")
    depth = 0
    for found in _BRACKET.finditer(bare):
        depth += 1 if found[0] in "[{" else -1
        if depth > MAX_DEPTH:
            words = f"the request is nested deeper than {MAX_DEPTH} levels"
            raise Refusal(Code.BAD_REQUEST, words)


def _members_once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        twice, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise Refusal(Code.BAD_REQUEST, f"{_shown(twice)}: is given twice")
    return made


def _no_number(_text: str) -> Any:
    raise Refusal(Code.BAD_REQUEST, "NaN and Infinity are no JSON")


def arguments(shape: Shape, value: Any) -> list[Any]:
    """The arguments of an operation, in order. `value` is the request itself where the
    operation takes one, else an object with a member for each argument."""
    members = shape.members
    if len(members) == 1 and members[0].inner is not None:
        return [_read(members[0].inner, value, "")]
    values = _values(shape, {} if value is None else value, "")
    return [values[member.name] for member in members]


def _read(shape: Shape, value: Any, path: str) -> Any:
    values = _values(shape, value, path)
    for name in shape.required:
        if values[name] is None:
            missing = _join(path, name)
            raise Refusal(Code.BAD_REQUEST, f"{missing} is missing", missing)
    made = shape.make.__new__(shape.make)
    made.__dict__.update(values)
    return made


def _values(shape: Shape, value: Any, path: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _bad(path, "must be an object {...}")
    values: dict[str, Any] = dict(shape.blank)
    for name, given in value.items():
        member = shape.by_name.get(name)
        if member is None:
            known = ", ".join(shape.blank) or "nothing"
            raise _bad(_join(path, _shown(name)), f"unknown member; here may stand: {known}")
        if given is not None:
            values[name] = _member(member, given, _join(path, name))
    return values


def _member(member: Member, value: Any, path: str) -> Any:
    if member.read is not None:
        return _leaf(member, value, path)
    assert member.inner is not None
    if not member.many:
        return _read(member.inner, value, path)
    if not isinstance(value, list):
        raise _bad(path, "must be an array [...]")
    if len(value) > member.many:
        raise _bad(path, f"has more than {member.many} items")
    (item,) = member.inner.members
    return [
        _member(item, each, f"{path}[{at}]") for at, each in enumerate(giving_way(value), 1)
    ] or None


def _leaf(member: Member, value: Any, path: str) -> Any:
    if isinstance(value, bool):
        text = "true" if value else "false"
        if not member.is_flag:
            raise _bad(path, "must not be true or false")
    elif isinstance(value, str) and not isinstance(value, _Fraction):
        text = value
    elif isinstance(value, int) and not member.is_flag:
        text = str(value)
    else:
        raise _bad(path, "must be true or false" if member.is_flag else "must be a text")
    if not text and not member.required:
        return None
    assert member.read is not None
    try:
        return member.read(text)
    except ValueError as error:
        raise _bad(path, str(error)) from None


def written(member: Member, value: Any) -> Any:
    """A value of the contract as a JSON value. Absent members are left out, empty ones if they
    may."""
    if member.inner is None:
        return _leaf_written(value)
    if not member.many:
        return _object_written(member.inner, value)
    (item,) = member.inner.members
    return [written(item, each) for each in giving_way(value)]


def _object_written(shape: Shape, value: Any) -> dict[str, Any]:
    made = {}
    for member in shape.members:
        held = getattr(value, member.name, None)
        if held is not None and (held != "" or member.required):
            made[member.name] = written(member, held)
    return made


def _leaf_written(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds")
    return value if isinstance(value, bool | int) else UNWRITABLE.sub(" ", str(value))


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _shown(name: str) -> str:
    """A name that the caller made up, fit for a description."""
    return name if _SHOWABLE.fullmatch(name) else "?"


def _bad(path: str, problem: str) -> Refusal:
    return Refusal(Code.BAD_REQUEST, f"{path or 'the request'}: {problem}", path)
