"""Which carriers a channel serves now: routing by carrier to an ordered list of channels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence


class Routes:
    """`channels` lists for each carrier its channels, first choice first.

    A channel further down serves a carrier only while all before it are down.
    """

    def __init__(self, channels: Mapping[str, Sequence[str]], is_up: Callable[[str], bool]) -> None:
        self._channels = channels
        self._is_up = is_up

    def served_by(self, channel: str) -> tuple[str, ...]:
        """The carriers whose messages `channel` may take now."""
        return tuple(
            carrier
            for carrier, ordered in self._channels.items()
            if channel in ordered and not any(map(self._is_up, _before(ordered, channel)))
        )


def _before(ordered: Sequence[str], channel: str) -> Sequence[str]:
    return ordered[: list(ordered).index(channel)]
