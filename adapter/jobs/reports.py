"""The five reports of R-1.2.4, from the statistics.

    users        用户发送统计   what each client sent
    business     业务发送统计   what was sent for each kind of use
    receiving    业务接收统计   texts from phones, by client and kind of use
    interfaces   接口业务统计   what came in by each door
    summary      统计总报表     everything together

A message counts in the period in which it was accepted, whatever becomes of it later;
figures of the last three days still change while receipts come. Tallies that are not
folded yet are read too, in the same statement, so that figures are those of this moment.

What the columns mean
    open           neither delivered nor failed yet: accepted less all ends
    segments       of submitted messages: what the carrier counts and the hospital pays
    success rate   delivered of all that ended, less those that the client cancelled
    receipt rate   delivered and undelivered of all submitted
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, tzinfo
from enum import StrEnum
from typing import Any

from sqlalchemy import Engine, Select, Table, func, literal, select, union_all

from adapter.domain.states import FINAL, State
from adapter.domain.tally import INBOUND, NONE
from adapter.store.schema import statistics_day, tally
from adapter.store.statistics import day_of, hours_of, number_of

Value = str | int | float | None


class Kind(StrEnum):
    """Which report."""

    USERS = "users"
    BUSINESS = "business"
    RECEIVING = "receiving"
    INTERFACES = "interfaces"
    SUMMARY = "summary"


class Group(StrEnum):
    """The length of a period; ALL makes the whole range one."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    ALL = "all"


class Form(StrEnum):
    """How a column's values are written."""

    TEXT = "text"
    COUNT = "count"
    RATE = "rate"


@dataclass(frozen=True, slots=True)
class Column:
    """`name` is that in JSON; the headings are for people."""

    name: str
    chinese: str
    english: str
    form: Form = Form.COUNT


@dataclass(frozen=True, slots=True)
class Report:
    """Rows by period and name, with a total. Values stand in the order of `columns`; a rate is
    0..1, or None where there was nothing to rate."""

    kind: Kind
    chinese: str
    english: str
    start: date
    end: date
    group: Group
    columns: Sequence[Column]
    rows: Sequence[Sequence[Value]]
    total: Sequence[Value]


@dataclass(frozen=True, slots=True)
class _Shape:
    chinese: str
    english: str
    names: Sequence[str]
    columns: Sequence[Column]


_PERIOD = Column("period", "日期", "Period", Form.TEXT)
_NAMES = {
    "client": Column("client", "接入系统", "Client", Form.TEXT),
    "business": Column("business", "业务类型", "Business", Form.TEXT),
    "door": Column("door", "接口", "Door", Form.TEXT),
}
_SENT = (
    Column("accepted", "受理", "Accepted"),
    Column("submitted", "提交", "Submitted"),
    Column("delivered", "送达", "Delivered"),
    Column("undelivered", "未送达", "Undelivered"),
    Column("rejected", "网关拒绝", "Rejected"),
    Column("expired", "过期", "Expired"),
    Column("cancelled", "撤销", "Cancelled"),
    Column("unknown", "未知", "Unknown"),
    Column("open", "处理中", "Open"),
    Column("segments", "计费条数", "Segments"),
    Column("success_rate", "成功率", "Success rate", Form.RATE),
    Column("receipt_rate", "状态报告返回率", "Receipt rate", Form.RATE),
)
_RECEIVED = (Column("received", "上行接收", "Received"),)
_SHAPES = {
    Kind.USERS: _Shape("用户发送统计", "User sending", ("client",), _SENT),
    Kind.BUSINESS: _Shape("业务发送统计", "Business sending", ("business",), _SENT),
    Kind.RECEIVING: _Shape("业务接收统计", "Business receiving", ("client", "business"), _RECEIVED),
    Kind.INTERFACES: _Shape("接口业务统计", "Interfaces", ("door",), _SENT),
    Kind.SUMMARY: _Shape("统计总报表", "Summary", (), (*_SENT, *_RECEIVED)),
}


