"""Carriers that break off, throttle, hang, lock out, or tell receipts in their own way."""

from __future__ import annotations

import itertools

import pytest

from connectors.behaviour import Behaviour, Failure, Span
from connectors.server_dialect import Entry
from tests.dbpoll.conftest import His
from tests.faults.conftest import Build
from tests.faults.house import DOUBTS_SOON
from tests.nodes import ACCESS_NUMBER, until

pytestmark = pytest.mark.slow

PROMPT = Behaviour(answer_delay=Span(5, 30), receipt_delay=Span(10, 50), seed=4)


def test_links_dropped_in_the_middle_of_their_windows(build: Build) -> None:
    moody = Behaviour(
        answer_delay=Span(10, 40), receipt_delay=Span(300, 500), drop_after=70, seed=4
    )
    house = build(moody, policies=DOUBTS_SOON)
    house.send(400)
    house.carrier.wait_for("submit", 350)
    house.carrier.behave(PROMPT)
    house.settle()
    assert house.carrier.count("close") >= 4


def test_submits_that_are_never_answered(build: Build) -> None:
    # Their receipts come, so nobody sends them again.
    house = build(
        Behaviour(unanswered=0.1, receipt_delay=Span(20, 60), seed=4),
        policies='<policies><lane name="normal" doubt="wait" doubt-wait="30s"/></policies>',
        connection='response-timeout="1s"',
    )
    house.send(300)
    house.settle()
    assert house.carrier.repeated() == {}


def test_answers_that_come_after_the_time_out(build: Build) -> None:
    # They are in doubt for half a second, and their receipts come long after the rule.
    house = build(
        Behaviour(answer_delay=Span(1_200, 1_500), receipt_delay=Span(9_000, 9_500), seed=4),
        policies='<policies><lane name="normal" doubt="resend" doubt-wait="6s"/></policies>',
        connection='response-timeout="1s"',
        window=64,
    )
    house.send(40)
    house.settle()
    assert house.carrier.repeated() == {}


def test_a_carrier_that_hangs_and_comes_back(build: Build) -> None:
    house = build(
        PROMPT,
        policies=DOUBTS_SOON,
        connection='response-timeout="1s" heartbeat="300ms" heartbeat-tries="2"',
    )
    house.send(100)
    house.carrier.wait_for("submit", 20)
    house.carrier.behave(Behaviour(silent=True))
    until(lambda: house.carrier.count("close") >= house.setup.links, "dead links are given up")
    house.carrier.behave(PROMPT)
    house.settle()


def test_throttling_and_a_busy_system_delay_and_lose_nothing(build: Build) -> None:
    busy = Behaviour(throttle_per_s=150, failures=(Failure(0.2, "9"),), seed=4)
    house = build(busy, policies='<policies><lane name="normal" backoff-min="50ms"/></policies>')
    house.send(200)
    house.carrier.wait_for("submit", 250)
    house.carrier.behave(PROMPT)
    house.settle()
    assert house.carrier.repeated() == {}


def test_slow_answers_hold_the_window_and_nothing_else(build: Build) -> None:
    house = build(Behaviour(answer_delay=Span(500, 700), seed=4), window=64)
    house.send(300)
    house.settle()
    assert house.carrier.repeated() == {}


def test_a_refused_login_is_not_hammered_and_everything_waits(build: Build) -> None:
    house = build(PROMPT)
    house.carrier.behave(Behaviour(login=Entry.TOO_MANY))
    house.carrier.drop_links()
    until(lambda: refused(house.carrier.events("login")) >= 6, "it tries again and again")
    house.send(100)
    assert house.carrier.count("submit") == 0
    assert set(house.states().values()) == {"ACCEPTED"}
    house.carrier.behave(PROMPT)
    house.settle()
    assert house.carrier.repeated() == {}


def refused(logins: object) -> int:
    return sum(each["result"] != 0 for each in logins)  # type: ignore[attr-defined]


def test_receipts_early_late_twice_and_for_nobody(build: Build, sqlite_his: His) -> None:
    # Answers take longer than receipts, half of which come twice; some name an unknown id.
    odd = Behaviour(answer_delay=Span(50, 200), receipt_delay=Span(1, 400), repeated=0.5, seed=4)
    house = build(odd, his=sqlite_his)
    house.insert(200)
    house.send(200)
    unknown = {"source": ACCESS_NUMBER, "destination": "13800138000"}
    house.carrier.send_receipts([{"id": f"abcd{each:012x}", **unknown} for each in range(20)])
    house.settle()
    assert house.carrier.repeated() == {}
    assert len({each.receiptId for each in house.receipts}) == 200


def test_all_links_gone_and_back_again_and_again(build: Build, sqlite_his: His) -> None:
    house = build(PROMPT, his=sqlite_his, policies=DOUBTS_SOON)
    with house.callers(60) as callers:
        for _, total in zip(range(3), itertools.count(100, 100)):
            house.insert(100)
            house.carrier.wait_for("submit", total - 60)
            house.carrier.go_away()
            house.carrier.come_back()
        callers.end()
    house.settle()
    # A carrier that is away is nobody's reason to refuse a caller.
    assert callers.refusals == []
