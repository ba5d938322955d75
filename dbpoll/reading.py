"""From what the driver hands out to a Row: texts stay as they are, times become aware.

One bad value never stops the rows beside it: it becomes the row's `fault`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Any

from dbpoll.binding import key_text
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
of one row only, to see how far we are behind."""

_TEXTS_END = 1 + len(TEXTS)
_MOMENTS_END = _TEXTS_END + len(MOMENTS)
_PLAIN = frozenset({str, type(None)})
_NOTHING = (None,) * len(MOMENTS)
# strptime would read too few digits as something else, so their number decides.
_DIGITS = {14: "%Y%m%d%H%M%S", 12: "%Y%m%d%H%M", 8: "%Y%m%d"}
_FORMATS = ("%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M", "%Y/%m/%d")

# A time zone's own limits: the ends of the calendar cannot be shifted into another zone.
_DAY = timedelta(days=1)


def rows(records: Iterable[Sequence[Any]], zone: tzinfo) -> list[Row]:
    """Records in the order of READ, as rows."""
    return [_row(record, zone) for record in records]


def unreadable(key: Any, fault: str) -> Row:
    """A row of which only the key could be read."""
    return Row._make((key_text(key), *(None,) * (_MOMENTS_END - 1), fault))


def _row(record: Sequence[Any], zone: tzinfo) -> Row:
    key, texts, moments = record[0], record[1:_TEXTS_END], record[_TEXTS_END:_MOMENTS_END]
    fault = ""
    if type(key) is not str:
        key = key_text(key)
    if not _PLAIN.issuperset(map(type, texts)):
        texts = [_text(value) for value in texts]
    joined = "".join(filter(None, texts))
    if not joined.isascii() or "\x00" in joined:
        fault = _flaw(texts, joined)
    if moments != _NOTHING:
        made = []
        for name, value in zip(MOMENTS, moments):
            try:
                made.append(moment(value, zone))
            except ValueError:
                made.append(None)
                fault = fault or f"{name} is no date and time"
        moments = made
    return Row._make((key, *texts, *moments, fault))


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
        text = str(_text(value)).strip()
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


def _text(value: Any) -> Any:
    if value is None or type(value) is str:
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode("utf-8", "surrogateescape")
    return key_text(value)


def _flaw(texts: Sequence[str | None], joined: str) -> str:
    """The first column that holds what is no text; empty when all is well."""
    try:
        joined.encode()
    except UnicodeEncodeError:
        pass
    else:
        if "\x00" not in joined:
            return ""
    for name, value in zip(TEXTS, texts):
        if value and "\x00" in value:
            return f"{name} holds a NUL character"
        if value and any("\ud800" <= letter <= "\udfff" for letter in value):
            return f"{name} is not valid UTF-8"
    raise AssertionError("a flaw that is in no column")


def age_s(record: Sequence[Any], zone: tzinfo, now: datetime) -> float:
    """How long ago a row was created; 0 where that is not known."""
    try:
        created = moment(record[-1], zone)
    except ValueError:
        return 0.0
    return 0.0 if created is None else max(0.0, (now - created).total_seconds())


assert READ[1:-1] == tuple(name.upper() for name in Row._fields[1:-1])
