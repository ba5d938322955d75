"""Receipts and texts from phones, pushed and pulled: once, and acknowledged when durable."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from connectors.values import Report
from connectors.web.link import WebLink
from connectors.web.push import Pushed
from connectors.web.settings import (
    Call,
    Format,
    Items,
    Pull,
    Push,
    Submission,
    WebSettings,
)
from tests.connectors.recorder import Recorder, eventually, run
from tests.providers import Asked, Given, Provider

SUBMIT = Submission(Call("http://127.0.0.1:9/"))
RECEIPTS = Items(each="list", id="id", mobile="to", stat="stat", done="at")
INBOUND = Items(each="list", id="id", mobile="from", text="text", destination="to")
SECRET = "push-secret"


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider() as standing:
        yield standing


def link(told: Recorder, **changes: Any) -> WebLink:
    return WebLink(WebSettings("web-1", SUBMIT, **changes), told)


def pushed(body: object, headers: dict[str, str] | None = None, **changes: Any) -> Pushed:
    octets = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = Pushed("10.0.0.7", headers or {}, "", octets)
    return given._replace(**changes)


BODY = {
    "list": [
        {"id": 1234567890123456789, "to": "13800138000", "stat": "DELIVRD", "at": "20260301143000"},
        {"id": "2", "to": "13800138001", "stat": "UNDELIV", "at": "2026-03-01 14:30:59"},
        {"id": "3", "to": "13800138002", "stat": "ENROUTE"},
    ]
}


def test_receipts_are_read_as_they_are_pushed() -> None:
    async def test() -> None:
        told = Recorder()
        of = link(told, pushes=(Push("p", secret=SECRET, header="X-T", receipts=RECEIPTS),))
        reply = await of.pushes.receive("p", pushed(BODY, {"x-t": SECRET}))
        assert reply.status == 200
        assert [(each.id, each.delivered, each.final, each.done) for each in told.reports] == [
            ("1234567890123456789", True, True, "2603011430"),
            ("2", False, True, "2603011430"),
            ("3", False, False, ""),
        ]

    run(test())


def test_the_answer_waits_for_the_ack_and_a_repetition_is_not_handed_in_again() -> None:
    body = {"list": [{"id": "7", "from": "13800138000", "text": "收到", "to": "106901"}]}

    async def test() -> None:
        told = Recorder(acknowledge=False)
        of = link(told, pushes=(Push("p", networks=("10.0.0.0/8",), inbound=INBOUND),))
        first = asyncio.ensure_future(of.pushes.receive("p", pushed(body)))
        await told.until(lambda: len(told.acks) == 1)
        second = asyncio.ensure_future(of.pushes.receive("p", pushed(body)))
        await asyncio.sleep(0)
        assert not first.done()
        assert not second.done()
        told.acks[0]()
        assert [(await first).status, (await second).status] == [200, 200]
        assert (await of.pushes.receive("p", pushed(body))).status == 200
        assert [each.text for each in told.inbound] == ["收到"]

    run(test())


def test_what_cannot_be_made_durable_is_not_confirmed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.web.push.RECORDED_WITHIN_S", 0.02)

    async def test() -> None:
        told = Recorder(acknowledge=False)
        of = link(told, pushes=(Push("p", networks=("10.0.0.7",), receipts=RECEIPTS),))
        assert (await of.pushes.receive("p", pushed(BODY))).status == 503
        for ack in told.acks:
            ack()
        assert (await of.pushes.receive("p", pushed(BODY))).status == 200

    run(test())


def test_a_retry_waits_for_the_same_hand_in_and_a_refusal_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("connectors.web.push.RECORDED_WITHIN_S", 0.02)

    async def test() -> None:
        told = Recorder(acknowledge=False)
        of = link(told, pushes=(Push("p", networks=("10.0.0.7",), receipts=RECEIPTS),))
        for _ in range(6):
            assert (await of.pushes.receive("p", pushed(BODY))).status == 503
        assert len(told.reports) == 3
        monkeypatch.setattr("connectors.web.push.RECORDED_WITHIN_S", 30)
        waiting = asyncio.ensure_future(of.pushes.receive("p", pushed(BODY)))
        await asyncio.sleep(0)
        told.acks[0]()
        told.acks[1]()
        told.acks[2].refused()
        assert (await waiting).status == 503
        # The one that was refused, and no other, is handed in again.
        told.acknowledge = True
        assert (await of.pushes.receive("p", pushed(BODY))).status == 200
        assert [each.id for each in told.reports[3:]] == ["3"]

    run(test())


def test_above_a_number_without_an_ack_nothing_new_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("connectors.web.push.RECORDED_WITHIN_S", 0.02)
    monkeypatch.setattr("connectors.web.intake.MOST_OPEN", 3)
    more = {"list": [{"id": "9", "to": "13800138009", "stat": "DELIVRD"}]}

    async def test() -> None:
        told = Recorder(acknowledge=False)
        of = link(told, pushes=(Push("p", networks=("10.0.0.7",), receipts=RECEIPTS),))
        assert (await of.pushes.receive("p", pushed(BODY))).status == 503
        assert (await of.pushes.receive("p", pushed(more))).status == 503
        assert len(told.reports) == 3
        told.acknowledge = True
        for ack in told.acks:
            ack()
        assert (await of.pushes.receive("p", pushed(more))).status == 200
        assert len(told.reports) == 4

    run(test())


@pytest.mark.parametrize(
    ("inbound", "first", "second", "kept"),
    [
        # Without an id and a time two texts are alike, and both are texts.
        (replace(INBOUND, id=""), {"text": "Y"}, {"text": "Y"}, 2),
        (replace(INBOUND, id="", done="at"), {"text": "Y", "at": "9"}, {"text": "Y", "at": "9"}, 1),
        (replace(INBOUND, id="", done="at"), {"text": "Y", "at": "8"}, {"text": "Y", "at": "9"}, 2),
        # An id that is the same for all.
        (INBOUND, {"id": "0", "text": "Y"}, {"id": "0", "text": "N"}, 2),
        (INBOUND, {"id": "0", "text": "Y"}, {"id": "0", "text": "Y", "from": "13800138001"}, 2),
        (INBOUND, {"id": "7", "text": "Y"}, {"id": "7", "text": "Y"}, 1),
    ],
)
def test_which_texts_are_the_same(
    inbound: Items, first: dict[str, str], second: dict[str, str], kept: int
) -> None:
    async def test() -> None:
        told = Recorder()
        of = link(told, pushes=(Push("p", networks=("10.0.0.7",), inbound=inbound),))
        for each in (first, second):
            body = {"list": [{"from": "13800138000", "to": "106901", **each}]}
            assert (await of.pushes.receive("p", pushed(body))).status == 200
        assert len(told.inbound) == kept
        # So that a store that outlives us can tell, too.
        ids = [each.id for each in told.inbound]
        assert all(ids) == bool(inbound.id or inbound.done)

    run(test())


def push_of(inbound: Items | None = None, **changes: Any) -> Push:
    receipts = replace(RECEIPTS, **changes)
    return Push("p", networks=("10.0.0.7",), receipts=receipts, inbound=inbound, reply="fine")


@pytest.mark.parametrize(
    ("push", "body", "status", "kept"),
    [
        (push_of(each="lst"), BODY, 422, 0),
        (push_of(each="list"), {"list": []}, 200, 0),
        (push_of(format=Format.XML, each="r"), b"<list><s/></list>", 422, 0),
        (push_of(id="number"), BODY, 422, 0),
        (push_of(), {"list": [*BODY["list"], {"id": "", "stat": "DELIVRD"}]}, 422, 3),
        (push_of(each="reports"), b"", 200, 0),
        # One address for both kinds: in lists of their own, or in one.
        (push_of(replace(INBOUND, each="texts")), BODY, 200, 3),
        (push_of(INBOUND), {"list": [*BODY["list"], {"from": "138", "text": "Y"}]}, 200, 4),
        (push_of(INBOUND), {"list": [*BODY["list"], {"to": "138"}]}, 422, 3),
    ],
)
def test_what_could_not_be_read_is_not_confirmed(
    push: Push, body: object, status: int, kept: int
) -> None:
    async def test() -> None:
        told = Recorder()
        reply = await link(told, pushes=(push,)).pushes.receive("p", pushed(body))
        assert reply.status == status
        assert (reply.body == b"fine") == (status == 200)
        assert len(told.reports) + len(told.inbound) == kept

    run(test())


OCTETS = json.dumps(BODY).encode()
MAC = hmac.digest(SECRET.encode(), OCTETS, "sha256")


@pytest.mark.parametrize(
    ("push", "given", "status"),
    [
        (Push("p", secret=SECRET, header="X-T"), pushed(BODY, {"x-t": SECRET}), 200),
        (Push("p", secret=SECRET, header="X-T"), pushed(BODY, {"x-t": SECRET + "x"}), 403),
        (Push("p", secret=SECRET, header="X-T"), pushed(BODY, {"x-t": "密"}), 403),
        (Push("p", secret=SECRET, header="X-T"), pushed(BODY), 403),
        (Push("p", secret=SECRET, query="k"), pushed(BODY, query=f"a=1&k={SECRET}"), 200),
        (Push("p", secret=SECRET, query="k"), pushed(BODY, query="k=%ff"), 403),
        (Push("p", secret=SECRET, signature="X-S"), pushed(BODY, {"x-s": MAC.hex()}), 200),
        (
            Push("p", secret=SECRET, signature="X-S"),
            pushed(BODY, {"x-s": base64.b64encode(MAC).decode()}),
            200,
        ),
        (Push("p", secret=SECRET, signature="X-S"), pushed(b"{}", {"x-s": MAC.hex()}), 403),
        (Push("p", networks=("10.0.0.0/8",)), pushed(BODY, address="10.255.0.1"), 200),
        (Push("p", networks=("10.0.0.0/8",)), pushed(BODY, address="11.0.0.1"), 403),
        (Push("p", networks=("10.0.0.0/8",)), pushed(BODY, address="unix"), 403),
        (Push("p", networks=("10.0.0.0/8",)), pushed(b"{", address="10.0.0.1"), 400),
        (Push("p", networks=("10.0.0.0/8",)), pushed(b" " * 1_000_001), 413),
        (Push("q", networks=("10.0.0.0/8",)), pushed(BODY), 404),
    ],
)
def test_who_may_push_what(push: Push, given: Pushed, status: int) -> None:
    async def test() -> None:
        of = link(Recorder(), pushes=(replace(push, receipts=RECEIPTS, reply="fine"),))
        reply = await of.pushes.receive("p", given)
        assert reply.status == status
        assert (reply.body == b"fine") == (status == 200)

    run(test())


def test_a_push_by_get_and_one_as_text() -> None:
    form = Items(Format.FORM, id="msgid", mobile="mobile", stat="status")
    lines = Items(Format.TEXT, each=r"[^;]+", id=r"^(\w+),", mobile=r",(\d+),", stat=r",([\w:]+)$")

    async def test() -> None:
        told = Recorder()
        of = link(
            told,
            pushes=(
                Push("get", networks=("10.0.0.7",), receipts=form),
                Push("text", networks=("10.0.0.7",), receipts=lines),
            ),
        )
        query = "msgid=A1&mobile=13800138000&status=DELIVRD"
        assert (await of.pushes.receive("get", pushed(b"", query=query))).status == 200
        text = b"B1,13800138001,DELIVRD;B2,13800138002,MK:0001"
        assert (await of.pushes.receive("text", pushed(text))).status == 200
        assert [(each.id, each.destination, each.delivered) for each in told.reports] == [
            ("A1", "13800138000", True),
            ("B1", "13800138001", True),
            ("B2", "13800138002", False),
        ]

    run(test())


class Queue:
    """A provider that keeps receipts until they are acknowledged."""

    def __init__(self, provider: Provider) -> None:
        self.waiting = [{"id": f"Q{k}", "to": "13800138000", "stat": "DELIVRD"} for k in range(3)]
        self.acknowledged: list[str] = []
        self.answers: list[Given] = []
        self._lock = threading.Lock()
        provider.serve("/fetch", self._fetch)
        provider.serve("/ack", self._acknowledge)

    def _fetch(self, _asked: Asked) -> Given:
        with self._lock:
            if self.answers:
                return self.answers.pop(0)
            return Given(200, json.dumps({"list": self.waiting[:2]}).encode())

    def _acknowledge(self, asked: Asked) -> Given:
        ids = json.loads(asked.body)["ids"].split(",")
        with self._lock:
            self.acknowledged += ids
            self.waiting = [each for each in self.waiting if each["id"] not in ids]
        return Given(200)


def pull(provider: Provider, **changes: Any) -> Pull:
    values: dict[str, Any] = {
        "call": Call(provider.url("/fetch"), method="GET"),
        "interval_s": 0.02,
        "receipts": RECEIPTS,
        "acknowledge": Call(provider.url("/ack"), body='{"ids":"${ids}"}'),
    }
    return Pull("receipts", **(values | changes))


def test_pulled_receipts_are_acknowledged_when_durable(provider: Provider) -> None:
    queue = Queue(provider)
    queue.answers += [Given(500), Given(200, b"<html>"), Given(200, b"{}", cut=1), Given(200)]

    async def test() -> None:
        told = Recorder(acknowledge=False)
        of = link(told, pulls=(pull(provider),))
        of.start()
        try:
            await told.until(lambda: len(told.acks) == 2)
            assert queue.acknowledged == []
            told.acknowledge = True
            for ack in told.acks:
                ack()
            await told.until(lambda: len(told.reports) == 3)
            await eventually(lambda: not queue.waiting)
        finally:
            await of.stop(0.1)
        assert [each.id for each in told.reports] == ["Q0", "Q1", "Q2"]
        assert queue.acknowledged == ["Q0", "Q1", "Q2"]

    run(test())


def test_without_acknowledgement_what_comes_again_is_not_handed_in(provider: Provider) -> None:
    Queue(provider)

    async def test() -> None:
        told = Recorder()
        of = link(told, pulls=(pull(provider, acknowledge=None),))
        of.start()
        try:
            await asyncio.to_thread(provider.wait_for, "/fetch", 4)
        finally:
            await of.stop(0.1)
        assert [each.id for each in told.reports] == ["Q0", "Q1"]

    run(test())


def test_a_cursor_goes_on_from_what_is_durable(provider: Provider) -> None:
    def fetch(asked: Asked) -> Given:
        at = int(asked.query.partition("=")[2] or 0)
        found = [{"id": f"C{at}", "to": "13800138000", "stat": "DELIVRD"}] if at < 3 else []
        return Given(200, json.dumps({"list": found, "next": min(at + 1, 3)}).encode())

    provider.serve("/fetch", fetch)
    call = Call(
        provider.url("/fetch"), method="GET", format=Format.QUERY, fields=(("at", "${cursor}"),)
    )

    async def test() -> None:
        told = Recorder()
        of = link(told, pulls=(pull(provider, call=call, cursor="next", acknowledge=None),))
        of.start()
        try:
            await told.until(lambda: len(told.reports) == 3)
        finally:
            await of.stop(0.1)
        assert [each.id for each in told.reports] == ["C0", "C1", "C2"]
        assert all(isinstance(each, Report) for each in told.reports)

    run(test())


@pytest.mark.parametrize("names_ids", [True, False])
def test_a_round_that_could_not_be_read_whole_is_not_confirmed(
    provider: Provider, names_ids: bool
) -> None:
    odd = {"id": "", "stat": "DELIVRD"}
    good = {"id": "Q", "to": "13800138000", "stat": "DELIVRD"}
    asked = threading.Event()

    def fetch(_asked: Asked) -> Given:
        asked.set()
        return Given(200, json.dumps({"list": [good, odd]}).encode())

    provider.serve("/fetch", fetch)
    provider.serve("/ack", lambda _asked: Given(200))
    acknowledge = Call(provider.url("/ack"), body='{"ids":"${ids}"}' if names_ids else "{}")

    async def test() -> None:
        told = Recorder()
        of = link(told, pulls=(pull(provider, acknowledge=acknowledge),))
        of.start()
        try:
            await asyncio.to_thread(provider.wait_for, "/fetch", 2)
        finally:
            await of.stop(0.1)
        assert [each.id for each in told.reports] == ["Q"]
        bodies = {each.body for each in provider.asked("/ack")}
        assert bodies == ({b'{"ids":"Q"}'} if names_ids else set())

    run(test())


def test_a_provider_that_gives_the_same_again_is_not_asked_at_once(provider: Provider) -> None:
    item = {"id": "Q", "to": "13800138000", "stat": "DELIVRD"}
    provider.serve("/fetch", lambda _asked: Given(200, json.dumps({"list": [item]}).encode()))
    provider.serve("/ack", lambda _asked: Given(200))

    async def test() -> None:
        told = Recorder()
        of = link(told, pulls=(pull(provider, interval_s=3600),))
        of.start()
        try:
            # The second round, after what came first, is the last one for an hour.
            await asyncio.to_thread(provider.wait_for, "/ack", 2)
            await asyncio.sleep(0.3)
        finally:
            await of.stop(0.1)
        assert len(provider.asked("/fetch")) == 2

    run(test())


def test_texts_that_would_come_again_and_again_are_refused(provider: Provider) -> None:
    of = pull(provider, receipts=None, inbound=replace(INBOUND, id=""), acknowledge=None)
    with pytest.raises(ValueError, match="inbound: "):
        link(Recorder(), pulls=(of,))
