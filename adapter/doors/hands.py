"""The threads of the web server, and whose request they take next (`adapter.doors.turns`).

waitress gives each connection with a whole request to a thread of its own. Here requests of one
client that send are taken several at a time; of all others half of the threads at most serve
one address.
Whose a request is, is a guess: an account that we know, named from the same address. Who names
another's shares a turn with him at worst; credentials are judged later.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any

import structlog
from waitress.task import ThreadedTaskDispatcher, WSGITask
from waitress.utilities import InternalServerError

from adapter.doors.batches import GLANCE, Answer, Glimpse
from adapter.doors.company import Company
from adapter.doors.turns import Bite, Kind, Turns
from adapter.doors.workers import MOST, OCTETS, joined, messages_in

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

log = structlog.get_logger(__name__)

Guess = Callable[[str, Glimpse], Hashable | None]
"""Whose request this path and glimpse are, None where it has to be run alone."""
Several = Callable[[Sequence["WSGIEnvironment"]], Sequence[Answer]]

_COUNTED = MOST * OCTETS
"""Octets in which messages are counted: so many have a bite for themselves."""
_TICK_S = 0.001
"""The loop counts whole milliseconds."""


def _who(client: tuple[str, Any]) -> Hashable:
    """One account is one client, wherever it comes from and whatever it calls; who is not known
    is his address."""
    address, guess = client
    return (guess and guess[1]) or address


def _nothing() -> None:
    """No loop runs yet."""


class Hands(ThreadedTaskDispatcher):
    """Tasks are connections whose first request is whole. `wake` follows what the web server's
    own thread, `loop`, has added."""

    def __init__(self, threads: int, guess: Guess, several: Several, company: Company) -> None:
        super().__init__()
        self._guess = guess
        self._several = several
        self._joined = joined(threads)
        self._alone = Kind(max(1, threads // 2))
        self._turns: Turns[Any] = Turns(company, _who)
        self._held = threading.local()
        self.loop = 0
        self.wake_loop: Callable[[], None] = _nothing
        self.set_thread_count(threads)

    def once_a_bite(self, wake_loop: Callable[[], None]) -> Callable[[], None]:
        """Wake the web server's loop, which every answer does, once for all answers of a bite:
        each time it looks at every connection."""

        def wake() -> None:
            held: set[Callable[[], None]] | None = getattr(self._held, "wakes", None)
            if held is None:
                wake_loop()
            else:
                held.add(wake_loop)

        return wake

    def add_task(self, task: Any) -> None:
        client, kind, messages = self._judge(task)
        with self.lock:
            self._turns.put(client, kind, task, messages)
            if threading.get_ident() != self.loop:
                self.queue_cv.notify()

    def sleep_s(self, most: float) -> float:
        """How long the loop may sleep, until somebody's rest is over."""
        with self.lock:
            rest_s = self._turns.rest_s()
        return most if rest_s is None else min(most, rest_s + _TICK_S)

    def wake(self) -> None:
        """See to it that somebody takes what is there."""
        if self._turns:
            with self.lock:
                self.queue_cv.notify(self._turns.takeable)

    def _judge(self, channel: Any) -> tuple[Hashable, Kind, int]:
        """Whose a request is, how it is done, and how many messages it seems to send."""
        address, request = channel.addr[0], channel.requests[0]
        if request.error or request.command != "POST" or request.body_rcv is None:
            return (address, ""), self._alone, 1
        body = request.body_rcv.getbuf()
        shown = request.headers.get("AUTHORIZATION", "")
        guess = self._guess(request.path, Glimpse("", shown, body.get(GLANCE)[:GLANCE]))
        if guess is None:
            return (address, ""), self._alone, 1
        return (address, guess), self._joined, messages_in(body.get(_COUNTED))

    def handler_thread(self, thread_no: int) -> None:
        while (bite := self._next(thread_no)) is not None:
            try:
                self._serve(bite)
            except BaseException:
                self.logger.exception("Exception when servicing %r", bite.pieces)
            finally:
                with self.lock:
                    self._turns.over(bite)
                    resting = self._turns.rest_s() is not None
                if resting:
                    self.wake_loop()

    def _next(self, thread_no: int) -> Bite[Any] | None:
        """The next bite; None when it is time to end."""
        with self.lock:
            while self.stop_count == 0:
                bite = self._turns.take()
                if bite is not None:
                    return bite
                self.active_count -= 1
                self.queue_cv.wait()
                self.active_count += 1
            self.active_count -= 1
            self.stop_count -= 1
            self.threads.discard(thread_no)
            self.thread_exit_cv.notify()
            return None

    def _serve(self, bite: Bite[Any]) -> None:
        channels = bite.pieces
        if bite.key[1] is self._joined:
            requests = [channel.requests[0] for channel in channels]
            environs = [
                WSGITask(channel, request).get_environment()
                for channel, request in zip(channels, requests, strict=True)
            ]
            try:
                answers = self._several(environs)
            except Exception:
                self.logger.exception("Exception when serving several")
                for request in requests:
                    request.error = InternalServerError("The request failed within")
            else:
                for request, answer in zip(requests, answers, strict=True):
                    request.answer = answer
        held: set[Callable[[], None]] = set()
        self._held.wakes = held
        for channel in channels:
            try:
                channel.service()
            except BaseException:
                self.logger.exception("Exception when servicing %r", channel)
        self._held.wakes = None
        for wake in held:
            wake()

    def shutdown(self, cancel_pending: bool = True, timeout: int = 5) -> bool:
        ended = super().shutdown(False, timeout)
        if cancel_pending:
            for channel in self._turns.drain():
                channel.cancel()
        return ended


class Task(WSGITask):
    """A request's answer on its way: one that is there already, or the application's."""

    def execute(self) -> None:
        answer: Answer | None = getattr(self.request, "answer", None)
        if answer is None:
            super().execute()
            return
        self.complete = True
        self.status = answer.status
        self.response_headers = answer.headers
        self.content_length = len(answer.body)
        head = self.build_response_header()
        self.wrote_header = True
        # One packet: nobody waits for the second half.
        self.channel.write_soon(head + answer.body)
        self.content_bytes_written = len(answer.body)
