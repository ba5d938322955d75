"""Who has to leave the web server: callers whose request comes too slowly, and the idlest when
too many have come.

waitress drops a connection that is silent for a minute. One that sends an octet now and then
(slow-loris) would stay for ever, and a thousand of them would keep everybody else outside. So a
request has `REQUEST_S` to come in, and longer only while it comes at `LEAST_RATE`; and at
`connections` those go first that never had a whole request, the oldest of them before others, then
those that had none for longest: never one whose request is being worked on or whose answer is on
its way.

Lives on the thread of waitress's loop.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog

from adapter.doors.overlong import Channel, Incoming

REQUEST_S = 30.0
LEAST_RATE = 4_000
"""Octets a second."""
_LOOK_S = 1.0
_SHARE = 10
"""One in so many leaves when there are too many: room for those who knock meanwhile."""

log = structlog.get_logger(__name__)


class Patience:
    """For one server. `connections` is the most that it keeps."""

    def __init__(self, connections: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = connections
        self._clock = clock
        self._next = 0.0

    def look(self, sockets: Mapping[int, Any]) -> None:
        """After each turn of the loop, with its map of sockets."""
        if len(sockets) >= self._most:
            self._make_room(sockets)
        now = self._clock()
        if now >= self._next:
            self._next = now + _LOOK_S
            _show_out([each for each in _at_rest(sockets) if _is_slow(each, now)], "slow")

    def _make_room(self, sockets: Mapping[int, Any]) -> None:
        idle = sorted(_at_rest(sockets), key=lambda channel: (channel.known, channel.whole_at))
        _show_out(idle[: max(1, self._most // _SHARE)], "crowded")


def _at_rest(sockets: Mapping[int, Any]) -> list[Channel]:
    """Those for whom nothing is done now."""
    return [
        each
        for each in list(sockets.values())
        if isinstance(each, Channel) and not each.requests and not each.total_outbufs_len
    ]


def _is_slow(channel: Channel, now: float) -> bool:
    request = channel.request
    if not isinstance(request, Incoming):
        return False
    return now > request.began + REQUEST_S + request.octets / LEAST_RATE


def _show_out(channels: Sequence[Channel], why: str) -> None:
    for channel in channels:
        channel.handle_close()
    if channels:
        # One line for many: whoever comes by the thousand must not fill the log as well.
        addresses = sorted({str(channel.addr[0]) for channel in channels})
        log.warning("web.shown_out", why=why, count=len(channels), addresses=addresses[:10])
