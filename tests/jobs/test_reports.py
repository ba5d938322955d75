from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from python_calamine import CalamineWorkbook
from rich.console import Console
from sqlalchemy import Engine

from adapter.domain.outcomes import Verdict
from adapter.domain.states import Door, State
from adapter.jobs.reports import Group, Kind, Report, report
from adapter.jobs.sheets import as_csv, as_json, as_table, as_xlsx, show
from adapter.store.statistics import fold
from tests.store.life import Life

ZONE = ZoneInfo("Asia/Shanghai")
FIRST, LAST = date(2026, 1, 1), date(2026, 12, 31)


@pytest.fixture
def life(store: Engine) -> Iterator[Life]:
    made = Life(store, datetime(2026, 3, 1, 1, 0, tzinfo=UTC))
    yield made
    made.end()


@pytest.fixture
def filled(life: Life) -> Engine:
    """A day in March and one in April, the first one folded."""
    sent = life.accept(10, client="his", business="lab", segments=2)
    life.submit(sent)
    life.report(sent[:8])
    life.report(sent[8:9], delivered=False)
    life.submit(life.accept(2, client="lis"), verdict=Verdict.REJECTED)
    life.cancel(life.accept(3, client="lis"))
    life.cancel(life.accept(1, client="lis"), State.EXPIRED)
    life.inbound(sent[0].message.mobile)
    fold(life.engine, ZONE)
    life.now = datetime(2026, 4, 30, 16, 30, tzinfo=UTC)
    life.submit(life.accept(4, client="=cmd", business="note", door=Door.DBPOLL))
    life.inbound("13900000000")
    return life.engine


def rows(found: Report) -> list[dict[str, Any]]:
    document: dict[str, Any] = json.loads(as_json(found))
    listed: list[dict[str, Any]] = document["rows"]
    return listed


def test_users(filled: Engine) -> None:
    his, lis, odd = rows(report(filled, Kind.USERS, FIRST, LAST, Group.MONTH, ZONE))
    assert his == {
        "period": "2026-03",
        "client": "his",
        "accepted": 10,
        "submitted": 10,
        "delivered": 8,
        "undelivered": 1,
        "rejected": 0,
        "expired": 0,
        "cancelled": 0,
        "unknown": 0,
        "open": 1,
        "segments": 20,
        "success_rate": pytest.approx(8 / 9, abs=1e-6),
        "receipt_rate": 0.9,
    }
    assert (lis["accepted"], lis["rejected"], lis["cancelled"], lis["expired"]) == (6, 2, 3, 1)
    assert (lis["segments"], lis["success_rate"], lis["receipt_rate"]) == (0, 0.0, None)
    # 16:30 UTC on the last of April is the first of May in Shanghai; it is not folded yet.
    assert (odd["period"], odd["client"], odd["open"]) == ("2026-05", "=cmd", 4)


def test_figures_do_not_change_by_folding(filled: Engine) -> None:
    before = [report(filled, kind, FIRST, LAST, Group.DAY, ZONE) for kind in Kind]
    fold(filled, ZONE)
    assert [report(filled, kind, FIRST, LAST, Group.DAY, ZONE) for kind in Kind] == before


def test_business_and_interfaces(filled: Engine) -> None:
    business = rows(report(filled, Kind.BUSINESS, FIRST, LAST, Group.ALL, ZONE))
    assert [(row["business"], row["accepted"]) for row in business] == [("lab", 16), ("note", 4)]
    doors = rows(report(filled, Kind.INTERFACES, FIRST, LAST, Group.ALL, ZONE))
    assert [(row["door"], row["accepted"]) for row in doors] == [("dbpoll", 4), ("soap", 16)]


def test_receiving(filled: Engine) -> None:
    found = report(filled, Kind.RECEIVING, FIRST, LAST, Group.QUARTER, ZONE)
    assert rows(found) == [
        {"period": "2026-Q1", "client": "his", "business": "lab", "received": 1},
        {"period": "2026-Q2", "client": "", "business": "", "received": 1},
    ]
    assert found.total[-1] == 2


