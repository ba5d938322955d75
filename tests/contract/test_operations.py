"""Every operation through every door, from the first request to the last acknowledgement: the
answers are equal, ids and times aside."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapter.contract import SmsExchange
from adapter.domain.client import ContentCipher, ContentKey
from adapter.security.contents import Binding, seal
from tests.contract.conftest import (
    CONTENT_KEY,
    EXTENSIONS,
    NAMES,
    PASSWORD,
    House,
    one_of,
)
from tests.contract.doors import Heard, Who
from tests.nodes import ACCESS_NUMBER, until

TEXT = '您的"检查报告"已出 <CT & MRI>，请到自助机打印'
LATER = "2099-01-01T08:00:00+08:00"


def tomorrow() -> str:
    return (datetime.now(UTC) + timedelta(days=1)).isoformat(timespec="seconds")


Said = dict[str, Heard]
"""What a door said to each step."""


class Visit:
    """One client's business with the node, through one door."""

    def __init__(self, house: House, name: str, number: int) -> None:
        self.house = house
        self.name = name
        self.who = Who(name, PASSWORD)
        self.said: Said = {}
        self.operations: set[str] = set()
        self._mobile = f"138{number:04}"

    def mobile(self, number: int) -> str:
        return f"{self._mobile}{number:04}"

    def ask(self, step: str, operation: str, **request: Any) -> Any:
        """A step whose answer is compared; its result."""
        heard = self.look(operation, **request)
        assert step not in self.said
        self.said[step] = heard
        assert not heard.refused, (self.name, step, heard)
        return heard.result

    def look(self, operation: str, **request: Any) -> Heard:
        self.operations.add(operation)
        return self.house.doors[self.name].ask(self.who, operation, request)

    def until_state(self, submission: str, state: str) -> None:
        def reached() -> bool:
            found = self.look("Query", submissionId=submission).result
            return all(each["state"] == state for each in found["messages"])

        until(reached, f"{submission} is {state}")

    def go(self) -> Said:
        self.send()
        self.receipts()
        self.inbound()
        self.batch()
        self.cancel()
        self.rest()
        return self.said

    def send(self) -> None:
        everything = {
            "clientRef": "contract-1",
            "business": "notice",
            "content": TEXT,
            "recipients": [
                {"mobile": self.mobile(1), "ref": "r-1"},
                {"mobile": f"+86{self.mobile(2)}"},
            ],
            "extension": "7",
            "lane": "bulk",
            "expireAt": LATER,
            "receipt": True,
            "passThrough": "a & b <c>",
            "businessKey": "appointment-1",
            "replace": False,
        }
        reply = self.ask("Send", "Send", **everything)
        assert (reply["code"], reply["accepted"]) == ("OK", "2")
        again = self.ask("Send again", "Send", **everything)
        assert again == reply
        self.submission = reply["submissionId"]
        self.messages = [each["messageId"] for each in reply["results"]]
        self.until_state(self.submission, "DELIVERED")
        self.ask("Query by submissionId", "Query", submissionId=self.submission)
        self.ask("Query by clientRef", "Query", clientRef="contract-1")
        self.ask("Query by messageIds", "Query", messageIds=self.messages)
        self.ask("Query nothing", "Query", clientRef="never sent")

    def receipts(self) -> None:
        def came() -> bool:
            found: list[Any] = self.look("FetchReceipts", max=10).result["receipts"]
            return len(found) == 2

        until(came, f"{self.name}: both receipts")
        first = self.ask("FetchReceipts one", "FetchReceipts", max=1)
        assert first["more"] == "true"
        self.ask("FetchReceipts rest", "FetchReceipts", max=1, cursor=first["cursor"])
        done = self.ask("AckReceipts by cursor", "AckReceipts", cursor=first["cursor"])
        assert done["acknowledged"] == "1"
        left = self.look("FetchReceipts").result["receipts"]
        self.ask("AckReceipts by id", "AckReceipts", receiptIds=[left[0]["receiptId"]])
        empty = self.ask("FetchReceipts none", "FetchReceipts")
        assert empty["receipts"] == []

    def inbound(self) -> None:
        number = ACCESS_NUMBER + EXTENSIONS[self.name]
        for text in ("好的 <&>", "第二条"):
            self.house.carrier.send_inbound(self.mobile(1), number, text)
            until(
                lambda text=text: any(  # type: ignore[misc]
                    each["content"] == text for each in self.look("FetchInbound").result["inbound"]
                ),
                f"{self.name}: {text}",
            )
        found = self.ask("FetchInbound", "FetchInbound", max=1000)
        self.ask("AckInbound by id", "AckInbound", inboundIds=[found["inbound"][0]["inboundId"]])
        left = self.ask("FetchInbound rest", "FetchInbound")
        self.ask("AckInbound by cursor", "AckInbound", cursor=left["cursor"])
        assert self.ask("FetchInbound none", "FetchInbound")["inbound"] == []

    def batch(self) -> None:
        reply = self.ask(
            "SendBatch",
            "SendBatch",
            clientRef="contract-2",
            template="turn",
            values=[{"name": "room", "value": "3号诊室"}],
            entries=[
                {"mobile": self.mobile(3), "values": [{"name": "name", "value": "张三"}]},
                {"mobile": self.mobile(4), "content": "自己的短信", "ref": "own"},
                {"mobile": "12345", "ref": "wrong"},
                {"mobile": self.mobile(3), "values": [{"name": "name", "value": "张三"}]},
                {"mobile": "19200000000", "content": "x"},
                {"mobile": self.mobile(5), "values": [{"name": "unknown", "value": "x"}]},
                {"mobile": self.mobile(6), "content": "长" * 700},
            ],
        )
        assert [each["code"] for each in reply["results"]] == [
            "OK", "OK", "BAD_NUMBER", "DUPLICATE", "NO_ROUTE", "BAD_CONTENT", "TOO_LONG",
        ]  # fmt: skip
        assert reply["code"] == "PARTIAL"
        self.until_state(reply["submissionId"], "DELIVERED")
        self.ask("Query of SendBatch", "Query", clientRef="contract-2")
        key = ContentKey(ContentCipher.AES_256_GCM, CONTENT_KEY)
        binding = Binding(self.name, "contract-3", (self.mobile(7),))
        self.ask(
            "Send encrypted",
            "Send",
            clientRef="contract-3",
            encryptedContent=seal("k1", key, TEXT, binding),
            recipients=[{"mobile": self.mobile(7)}],
        )

    def cancel(self) -> None:
        def later(mobile: int, key: str, **more: Any) -> Any:
            reply = self.look(
                "Send",
                content="以后",
                scheduleAt=tomorrow(),
                businessKey=key,
                recipients=[{"mobile": self.mobile(mobile)}, {"mobile": self.mobile(mobile + 1)}],
                **more,
            )
            return reply.result

        first, second, third = later(10, "k-1"), later(12, "k-2"), later(14, "k-3")
        self.ask("Query held", "Query", submissionId=first["submissionId"])
        ids = [each["messageId"] for each in second["results"]]
        self.ask("Cancel by messageIds", "Cancel", messageIds=ids[:1])
        self.ask("Cancel by submissionId", "Cancel", submissionId=first["submissionId"])
        replaced = later(16, "k-2", replace=True)
        self.ask("Query replaced", "Query", messageIds=ids)
        done = self.ask("Cancel by businessKey", "Cancel", businessKey="k-3")
        assert done["cancelled"] == "2"
        self.ask("Cancel again", "Cancel", businessKey="k-3")
        self.ask("Query cancelled", "Query", submissionId=third["submissionId"])
        self.look("Cancel", submissionId=replaced["submissionId"])

    def rest(self) -> None:
        self.ask("GetAccount", "GetAccount")
        ping = self.ask("Ping", "Ping")
        assert ping["state"] == "running"
        sent = self.ask(
            "SendText",
            "SendText",
            account=self.name,
            password=PASSWORD,
            mobiles=f"{self.mobile(20)};{self.mobile(21)}，12345",
            content="纯文本",
            extension="8",
        )
        code, made, _ = sent.split(";")
        assert code == "PARTIAL"
        self.until_state(made, "DELIVERED")
        self.ask("Query of SendText", "Query", submissionId=made)
        refused = self.ask(
            "SendText refused",
            "SendText",
            account=self.name,
            password=PASSWORD,
            mobiles=self.mobile(22),
            content="",
        )
        assert refused.startswith("BAD_CONTENT;;")


