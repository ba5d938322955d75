"""Parts of a day, such as 07:30-20:00."""

from __future__ import annotations

from dataclasses import dataclass

_DAY = 24 * 60


@dataclass(frozen=True, slots=True)
class Span:
    """From minute `start` of the day until minute `end`. One that ends before it starts goes over
    midnight; one that ends where it starts is the whole day."""

    start: int
    end: int

    @classmethod
    def read(cls, text: str) -> Span:
        """From `HH:MM-HH:MM`. Raises ValueError."""
        start, end = (_minute(part) for part in text.split("-"))
        return cls(start, end)

    def __str__(self) -> str:
        return "-".join(f"{each // 60:02}:{each % 60:02}" for each in (self.start, self.end))

    def holds(self, minute: int) -> bool:
        """Whether a minute of the day is in it."""
        if self.start < self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end

    def wait(self, minute: int) -> int:
        """Minutes until it starts again."""
        return (self.start - minute) % _DAY


def _minute(text: str) -> int:
    hours, minutes = (int(part) for part in text.split(":"))
    return hours * 60 + minutes
