"""A whole node with its carrier, its callers and its HIS tables, for one fault after another.

Every message has a number of its own, so what came twice or never can be told by the number:
rows of the table have 138..., calls of the SOAP service 139...
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import requests
import zeep

from adapter.drill.evidence import Evidence
from tests.dbpoll.conftest import His
from tests.nodes import PATIENCE_S, Carrier, Node, Setup, Soap, until

CONTENT = "请准时就诊"
DOUBTS_SOON = '<policies><lane name="normal" doubt="resend" doubt-wait="100ms"/></policies>'


def his_number(row: int) -> str:
    return f"138{row:08}"


def web_number(call: int) -> str:
    return f"139{call:08}"


class Callers:
    """A business system that goes on calling, and repeats each call until it is accepted.

    `refusals` are the codes that it heard, `slowest_s` the longest that a call took to be
    answered at all.
    """

    def __init__(self, url: str, count: int) -> None:
        self.accepted: dict[str, int] = {}
        self.refusals: list[str] = []
        self.slowest_s = 0.0
        self._soap = Soap(url)
        self._count = count
        self._thread = threading.Thread(target=self._call_all, name="callers", daemon=True)

    def __enter__(self) -> Callers:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join(PATIENCE_S)

    def end(self) -> None:
        """Wait until every call was accepted."""
        self._thread.join(PATIENCE_S)
        assert len(set(self.accepted.values())) == self._count, self.refusals

    def _call_all(self) -> None:
        for mobile in map(web_number, range(self._count)):
            deadline = time.monotonic() + PATIENCE_S
            while not self._call(mobile):
                if time.monotonic() > deadline:
                    return
                time.sleep(0.05)

    def _call(self, mobile: str) -> bool:
        started = time.monotonic()
        recipients = {"Recipient": [{"mobile": mobile}]}
        try:
            reply = self._soap.call(
                "Send", clientRef=f"ref-{mobile}", content=CONTENT, recipients=recipients
            )
        except zeep.exceptions.Fault as fault:
            self.refusals.append(code_of(fault))
        except requests.RequestException as error:
            self.refusals.append(type(error).__name__)
        else:
            self.accepted[mobile] = int(reply.results.Result[0].messageId)
        self.slowest_s = max(self.slowest_s, time.monotonic() - started)
        return mobile in self.accepted


def code_of(fault: zeep.exceptions.Fault) -> str:
    """The code of contract.md in a fault's detail."""
    detail: Any = fault.detail
    return str(detail.findtext(".//{*}code"))


@dataclass(slots=True)
class House:
    """A running node. `rows` of the table and `calls` of the service were sent through it."""

    carrier: Carrier
    setup: Setup
    node: Node
    his: His | None = None
    rows: int = 0
    calls: int = 0
    receipts: list[Any] = field(default_factory=list)

    def insert(self, count: int) -> None:
        """More rows in the HIS table."""
        assert self.his is not None
        first = self.rows + 1
        self.rows += count
        self.his.run(
            "INSERT INTO SMS_OUTBOUND (ID, MOBILE, CONTENT) VALUES (:i, :m, :c)",
            [{"i": row, "m": his_number(row), "c": CONTENT} for row in range(first, self.rows + 1)],
        )

    def callers(self, count: int) -> Callers:
        """A system that calls from now on. Once in a test."""
        self.calls = count
        return Callers(self.node.url, count)

    def send(self, count: int) -> None:
        """More messages by one call."""
        first, self.calls = self.calls, self.calls + count
        entries = [(web_number(call), CONTENT) for call in range(first, self.calls)]
        Soap(self.node.url).send_batch(entries, f"batch-{first}")

    def numbers(self) -> list[str]:
        rows = [his_number(row) for row in range(1, self.rows + 1)]
        return rows + [web_number(call) for call in range(self.calls)]

    def states(self) -> dict[str, str]:
        """The state of each number's message; fails when one was accepted twice or never."""
        stored = Evidence(self.setup.store).messages()
        assert sorted(each.mobile for each in stored) == self.numbers()
        return {each.mobile: each.state for each in stored}

    def settle(self, states: Sequence[str] = ("DELIVERED",)) -> None:
        """Wait until everything is final and home, in one of these states; every message was
        accepted once and sent once, or twice where it carries the mark."""
        if self.his is not None:
            his = self.his
            until(lambda: his.count("STATUS >= 3") == self.rows, "every row is final")
        if self.calls:
            soap = Soap(self.node.url)
            until(lambda: self._fetch(soap) == self.calls, "every receipt was fetched")
        until(self.node.at_rest, "nothing waits, is on the wire or in doubt")
        assert set(self.states().values()) <= set(states)
        self.nothing_unmarked_came_twice()

    def nothing_unmarked_came_twice(self) -> None:
        stored = Evidence(self.setup.store).messages()
        marked = {each.mobile for each in stored if each.in_doubt}
        assert self.carrier.repeated().keys() <= marked

    def _fetch(self, soap: Soap) -> int:
        self.receipts += soap.fetch_all("Receipts")
        return len({each.messageId for each in self.receipts})
