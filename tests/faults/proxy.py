"""A line to PostgreSQL that breaks at the worst moments: around a COMMIT."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from types import TracebackType
from typing import Self

COMMIT = b"COMMIT\x00"


class Fate(Enum):
    """What becomes of a COMMIT: it passes; it never arrives; it arrives and is done, and only
    its answer is lost."""

    PASS = "pass"
    UNSENT = "unsent"
    UNANSWERED = "unanswered"


class Proxy:
    """Passes everything on between its port and the server's Unix socket; `fate` is asked at
    each COMMIT. A context."""

    def __init__(self, server: str, fate: Callable[[], Fate]) -> None:
        self._server = server
        self._fate = fate
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._server)
                line = _Line(client, server, self._fate)
                for side in (line.forth, line.back):
                    threading.Thread(target=side, daemon=True).start()


class _Line:
    """One connection."""

    def __init__(
        self, client: socket.socket, server: socket.socket, fate: Callable[[], Fate]
    ) -> None:
        self._client = client
        self._server = server
        self._fate = fate
        self._cut = threading.Event()

    def forth(self) -> None:
        with suppress(OSError):
            while data := self._client.recv(1 << 16):
                fate = self._fate() if COMMIT in data else Fate.PASS
                if fate is Fate.UNSENT:
                    break
                if fate is Fate.UNANSWERED:
                    self._cut.set()
                self._server.sendall(data)
        self._close()

    def back(self) -> None:
        with suppress(OSError):
            while data := self._server.recv(1 << 16):
                if self._cut.is_set():
                    break
                self._client.sendall(data)
        self._close()

    def _close(self) -> None:
        for side in (self._client, self._server):
            with suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)
            side.close()
