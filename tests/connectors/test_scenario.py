"""Scenarios: what is read, what is refused and where, and every shipped one played."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from connectors.behaviour import Behaviour, Failure, Span, read_behaviour
from connectors.link import Link
from connectors.scenario import AnyReceipt, PhoneText, Scenario, ScenarioError, load, read
from connectors.server_dialect import Entry
from connectors.simulator import Simulator
from tests.connectors.recorder import Recorder, carrier, eventually, run, settings, text

SHIPPED = Path(__file__).parents[2] / "conf" / "scenarios"
VERSIONS = {"cmpp": "3.0", "sgip": "1.2", "smgp": "3.0", "smpp": "3.4"}
Events = Mapping[str, list[dict[str, Any]]]


def test_a_step_is_a_mood_acts_and_an_end() -> None:
    scenario = read("""
        repeat = true
        [[step]]
        throttle = 20
        fail = ["0.1:MK:0001"]
        delay = "0/50"
        for = "1.5s"
        until = "100 submits"
        [[step]]
        drop = true
        raw = "00 ff"
        send = {from = "13800138000", to = "1069", text = "TD"}
        receipt = [{id = "ff"}, {id = "01", stat = "UNDELIV", from = "1069", to = "138"}]
    """)
    first, second = scenario.steps
    assert (scenario.repeat, first.number, second.number) == (True, 1, 2)
    assert (first.seconds, first.event, first.count) == (1.5, "submit", 100)
    mood = read_behaviour(first.words, Behaviour(inbound_share=1.0))
    assert mood == Behaviour(
        throttle_per_s=20, failures=(Failure(0.1, "MK:0001"),), receipt_delay=Span(50, 50),
        inbound_share=1.0,
    )  # fmt: skip
    assert (second.drop, second.raw, second.ends) == (True, b"\0\xff", False)
    assert second.texts == [PhoneText("13800138000", "1069", "TD")]
    assert second.receipts == [AnyReceipt("ff"), AnyReceipt("01", "UNDELIV", "1069", "138")]


def test_every_option_of_the_command_has_its_word() -> None:
    words = {
        "no-receipt": True, "drop-link": "10s", "inbound": "0.5", "inbound-text": "TD",
        "repeat-receipt": 0.1, "wrong-id": "0.2", "no-answer": 1, "refuse-login": "too-many",
        "silent": True, "throttle": None,
    }  # fmt: skip
    assert read_behaviour(words) == Behaviour(
        receipts=False, drop_every_s=10, inbound_share=0.5, inbound_text="TD", repeated=0.1,
        strange=0.2, unanswered=1.0, login=Entry.TOO_MANY, silent=True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("step", "fault"),
    [
        ('delay = "x"', r"delay: x: expected milliseconds"),
        ("delay = {}", r"delay: "),
        ("wrong-id = 2", r"wrong-id: 2: a share lies between 0 and 1"),
        ("silent = 1", r"silent: 1: expected true or false"),
        ("down = 1", r"down: 1: expected true or false"),
        ('refuse-login = "no"', r"refuse-login: no: expected one of account"),
        ('for = "soon"', r"for: soon: expected a time"),
        ('until = "5 sheep"', r"until: 5 sheep: expected a number and one of submit"),
        ("fail = 5", r"fail: 5: expected SHARE:CODE"),
        ('drop-link = "0"', r"drop-link: 0: expected a number of submits"),
        ('raw = "0g"', r"raw: expected octets"),
        ('send = {from = "1"}', r"send: expected a table with from, text, to"),
        ("receipt = {id = 5}", r"receipt: id: expected a string"),
        ('mood = "bad"', r"mood: unknown; known are for, until"),
        ("throttle = 5", r"neither `for` nor `until`"),
    ],
)
def test_a_fault_is_told_with_file_line_and_step(tmp_path: Path, step: str, fault: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(f'# a comment\n[[step]]\nfor = "1s"\n\n[[step]]\n{step}\n[[step]]\n')
    with pytest.raises(ScenarioError, match=rf"bad\.toml: line 5, step 2: {fault}"):
        load(path)


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        ("[[step]\n", r"line 1"),
        ("", r"no \[\[step\]\]"),
        ("step = 5", r"no \[\[step\]\]"),
        ("step = [5]", r"step 1: expected a table"),
        ("pace = 5\n[[step]]", r"pace: unknown outside of a step"),
        ("repeat = 1\n[[step]]", r"repeat: expected true or false"),
        ("repeat = true\n[[step]]\ndrop = true", r"repeat: .* spin"),
    ],
)
def test_a_document_that_is_no_scenario(document: str, fault: str) -> None:
    with pytest.raises(ScenarioError, match=fault):
        read(document)


def quick(name: str, second_ms: int = 10) -> Scenario:
    """A shipped scenario, its seconds shortened."""

    def shorter(match: re.Match[str]) -> str:
        return f'"{int(match[1]) * second_ms}ms"'

    source = (SHIPPED / name).read_text(encoding="utf-8")
    source = re.sub(r'"(\d+)s"', shorter, source)
    return read(re.sub(r'"([\d-]+)/(\d+)00-(\d+)00"', r'"\1/\2-\3"', source))


async def keep_sending(link: Link, stop: asyncio.Event) -> None:
    """Whatever the window takes, until told to stop."""
    token = 0
    while not stop.is_set():
        for _ in range(min(link.free, 4)):
            token += 1
            link.submit(text(token))
        await asyncio.sleep(0.002)


async def play(
    scenario: Scenario,
    protocol: str,
    over: Callable[[Simulator], bool] = lambda simulator: (
        simulator.playing is not None and simulator.playing.done()
    ),
) -> tuple[Events, Recorder]:
    """A link that sends all the while; at the end it must work, and everything is told."""
    own: dict[str, Any] = {}
    if protocol == "sgip":
        from connectors.sgip.settings import GatewaySettings

        own["own"] = GatewaySettings(receives=True)
    simulator = carrier(
        protocol=protocol,
        scenario=scenario,
        behaviour=Behaviour(seed=7),
        response_timeout_s=0.5,
        **own,
    )
    await simulator.start()
    handler = Recorder()
    link = Link(
        settings(
            simulator.port,
            protocol=protocol,
            version=VERSIONS[protocol],
            response_timeout_s=0.4,
            heartbeat_s=0.1,
            connect_timeout_s=0.3,
            service_id="",
        ),
        handler,
    )
    link.start()
    stop = asyncio.Event()
    sending = asyncio.create_task(keep_sending(link, stop))
    await eventually(lambda: over(simulator))
    if simulator.playing is not None and simulator.playing.done():
        simulator.playing.result()
        seen = simulator.log.counts["receipt"]
        await simulator.wait_for("receipt", seen + 50)
    stop.set()
    await sending
    await link.stop()
    await simulator.stop()
    events: dict[str, list[dict[str, Any]]] = {
        name: simulator.events(name) for name in ("submit", "receipt", "inbound", "login", "close")
    }
    return events, handler


def throttled(events: Events, handler: Recorder) -> None:
    assert any(each["result"] for each in events["submit"])
    assert next(each["reason"] for each in events["close"]) == "dropped by the simulator"
    assert handler.ups == 2


def late(events: Events, handler: Recorder) -> None:
    known = {each["id"] for each in events["submit"]}
    assert {each["id"] for each in events["receipt"]} <= known


def doubtful(events: Events, handler: Recorder) -> None:
    known = {answer.id for _, answer in handler.answers}
    strange = {report.id for report in handler.reports} - known
    assert "00000000000000ff" in strange
    assert len(strange) > 3
    times = Counter(report.id for report in handler.reports)
    assert sum(count == 2 for count in times.values()) > 20
    assert {"MK:0001", "MA:0054", "UNDELIV"} <= {report.stat for report in handler.reports}
    assert handler.lost_tokens


def refused(events: Events, handler: Recorder) -> None:
    results = [each["result"] for each in events["login"]]
    assert results[0] == 0 == results[-1]
    assert {3, 5} <= set(results)
    assert "login refused: the secret is wrong (3)" in handler.downs or len(handler.downs) > 2


def silent(events: Events, handler: Recorder) -> None:
    assert handler.ups > 1
    assert handler.lost_tokens


def written(events: Events, handler: Recorder) -> None:
    texts = {each.text for each in handler.inbound}
    assert {"收到，谢谢", "TD", "Y"} <= texts
    assert max(each.total for each in handler.inbound) > 1


CHECKS = {
    "throttle-then-drop.toml": throttled,
    "late-receipts.toml": late,
    "doubtful-receipts.toml": doubtful,
    "login-refused.toml": refused,
    "silence.toml": silent,
    "phones-write.toml": written,
}


@pytest.mark.parametrize("name", CHECKS)
def test_a_shipped_scenario_does_what_it_says(name: str) -> None:
    async def test() -> None:
        # Even a busy machine tries to log in within each step.
        second_ms = 50 if name == "login-refused.toml" else 10
        events, handler = await play(quick(name, second_ms), "cmpp")
        CHECKS[name](events, handler)
        assert handler.answers

    run(test())


@pytest.mark.parametrize("protocol", VERSIONS)
def test_a_bad_night_begins_again_with_every_protocol(protocol: str) -> None:
    async def test() -> None:
        scenario = quick("bad-night.toml", 4)
        steps = len(scenario.steps)

        def twice(simulator: Simulator) -> bool:
            return simulator.log.counts["step"] > steps + 1

        events, handler = await play(scenario, protocol, over=twice)
        assert any(each["result"] for each in events["login"])
        assert handler.ups > 1
        assert handler.reports

    run(test())


def test_every_shipped_scenario_is_played_here() -> None:
    shipped = {path.name for path in SHIPPED.glob("*.toml")}
    assert shipped == {*CHECKS, "bad-night.toml"}
    for path in SHIPPED.glob("*.toml"):
        assert load(path).steps


def test_a_step_that_cannot_be_done_ends_the_scenario_with_its_fault() -> None:
    async def test() -> None:
        scenario = read('[[step]]\nreceipt = {id = "no-hex"}')
        simulator = carrier(scenario=scenario)
        await simulator.start()
        handler = Recorder()
        link = Link(settings(simulator.port), handler)
        link.start()
        await eventually(lambda: simulator.playing is not None and simulator.playing.done())
        await link.stop()
        await simulator.stop()

    run(test())


def test_the_log_says_which_step_began(tmp_path: Path) -> None:
    async def test() -> None:
        simulator = carrier(scenario=read("[[step]]\n[[step]]"), log=tmp_path / "log")
        await simulator.start()
        await simulator.wait_for("step", 2)
        await simulator.stop()

    run(test())
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [(line["event"], line["number"]) for line in lines] == [("step", 1), ("step", 2)]
