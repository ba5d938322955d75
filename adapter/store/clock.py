"""Moments as the store keeps them: milliseconds since 1970-01-01 UTC."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def to_ms(moment: datetime) -> int:
    """Milliseconds of an aware datetime."""
    # Not by timestamp(): a float of seconds may fall a millisecond short.
    return (moment - _EPOCH) // _MS


def from_ms(moment: int) -> datetime:
    return _EPOCH + moment * _MS


def maybe_from_ms(moment: int | None) -> datetime | None:
    return None if moment is None else from_ms(moment)
