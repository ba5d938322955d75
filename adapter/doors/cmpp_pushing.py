"""What is pushed to a CMPP client: notices as DELIVERs, and their answers.

A notice is safe when all its DELIVERs are answered with 0: a report for each part of a long text,
a DELIVER for each part of a long text from a phone. One answered with 8 (flow control) comes
again after `AGAIN_S`, with anything else much later; one not answered in time at once.
Their Msg_Ids follow from the notice, so they are the same when they come again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import datetime

import structlog

from adapter.domain.values import Home, InboundNotice, Notice
from adapter.doors.cmpp_codes import FLOW, stat_of
from adapter.doors.cmpp_texts import Origin
from adapter.notify.feeds import Feed
from connectors.clock import BEIJING
from connectors.cmpp.msgid import nth
from connectors.errors import EncodeError
from connectors.server import ServerSession
from connectors.server_dialect import Receipt, Text
from connectors.splitting import split
from connectors.values import Coding

AGAIN_S = 5.0
_CODINGS = (Coding.ASCII, Coding.UCS2)
_NO_TIME = "0000000000"

log = structlog.get_logger(__name__)


class _Push:
    """A notice on its way over this connection; over when `left` is 0."""

    __slots__ = ("feed", "left", "notice")

    def __init__(self, feed: Feed, notice: Home, left: int) -> None:
        self.feed = feed
        self.notice = notice
        self.left = left


class Pusher:
    """The listener of feeds that a connection is."""

    def __init__(self, session: ServerSession) -> None:
        self._session = session
        self._loop = asyncio.get_running_loop()
        self._feeds: list[Feed] = []
        self._queue: deque[tuple[_Push, Receipt | Text, str]] = deque()
        self._open: dict[int, _Push] = {}

    def listen(self, feed: Feed) -> None:
        """Push what this feed has, until `leave`."""
        self._feeds.append(feed)
        feed.join(self)

    def leave(self) -> None:
        """The connection is gone."""
        for feed in self._feeds:
            theirs = [each.notice for each in self._open.values() if each.feed is feed]
            feed.leave(self, theirs)
        self._feeds.clear()
        self._queue.clear()
        self._open.clear()

    @property
    def room(self) -> int:
        return max(0, self._session.free - len(self._queue))

    def push(self, feed: Feed, notices: Sequence[Home]) -> None:
        for notice in notices:
            items = list(_items(notice))
            push = self._open[notice.id] = _Push(feed, notice, len(items))
            own = notice.id.to_bytes(8, "big")
            self._queue.extend(
                (push, item, nth(own, place).hex()) for place, item in enumerate(items)
            )
        self._send()

    def acknowledged(self, push: _Push, result: int) -> None:
        """A DELIVER of it was answered."""
        if push.left and result == FLOW:
            self._take_back(push)
            self._loop.call_later(AGAIN_S, self._again, push)
        elif push.left and result:
            self._take_back(push)
            push.feed.refused([push.notice.id])
        elif push.left:
            push.left -= 1
            if not push.left:
                del self._open[push.notice.id]
                push.feed.answered([push.notice.id])
        self._send()
        for feed in self._feeds:
            feed.wake()

    def undelivered(self, pushes: Sequence[_Push]) -> None:
        """DELIVERs of these were not answered in time."""
        for push in pushes:
            if push.left:
                self._take_back(push)
                push.feed.returned([push.notice])

    def _send(self) -> None:
        while self._queue and self._session.free:
            push, item, own_id = self._queue.popleft()
            if not push.left:
                continue
            try:
                self._session.deliver(item, push, own_id=own_id)
            except EncodeError as fault:
                log.warning("cmpp.undeliverable", id=push.notice.id, field=fault.field)
                self._take_back(push)
                push.feed.refused([push.notice.id])

    def _take_back(self, push: _Push) -> None:
        push.left = 0
        self._open.pop(push.notice.id, None)

    def _again(self, push: _Push) -> None:
        push.feed.returned([push.notice])


def _items(notice: Home) -> Iterator[Receipt | Text]:
    return _text(notice) if isinstance(notice, InboundNotice) else _reports(notice)


def _reports(notice: Notice) -> Iterator[Receipt]:
    origin = Origin.of(notice)
    stat, submitted, done = stat_of(notice), _time(notice.submitted_at), _time(notice.done_at)
    for made in origin.ids_of(notice):
        yield Receipt(f"{made:016x}", stat, origin.source, notice.mobile, submitted, done)


def _text(notice: InboundNotice) -> Iterator[Text]:
    to = notice.access_number + notice.extension
    cut = split(notice.content, _CODINGS, reference=notice.inbound_id & 0xFF)
    for payload in cut.payloads:
        yield Text(notice.mobile, to, payload, cut.coding, cut.udh)


def _time(moment: datetime | None) -> str:
    return _NO_TIME if moment is None else moment.astimezone(BEIJING).strftime("%y%m%d%H%M")
