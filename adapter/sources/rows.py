"""HIS rows as requests."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from adapter.domain.errors import Code, Refusal
from adapter.domain.states import Door, Lane
from adapter.domain.values import Entry, Request
from dbpoll.values import Row

_SEPARATORS = re.compile(r"[,;，；、\r\n]")
_PAIRS = re.compile(r"[;；]")
LONGEST_KEY = 64


def request_of(row: Row, source: str, reference: str) -> Request:
    """A row as a request. Raises Refusal where a column cannot be understood."""
    if not 0 < len(reference) <= LONGEST_KEY:
        told = f"ID has {len(row.key)} characters; a key has 1 to {LONGEST_KEY}"
        raise Refusal(Code.BAD_REQUEST, told)
    if row.fault:
        raise Refusal(Code.BAD_REQUEST, row.fault)
    template = (row.template or "").strip()
    content = row.content
    if template and not (content or "").strip():
        content = None
    return Request(
        entries=entries_of(row.mobile or ""),
        content=content,
        template=template,
        values=_values(row),
        client_ref=reference,
        business=(row.business or "").strip(),
        lane=lane_of(row.lane) if row.lane else None,
        extension=(row.extension or "").strip(),
        schedule_at=row.schedule_at,
        expire_at=row.expire_at,
        pass_through=row.pass_through or "",
        business_key=(row.business_key or "").strip(),
        door=Door.DBPOLL,
        source=source,
    )


def _values(row: Row) -> Mapping[str, str] | None:
    found = values_of(row.params) if row.params else None
    return {**(found or {}), **row.values} if row.values else found


def entries_of(mobiles: str) -> list[Entry]:
    """One entry for each number, `ref` telling its place ("2/3") where there are several."""
    if mobiles.isdigit():
        return [Entry(mobiles)]
    parts = [part.strip() for part in _SEPARATORS.split(mobiles)]
    numbers = [part for part in parts if part]
    if len(numbers) < 2:
        return [Entry(numbers[0] if numbers else "")]
    total = len(numbers)
    return [Entry(number, ref=f"{place}/{total}") for place, number in enumerate(numbers, 1)]


def lane_of(text: str) -> Lane | None:
    """The lane of this name, None for blanks. Raises Refusal."""
    name = text.strip().lower()
    if not name:
        return None
    try:
        return Lane(name)
    except ValueError:
        raise Refusal(Code.BAD_REQUEST, f"LANE is none of {', '.join(Lane)}", "LANE") from None


def values_of(params: str) -> Mapping[str, str] | None:
    """Template values from a JSON object, or from pairs `name=value` separated by semicolons.
    Raises Refusal."""
    text = params.strip()
    if not text:
        return None
    if text.startswith("{"):
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            raise _bad_params("is no JSON object") from None
        return {str(name): _plain(value) for name, value in found.items()}
    values: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in _PAIRS.split(text))):
        name, separator, value = pair.partition("=")
        if not separator or not name.strip():
            raise _bad_params("has a part that is not name=value")
        values[name.strip()] = value.strip()
    return values


def _plain(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or value is None or not isinstance(value, int | float):
        raise _bad_params("has a value that is neither text nor number")
    return str(value)


def _bad_params(what: str) -> Refusal:
    return Refusal(Code.BAD_REQUEST, f"PARAMS {what}", "PARAMS")
