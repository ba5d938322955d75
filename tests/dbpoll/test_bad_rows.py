"""Rows as bad as legacy systems write them, in a table of nothing but texts, on every database,
through a real intake and a real store: each gets its reason, the others go on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from adapter.store.clock import to_ms
from adapter.store.engine import open_engine
from adapter.store.schema import metadata, submission
from dbpoll.source import Source
from dbpoll.values import StateChange, Status
from tests.dbpoll.conftest import ZONE, Book, His, eventually
from tests.test_sources import House

TABLE = (
    "CREATE TABLE HIS_TEXTS (NO VARCHAR(80), TEL VARCHAR(200), TXT VARCHAR(2000),"
    " WHEN_AT VARCHAR(40), FLAG VARCHAR(4) DEFAULT 'N', CODE VARCHAR(40), WHY VARCHAR(200),"
    " TAKEN VARCHAR(30), MSG VARCHAR(20))"
)
SOURCE = {
    "table": "HIS_TEXTS",
    "columns": {
        "ID": "NO",
        "MOBILE": "TEL",
        "CONTENT": "TXT",
        "SCHEDULE_AT": "WHEN_AT",
        "STATUS": "FLAG",
        "RESULT_CODE": "CODE",
        "RESULT_TEXT": "WHY",
        "TAKEN_AT": "TAKEN",
        "MESSAGE_ID": "MSG",
    },
    "statuses": {"new": "N", "taken": "T", "submitted": "S", "refused": "R"},
}
GOOD = ("13800138000", "请按时就诊", None)
TOMORROW = (datetime.now(ZONE) + timedelta(days=1)).replace(hour=14, minute=30, second=0)
DUE = TOMORROW.replace(microsecond=0)
Cells = tuple[str | None, str | None, str | None, str | None]


@dataclass(frozen=True)
class Case:
    """A row, and the code that it gets; none where it is accepted."""

    cells: Cells
    code: str = ""


CASES = [
    Case((None, *GOOD), "BAD_REQUEST"),
    Case(("", *GOOD), "BAD_REQUEST"),
    Case(("k" * 65, *GOOD), "BAD_REQUEST"),
    Case(("a\x01b", *GOOD), "BAD_REQUEST"),
    Case(("n1", None, "x", None), "BAD_NUMBER"),
    Case(("n2", "  ", "x", None), "BAD_NUMBER"),
    Case(("n3", "138001380", "x", None), "BAD_NUMBER"),
    Case(("n4", "+1 202 555 0100", "x", None), "BAD_NUMBER"),
    Case(("n5", "1380013800O", "x", None), "BAD_NUMBER"),
    Case(("n6", "' OR 1=1 --", "x", None), "BAD_NUMBER"),
    Case(("c1", "13800138000", None, None), "BAD_CONTENT"),
    Case(("c2", "13800138000", " \t ", None), "BAD_CONTENT"),
    Case(("c3", "13800138000", "a\x01b", None), "BAD_CONTENT"),
    Case(("c4", "13800138000", "长" * 1500, None), "TOO_LONG"),
    Case(("d1", *GOOD[:2], "next tuesday"), "BAD_REQUEST"),
    Case(("d2", *GOOD[:2], "2099-13-01"), "BAD_REQUEST"),
    Case(("d3", *GOOD[:2], f"{DUE:%Y-%m-%d %H:%M:%S}")),
    Case(("d4", *GOOD[:2], f"{DUE.year}/{DUE.month}/{DUE.day} 14:30")),
    Case(("d5", *GOOD[:2], f"{DUE:%Y%m%d%H%M%S}")),
    Case(("twice", *GOOD)),
    Case(("twice", *GOOD)),
    Case(("ok", *GOOD)),
]


@pytest.fixture
def build(his: His, tmp_path: Path) -> Iterator[Callable[..., House]]:
    store = open_engine(f"sqlite:///{tmp_path / 'store.db'}")
    metadata.create_all(store)
    built: list[House] = []

    def make(**source: Any) -> House:
        built.append(House(his, store, source=source))
        return built[-1]

    yield make
    for house in built:
        house.stop()
    store.dispose()


def test_each_bad_row_gets_its_reason_and_the_others_go_on(
    his: His, build: Callable[..., House]
) -> None:
    his.run(TABLE)
    his.run("CREATE INDEX HIS_TEXTS_NEW ON HIS_TEXTS (FLAG, NO)")
    his.run(
        "INSERT INTO HIS_TEXTS (NO, TEL, TXT, WHEN_AT) VALUES (:no, :tel, :txt, :at)",
        [dict(zip(("no", "tel", "txt", "at"), case.cells)) for case in CASES],
    )
    house = build(**SOURCE)
    ended = "SELECT COUNT(*) FROM HIS_TEXTS WHERE FLAG = 'R' OR MSG IS NOT NULL"
    eventually(lambda: his.ask(ended) == [(len(CASES),)])
    found = his.ask("SELECT NO, FLAG, CODE FROM HIS_TEXTS")
    wanted = [(case.cells[0], "R" if case.code else "T", case.code or None) for case in CASES]
    assert sorted(found, key=str) == sorted(wanted, key=str)
    assert his.ask("SELECT COUNT(*) FROM HIS_TEXTS WHERE FLAG = 'R' AND WHY IS NULL") == [(0,)]
    # The same moment in three ways of writing it, and one message for the key that stands twice.
    [(told,)] = his.ask("SELECT COUNT(DISTINCT MSG) FROM HIS_TEXTS")
    assert told == len({case.cells[0] for case in CASES if not case.code})
    with house.store.connect() as connection:
        due = connection.execute(
            submission.select().where(submission.c.client_ref.in_(["d3", "d4", "d5"]))
        ).all()
    assert {each.due_at for each in due} == {to_ms(DUE)}
    assert len(due) == 3
    assert house.sources.status()[0].up


ALTERED = {
    "postgresql": ["ALTER TABLE SMS_OUTBOUND ALTER COLUMN ID DROP IDENTITY",
                   "ALTER TABLE SMS_OUTBOUND ALTER COLUMN ID TYPE VARCHAR(40)",
                   "ALTER TABLE SMS_OUTBOUND ALTER COLUMN STATUS DROP DEFAULT",
                   "ALTER TABLE SMS_OUTBOUND ALTER COLUMN STATUS TYPE VARCHAR(4)"],
    "mysql": ["ALTER TABLE SMS_OUTBOUND MODIFY ID VARCHAR(40), MODIFY STATUS VARCHAR(4)"],
}  # fmt: skip


def test_columns_of_another_type_after_an_upgrade(
    served: His, running: Callable[..., Source]
) -> None:
    """Keys and status become texts under a source that runs."""
    his = served
    his.insert(2)
    book = Book()
    source = running(his.settings(), book.take)
    eventually(lambda: his.count("MESSAGE_ID IS NOT NULL") == 2)
    for statement in ALTERED[his.dialect]:
        his.run(statement)
    his.run("INSERT INTO SMS_OUTBOUND (ID, MOBILE, CONTENT, STATUS) VALUES ('A-3', '1', 'x', '0')")
    book.wait_for(lambda: "A-3" in book.messages)

    def told() -> bool:
        changes = [StateChange(k, m, Status.DELIVERED) for k, m in book.messages.items()]
        try:
            source.write(changes)
        except Exception:
            return False
        return his.count("STATUS = '3'") == 3

    eventually(told)
    eventually(lambda: source.health().up)
