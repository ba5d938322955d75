"""`sms-adapter report`: the statistics, on the terminal or as a file."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from types import MappingProxyType
from zoneinfo import ZoneInfo

from rich.console import Console

from adapter.config.model import Config
from adapter.jobs import sheets
from adapter.jobs.reports import Group, Kind, Report, report
from adapter.store.engine import open_engine

FILES: Mapping[str, Callable[[Report], bytes]] = MappingProxyType(
    {"json": sheets.as_json, "csv": sheets.as_csv, "xlsx": sheets.as_xlsx}
)


def write_report(
    config: Config,
    kind: str,
    start: date,
    end: date,
    group: str,
    form: str,
    output: Path | None,
) -> None:
    """Print a report, or write it to `output`. Raises ValueError for a bad range, and what the
    driver raises when the store cannot be read."""
    engine = open_engine(config.store.url)
    try:
        made = report(engine, Kind(kind), start, end, Group(group), ZoneInfo(config.node.timezone))
    finally:
        engine.dispose()
    if form == "table":
        if output is None:
            sheets.show(made, Console())
        else:
            with output.open("w", encoding="utf-8") as file:
                sheets.show(made, Console(file=file, width=200))
        return
    document = FILES[form](made)
    if output is None:
        sys.stdout.buffer.write(document)
    else:
        output.write_bytes(document)
