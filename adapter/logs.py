"""The log: one line an event, as JSON or text, ours and our libraries' alike.

An event is a dotted name and a few values: `log.warning("link.down", channel=..., reason=...)`.
Values are ids, names and figures, never a content, a secret or a whole number. That is
the duty of whoever logs; the last step before writing is a safety net that drops values
of tell-tale names and masks whatever looks like a mobile number.

Rotation keeps `KEPT` old files of `FILE_BYTES` beside the current one.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from adapter.config.model import Logging
from adapter.domain.privacy import mask_all

FILE_BYTES = 50_000_000
KEPT = 40

_FIRST = ("time", "level", "event")
_DROPPED = frozenset({"authorization", "body", "content", "password", "payload", "secret"})

# Below these levels libraries tell about every statement, job run or request, and some
# of them show parameters and contents.
FLOORS = {
    "alembic": logging.WARNING,
    # A run that is skipped because the last one still runs is counted by the scheduler.
    "apscheduler": logging.ERROR,
    "asyncio": logging.WARNING,
    "requests": logging.WARNING,
    # It repeats a whole bad request, password and text, at ERROR.
    "spyne": logging.CRITICAL,
    "sqlalchemy": logging.WARNING,
    "urllib3": logging.WARNING,
    "waitress": logging.INFO,
    "zeep": logging.WARNING,
}
"""What loggers of others say below this is of no use to an operator."""

# Where the drivers put the values of a row into an error's text.
_PARAMETERS = re.compile(r"\[parameters: .*?(?=\n\(Background|\n {2}|\Z)", re.DOTALL)
_DETAIL = re.compile(r"^(DETAIL|CONTEXT): .*$", re.MULTILINE)


def configure(settings: Logging) -> None:
    """Send all logging of the process to one place in one format.

    Replaces what was configured before. Raises OSError where the file cannot be opened.
    """
    handler = _handler(settings.file)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *_shared()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                format_exception,
                protect,
                _renderer(settings.format),
            ],
        )
    )
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    root.setLevel(level)
    for name, floor in FLOORS.items():
        logging.getLogger(name).setLevel(max(level, floor))
    logging.captureWarnings(True)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.add_logger_name,
            *_shared(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )


def protect(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """The safety net: no value of a tell-tale name, no whole mobile number.

    When and what come first, because people read JSON lines too.
    """
    ordered = {key: event[key] for key in _FIRST if key in event} | dict(event)
    return {key: _safe(value) for key, value in ordered.items() if key.lower() not in _DROPPED}


def format_exception(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """A traceback as one value, without the rows that database errors repeat."""
    told = structlog.processors.format_exc_info(_logger, _method, event)
    if "exception" in told:
        told["exception"] = _DETAIL.sub("", _PARAMETERS.sub("", told["exception"]))
    return told


def _shared() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    ]


def _handler(file: str) -> logging.Handler:
    if not file:
        return logging.StreamHandler(sys.stderr)
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    return _Rotating(file, maxBytes=FILE_BYTES, backupCount=KEPT, encoding="utf-8")


class _Rotating(RotatingFileHandler):
    """Writes a record without formatting it twice: the standard one does so first to learn its
    length. A file may be longer than `maxBytes` by a line."""

    def shouldRollover(self, record: logging.LogRecord) -> bool:  # noqa: N802 - its name
        if self.stream is None:
            self.stream = self._open()
        return self.stream.tell() >= self.maxBytes


def _renderer(form: str) -> Processor:
    if form == "text":
        return _text
    return structlog.processors.JSONRenderer(ensure_ascii=False)


_rest = structlog.processors.LogfmtRenderer(bool_as_flag=False)


def _text(logger: WrappedLogger, method: str, event: MutableMapping[str, Any]) -> str:
    time, level, name = (str(event.pop(key, "")) for key in ("time", "level", "event"))
    return f"{time} {level.upper():<8} {_one_line(name)} {_rest(logger, method, event)}".rstrip()


def _one_line(text: str) -> str:
    return text.replace("\r", "\\r").replace("\n", "\\n")


def _safe(value: Any) -> Any:
    match value:
        case None | bool() | float():
            return value
        case str():
            return mask_all(value)
        case int():
            return value if not 13_000_000_000 <= value <= 19_999_999_999 else mask_all(str(value))
        case Mapping():
            return {
                str(key): _safe(each)
                for key, each in value.items()
                if str(key).lower() not in _DROPPED
            }
        case list() | tuple() | set() | frozenset():
            return [_safe(each) for each in value]
        case _:
            return mask_all(str(value))
