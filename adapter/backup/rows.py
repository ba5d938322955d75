"""Rows as text, the same for every database: PostgreSQL's COPY format.

A row is a line, values are separated by tabs, NULL is `\\N`; tab, line end, carriage return
and backslash within a text are written `\\t`, `\\n`, `\\r`, `\\\\`; a boolean is `t` or `f`.
PostgreSQL writes and reads it by itself, so there no row passes through Python.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Column

_NULL = "\\N"
_SPECIAL = re.compile(r"[\\\t\n\r]")
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_MEANT = {"t": "\t", "n": "\n", "r": "\r", "b": "\b", "f": "\f", "v": "\v"}

Row = Sequence[Any]


def encode(columns: Sequence[Column[Any]], rows: Iterable[Row]) -> bytes:
    """Lines of rows whose values stand in the order of `columns`."""
    writers = [_writer(column) for column in columns]
    return "".join(
        "\t".join(
            [
                _NULL if value is None else write(value)
                for write, value in zip(writers, row, strict=True)
            ]
        )
        + "\n"
        for row in rows
    ).encode()


def decode(columns: Sequence[Column[Any]], lines: bytes) -> Iterator[tuple[Any, ...]]:
    """The rows of whole lines."""
    readers = [_reader(column) for column in columns]
    for line in lines.decode().split("\n")[:-1]:
        yield tuple(
            [
                None if text == _NULL else read(text)
                for read, text in zip(readers, line.split("\t"), strict=True)
            ]
        )


def _writer(column: Column[Any]) -> Callable[[Any], str]:
    match _kind(column):
        case "bool":
            return _write_flag
        case "str":
            return _write_text
        case _:
            return str


def _reader(column: Column[Any]) -> Callable[[str], Any]:
    match _kind(column):
        case "bool":
            return _read_flag
        case "str":
            return _read_text
        case _:
            return int


def _kind(column: Column[Any]) -> str:
    kind = column.type.python_type.__name__
    if kind not in ("bool", "int", "str"):
        raise AssertionError(f"_kind: {column} holds {kind}: the archive has no form for it")
    return kind


def _write_flag(value: Any) -> str:
    return "t" if value else "f"


def _read_flag(text: str) -> bool:
    return text == "t"


def _write_text(value: str) -> str:
    return value.translate(_ESCAPES) if _SPECIAL.search(value) else value


def _read_text(text: str) -> str:
    return _ESCAPED.sub(_meant, text) if "\\" in text else text


def _meant(escaped: re.Match[str]) -> str:
    return _MEANT.get(escaped[1], escaped[1])
