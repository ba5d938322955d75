"""The way of a message through a running node: HIS rows and SOAP calls to the carrier, and
what the carrier says back home (issue "The spine", shown by)."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from connectors.behaviour import Behaviour, Span
from tests.dbpoll.conftest import His
from tests.nodes import Carrier, Node, Setup, Soap, until

ROWS, CALLS = 10_000, 1_000
BATCH = 90
LONG = "您预约的检查需要空腹，请于明日上午八点前到门诊三楼登记，并携带身份证和医保卡。" * 3
SHORT = "您的检查报告已出。"


def his_number(row: int) -> str:
    return f"138{row:08}"


def web_number(call: int) -> str:
    return f"139{call:08}"


def content(number: int) -> str:
    """Every tenth text is a long one."""
    return LONG if number % 10 == 0 else SHORT


def insert(his: His) -> None:
    """As the HIS does it: many transactions while the node polls."""
    for first in range(1, ROWS + 1, 500):
        his.run(
            "INSERT INTO SMS_OUTBOUND (ID, MOBILE, CONTENT) VALUES (:i, :m, :c)",
            [
                {"i": row, "m": his_number(row), "c": content(row)}
                for row in range(first, first + 500)
            ],
        )


def call(soap: Soap) -> list[int]:
    """A thousand messages: most in batches, a hundred one by one."""
    ids = []
    singles = CALLS // 10
    for first in range(singles, CALLS, BATCH):
        entries = [(web_number(each), content(each)) for each in range(first, first + BATCH)]
        ids += soap.send_batch(entries, f"B-{first}")
    for each in range(singles):
        ids.append(soap.send(web_number(each), content(each), f"S-{each}"))
    return ids


@pytest.mark.slow
def test_rows_and_calls_reach_the_carrier_once_and_all_receipts_come_home(
    store_url: str, his: His, tmp_path: Path
) -> None:
    behaviour = Behaviour(
        answer_delay=Span(1, 5), receipt_delay=Span(1, 200), inbound_share=0.02, seed=1
    )
    with Carrier(behaviour, log=tmp_path / "carrier.jsonl") as carrier:
        setup = Setup(tmp_path, store_url, carrier.port, his.url, window=32)
        with Node(setup.write(), setup.web_port).start() as node:
            inserting = threading.Thread(target=insert, args=(his,))
            inserting.start()
            soap = Soap(node.url)
            ids = call(soap)
            inserting.join()
            until(lambda: his.count("STATUS = 3") == ROWS, "every row is delivered")
            receipts: list[Any] = []
            until(lambda: fetch_more(soap, "Receipts", receipts) >= CALLS, "every receipt is here")
            until(node.at_rest)
            replies = carrier.events("inbound")
            texts: list[Any] = []
            until(
                lambda: fetch_more(soap, "Inbound", texts) + his_texts(his) >= len(replies),
                "every reply is home",
            )
            assert soap.fetch_all("Receipts") == []
            assert soap.fetch_all("Inbound") == []
            assert node.stop() == 0

    assert_reached_once(carrier)
    assert len(set(ids)) == CALLS
    assert Counter(int(each.messageId) for each in receipts) == Counter(ids)
    assert {each.state for each in receipts} == {"DELIVERED"}
    rows = his.ask("SELECT OUTBOUND_ID, STATE, CARRIER_CODE FROM SMS_RECEIPT")
    assert Counter(int(row[0]) for row in rows) == Counter(range(1, ROWS + 1))
    assert {row[1:] for row in rows} == {("DELIVERED", "DELIVRD")}
    assert his.ask("SELECT COUNT(DISTINCT MESSAGE_ID) FROM SMS_OUTBOUND") == [(ROWS,)]
    assert_replies_found_their_message(his, texts, Counter(r["source"] for r in replies))


def fetch_more(soap: Soap, what: str, found: list[Any]) -> int:
    found += soap.fetch_all(what)
    return len(found)


def his_texts(his: His) -> int:
    return int(his.ask("SELECT COUNT(*) FROM SMS_INBOUND")[0][0])


def assert_reached_once(carrier: Carrier) -> None:
    """Every number got its text once, the parts of a long one in order."""
    parts: defaultdict[str, list[dict[str, object]]] = defaultdict(list)
    for each in carrier.taken():
        parts[each["destination"]].append(dict(each))
    expected = {his_number(row): content(row) for row in range(1, ROWS + 1)}
    expected |= {web_number(each): content(each) for each in range(CALLS)}
    assert parts.keys() == expected.keys()
    for number, its in parts.items():
        assert "".join(str(part["text"]) for part in its) == expected[number]
        assert [part["number"] for part in its] == list(range(1, len(its) + 1))
        assert len({part["reference"] for part in its}) == 1
    assert carrier.repeated() == {}


def assert_replies_found_their_message(his: His, inbound: list[Any], replies: Counter[str]) -> None:
    rows = his.ask("SELECT MOBILE, OUTBOUND_ID, CONTENT FROM SMS_INBOUND")
    fetched = [(each.mobile, each.clientRef, each.content) for each in inbound]
    assert Counter(row[0] for row in [*rows, *fetched]) == replies
    assert rows
    assert fetched
    for mobile, outbound_id, text in rows:
        assert (his_number(int(outbound_id)), text) == (mobile, "收到")
    for mobile, ref, text in fetched:
        kind, _, first = ref.partition("-")
        size = BATCH if kind == "B" else 1
        numbers = [web_number(each) for each in range(int(first), int(first) + size)]
        assert mobile in numbers
        assert text == "收到"