@dataclass(slots=True)
class _Figures:
    """Messages by state, and the segments that were submitted."""

    states: Counter[str] = field(default_factory=Counter)
    segments: int = 0

    def add(self, state: str, messages: int, segments: int) -> None:
        self.states[state] += messages
        if state == State.SUBMITTED:
            self.segments += segments

    def value(self, name: str) -> Value:
        ended = sum(self.states[state] for state in FINAL)
        match name:
            case "open":
                return self.states[State.ACCEPTED] - ended
            case "segments":
                return self.segments
            case "received":
                return self.states[INBOUND]
            case "success_rate":
                rated = ended - self.states[State.CANCELLED]
                return _rate(self.states[State.DELIVERED], rated)
            case "receipt_rate":
                reported = self.states[State.DELIVERED] + self.states[State.UNDELIVERED]
                return _rate(reported, self.states[State.SUBMITTED])
            case _:
                return self.states[name.upper()]


def _rate(part: int, whole: int) -> float | None:
    return round(part / whole, 6) if whole > 0 else None


def report(
    engine: Engine,
    kind: Kind,
    start: date,
    end: date,
    group: Group,
    zone: tzinfo,
    conditions: Mapping[str, str] | None = None,
) -> Report:
    """A report over the days from `start` to `end`, both included.

    `conditions` narrow it: values for client, business, door or carrier. Raises ValueError
    for a range that ends before it starts, or another condition.
    """
    if end < start:
        raise ValueError(f"the range ends ({end}) before it starts ({start})")
    shape = _SHAPES[kind]
    figures: defaultdict[tuple[str, ...], _Figures] = defaultdict(_Figures)
    total = _Figures()
    name_of = _period_namer(group, start, end)
    statement = _statement(kind, start, end, zone, conditions or {})
    with engine.connect() as connection:
        for day, hour, *names, state, messages, segments in connection.execute(statement):
            period = name_of(_date(day or day_of(hour, zone)))
            key = (period, *("" if name == NONE else name for name in names))
            figures[key].add(state, int(messages), int(segments))
            total.add(state, int(messages), int(segments))
    return Report(
        kind,
        shape.chinese,
        shape.english,
        start,
        end,
        group,
        (_PERIOD, *(_NAMES[name] for name in shape.names), *shape.columns),
        [(*key, *_values(shape, figures[key])) for key in sorted(figures)],
        ("合计 Total", *("" for _ in shape.names), *_values(shape, total)),
    )


def _values(shape: _Shape, figures: _Figures) -> Iterator[Value]:
    return (figures.value(column.name) for column in shape.columns)


def _statement(
    kind: Kind, start: date, end: date, zone: tzinfo, conditions: Mapping[str, str]
) -> Any:
    hours = hours_of(start, end, zone)
    folded = _sums(kind, statistics_day, statistics_day.c.day, literal(0), conditions).where(
        statistics_day.c.day.between(number_of(start), number_of(end))
    )
    fresh = _sums(kind, tally, literal(0), tally.c.hour, conditions).where(
        tally.c.hour.between(hours[0], hours[-1])
    )
    return union_all(folded, fresh)


def _sums(
    kind: Kind, table: Table, day: Any, hour: Any, conditions: Mapping[str, str]
) -> Select[Any]:
    if unknown := conditions.keys() - {"client", "business", "door", "carrier"}:
        raise ValueError(f"no condition: {', '.join(sorted(unknown))}")
    names = [table.c[name] for name in _SHAPES[kind].names]
    statement = (
        select(day, hour, *names, table.c.state, func.sum(table.c.messages))
        .add_columns(func.sum(table.c.segments))
        .where(*(table.c[name] == value for name, value in conditions.items()))
        .group_by(table.c.day if table is statistics_day else table.c.hour, *names, table.c.state)
    )
    match kind:
        case Kind.RECEIVING:
            return statement.where(table.c.state == INBOUND)
        case Kind.SUMMARY:
            return statement
        case _:
            return statement.where(table.c.state != INBOUND)


def _date(number: int) -> date:
    return date(number // 10_000, number // 100 % 100, number % 100)


def _period_namer(group: Group, start: date, end: date) -> Callable[[date], str]:
    match group:
        case Group.DAY:
            return date.isoformat
        case Group.WEEK:
            return lambda day: "{}-W{:02}".format(*day.isocalendar()[:2])
        case Group.MONTH:
            return lambda day: f"{day:%Y-%m}"
        case Group.QUARTER:
            return lambda day: f"{day.year}-Q{(day.month + 2) // 3}"
        case Group.ALL:
            return lambda _: f"{start}..{end}"
