from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from sqlalchemy import create_engine, text

from adapter.config.model import Logging
from adapter.logs import configure


@pytest.fixture(autouse=True)
def _unconfigured() -> Iterator[None]:
    """Without the handlers of pytest, which would be taken for old ones and closed."""
    root = logging.getLogger()
    handlers = root.handlers[:]
    for handler in handlers:
        root.removeHandler(handler)
    yield
    for handler in root.handlers[:]:
        root.removeHandler(handler)
        handler.close()
    for handler in handlers:
        root.addHandler(handler)


class Log:
    """A configured log that writes into a file."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "logs" / "adapter.log"

    def configure(self, form: str = "json", level: str = "INFO") -> Any:
        configure(Logging(level=level, format=form, file=str(self.path)))
        return structlog.get_logger("adapter.test")

    def lines(self) -> list[str]:
        return self.path.read_text(encoding="utf-8").splitlines()

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines()]


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path)


def test_an_event_is_one_json_line(log: Log) -> None:
    log.configure().info("link.down", channel="移动", link=2, reason="two\nlines")
    (event,) = log.events()
    assert list(event)[:3] == ["time", "level", "event"]
    assert event.pop("time").endswith("Z")
    assert event == {
        "event": "link.down",
        "level": "info",
        "logger": "adapter.test",
        "channel": "移动",
        "link": 2,
        "reason": "two\nlines",
    }


def test_text_is_one_line_too(log: Log) -> None:
    written = log.configure("text")
    written.warning("link.down", channel="main", reason="two\nlines")
    logging.getLogger("waitress").info("Serving\non %s", "here")
    first, second = log.lines()
    assert "WARNING  link.down channel=main" in first
    assert "INFO     Serving\\non here" in second


def test_level(log: Log) -> None:
    written = log.configure(level="warning")
    written.info("quiet")
    written.warning("loud")
    assert [event["event"] for event in log.events()] == ["loud"]


def test_library_loggers_share_the_format(log: Log) -> None:
    log.configure()
    logging.getLogger("waitress").info("Serving on %s", "http://127.0.0.1:8080")
    (event,) = log.events()
    assert event["event"] == "Serving on http://127.0.0.1:8080"
    assert event["logger"] == "waitress"
    assert event["level"] == "info"


def test_libraries_that_show_contents_stay_silent(log: Log) -> None:
    log.configure(level="DEBUG")
    logging.getLogger("spyne.protocol.soap.soap11.invalid").error("<password>x</password>")
    logging.getLogger("sqlalchemy.engine.Engine").info("INSERT ... [('text',)]")
    logging.getLogger("zeep.transports").debug("<content>")
    assert log.lines() == []


def test_numbers_are_masked_wherever_they_hide(log: Log) -> None:
    log.configure().info(
        "odd to 13800138000",
        mobile="13800138000",
        number=13800138000,
        nested={"list": ["+8613800138000", ("13912345678",)]},
        error=ValueError("bad number 13800138000"),
        message_id=913800138000456789,
    )
    (line,) = log.lines()
    assert "13800138000" not in line.replace("913800138000456789", "")
    assert "13912345678" not in line
    assert log.events()[0]["mobile"] == "138****8000"
    assert log.events()[0]["message_id"] == 913800138000456789


def test_telltale_names_are_dropped(log: Log) -> None:
    log.configure().info(
        "odd", content="your result", Password="x", request={"secret": "y", "a": 1}
    )
    (event,) = log.events()
    assert {"content", "Password"}.isdisjoint(event)
    assert event["request"] == {"a": 1}


def test_a_traceback_is_one_value_without_numbers(log: Log) -> None:
    written = log.configure()
    try:
        raise ValueError("no 13800138000")
    except ValueError:
        written.exception("job.failed")
        logging.getLogger("other").exception("also")
    for event in log.events():
        assert "ValueError: no 138****8000" in event["exception"]


def test_a_database_error_does_not_repeat_the_row(log: Log) -> None:
    written = log.configure()
    row = {"a": "[your] result\nis"}
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        try:
            connection.execute(text("INSERT INTO missing VALUES (:a)"), row)
        except Exception:
            written.exception("job.failed")
    (event,) = log.events()
    assert "no such table: missing" in event["exception"]
    assert "result" not in event["exception"]


def test_postgresql_details_are_left_out(log: Log, postgres_url: str) -> None:
    written = log.configure()
    engine = create_engine(postgres_url)
    with engine.connect() as connection:
        connection.execute(text("CREATE TABLE t (a TEXT NOT NULL, b TEXT)"))
        try:
            connection.execute(text("INSERT INTO t (b) VALUES ('your result')"))
        except Exception:
            written.exception("job.failed")
    engine.dispose()
    (event,) = log.events()
    assert "null value in column" in event["exception"]
    assert "Failing row" not in event["exception"]


def test_configuring_again_replaces(log: Log, tmp_path: Path) -> None:
    log.configure()
    configure(Logging(file=str(tmp_path / "second.log")))
    structlog.get_logger("adapter.test").info("here")
    assert log.lines() == []
    assert "here" in (tmp_path / "second.log").read_text(encoding="utf-8")
