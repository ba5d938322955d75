"""The process that polls: `python -m dbpoll.apart`, started by a Poller, which speaks with it over
its standard input and output: first what its sources are, then questions. It ends when its input
does."""

from __future__ import annotations

import faulthandler
import gc
import os
import pickle
import signal
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import IO, NoReturn

import structlog

from dbpoll.apart.calls import Calls, Elsewhere, Handler, Setup
from dbpoll.apart.log import log_through
from dbpoll.apart.worker import Worker
from dbpoll.checkup import explained
from dbpoll.feeds.base import Marks
from dbpoll.settings import Settings
from dbpoll.source import Source
from dbpoll.values import Answered, Health, InboundRow, Locked, Row, StateChange

log = structlog.get_logger("dbpoll")

BEAT_S = 0.5
"""Between two reports of how the sources do."""


def main() -> NoReturn:
    # Who stops everything stops the process that started this one, which then tells us.
    for name in ("SIGINT", "SIGTERM", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    faulthandler.enable()
    heard, said = _pipes()
    setup: Setup = pickle.load(heard)  # noqa: S301 - from the process that started us
    serve(Calls(heard, said), setup)
    # Whatever a thread or a driver still does is cut off, as if the machine had failed.
    os._exit(0)


def _pipes() -> tuple[IO[bytes], IO[bytes]]:
    """Input and output, out of reach of a driver that prints."""
    heard, said = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    return heard, said


def serve(calls: Calls, setup: Setup) -> None:
    """Do as told, until there is nobody to tell."""
    log_through(calls, setup.level)
    sources: dict[str, Source | _Unable] = {}

    def beat() -> None:
        while True:
            calls.tell("beat", "")
            for name, source in list(sources.items()):
                calls.tell("health", name, source.health())
            time.sleep(BEAT_S)

    threading.Thread(target=beat, name="beat", daemon=True).start()
    for settings, marked in setup.sources:
        marks = _Marks(calls, settings.name) if marked else None
        sources[settings.name] = _opened(settings, calls, marks)
    handlers = {name: _handlers(source) for name, source in sources.items()}
    # What was built stays; what rows leave behind is freed without the collector's help.
    gc.freeze()
    gc.set_threshold(10_000, 50)
    calls.listen(lambda question, source: handlers[source][question])


def _opened(settings: Settings, calls: Calls, marks: Marks | None) -> Source | _Unable:
    def take(rows: Sequence[Row]) -> Answered:
        return calls.ask("take", settings.name, list(rows)).result

    try:
        return Source(settings, take, marks=marks)
    except Exception as fault:
        # Its driver, or the client's libraries that the driver needs. The others go on.
        log.error("source_broken", source=settings.name, reason=explained(fault))
        return _Unable(settings.name, explained(fault))


def _handlers(source: Source | _Unable) -> dict[str, Handler]:
    # A stop does not wait behind a database that does not answer a write.
    control = Worker(f"control-{source.name}")
    writer = Worker(f"write-{source.name}")
    started = threading.Event()

    def start() -> None:
        # It may be told twice: by whoever starts it, and with the process.
        if not started.is_set():
            started.set()
            source.start()

    def written(write: Callable[..., None], what: Iterable[StateChange | InboundRow]) -> None:
        try:
            write(what)
        except Locked:
            raise
        except Exception as fault:
            why = source.reason(fault)
            log.warning("write_failed", source=source.name, reason=why)
            raise Elsewhere(why) from fault

    return {
        "start": Handler(control, start),
        "claim_no_more": Handler(control, source.claim_no_more),
        "stop": Handler(control, source.stop),
        "write": Handler(writer, partial(written, source.write)),
        "write_receipts": Handler(writer, partial(written, source.write_receipts)),
        "write_inbound": Handler(writer, partial(written, source.write_inbound)),
    }


class _Unable:
    """A source that cannot even try, until the node is started anew. What is to be written into
    its tables waits with whoever wants to."""

    def __init__(self, name: str, why: str) -> None:
        self.name = name
        self._why = why

    def start(self) -> None:
        """There is nothing to start."""

    claim_no_more = start

    def stop(self, timeout_s: float = 0.0) -> bool:
        return True

    def health(self) -> Health:
        return Health(self.name, False, self._why, None, 0.0, 0, 0, 0, 0, broken=True)

    def write(self, what: Iterable[StateChange | InboundRow]) -> None:
        raise ConnectionError(self._why)

    write_receipts = write_inbound = write

    def reason(self, fault: BaseException) -> str:
        return str(fault)


class _Marks:
    """Kept by the process that started this one."""

    def __init__(self, calls: Calls, source: str) -> None:
        self._calls = calls
        self._source = source

    def read(self) -> str | None:
        mark: str | None = self._calls.ask("read_mark", self._source).result()
        return mark

    def write(self, mark: str) -> None:
        self._calls.ask("write_mark", self._source, mark).result()


if __name__ == "__main__":
    main()
