"""The simulated carrier: its words, its moods, its log, its process."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from connectors.behaviour import (
    Behaviour,
    Failure,
    Span,
    parse_delay,
    parse_drop,
    parse_fail,
    parse_inbound,
)
from connectors.eventlog import EventLog
from connectors.link import Link
from tests.connectors.recorder import Recorder, carrier, eventually, run, settings, text


def test_words() -> None:
    assert parse_delay("50") == (Span(50, 50), Span(50, 50))
    assert parse_delay("20-200") == (Span(20, 200), Span(20, 200))
    assert parse_delay("5/100-300") == (Span(5, 5), Span(100, 300))
    assert parse_delay("0/50") == (Span(0, 0), Span(50, 50))
    assert parse_fail("0.1:MK:0001") == Failure(0.1, "MK:0001")
    assert parse_fail("1:9").at_submit
    assert not parse_fail("1:MK:0001").at_submit
    assert parse_drop("500") == (500, 0.0)
    assert parse_drop("10s") == (0, 10.0)
    assert parse_inbound("0.2") == (0.2, 0.0)
    assert parse_inbound("3s") == (0.0, 3.0)


@pytest.mark.parametrize("word", ["", "x", "200-20", "-5", "5/"])
def test_bad_delays(word: str) -> None:
    with pytest.raises(ValueError, match=r"expected|backwards"):
        parse_delay(word)


@pytest.mark.parametrize("word", ["0.1", "0.1:", "2:MK:0001", "x:9", "0.1:TOOLONG1"])
def test_bad_failures(word: str) -> None:
    with pytest.raises(ValueError, match=r"expected|share|convert"):
        parse_fail(word)


@pytest.mark.parametrize("word", ["1.5", "0s", "x"])
def test_bad_shares(word: str) -> None:
    with pytest.raises(ValueError, match=r"expected|share|convert"):
        parse_inbound(word)


def test_every_event_is_a_line_with_numbers_text_and_ids(tmp_path: Path) -> None:
    log = tmp_path / "carrier.jsonl"

    async def test() -> None:
        simulator = carrier(
            log=log, keep=0, behaviour=Behaviour(inbound_share=1.0, inbound_text="收到，谢谢")
        )
        await simulator.start()
        handler = Recorder()
        link = Link(settings(simulator.port), handler)
        link.start()
        await handler.until(lambda: link.is_up)
        link.submit(text(1))
        await handler.until(lambda: bool(handler.reports and handler.inbound and handler.answers))
        assert handler.inbound[0].text == "收到，谢谢"
        await link.stop()
        await simulator.stop()

    run(test())
    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    assert [line["event"] for line in lines] == ["login", "submit", "receipt", "inbound", "close"]
    _, submit, receipt, inbound, _ = lines
    assert submit["destination"] == "13800138000"
    assert submit["source"] == "106900123401"
    assert submit["text"] == "短信1"
    assert submit["result"] == 0
    assert receipt["id"] == submit["id"]
    assert receipt["stat"] == "DELIVRD"
    assert (inbound["source"], inbound["destination"]) == ("13800138000", "106900123401")
    assert all(line["time"].endswith("Z") and len(line["time"]) == 27 for line in lines)


def test_no_receipts_and_failing_receipts() -> None:
    async def test() -> None:
        for behaviour, expected in (
            (Behaviour(receipts=False), []),
            (Behaviour(failures=(Failure(1.0, "MK:0001"),)), ["MK:0001"]),
        ):
            simulator = carrier(behaviour=behaviour)
            await simulator.start()
            handler = Recorder()
            link = Link(settings(simulator.port), handler)
            link.start()
            await handler.until(lambda link=link: link.is_up)  # type: ignore[misc]
            link.submit(text(1))
            await handler.until(
                lambda handler=handler, expected=expected: (  # type: ignore[misc]
                    bool(handler.answers) and len(handler.reports) == len(expected)
                )
            )
            assert [report.stat for report in handler.reports] == expected
            assert simulator.waiting == 0
            await link.stop()
            await simulator.stop()

    run(test())


def test_links_dropped_and_texts_sent_by_time() -> None:
    async def test() -> None:
        simulator = carrier(behaviour=Behaviour(drop_every_s=0.2, inbound_every_s=0.03))
        await simulator.start()
        handler = Recorder()
        link = Link(settings(simulator.port), handler)
        link.start()
        await handler.until(lambda: len(handler.downs) >= 2 and len(handler.inbound) >= 2)
        await link.stop()
        await simulator.stop()

    run(test())


def test_stop_tells_the_clients() -> None:
    async def test() -> None:
        simulator = carrier()
        await simulator.start()
        handler = Recorder()
        link = Link(settings(simulator.port, reconnect_min_s=60), handler)
        link.start()
        await handler.until(lambda: link.is_up)
        await simulator.stop()
        await handler.until(lambda: bool(handler.downs))
        assert handler.downs == ["the peer ended the connection"]
        await link.stop()

    run(test())


def test_waiting_for_what_never_comes_times_out() -> None:
    async def test() -> None:
        with pytest.raises(TimeoutError):
            await EventLog(None).wait_for("submit", 1, timeout=0.01)

    run(test())


def test_the_log_is_flushed_while_it_runs(tmp_path: Path) -> None:
    async def test() -> None:
        log = EventLog(tmp_path / "log")
        log.open()
        log.add("submit", {"text": "第一行\n第二行"})
        await eventually(lambda: (tmp_path / "log").stat().st_size > 0)
        log.close()
        (line,) = (tmp_path / "log").read_text("utf-8").splitlines()
        assert json.loads(line)["text"] == "第一行\n第二行"

    run(test())


@pytest.mark.skipif(sys.platform == "win32", reason="SIGTERM cannot be sent there")
def test_the_process_ends_with_sigterm_and_its_log_is_whole(tmp_path: Path) -> None:
    program = f"""
        from pathlib import Path
        from connectors.behaviour import SimulatorOptions
        from connectors.simulator import main
        options = SimulatorOptions(account="901234", password="secret",
                                   log=Path({str(tmp_path / "log")!r}))
        main(options, lambda simulator: print(simulator.port, flush=True))
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())

        async def test() -> None:
            handler = Recorder()
            link = Link(settings(port, reconnect_min_s=60), handler)
            link.start()
            await handler.until(lambda: link.is_up)
            link.submit(text(1))
            await handler.until(lambda: bool(handler.reports))
            process.send_signal(signal.SIGTERM)
            await handler.until(lambda: bool(handler.downs))
            await link.stop()

        run(test())
        assert process.wait(20) == 0
    events = [json.loads(line)["event"] for line in (tmp_path / "log").read_text().splitlines()]
    assert events == ["login", "submit", "receipt", "close"]
