"""What the simulated carrier saw, read from its log while it grows."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any


class Sightings:
    """By number: accepted submits (first segments only), the moment of the first one in
    milliseconds since 1970, receipts sent."""

    def __init__(self, log: Path) -> None:
        self.submits: Counter[str] = Counter()
        self.first_ms: dict[str, float] = {}
        self.receipts: Counter[str] = Counter()
        self._log = log
        self._read = 0
        self._rest = b""

    def look(self) -> None:
        """Read on to the last whole line."""
        with self._log.open("rb") as file:
            file.seek(self._read)
            found = file.read()
        self._read += len(found)
        *lines, self._rest = (self._rest + found).split(b"\n")
        for line in lines:
            self._add(json.loads(line))

    def _add(self, event: dict[str, Any]) -> None:
        match event["event"]:
            case "submit" if event["result"] == 0 and event["number"] == 1:
                number = event["destination"]
                if not self.submits[number]:
                    at = datetime.fromisoformat(event["time"])
                    self.first_ms[number] = at.timestamp() * 1000
                self.submits[number] += 1
            case "receipt":
                self.receipts[event["destination"]] += 1
