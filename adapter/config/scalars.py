"""Values as they are written in a configuration: durations, sizes, flags."""

from __future__ import annotations

import re

_SECONDS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3_600.0, "d": 86_400.0}
_OCTETS = {"kB": 1_000, "MB": 1_000_000}
_WITH_UNIT = re.compile(r"([0-9]+)([A-Za-z]+)")


def seconds(text: str) -> float:
    """`500ms`, `30s`, `5min`, `24h`, `7d` in seconds. Raises ValueError."""
    return _measure(text, _SECONDS)


def octets(text: str) -> int:
    """`64kB`, `20MB` in octets. Raises ValueError."""
    return int(_measure(text, _OCTETS))


def flag(text: str) -> bool:
    """`true` or `false`. Raises ValueError."""
    if text not in ("true", "false"):
        raise ValueError(f"{text!r} is neither true nor false")
    return text == "true"


def collapsed(text: str) -> str:
    """White space as xs:token has it: none around, single spaces within."""
    return " ".join(text.split())


def _measure(text: str, units: dict[str, float] | dict[str, int]) -> float:
    written = _WITH_UNIT.fullmatch(text)
    if written is None or written[2] not in units:
        raise ValueError(f"{text!r} is not a whole number with one of {', '.join(units)}")
    return int(written[1]) * units[written[2]]
