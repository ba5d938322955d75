"""From what the driver hands out to a Row: texts stay as they are, times become aware.

One bad value never stops the rows beside it: it becomes the row's `fault`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta, tzinfo
from itertools import chain, repeat
from typing import Any

from dbpoll.binding import key_text
from dbpoll.settings import Settings
from dbpoll.values import Row

TEXTS = (
    "MOBILE",
    "CONTENT",
    "TEMPLATE",
    "PARAMS",
    "BUSINESS",
    "LANE",
    "EXTENSION",
    "PASS_THROUGH",
    "BUSINESS_KEY",
)
MOMENTS = ("SCHEDULE_AT", "EXPIRE_AT")
READ = ("ID", *TEXTS, *MOMENTS, "CREATED_AT")
"""The columns of a record, in its order, which is that of Row's fields; CREATED_AT is read
of one row only, to see how far we are behind. Template values follow, one for each parameter."""

TAKEN_AT = "TAKEN_AT"
"""Ends a record where a row may be sent again."""

_TEXTS_END = 1 + len(TEXTS)
_MOMENTS_END = _TEXTS_END + len(MOMENTS)
_CREATED_AT = len(READ) - 1
_PLAIN = frozenset({str, type(None)})
_KEYS = ({int}, {str})
_NOTHING = (None,) * len(MOMENTS)
# strptime would read too few digits as something else, so their number decides.
_DIGITS = {14: "%Y%m%d%H%M%S", 12: "%Y%m%d%H%M", 8: "%Y%m%d"}
_FORMATS = (
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M",
    "%Y/%m/%d",
    "%Y年%m月%d日 %H:%M:%S",
    "%Y年%m月%d日 %H:%M",
    "%Y年%m月%d日",
)

# A time zone's own limits: the ends of the calendar cannot be shifted into another zone.
_DAY = timedelta(days=1)


class Reader:
    """Makes rows of the records of one table, as its settings say."""

    def __init__(self, settings: Settings) -> None:
        self._zone = settings.zone
        self._encoding = settings.encoding or "utf-8"
        self._parameters = tuple(settings.parameters)
        self._resend = settings.resend
        places = {name: place for place, name in enumerate(READ)}
        self._constants = [(places[name], value) for name, value in settings.constants.items()]
        self._defaults = [(places[name], value) for name, value in settings.defaults.items()]
        self._plain = not (self._constants or self._defaults or self._parameters or self._resend)

    def rows(self, records: Iterable[Sequence[Any]]) -> list[Row]:
        """Records in the order of READ, as rows."""
        if not self._plain:
            return [self._mapped(record) for record in records]
        given = list(records)
        return _together(given) or [self._row(record) for record in given]

    def unreadable(self, key: Any, fault: str) -> Row:
        """A row of which only the key could be read."""
        return Row._make((key_text(key), *(None,) * (_MOMENTS_END - 1), fault, None, None))

    def age_s(self, record: Sequence[Any], now: datetime) -> float:
        """How long ago a row was created; 0 where that is not known."""
        try:
            created = moment(record[_CREATED_AT], self._zone)
        except ValueError:
            return 0.0
        return 0.0 if created is None else max(0.0, (now - created).total_seconds())

    def _row(self, record: Sequence[Any]) -> Row:
        key, texts, moments = record[0], record[1:_TEXTS_END], record[_TEXTS_END:_MOMENTS_END]
        fault = ""
        if type(key) is not str:
            key = key_text(key)
        if not _PLAIN.issuperset(map(type, texts)):
            texts = [_text(value, self._encoding) for value in texts]
        joined = "".join(filter(None, texts))
        if not joined.isascii() or "\x00" in joined:
            fault = _flaw(TEXTS, texts, self._encoding)
        if moments != _NOTHING:
            made = []
            for name, value in zip(MOMENTS, moments):
                try:
                    made.append(moment(value, self._zone))
                except ValueError:
                    made.append(None)
                    fault = fault or f"{name} is no date and time"
            moments = made
        return Row._make((key, *texts, *moments, fault, None, None))

    def _mapped(self, record: Sequence[Any]) -> Row:
        given = list(record)
        for place, value in self._constants:
            given[place] = value
        for place, value in self._defaults:
            if given[place] is None or not str(given[place]).strip():
                given[place] = value
        row = self._row(given)
        fault, values, taken_at = row.fault, None, None
        if self._parameters:
            texts = [
                "" if value is None else _text(value, self._encoding)
                for value in given[len(READ) : len(READ) + len(self._parameters)]
            ]
            fault = fault or _flaw(self._parameters, texts, self._encoding)
            values = dict(zip(self._parameters, texts))
        if self._resend:
            with suppress(ValueError):
                taken_at = moment(given[-1], self._zone)
        return row._replace(fault=fault, values=values, taken_at=taken_at)


def _together(records: Sequence[Sequence[Any]]) -> list[Row] | None:
    """The rows of records that hold nothing but keys and sound texts, as most do, column by
    column; None where one holds more, or there are none."""
    if not records:
        return None
    keys, *columns = zip(*records)
    texts, moments = columns[: len(TEXTS)], columns[len(TEXTS) : _CREATED_AT - 1]
    if set(map(type, keys)) not in _KEYS or any(map(_filled, moments)):
        return None
    filled = list(filter(_filled, texts))
    if not _PLAIN.issuperset(map(type, chain.from_iterable(filled))):
        return None
    joined = "".join(filter(None, chain.from_iterable(filled)))
    if _flaw(("all",), (joined,), ""):
        return None
    rest = repeat(""), repeat(None), repeat(None)
    return list(map(Row._make, zip(map(str, keys), *texts, *moments, *rest)))


def _filled(column: Sequence[Any]) -> bool:
    return column.count(None) < len(column)


def moment(value: Any, zone: tzinfo) -> datetime | None:
    """A date and time as an aware datetime, None for NULL and blanks.

    Takes datetimes, dates and texts: ISO 8601, `2026/3/1 14:30`, `20260301143000`. Without
    a zone it is the hospital's. Raises ValueError.
    """
    if value is None:
        return None
    if isinstance(value, datetime):
        found = value
    else:
        text = str(_text(value, "utf-8")).strip()
        if not text:
            return None
        found = _parse(text)
    if found.tzinfo is None:
        found = found.replace(tzinfo=zone)
    if not datetime.min + _DAY < found.replace(tzinfo=None) < datetime.max - _DAY:  # noqa: DTZ901
        raise ValueError("a time at the end of the calendar")
    return found


def _parse(text: str) -> datetime:
    if text.isdigit():
        return datetime.strptime(text, _DIGITS.get(len(text), "-"))  # noqa: DTZ007
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    for form in _FORMATS:
        try:
            return datetime.strptime(text, form)  # noqa: DTZ007
        except ValueError:
            continue
    raise ValueError("not a date and time")


def _text(value: Any, encoding: str) -> Any:
    if value is None or type(value) is str:
        return value
    if hasattr(value, "read"):
        # A LOB, which Oracle's driver fetches when it is asked to.
        value = value.read()
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode(encoding, "surrogateescape")
    return key_text(value)


def _flaw(names: Sequence[str], texts: Sequence[str | None], encoding: str) -> str:
    """The first column that holds what is no text; empty when all is well."""
    for name, value in zip(names, texts):
        if value and "\x00" in value:
            return f"{name} holds a NUL character"
        if value and not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError:
                return f"{name} is not valid {encoding.upper()}"
    return ""


assert READ[1:-1] == tuple(name.upper() for name in Row._fields[1:_MOMENTS_END])
