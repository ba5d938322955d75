"""Our values in the types of a hospital's columns.

A Binder turns a text, a number or a moment into what one column takes: texts are cut to
the column's length and freed of what no database stores, moments become the hospital's
wall clock where the column has no zone. What can't be said in a column's type is NULL.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from functools import lru_cache
from math import floor
from typing import Any

from sqlalchemy import types
from sqlalchemy.dialects.mssql import SMALLDATETIME

from dbpoll.values import Status

Binder = Callable[[Any], Any]

# No exponents: `1e999999999` would be a number of as many digits.
_DIGITS = 40
_MILLISECONDS = 3
_SECONDS = len("2026-03-01 14:30:15")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(rf"-?[0-9]{{1,{_DIGITS}}}(\.[0-9]{{1,20}})?")


_BEYOND_UTF8MB3 = re.compile("[\U00010000-\U0010ffff]")


def text_binder(
    type_: types.TypeEngine[Any], *, octets: bool = False, encoding: str = ""
) -> Binder:
    """For texts (`''` becomes NULL, as Oracle has it); digits go into number columns too.

    `octets`: the column's length counts bytes, where it is not of a national type. With an
    `encoding` bytes are given, not a text.
    """
    if isinstance(type_, types.Integer | types.Numeric):
        return _number
    length = getattr(type_, "length", None)
    narrow = "utf8mb3" in _charset(type_)
    octets = octets and not isinstance(type_, types.Unicode | types.UnicodeText)

    def bind(value: str | None) -> str | None:
        if not value:
            return None
        if value.isascii():
            return value.replace("\x00", "")[:length] or None
        value = value.encode("utf-8", "replace").decode("utf-8").replace("\x00", "")
        if narrow:
            value = _BEYOND_UTF8MB3.sub("?", value)
        return (cut(value, length, "utf-8") if octets else value[:length]) or None

    def bind_bytes(value: str | None) -> bytes | None:
        if not value:
            return None
        return cut(value.replace("\x00", ""), length, encoding).encode(encoding, "replace") or None

    return bind_bytes if encoding else bind


def cut(value: str, octets: int | None, encoding: str) -> str:
    """A text cut to so many bytes of an encoding, between two characters."""
    written = value.encode(encoding, "replace")
    if octets is None or len(written) <= octets:
        return value
    return written[:octets].decode(encoding, "ignore")


def _charset(type_: types.TypeEngine[Any]) -> str:
    """Of a MySQL column: its character set, or the collation that names it."""
    named = f"{getattr(type_, 'charset', '')} {getattr(type_, 'collation', '')}".lower()
    return named.replace("utf8_", "utf8mb3_")


def word_binder(type_: types.TypeEngine[Any], words: Mapping[Status, str]) -> Binder:
    """For a Status, in the hospital's words; the empty word is NULL. Raises TypeError for a
    word that is no number where the column holds numbers."""
    made: dict[Status, Any] = {status: word or None for status, word in words.items()}
    if isinstance(type_, types.Integer | types.Numeric):
        for status, word in words.items():
            if word and not _NUMBER.fullmatch(word):
                raise TypeError(f"{type_} holds no {word!r}")
            made[status] = _number(word)
    return made.__getitem__


def number_binder(type_: types.TypeEngine[Any]) -> Binder:
    """For small whole numbers; as text where the column holds texts."""
    if isinstance(type_, types.String):
        return lambda value: None if value is None else str(int(value))
    return lambda value: None if value is None else int(value)


def moment_binder(
    type_: types.TypeEngine[Any], zone: tzinfo, *, as_text: bool, aware: bool = True
) -> Binder:
    """For aware datetimes. `as_text` where the driver has no type for them (SQLite); `aware`:
    columns with a zone are given moments with one.

    A fraction is cut to what the column keeps, never rounded: a database that rounds would tell
    a time still to come. Raises TypeError for a column that can hold no moment.
    """
    if isinstance(type_, types.DateTime | types.TIMESTAMP):
        step = _step(type_)
        zoned = aware and getattr(type_, "timezone", False)
        if as_text:
            return _writer(UTC if zoned else zone, _digits(type_), "+00:00" if zoned else "")
        if zoned:
            # Drivers that forget the zone (SQL Server's) are then right nevertheless.
            return lambda value: None if value is None else value.astimezone(UTC)
        if type(type_) is types.DATETIME:
            return lambda value: None if value is None else _on_grid(_wall(value, zone))
        return lambda value: None if value is None else _wall(value, zone, step)
    if isinstance(type_, types.Date):
        return lambda value: None if value is None else _day(value, zone, as_text=as_text)
    if isinstance(type_, types.String | types.NullType):
        return lambda value: None if value is None else _wall(value, zone).isoformat(" ", "seconds")
    raise TypeError(f"{type_} holds no time")


def _writer(zone: tzinfo, digits: int, end: str) -> Binder:
    """Wall clocks as texts with so many digits of a fraction: cheaper than a datetime without
    its zone, which a driver would turn into a text. Moments of one second, of which a batch has
    many, differ in nothing else."""
    length = _SECONDS + (digits and digits + 1)

    @lru_cache(maxsize=1024)
    def second(since: int) -> str:
        return (_EPOCH + timedelta(seconds=since)).astimezone(zone).isoformat(" ")[:_SECONDS]

    def write(value: datetime | None) -> str | None:
        if value is None:
            return None
        whole = second(floor(value.timestamp()))
        return f"{whole}.{value.microsecond:06}"[:length] + end

    return write


def _on_grid(wall: datetime) -> datetime:
    """For SQL Server's DATETIME, which SQLAlchemy reads as the plain type of that name: it keeps
    .000, .003 and .007, and rounds what lies between."""
    hundredths, thirds = divmod(wall.microsecond * 300 // 1_000_000, 3)
    return wall.replace(microsecond=hundredths * 10_000 + (0, 3_000, 7_000)[thirds])


def _day(value: datetime, zone: tzinfo, *, as_text: bool) -> date | str:
    day = value.astimezone(zone).date()
    return day.isoformat() if as_text else day


def plain_moment(value: datetime | None, zone: tzinfo, *, as_text: bool) -> Any:
    """A moment for a statement whose columns' types nobody knows: the hospital's wall clock."""
    if value is None:
        return None
    wall = _wall(value, zone, 1_000)
    return wall.isoformat(" ", "milliseconds") if as_text else wall


def _digits(type_: types.TypeEngine[Any]) -> int:
    """The digits of a fraction that a column keeps; where it keeps texts, so many do."""
    if hasattr(type_, "fsp"):
        return int(type_.fsp or 0)
    if hasattr(type_, "precision"):
        return 6 if type_.precision is None else int(type_.precision)
    return _MILLISECONDS


def _step(type_: types.TypeEngine[Any]) -> int:
    """The microseconds between two moments that a column can tell apart."""
    name = type(type_).__name__.upper()
    if isinstance(type_, SMALLDATETIME):
        return 1_000_000
    if hasattr(type_, "fsp"):
        return int(10 ** (6 - (type_.fsp or 0)))
    precision = getattr(type_, "precision", None)
    if precision is not None:
        return int(10 ** (6 - min(6, precision)))
    return 1_000_000 if name == "DATE" and "oracle" in type(type_).__module__ else 1


def key_binder(type_: types.TypeEngine[Any], *, blank: bool = False) -> Binder:
    """For keys, which are texts on our side. `blank`: a key may be an empty text."""
    if isinstance(type_, types.Integer | types.Numeric):
        return _number
    return (lambda value: value) if blank else (lambda value: value or None)


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
    if value and value.isascii() and value.isdecimal() and len(value) <= _DIGITS:
        return int(value)
    if not value or not _NUMBER.fullmatch(value):
        return None
    if "." not in value:
        return int(value)
    number = Decimal(value)
    return int(number) if number == number.to_integral_value() else number


def _wall(value: datetime, zone: tzinfo, step: int = 1) -> datetime:
    wall = value.astimezone(zone).replace(tzinfo=None)
    return wall if step == 1 else wall.replace(microsecond=wall.microsecond // step * step)
