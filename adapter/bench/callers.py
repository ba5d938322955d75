"""Load by a web door: batches from several callers, done when each receipt was fetched."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

from adapter.bench.forms import Form, Request
from adapter.bench.load import Pace, mobile
from adapter.bench.speech import body_in, posted

REPEAT_S = 0.1


class Callers:
    """So many at once, each sending `batch` messages a request. `accepted` has the numbers
    whose messages were accepted, `home` the ids of those whose receipt was fetched.

    `patience_s`: a request that was not accepted is repeated for so long, as a business system
    does whose node is away.
    """

    def __init__(
        self, form: Form, port: int, callers: int, batch: int, patience_s: float = 0.0
    ) -> None:
        self._form = form
        self._port = port
        self._callers = callers
        self._batch = batch
        self._patience_s = patience_s
        self._lock = threading.Lock()
        self._fetcher = _Connection(port, form)
        self.accepted: set[str] = set()
        self.home: set[int] = set()
        self.failed: list[str] = []

    def feed(self, messages: int, pace: Pace, after: int = 0) -> None:
        """Send all, numbered from `after`; returns when the last one was accepted."""
        slices = self._slices(after, after + messages, pace)
        threads = [
            threading.Thread(target=self._call, args=(slices,), daemon=True)
            for _ in range(self._callers)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def finished(self) -> int:
        """Fetch and acknowledge what has come; how many receipts so far."""
        while True:
            answer = self._fetcher.post(self._form.fetch())
            fetched = self._form.fetched(answer)
            if not fetched:
                return len(self.home)
            # Kept before it is acknowledged: the acknowledgement's own answer may be lost.
            self.home.update(fetched)
            self._fetcher.post(self._form.acknowledge(answer))

    def close(self) -> None:
        self._fetcher.close()

    def _slices(self, first: int, end: int, pace: Pace) -> Iterator[range]:
        made = first
        while made < end:
            due = pace.wait(min(self._batch, end - made))
            yield range(made, made + due)
            made += due

    def _call(self, slices: Iterator[range]) -> None:
        connection = _Connection(self._port, self._form)
        while True:
            with self._lock:
                numbers = next(slices, None)
            if numbers is None:
                break
            fault = connection.accept(numbers)
            deadline = time.monotonic() + self._patience_s
            while fault and time.monotonic() < deadline:
                time.sleep(REPEAT_S)
                fault = connection.accept(numbers)
            if fault:
                self.failed.append(fault)
            else:
                self.accepted.update(map(mobile, numbers))
        connection.close()


class _Connection:
    """One kept-alive connection."""

    def __init__(self, port: int, form: Form) -> None:
        self._form = form
        self._port = port
        self._socket: socket.socket | None = None

    def post(self, request: Request) -> bytes:
        """The body of the answer. Raises OSError; the next call connects anew."""
        try:
            if self._socket is None:
                self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=60)
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.sendall(posted(self._form, request))
            answer = b""
            while (place := body_in(answer)) is None:
                if not (more := self._socket.recv(1 << 20)):
                    raise ConnectionResetError("no whole answer")
                answer += more
            return answer[place]
        except OSError:
            self.close()
            raise

    def accept(self, numbers: range) -> str:
        """Send these messages in one request; why they were not accepted, or ""."""
        try:
            answer = self.post(self._form.send(numbers))
        except OSError as error:
            return type(error).__name__
        if self._form.accepted(answer) == len(numbers):
            return ""
        return answer[:500].decode("utf-8", "replace")

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = None
