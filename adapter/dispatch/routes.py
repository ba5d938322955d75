"""Which channel takes a message: routing by carrier to an ordered list of channels."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence


class Routes:
    """`channels` lists for each carrier its channels, first choice first.

    The first that is up takes a message. Channels that turned it away are passed over, as long
    as there is another one that is up.
    """

    def __init__(self, channels: Mapping[str, Sequence[str]], is_up: Callable[[str], bool]) -> None:
        self._channels = channels
        self._is_up = is_up

    def choice(self, carrier: str, avoid: Collection[str] = ()) -> str | None:
        """The channel for a message to `carrier` now; None while all are down."""
        up = [name for name in self._channels.get(carrier, ()) if self._is_up(name)]
        return next((name for name in up if name not in avoid), up[0] if up else None)

    def elsewhere(self, carrier: str, avoid: Collection[str]) -> bool:
        """Whether a channel is up that is not to be avoided."""
        choice = self.choice(carrier, avoid)
        return choice is not None and choice not in avoid
