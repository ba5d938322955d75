"""The log of the process that polls: every event is told to the process that started it."""

from __future__ import annotations

import logging
from typing import NoReturn

import structlog
from structlog.typing import EventDict, WrappedLogger

from dbpoll.apart.calls import Calls


def log_through(calls: Calls, level: int) -> None:
    """Send all logging of this process through `calls`, from this level of `logging` on; of
    libraries warnings and errors."""

    def tell(_logger: WrappedLogger, method: str, event: EventDict) -> NoReturn:
        calls.tell("log", "", method, {name: _plain(value) for name, value in event.items()})
        raise structlog.DropEvent

    structlog.configure(
        processors=[structlog.processors.format_exc_info, tell],
        wrapper_class=structlog.make_filtering_bound_logger(level),
    )
    root = logging.getLogger()
    root.addHandler(_Through(calls))
    # Libraries tell about every statement below that.
    root.setLevel(max(level, logging.WARNING))
    logging.captureWarnings(True)


class _Through(logging.Handler):
    """For libraries, which use `logging`."""

    def __init__(self, calls: Calls) -> None:
        super().__init__()
        self._calls = calls

    def emit(self, record: logging.LogRecord) -> None:
        try:
            told = {"event": record.getMessage(), "library": record.name}
            method = "error" if record.levelno >= logging.ERROR else "warning"
            self._calls.tell("log", "", method, told)
        except Exception:
            self.handleError(record)


def _plain(value: object) -> object:
    return value if isinstance(value, str | int | float | list | None) else str(value)
