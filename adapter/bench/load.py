"""What every kind of load shares: texts, numbers, pace."""

from __future__ import annotations

import time
from typing import Protocol

CONTENT = "您好，您已预约2026年12月1日上午心血管内科门诊，请提前十五分钟到院取号就诊。"
PHONES = 100_000_000


def mobile(number: int) -> str:
    """A number of its own for each message: 139 and eight digits."""
    return f"139{number % PHONES:08d}"


class Pace(Protocol):
    """When a load may go on."""

    def wait(self, most: int) -> int:
        """Wait until something is due; how many are, at most `most`."""


class EvenPace:
    """So many messages a second, evenly; 0 for as fast as can be."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._started = time.monotonic()
        self._given = 0

    def wait(self, most: int) -> int:
        """Wait until something is due; how many are, at most `most`."""
        if not self._rate:
            return most
        while True:
            due = int((time.monotonic() - self._started) * self._rate) - self._given
            if due > 0:
                due = min(due, most)
                self._given += due
                return due
            time.sleep(min(0.05, 1 / self._rate))
