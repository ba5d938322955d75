"""What the statistics learn from one transaction."""

from __future__ import annotations

from typing import NamedTuple

INBOUND = "INBOUND"
"""Stands where a state stands, for texts from phones."""

NONE = "-"
"""Stands for "none yet" and "none": a message has no channel before it was submitted."""


class Tally(NamedTuple):
    """So many messages, accepted in `hour` (since 1970-01-01 UTC), reached `state`."""

    hour: int
    client: str
    business: str
    door: str
    channel: str
    carrier: str
    state: str
    messages: int
    segments: int
