"""Our values in the types of a hospital's columns.

A Binder turns a text, a number or a moment into what one column takes: texts are cut to
the column's length and freed of what no database stores, moments become the hospital's
wall clock where the column has no zone. What can't be said in a column's type is NULL.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, tzinfo
from decimal import Decimal
from typing import Any

from sqlalchemy import types

Binder = Callable[[Any], Any]

# No exponents: `1e999999999` would be a number of as many digits.
_NUMBER = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,20})?")


def text_binder(type_: types.TypeEngine[Any]) -> Binder:
    """For texts (`''` becomes NULL, as Oracle has it); digits go into number columns too."""
    if isinstance(type_, types.Integer | types.Numeric):
        return _number
    length = getattr(type_, "length", None)

    def bind(value: str | None) -> str | None:
        if not value:
            return None
        if not value.isascii():
            value = value.encode("utf-8", "replace").decode("utf-8")
        if "\x00" in value:
            value = value.replace("\x00", "")
        return value[:length] or None

    return bind


def number_binder(type_: types.TypeEngine[Any]) -> Binder:
    """For small whole numbers; as text where the column holds texts."""
    if isinstance(type_, types.String):
        return lambda value: None if value is None else str(int(value))
    return lambda value: None if value is None else int(value)


def moment_binder(type_: types.TypeEngine[Any], zone: tzinfo, *, as_text: bool) -> Binder:
    """For aware datetimes. `as_text` where the driver has no type for them (SQLite).

    Raises TypeError for a column that can hold no moment.
    """
    if isinstance(type_, types.DateTime | types.TIMESTAMP):
        if getattr(type_, "timezone", False):
            return lambda value: value
        if not as_text:
            return lambda value: None if value is None else _wall(value, zone)
        return lambda value: (
            None if value is None else _wall(value, zone).isoformat(" ", "milliseconds")
        )
    if isinstance(type_, types.Date) and not as_text:
        return lambda value: None if value is None else _wall(value, zone).date()
    if isinstance(type_, types.String | types.Date | types.NullType):
        return lambda value: None if value is None else _wall(value, zone).isoformat(" ", "seconds")
    raise TypeError(f"{type_} holds no time")


def key_binder(type_: types.TypeEngine[Any]) -> Binder:
    """For keys, which are texts on our side."""
    if isinstance(type_, types.Integer | types.Numeric):
        return _number
    return lambda value: value or None


def key_text(value: Any) -> str:
    """A key as text: the same for the same key, and read back by `key_binder`."""
    if isinstance(value, Decimal):
        text = format(value, "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return str(value)


def _number(value: str | None) -> int | Decimal | None:
    if not value or not _NUMBER.fullmatch(value):
        return None
    if "." not in value:
        return int(value)
    number = Decimal(value)
    return int(number) if number == number.to_integral_value() else number


def _wall(value: datetime, zone: tzinfo) -> datetime:
    return value.astimezone(zone).replace(tzinfo=None)
