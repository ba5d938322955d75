"""`backup`, `restore`, `promote`, `unpack` as they are typed: what they print, how they end."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from adapter.cli import main
from adapter.config.init import init
from adapter.config.load import load
from adapter.store.engine import open_engine
from adapter.store.migrate import upgrade
from tests.store.making import Intake, pair


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(each) for each in arguments])


def standby(folder: Path, key_file: Path) -> Path:
    """The configuration of a node with a name of its own and the same key."""
    path = init(folder).config
    text = path.read_text(encoding="utf-8").replace("<store ", '<node name="b" id="2"/><store ')
    # The password was sealed with the other key.
    path.write_text(re.sub(r"\{enc:[^}]*}", "x", text), encoding="utf-8")
    (folder / "adapter.key").write_bytes(key_file.read_bytes())
    return path


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration whose store holds five messages that are due."""
    path = init(tmp_path / "a").config
    engine = open_engine(load(path).store.url)
    upgrade(engine)
    intake = Intake(engine)
    intake.committer.start()
    intake.accept(pair(5))
    intake.committer.stop()
    engine.dispose()
    return path


def test_a_store_goes_from_one_machine_to_another(config: Path, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    written = call("backup", "--config", config, "--to", folder, "--json")
    assert written.exit_code == 0, written.output
    made = json.loads(written.stdout)
    assert made["rows"]["message"] == 5
    told = call("restore", made["path"], "--config", config, "--check")
    assert told.exit_code == 0
    assert "good" in told.stdout
    assert "5 messages" in told.stdout

    again = call("restore", made["path"], "--config", config)
    assert again.exit_code == 1
    assert "--replace" in again.stderr
    replaced = call("restore", made["path"], "--config", config, "--replace")
    assert replaced.exit_code == 0, replaced.output
    assert "in doubt: 5 messages" in replaced.stdout
    assert "messages cancelled after it" in replaced.stdout

    here = standby(tmp_path / "b", config.with_name("adapter.key"))
    promoted = call("promote", "--config", here, "--from", folder, "--json")
    assert promoted.exit_code == 0, promoted.output
    found = json.loads(promoted.stdout)
    assert found["in_doubt"] == {"resend": 5, "wait": 0}
    assert found["from"] == made["path"]

    unpacked = call(
        "unpack", made["path"], "--key-file", config.with_name("adapter.key"), "--to",
        tmp_path / "c",
    )  # fmt: skip
    assert unpacked.exit_code == 0, unpacked.output
    assert (tmp_path / "c" / "adapter.xml").read_bytes() == config.read_bytes()


def test_what_cannot_be_done_is_one_line_and_status_1(config: Path, tmp_path: Path) -> None:
    file = tmp_path / "x.smsbackup"
    file.write_bytes(b"something else")
    for arguments, told in (
        (("backup",), "--to DIRECTORY"),
        (("backup", "--to", config), "is a file"),
        (("restore", file), "not a backup of this program"),
        (("restore", tmp_path / "none"), "No such file"),
        (("promote",), "--from"),
        (("promote", "--from", tmp_path), "not a backup of this program"),
    ):
        ended = call(*arguments, "--config", config)
        assert ended.exit_code in (1, 2)
        assert told in ended.stderr, ended.stderr
        assert "Traceback" not in ended.stderr
