"""The commands, as a person or a script meets them."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator, Sequence
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from python_calamine import CalamineWorkbook

from adapter.cli import main
from adapter.config.load import load
from adapter.security.passwords import PasswordChecker
from adapter.security.secrets import decrypt, read_key
from adapter.store import migrate, statistics
from adapter.store.engine import open_engine
from adapter.store.schema import statistics_day, statistics_hour
from tests.nodes import PASSWORD, Carrier, Node, Setup, until

HOUR = 490_000
DAY = 20251125


def call(*arguments: object, given: str | None = None) -> Result:
    """Standard output and error apart, as a script sees them."""
    return CliRunner().invoke(main, [str(each) for each in arguments], input=given)


def test_each_command_explains_itself_with_an_example() -> None:
    assert main.commands
    for name, command in main.commands.items():
        done = call(name, "--help")
        assert done.exit_code == 0
        assert f"Example: sms-adapter {name}" in done.stdout, name
        assert command.help


@pytest.mark.parametrize(
    "arguments",
    [
        ["nothing"],
        ["check", "--loud"],
        ["encrypt"],
        ["ddl", "--dialect", "dbase"],
        ["pdu", "--protocol", "cmpp", "--version", "9", "00"],
        ["simulate", "--protocol", "cmpp", "--port", "1", "--account", "a", "--password", "b",
         "--delay", "soon"],
        ["simulate", "--protocol", "cmpp", "--port", "70000", "--account", "a", "--password", "b"],
        ["simulate", "--protocol", "cmpp", "--port", "1", "--account", "a", "--password", "b",
         "--deliver-to", "h:1"],
        ["simulate", "--protocol", "sgip", "--port", "1", "--account", "a", "--password", "b",
         "--deliver-to", "8801"],
        ["send", "--content", "x", "--account", "a", "--password", "b"],
    ],
)  # fmt: skip
def test_bad_use_is_status_two_and_says_so(arguments: Sequence[str]) -> None:
    done = call(*arguments)
    assert done.exit_code == 2
    assert "Error" in done.stderr
    assert not done.stdout


def test_a_start_from_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    done = call("init", folder)
    assert done.exit_code == 0, done.stderr
    key, config = folder / "adapter.key", folder / "adapter.xml"
    if os.name != "nt":
        assert {stat.S_IMODE(path.stat().st_mode) for path in (key, config)} == {0o600}
    password = re.search(r"client his: password (\S+)", done.stdout)
    assert password is not None
    assert password[1] not in config.read_text(encoding="utf-8")
    (client,) = load(config).clients
    assert PasswordChecker().verify("his", client.password_hashes, password[1])
    assert call("check", config).exit_code == 0

    before = config.read_bytes()
    again = call("init", folder)
    assert again.exit_code == 1
    assert "there already" in again.stderr
    assert config.read_bytes() == before

    sealed = call("encrypt", "--key-file", key, "--secret", "s3cret")
    assert decrypt(read_key(key), sealed.stdout.strip()) == "s3cret"
    missing = call("encrypt", "--key-file", tmp_path / "none.key", "--secret", "s3cret")
    assert missing.exit_code == 1
    assert "none.key" in missing.stderr


def test_a_password_is_asked_for_twice_and_never_shown() -> None:
    done = call("hash", given="s3cret\ns3cret\n")
    assert done.exit_code == 0
    assert "s3cret" not in done.stdout
    hashed = done.stdout.splitlines()[-1]
    assert PasswordChecker().verify("his", (hashed,), "s3cret")
    assert call("hash", given="s3cret\nother\n").exit_code == 1


def test_check_names_file_line_and_fault(tmp_path: Path) -> None:
    good = Setup(tmp_path, f"sqlite:///{tmp_path / 'store.db'}", 1, web_port=2).write()
    assert call("check", good).exit_code == 0
    assert json.loads(call("check", good, "--json").stdout) == []
    bad = tmp_path / "adapter.xml"
    text = '<adapter xmlns="urn:his-sms:config:1">\n<node name="a"/>\n<nod/>\n</adapter>'
    bad.write_text(text, encoding="utf-8")
    done = call("check", bad)
    assert done.exit_code == 1
    assert f"{bad}:3: " in done.stdout
    as_json = call("check", bad, "--json")
    assert as_json.exit_code == 1
    first = json.loads(as_json.stdout)[0]
    assert (first["file"], first["line"]) == (str(bad), 3)
    assert "nod" in first["message"]


@pytest.mark.parametrize(
    ("protocol", "version", "frame", "name"),
    [
        ("smgp", "3.0", "0000000c0000000400000014", "Active_Test"),
        ("sgip", "1.2", "0000001400000002b36924b9126d4a3b0000000d", "SGIP_UNBIND"),
    ],
)
def test_frames_of_every_protocol_are_shown(
    protocol: str, version: str, frame: str, name: str
) -> None:
    done = call("pdu", "--protocol", protocol, "--version", version, "--json", frame)
    assert json.loads(done.stdout)["name"] == name


def test_a_frame_is_shown_and_a_broken_one_is_status_one() -> None:
    frame = ("pdu", "--protocol", "cmpp", "--version", "3.0", "--json")
    done = call(*frame, "0000000c0000000800000001")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["name"] == "CMPP_ACTIVE_TEST"
    lines = call(*frame, given="0000000c0000000800000001\n\n00\n")
    assert lines.exit_code == 1
    shown = [json.loads(line) for line in lines.stdout.splitlines()]
    assert ["error" in each for each in shown] == [False, True]


def test_tables_and_service_are_printed(tmp_path: Path) -> None:
    assert "SMS_OUTBOUND" in call("ddl", "--dialect", "oracle").stdout
    done = call("wsdl", tmp_path, "--url", "https://sms.example")
    assert done.exit_code == 0
    for line in done.stdout.splitlines():
        assert Path(line).stat().st_size > 1000


@pytest.fixture
def counted(tmp_path: Path) -> Path:
    """A configuration whose store has statistics."""
    setup = Setup(tmp_path, f"sqlite:///{tmp_path / 'store.db'}", 1, web_port=2)
    engine = open_engine(setup.store)
    migrate.upgrade(engine)
    with engine.begin() as connection:
        for table, period in ((statistics_hour, HOUR), (statistics_day, DAY)):
            sums: statistics.Sums = {
                (period, "his", "visit", "soap", "main", "mobile", state): (7, 9)
                for state in ("ACCEPTED", "SUBMITTED", "DELIVERED")
            }
            statistics.add(connection, table, sums)
    engine.dispose()
    return setup.write()


@pytest.mark.parametrize("kind", ["users", "business", "receiving", "interfaces", "summary"])
def test_reports_in_every_form(counted: Path, kind: str) -> None:
    day = date(DAY // 10_000, DAY // 100 % 100, DAY % 100).isoformat()
    asked = ("report", counted, "--kind", kind, "--from", day, "--to", day, "--format")
    for form in ("table", "json", "csv", "xlsx"):
        done = call(*asked, form)
        assert done.exit_code == 0, done.stderr
        if form == "xlsx":
            sheet = CalamineWorkbook.from_filelike(BytesIO(done.stdout_bytes)).get_sheet_by_index(0)
            found: Any = sheet.to_python()
        else:
            found = done.stdout
        if kind != "receiving":
            assert "7" in re.findall(r"\d+", str(found)), form
    written = counted.parent / "report.xlsx"
    assert call(*asked, "xlsx", "--output", written).exit_code == 0
    assert CalamineWorkbook.from_path(written).sheet_names
    assert call(*asked, "csv", "--output", counted.parent / "no" / "x.csv").exit_code == 1


def test_a_report_over_a_range_that_ends_before_it_starts(counted: Path) -> None:
    done = call("report", counted, "--from", "2026-01-02", "--to", "2026-01-01")
    assert done.exit_code == 2


def test_without_a_node(counted: Path) -> None:
    done = call("status", counted)
    assert done.exit_code == 1
    assert "no node answers" in done.stdout
    assert "error" in json.loads(call("status", counted, "--json").stdout)
    sent = call("send", "--url", "http://127.0.0.1:1", "--account", "web", "--password", "x",
                "--content", "hello", "13800138000")  # fmt: skip
    assert sent.exit_code == 1
    assert "no node answers at http://127.0.0.1:1" in sent.stderr
    assert call("run", counted.parent / "none.xml").exit_code == 1


NUMBERS = ("13800138000", "13912345678", "13712345678")
TEXT = "你的化验单 13912345678"
WRONG = "wr0ng-secret"


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with Carrier() as carrier:
        setup = Setup(tmp_path, f"sqlite:///{tmp_path / 'store.db'}", carrier.port)
        with Node(setup.write(), setup.web_port) as running:
            yield running.start()


def test_a_text_through_a_node_and_a_log_without_secrets(node: Node) -> None:
    sending = ("send", "--url", node.url, "--account", "web", "--content", TEXT, "--password")
    sent = call(*sending, PASSWORD, "--json", "--client-ref", "a", NUMBERS[0])
    assert sent.exit_code == 0, sent.stderr
    answer = json.loads(sent.stdout)
    assert answer["code"] == "OK"
    again = call(*sending, PASSWORD, "--json", "--client-ref", "a", NUMBERS[0])
    assert json.loads(again.stdout)["submissionId"] == answer["submissionId"]
    partly = call(*sending, PASSWORD, NUMBERS[2], "12345")
    assert partly.exit_code == 1
    assert "BAD_NUMBER" in partly.stdout
    refused = call(*sending, WRONG, NUMBERS[0])
    assert refused.exit_code == 1
    assert "account or password is wrong" in refused.stderr
    until(node.at_rest, "everything was sent")

    shown = call("status", node.config)
    assert shown.exit_code == 0
    assert "SUBMITTED" in shown.stdout
    found = json.loads(call("status", node.config, "--json").stdout)
    assert found["counters"]["ACCEPTED"] == 2
    (channel,) = found["channels"]
    for link in channel["links"]:
        assert link["up"]
        assert (link["window"], link["configured"], link["reconnects"]) == (16, 16, 0)
        assert link["since"].endswith("+00:00")

    assert node.stop() == 0
    log = node.log.read_text(encoding="utf-8")
    for hidden in (*NUMBERS, TEXT, "化验单", PASSWORD, WRONG, "carrier-secret", "argon2"):
        assert hidden not in log
    lines = log.splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\dT\S+Z (DEBUG|INFO|WARNING|ERROR) ", each)
               for each in lines)  # fmt: skip
    assert sum("link.up" in each for each in lines) == 2
    assert not [each for each in lines if "/readyz" in each or "/status" in each]
    assert "link.down" not in log
    assert "ERROR" not in log
