"""Moments as the store keeps them: milliseconds since 1970-01-01 UTC."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def to_ms(moment: datetime) -> int:
    """Milliseconds of an aware datetime."""
    return int(moment.timestamp() * 1000)


def from_ms(moment: int) -> datetime:
    return datetime.fromtimestamp(moment / 1000, UTC)


def maybe_from_ms(moment: int | None) -> datetime | None:
    return None if moment is None else from_ms(moment)
