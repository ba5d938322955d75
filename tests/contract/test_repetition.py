"""A request repeated under its clientRef gets its first answer, whatever doors it goes through,
and is sent once."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.contract.conftest import NAMES, PASSWORD, House, who
from tests.nodes import until

PARTIAL = {
    "content": "重复",
    "passThrough": "first",
    "recipients": [{"mobile": "12345"}, {"mobile": "13900130000", "ref": "one"}],
}
ANOTHER = {"content": "另一条", "recipients": [{"mobile": "13900139999"}]}


def sent_to(house: House, mobile: str) -> int:
    return sum(each["destination"] == mobile for each in house.carrier.taken())


@pytest.mark.parametrize("first", NAMES)
def test_the_first_answer_comes_back_through_every_door(house: House, first: str) -> None:
    """Also where the repetition asks for something else."""
    mobile = f"1390013{NAMES.index(first):04}"
    asked = PARTIAL | {
        "clientRef": f"repeated-{first}",
        "recipients": [{"mobile": "12345"}, {"mobile": mobile, "ref": "one"}],
    }
    told = house.doors[first].ask(who("all"), "Send", asked).result
    assert told["code"] == "PARTIAL"
    until(lambda: sent_to(house, mobile) == 1)
    again = house.each("Send", asked, "all")
    assert [heard.result for heard in again.values()] == [told] * len(NAMES)
    other = house.each("Send", ANOTHER | {"clientRef": f"repeated-{first}"}, "all")
    kept = {name: value for name, value in told.items() if name != "passThrough"}
    assert [heard.result for heard in other.values()] == [kept] * len(NAMES)
    assert sent_to(house, mobile) == 1
    assert sent_to(house, "13900139999") == 0


def test_a_reference_is_one_for_both_sending_operations(house: House) -> None:
    asked = {"clientRef": "both", "content": "x", "recipients": [{"mobile": "13900130100"}]}
    told = house.doors["soap11"].ask(who("all"), "Send", asked).result
    batch = {"clientRef": "both", "entries": [{"mobile": "13900130101", "content": "y"}]}
    again = house.each("SendBatch", batch, "all")
    assert [heard.result for heard in again.values()] == [told] * len(NAMES)
    assert sent_to(house, "13900130101") == 0


def test_a_reference_is_the_clients_own(house: House) -> None:
    asked = {"clientRef": "mine", "content": "x", "recipients": [{"mobile": "13900130200"}]}
    answers = house.each("Send", asked)
    assert len({heard.result["submissionId"] for heard in answers.values()}) == len(NAMES)


def test_all_doors_at_the_same_moment(house: House) -> None:
    asked = {"clientRef": "at once", "content": "x", "recipients": [{"mobile": "13900130300"}]}

    def ask(name: str) -> Any:
        return house.doors[name].ask(who("all"), "Send", asked).result

    web = [name for name in NAMES if name != "socket"]
    with ThreadPoolExecutor(20) as pool:
        told = list(pool.map(ask, itertools.chain(web * 4, ["socket"])))
    assert told == [told[0]] * len(told)
    until(house.node.at_rest)
    assert sent_to(house, "13900130300") == 1


def test_a_refused_request_may_be_corrected_under_its_reference(house: House) -> None:
    refused = {"clientRef": "mended", "content": "x", "recipients": [{"mobile": "12345"}]}
    assert all(
        heard.result["code"] == "BAD_NUMBER"
        for heard in house.each("Send", refused, "all").values()
    )
    mended = refused | {"recipients": [{"mobile": "13900130400"}]}
    told = [heard.result for heard in house.each("Send", mended, "all").values()]
    assert told[0]["code"] == "OK"
    assert told == [told[0]] * len(NAMES)


def test_the_first_answer_comes_back_after_the_node_was_killed(house: House) -> None:
    asked = {"clientRef": "killed", "content": "x", "recipients": [{"mobile": "13900130500"}]}
    told = house.doors["json"].ask(who("all"), "Send", asked).result
    until(lambda: sent_to(house, "13900130500") == 1)
    until(house.node.at_rest)
    house.node.kill()
    house.doors["socket"].leave()
    house.node.start()
    again = house.each("Send", asked, "all")
    assert [heard.result for heard in again.values()] == [told] * len(NAMES)
    assert sent_to(house, "13900130500") == 1


def test_text_without_a_reference_is_another_each_time(house: House) -> None:
    asked = {
        "account": "all",
        "password": PASSWORD,
        "mobiles": "13900130600",
        "content": "x",
        "extension": "",
    }
    told = house.each("SendText", asked, "all")
    assert len({heard.result for heard in told.values()}) == len(NAMES)
    until(lambda: sent_to(house, "13900130600") == len(NAMES))