@dataclass(frozen=True, slots=True)
class Visits:
    said: dict[str, Said]
    operations: set[str]


@pytest.fixture(scope="module")
def visits(house: House) -> Visits:
    made = [Visit(house, name, place) for place, name in enumerate(NAMES)]
    said = {visit.name: visit.go() for visit in made}
    return Visits(said, set.intersection(*(visit.operations for visit in made)))


STEPS = (
    "Send", "Send again", "Query by submissionId", "Query by clientRef", "Query by messageIds",
    "Query nothing", "FetchReceipts one", "FetchReceipts rest", "AckReceipts by cursor",
    "AckReceipts by id", "FetchReceipts none", "FetchInbound", "AckInbound by id",
    "FetchInbound rest", "AckInbound by cursor", "FetchInbound none", "SendBatch",
    "Query of SendBatch", "Send encrypted", "Query held", "Cancel by messageIds",
    "Cancel by submissionId", "Query replaced", "Cancel by businessKey", "Cancel again",
    "Query cancelled", "GetAccount", "Ping", "SendText", "Query of SendText", "SendText refused",
)  # fmt: skip


def test_every_operation_is_asked_at_every_door(visits: Visits) -> None:
    # `Exchange` is itself the door `string`, and stands at no other.
    assert visits.operations == set(SmsExchange.public_methods) - {"Exchange"}
    assert all(tuple(said) == STEPS for said in visits.said.values())


@pytest.mark.parametrize("step", STEPS)
def test_all_doors_answer_alike(visits: Visits, step: str) -> None:
    one_of({name: said[step] for name, said in visits.said.items()})


def test_the_carrier_saw_the_same_of_every_door(house: House, visits: Visits) -> None:
    """Texts and senders as well as answers."""
    seen: dict[str, list[Any]] = {name: [] for name in visits.said}
    for each in house.carrier.taken():
        place = each["destination"][3:7]
        if each["destination"].startswith("138") and place.isdigit() and int(place) < len(NAMES):
            name = NAMES[int(place)]
            sender = each["source"].replace(ACCESS_NUMBER + EXTENSIONS[name], "")
            seen[name].append((each["destination"][7:], sender, each["text"]))
    first, *others = [sorted(each) for each in seen.values()]
    assert len(first) == 7
    assert all(other == first for other in others)