def test_summary(filled: Engine) -> None:
    (row,) = rows(report(filled, Kind.SUMMARY, FIRST, LAST, Group.ALL, ZONE))
    assert row["period"] == "2026-01-01..2026-12-31"
    assert (row["accepted"], row["delivered"], row["open"], row["received"]) == (20, 8, 5, 2)


@pytest.mark.parametrize(
    ("group", "periods"),
    [
        (Group.DAY, ["2026-03-01", "2026-05-01"]),
        (Group.WEEK, ["2026-W09", "2026-W18"]),
        (Group.MONTH, ["2026-03", "2026-05"]),
        (Group.QUARTER, ["2026-Q1", "2026-Q2"]),
    ],
)
def test_periods(filled: Engine, group: Group, periods: list[str]) -> None:
    found = rows(report(filled, Kind.SUMMARY, FIRST, LAST, group, ZONE))
    assert [row["period"] for row in found] == periods


def test_the_range_includes_both_ends(filled: Engine) -> None:
    def accepted(start: date, end: date) -> object:
        return report(filled, Kind.SUMMARY, start, end, Group.ALL, ZONE).total[1]

    assert accepted(date(2026, 3, 1), date(2026, 5, 1)) == 20
    assert accepted(date(2026, 3, 2), date(2026, 5, 1)) == 4
    assert accepted(date(2026, 3, 1), date(2026, 4, 30)) == 16
    assert accepted(date(2026, 3, 2), date(2026, 4, 30)) == 0


def test_conditions(filled: Engine) -> None:
    conditions = {"client": "lis", "door": "soap"}
    found = report(filled, Kind.BUSINESS, FIRST, LAST, Group.ALL, ZONE, conditions)
    assert found.total[2] == 6
    with pytest.raises(ValueError, match="no condition: channel"):
        report(filled, Kind.BUSINESS, FIRST, LAST, Group.ALL, ZONE, {"channel": "x"})


def test_a_range_that_ends_before_it_starts(store: Engine) -> None:
    with pytest.raises(ValueError, match="before it starts"):
        report(store, Kind.USERS, LAST, FIRST, Group.DAY, ZONE)


def test_csv_is_safe_to_open(filled: Engine) -> None:
    made = as_csv(report(filled, Kind.USERS, FIRST, LAST, Group.MONTH, ZONE))
    assert made.startswith(b"\xef\xbb\xbf")
    heading, his, _, odd, total = csv.reader(io.StringIO(made.decode("utf-8-sig")))
    assert heading[:3] == ["日期 Period", "接入系统 Client", "受理 Accepted"]
    assert his[-2:] == ["88.89%", "90.00%"]
    assert odd[1] == "'=cmd"
    assert total[:3] == ["合计 Total", "", "20"]


def test_xlsx_holds_texts_and_numbers(filled: Engine) -> None:
    made = as_xlsx(report(filled, Kind.USERS, FIRST, LAST, Group.MONTH, ZONE))
    book = CalamineWorkbook.from_object(io.BytesIO(made))
    assert book.sheet_names == ["用户发送统计"]
    sheet = book.get_sheet_by_index(0).to_python()
    assert sheet[0][0] == "用户发送统计 User sending  2026-01-01 – 2026-12-31"
    assert sheet[2][1] == "接入系统\nClient"
    assert sheet[3][:3] == ["2026-03", "his", 10]
    assert sheet[5][1] == "=cmd"
    assert sheet[6][:3] == ["合计 Total", "", 20]


@pytest.mark.parametrize("width", [40, 200])
def test_table_for_people(filled: Engine, width: int) -> None:
    console = Console(file=io.StringIO(), width=width)
    show(report(filled, Kind.SUMMARY, FIRST, LAST, Group.QUARTER, ZONE), console)
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    for word in ("统计总报表", "Success rate", "2026-Q1", "Total", "66.67%"):
        assert word in text
    assert "…" not in text


@pytest.mark.parametrize("kind", list(Kind))
def test_an_empty_report_is_a_report(store: Engine, kind: Kind) -> None:
    found = report(store, kind, FIRST, LAST, Group.DAY, ZONE)
    assert rows(found) == []
    assert as_xlsx(found)
    assert as_csv(found)
    assert as_table(found).row_count == 0
