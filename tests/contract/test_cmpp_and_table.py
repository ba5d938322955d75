"""The doors whose protocols are not ours, CMPP and the hospital's table, held against JSON: what
they can ask for has the same outcome, said in their own words."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from connectors.behaviour import Behaviour, Failure
from connectors.cmpp.report import decode_report
from connectors.splitting import split
from tests.contract.conftest import CMPP_SECRET, House, who
from tests.contract.gateway import CmppClient
from tests.contract.test_refusals import sending, to
from tests.dbpoll.conftest import His
from tests.nodes import ACCESS_NUMBER, until

GOOD, OTHER = "13900120000", "13900120001"
rows = itertools.count(1)


@pytest.fixture
def gateway(house: House) -> Iterator[CmppClient]:
    with CmppClient(house.cmpp_port, "all", CMPP_SECRET) as client:
        assert client.status == 0
        yield client


def insert(table: His, **columns: Any) -> int:
    """A row of the table; its ID."""
    row = next(rows)
    values = {"ID": row, "MOBILE": GOOD, "CONTENT": "您好"} | columns
    names = ", ".join(values)
    marks = ", ".join(f":{name}" for name in values)
    table.run(f"INSERT INTO SMS_OUTBOUND ({names}) VALUES ({marks})", values)
    return row


def outcome(table: His, row: int, least: int = 3) -> tuple[int, str, str]:
    """STATUS, RESULT_CODE and MESSAGE_ID of a row, as soon as the STATUS is so far."""
    query = "SELECT STATUS, RESULT_CODE, MESSAGE_ID FROM SMS_OUTBOUND WHERE ID = :row"
    until(lambda: table.ask(query, row=row)[0][0] >= least, f"row {row} has an outcome")
    status, code, message = table.ask(query, row=row)[0]
    return int(status), str(code), str(message)


class Refused(NamedTuple):
    """One fault, as each of the three asks for it, and what each hears."""

    code: str
    result: int
    json: dict[str, Any]
    cmpp: dict[str, Any]
    row: dict[str, Any]
    account: str = "all"


CASES = {
    "a wrong number": Refused(
        "BAD_NUMBER", 13, to("12345"), {"to": ("12345",)}, {"MOBILE": "12345"}
    ),
    "a carrier without a route": Refused(
        "NO_ROUTE", 72, to("19200000000"), {"to": ("19200000000",)}, {"MOBILE": "19200000000"}
    ),
    "no content": Refused(
        "BAD_CONTENT", 76, sending(content=" "), {"content": " "}, {"CONTENT": " "}
    ),
    "what no phone shows": Refused(
        "BAD_CONTENT",
        76,
        sending(content="a\ufffd"),
        {"content": "a\ufffd"},
        {"CONTENT": "a\ufffd"},
    ),
    "an extension beyond 20 digits": Refused(
        "BAD_REQUEST",
        1,
        sending(extension="1234567"),
        {"src_id": f"{ACCESS_NUMBER}201234567".encode()},
        {"EXTENSION": "1234567"},
    ),
    "an end in the past": Refused(
        "BAD_REQUEST",
        1,
        sending(expireAt="2020-01-01T00:00:00+08:00"),
        {"valid_time": b"200101000000032+"},
        {"EXPIRE_AT": "2020-01-01 00:00:00"},
    ),
    "a quota": Refused(
        "QUOTA_EXCEEDED",
        77,
        to(GOOD, OTHER),
        {"to": (GOOD, OTHER)},
        {"MOBILE": f"{GOOD},{OTHER}"},
        "small",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_three_refuse_alike(house: House, name: str) -> None:
    fault = CASES[name]
    heard = house.doors["json"].ask(who(fault.account), "Send", fault.json)
    assert (heard.result or {"code": heard.code})["code"] == fault.code
    with CmppClient(house.cmpp_port, fault.account, CMPP_SECRET) as client:
        asked = dict(fault.cmpp)
        numbers = asked.pop("to", (GOOD,))
        answer = client.submit(*numbers, **asked)
        assert (answer.result, answer.msg_id) == (fault.result, bytes(8))
    table = house.few if fault.account == "small" else house.his
    status, code, _ = outcome(table, insert(table, **fault.row))
    assert (status, code) == (5, fault.code)


def test_a_text_beyond_the_clients_longest(house: House) -> None:
    """Over CMPP it comes in parts."""
    with CmppClient(house.cmpp_port, "narrow", CMPP_SECRET) as client:
        results = []
        for payload in split("长" * 71, reference=1).payloads:
            answer = client.submit(GOOD, msg_content=payload, tp_udhi=1)
            results.append(answer.result)
        assert results == [0, 6]
    heard = house.doors["json"].ask(who("narrow"), "Send", sending(content="长" * 71))
    assert heard.result["code"] == "TOO_LONG"
    row = insert(house.his, CONTENT="长" * 700)
    assert outcome(house.his, row)[:2] == (5, "TOO_LONG")


def test_who_may_not_now_is_told_to_come_again(house: House) -> None:
    """Rows of a table are limited neither by hours nor by a rate: they wait in the table."""
    house.doors["json"].ask(who("slow"), "Send", sending())
    for account in ("night", "slow"):
        assert house.doors["json"].ask(who(account), "Send", sending()).code == "RATE_LIMITED"
        with CmppClient(house.cmpp_port, account, CMPP_SECRET) as client:
            assert client.submit(GOOD).result == 8


@pytest.mark.parametrize(
    ("account", "secret", "status"),
    [
        ("all", "another", 3),
        ("nobody", CMPP_SECRET, 3),
        ("sealed", CMPP_SECRET, 3),
        ("away", CMPP_SECRET, 2),
    ],
)
def test_who_may_not_enter(house: House, account: str, secret: str, status: int) -> None:
    with CmppClient(house.cmpp_port, account, secret) as client:
        assert client.status == status


def test_a_text_goes_out_alike_and_its_receipt_comes_home(
    house: House, gateway: CmppClient
) -> None:
    text = "您的报告已出 <&>"
    sent = house.doors["json"].ask(who("all"), "Send", to("13900120010", content=text)).result
    answer = gateway.submit("13900120011", content=text)
    row = insert(house.his, MOBILE="13900120012", CONTENT=text)

    report = decode_report(gateway.delivered().msg_content)
    assert (report.msg_id, report.stat) == (answer.msg_id, b"DELIVRD")
    assert outcome(house.his, row)[:2] == (3, "DELIVRD")
    submission = {"submissionId": sent["submissionId"]}
    until(lambda: state(house, **submission) == ("DELIVERED", "DELIVRD"))

    # Each message is the same one to all that may ask for it.
    by_cmpp = str(int.from_bytes(answer.msg_id, "big"))
    assert state(house, messageIds=[by_cmpp]) == ("DELIVERED", "DELIVRD")
    by_row = outcome(house.his, row)[2]
    assert state(house, messageIds=[by_row]) == ("DELIVERED", "DELIVRD")
    numbers = {"13900120010", "13900120011", "13900120012"}
    seen = {
        (each["source"], each["text"])
        for each in house.carrier.taken()
        if each["destination"] in numbers
    }
    assert seen == {(f"{ACCESS_NUMBER}20", text)}


def state(house: House, **asked: Any) -> tuple[str, str]:
    found = house.doors["json"].ask(who("all"), "Query", asked).result["messages"][0]
    return found["state"], found.get("carrierCode", "")


def test_what_the_carrier_could_not_deliver(house: House, gateway: CmppClient) -> None:
    house.carrier.behave(Behaviour(failures=(Failure(1.0, "MK:0001"),)))
    try:
        sent = house.doors["json"].ask(who("all"), "Send", to("13900120020")).result
        answer = gateway.submit("13900120021")
        row = insert(house.his, MOBILE="13900120022")
        report = decode_report(gateway.delivered().msg_content)
        assert (report.msg_id, report.stat) == (answer.msg_id, b"MK:0001")
        assert outcome(house.his, row)[:2] == (4, "MK:0001")
        submission = {"submissionId": sent["submissionId"]}
        until(lambda: state(house, **submission) == ("UNDELIVERED", "MK:0001"))
    finally:
        house.carrier.behave(Behaviour())


def test_what_is_withdrawn(house: House, gateway: CmppClient) -> None:
    """By whoever of the client asks for it."""
    answer = gateway.submit("13900120030", at_time=b"000100000000000R")
    row = insert(house.his, MOBILE="13900120031", SCHEDULE_AT="2026-12-15 08:00:00")
    by_row = waiting(house.his, row)
    by_cmpp = str(int.from_bytes(answer.msg_id, "big"))
    done = house.doors["socket"].ask(who("all"), "Cancel", {"messageIds": [by_cmpp, by_row]})
    assert done.result["cancelled"] == "2"
    report = decode_report(gateway.delivered().msg_content)
    assert (report.msg_id, report.stat) == (answer.msg_id, b"DELETED")
    assert outcome(house.his, row)[0] == 6


def waiting(table: His, row: int) -> str:
    """The MESSAGE_ID of a row that is not sent yet."""
    query = "SELECT MESSAGE_ID FROM SMS_OUTBOUND WHERE ID = :row"
    until(lambda: table.ask(query, row=row)[0][0], f"row {row} was taken")
    return str(table.ask(query, row=row)[0][0])


def test_a_text_from_a_phone_comes_home(house: House) -> None:
    """To the table of a client that has one, else to whoever asks or is connected."""
    text = "请改到<明天>"
    house.carrier.send_inbound("13900120040", f"{ACCESS_NUMBER}20", text)
    query = "SELECT CONTENT, ACCESS_NUMBER, EXTENSION FROM SMS_INBOUND WHERE MOBILE = '13900120040'"
    until(lambda: house.his.ask(query), "the row of the text")
    assert house.his.ask(query) == [(text, ACCESS_NUMBER, "20")]

    number = f"{ACCESS_NUMBER}21"
    house.carrier.send_inbound("13900120041", number, text)
    (waits,) = waiting_texts(house, 1)
    assert (waits["content"], waits["accessNumber"], waits["extension"]) == (
        text,
        ACCESS_NUMBER,
        "21",
    )
    with CmppClient(house.cmpp_port, "single", CMPP_SECRET) as client:
        heard = client.delivered()
        assert heard.registered_delivery == 0
        assert (heard.src_terminal_id, heard.dest_id) == (b"13900120041", number.encode())
        assert heard.msg_content.decode("utf-16-be") == text
        waiting_texts(house, 0)


def waiting_texts(house: House, count: int) -> list[Any]:
    def found() -> list[Any]:
        answer = house.doors["json"].ask(who("single"), "FetchInbound", {}).result
        texts: list[Any] = answer["inbound"]
        return texts

    until(lambda: len(found()) == count, f"{count} texts wait")
    return found()


def test_a_line_is_tested_both_ways(house: House, gateway: CmppClient) -> None:
    assert type(gateway.test()).__name__ == "ActiveTestResp"
