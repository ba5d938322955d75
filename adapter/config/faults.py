"""What is wrong with a configuration, and where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong. `message` never holds a secret. A `warning` does not stop a node."""

    file: Path
    line: int
    message: str
    warning: bool = False

    def __str__(self) -> str:
        """`FILE:LINE: message`, as editors understand it."""
        mark = "warning: " if self.warning else ""
        return f"{self.file}:{self.line}: {mark}{self.message}"


class ConfigError(Exception):
    """A configuration with faults; `faults` holds all of them, in the order of the files."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = list(faults)
