"""The demo as a newcomer meets it."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from adapter import demo
from adapter.children import Children
from adapter.config.load import load
from adapter.files import published

ROOT = Path(__file__).resolve().parent.parent
GENEROUS_S = 60.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    """The demo's own files, in a folder and on ports of this test."""
    folder = tmp_path / "conf" / "demo"
    folder.mkdir(parents=True)
    shipped = ROOT / "conf" / "demo"
    text = (shipped / "adapter.xml").read_text(encoding="utf-8")
    for port in (8090, 7891, 8080, 17890, 18801, 18802, 18890, 12775):
        text = text.replace(str(port), str(free_port()))
    (folder / "adapter.xml").write_text(text, encoding="utf-8")
    demo.make_store_key(folder / "adapter.xml")
    (folder / "send.xml").write_bytes((shipped / "send.xml").read_bytes())
    return folder / "adapter.xml"


def until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Look again until it holds; a demo that ended, or a minute without it, fails."""
    deadline = time.monotonic() + GENEROUS_S
    while not condition():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def running(configuration: Path, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The demo, and what it printed when it was ready."""
    arguments = [sys.executable, "-m", "adapter.demo", "--config", str(configuration)]
    with subprocess.Popen(
        arguments,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    ) as process:
        assert process.stdout is not None
        lines: list[str] = []
        for line in process.stdout:
            lines.append(line)
            if "adapter status" in line:
                break
        else:
            pytest.fail("".join(lines))
        yield process, "".join(lines)
        process.kill()


def test_the_guide_names_the_configuration_where_it_is_not_the_usual_one(
    configuration: Path, tmp_path: Path
) -> None:
    lines = [
        line for line in demo.guide(load(configuration), tmp_path).splitlines() if "--sql" in line
    ]
    assert len(lines) == 3
    assert all(f"adapter.demo --config {configuration} --sql" in line for line in lines)
    demo.make_store_key(published(demo.DEFAULT))
    usual = load(published(demo.DEFAULT))
    assert "--config" not in demo.guide(usual, tmp_path)


NUMBERS = {
    "mobile": "13800138000",
    "unicom": "13000130000",
    "telecom": "13300133000",
    "broadnet": "19200192000",
}


@pytest.mark.slow
def test_each_carrier_delivers_a_node_that_dies_comes_back_and_a_signal_stops_everything(
    running: tuple[subprocess.Popen[str], str], configuration: Path
) -> None:
    process, printed = running
    config = load(configuration)
    his = demo.file_of(config.sources[0].url)
    web = f"http://{config.web.host}:{config.web.port}"
    assert f"{web}/soap?wsdl" in printed
    assert str(his) in printed or "var/demo/his.db" in printed

    insert(configuration, ";".join(NUMBERS.values()))
    until(lambda: receipts(his) == NUMBERS, process)
    until(lambda: statuses(his) == [3], process)
    for channel in config.channels:
        seen = submits(his.parent / f"{demo.carrier_name(channel)}.jsonl")
        assert [each["destination"][-11:] for each in seen] == [NUMBERS[channel.name]]
        assert [each["text"] for each in seen] == ["【示范医院】hello"]

    kill_node(configuration)
    insert(configuration, NUMBERS["unicom"])
    until(lambda: statuses(his) == [3, 3], process)

    call = urllib.request.Request(
        f"{web}/soap",
        (configuration.parent / "send.xml").read_bytes(),
        {"Content-Type": "text/xml; charset=utf-8"},
    )
    with urllib.request.urlopen(call, timeout=GENEROUS_S) as answer:
        assert b":code>OK</" in answer.read()
    mobile = config.channels[0]
    until(
        lambda: len(submits(his.parent / f"{demo.carrier_name(mobile)}.jsonl")) == 2,
        process,
    )

    process.send_signal(signal.SIGTERM)
    assert process.wait(GENEROUS_S) == 0
    assert process.stdout is not None
    assert "node ended with status" in process.stdout.read()
    for port in (config.web.port, *(channel.port for channel in config.channels)):
        assert demo.free("127.0.0.1", port)


def insert(configuration: Path, mobile: str) -> None:
    statement = f"insert into SMS_OUTBOUND (MOBILE, CONTENT) values ('{mobile}', 'hello')"
    told = subprocess.run(
        [sys.executable, "-m", "adapter.demo", "--config", str(configuration), "--sql", statement],
        check=True,
        capture_output=True,
        encoding="utf-8",
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert "1 row(s)" in told.stdout


def kill_node(configuration: Path) -> None:
    """Without warning; it is the process that has this configuration."""
    if sys.platform != "linux":
        pytest.skip("processes are found in /proc")
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (folder / "cmdline").read_bytes().split(b"\0")
            if b"run" in words and str(configuration).encode() in words:
                os.kill(int(folder.name), signal.SIGKILL)
                return
    pytest.fail("no node")


def receipts(his: Path) -> dict[str, str]:
    """The number that each channel brought a good receipt for."""
    wanted = "SELECT CHANNEL, MOBILE FROM SMS_RECEIPT WHERE STATE = 'DELIVERED'"
    with closing(sqlite3.connect(his)) as database:
        return dict(database.execute(wanted).fetchall())


def statuses(his: Path) -> list[int]:
    with closing(sqlite3.connect(his)) as database:
        return [int(row[0]) for row in database.execute("SELECT STATUS FROM SMS_OUTBOUND")]


def submits(log: Path) -> list[dict[str, str]]:
    events = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    return [event for event in events if event["event"] == "submit"]


def test_a_port_in_use_is_named_before_anything_starts(configuration: Path) -> None:
    config = load(configuration)
    with socket.socket() as other:
        other.bind((config.web.host, config.web.port))
        other.listen()
        with pytest.raises(demo.DemoError, match=f":{config.web.port} .*the web services"):
            demo.refuse_taken_ports(config)
    demo.refuse_taken_ports(config)


def test_only_sqlite_files_can_be_the_demos_databases() -> None:
    assert demo.file_of("sqlite:////tmp/a.db") == Path("/tmp/a.db")
    for url in ("postgresql+psycopg://localhost/his", "sqlite://"):
        with pytest.raises(demo.DemoError):
            demo.file_of(url)


def test_a_child_that_ended_is_told_with_its_last_words(tmp_path: Path) -> None:
    with Children(tmp_path) as children:
        child = children.start("node", "run", str(tmp_path / "missing.xml"))
        child.process.wait(GENEROUS_S)
        with pytest.raises(demo.DemoError, match=r"node ended with status [12](?s:.*)missing\.xml"):
            demo.refuse_dead(children)


def test_what_ends_is_started_again_but_not_for_ever(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Children(tmp_path) as children:
        children.start("node", "run", str(tmp_path / "missing.xml"))
        with pytest.raises(demo.DemoError, match=r"node ended with status [12](?s:.*)missing\.xml"):
            demo.keep_alive(children, threading.Event())
    assert capsys.readouterr().out.count("started again") == demo.REVIVALS


def test_a_statement_prints_its_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "his.db"
    demo.run_sql(path, "create table T (A, B)")
    demo.run_sql(path, "insert into T values (1, null)")
    demo.run_sql(path, "select A, B from T")
    assert "1" in capsys.readouterr().out.splitlines()[-2]
