"""What docs/operator/encryption-at-rest.md says to type does what it says."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import threading
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select

from adapter.cli import main
from adapter.config.init import init
from adapter.config.load import load
from adapter.jobs.reseal import Reseal
from adapter.security.data_keys import name_of
from adapter.security.secrets import new_key
from adapter.store import migrate
from adapter.store.engine import open_engine
from adapter.store.schema import store_key
from adapter.store.store_keys import SealError, open_seal, prepare
from tests.store.making import Intake, pair

PAGE = Path(__file__).parents[2] / "docs/operator/encryption-at-rest.md"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where `init` wrote a configuration, and a node has made the store."""
    init(tmp_path)
    monkeypatch.chdir(tmp_path)
    serve(tmp_path)
    return tmp_path


def serve(folder: Path) -> None:
    """What a node does to the keys in one life."""
    config = load(folder / "adapter.xml")
    masters = config.security.store_keys
    engine = open_engine(config.store.url)
    migrate.upgrade(engine)
    prepare(engine, masters)
    seal = open_seal(engine, masters)
    intake = Intake(engine)
    intake.committer.start()
    intake.accept(pair(3))
    Reseal(engine, [intake.committer], seal, masters).run(threading.Event())
    intake.committer.stop()
    engine.dispose()


def typed(*of: str) -> Result:
    return CliRunner().invoke(main, of)


def commands() -> Sequence[str]:
    found = re.findall(r"^    sms-adapter (.*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert [each.split()[0] for each in found] == ["rekey", "rekey"]
    return found


def shown(result: Result) -> str:
    """What a command printed, the moments as the page has them."""
    assert result.exit_code == 0, result.output
    return re.sub(r"20\d\d-\d\d-\d\dT[0-9:+]+", "MOMENT", result.stdout)


def test_the_page_shows_what_the_commands_print(folder: Path) -> None:
    page = re.sub(r"20\d\d-\d\d-\d\dT[0-9:+]+", "MOMENT", PAGE.read_text(encoding="utf-8"))
    make, look = commands()
    assert f"```\n{shown(typed(*make.split()))}```" in page
    serve(folder)
    assert f"```\n{shown(typed(*look.split()))}```" in page


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl")
def test_the_store_key_is_replaced_as_the_page_says(folder: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    (make,) = re.findall(r"^    (\(umask.*)$", page, re.MULTILINE)
    subprocess.run(["bash", "-c", make], check=True, cwd=folder)
    assert (folder / "store-2027.key").stat().st_mode & 0o77 == 0
    elements = re.findall(r"```xml\n(.*?)```", page, re.DOTALL)
    config = folder / "adapter.xml"
    written = config.read_text(encoding="utf-8")
    own = re.search(r"<security.*?</security>", written, re.DOTALL)
    assert own is not None
    assert own[0].split() == elements[0].split()
    config.write_text(written.replace(own[0], elements[1]), encoding="utf-8")
    assert len(load(config).security.store_keys) == 2
    serve(folder)
    config.write_text(written.replace("store.key", "store-2027.key"), encoding="utf-8")
    (key,) = json.loads(shown(typed("rekey", "--status", "--json")))
    assert key["store_key"] == name_of(load(config).security.store_keys[0])
    config.write_text(written, encoding="utf-8")
    refused = typed("rekey")
    assert refused.exit_code == 1
    assert "the store is sealed: its data key 1 opens with the store key named" in refused.stderr


def test_without_a_store_key_there_is_nothing_to_replace(folder: Path) -> None:
    config = folder / "adapter.xml"
    config.write_text(
        re.sub("<store-key.*/>", "", config.read_text(encoding="utf-8")), encoding="utf-8"
    )
    shutil.rmtree(folder / "data")
    serve(folder)
    refused = typed("rekey")
    assert refused.exit_code == 1
    assert "there is no key" in refused.stderr
    (key,) = json.loads(shown(typed("rekey", "--status", "--json")))
    assert (key["id"], key["use"]) == (0, "nothing is sealed")


def test_a_store_that_is_not_made_yet(tmp_path: Path) -> None:
    init(tmp_path)
    refused = typed("rekey", str(tmp_path / "adapter.xml"))
    assert refused.exit_code == 1
    assert "start its node first" in refused.stderr


def test_data_keys_are_kept_wrapped_only(folder: Path) -> None:
    config = load(folder / "adapter.xml")
    (master,) = config.security.store_keys
    engine = open_engine(config.store.url)
    with engine.connect() as connection:
        (row,) = connection.execute(select(store_key)).all()
    assert len(row.wrapped) == 80
    assert row.master == name_of(master)
    engine.dispose()
    files = b"".join(each.read_bytes() for each in (folder / "data").iterdir())
    assert master not in files
    assert b64encode(master) not in files


def test_a_node_does_not_start_without_the_key(folder: Path) -> None:
    config = folder / "adapter.xml"
    stranger = f'<store-key key="{b64encode(new_key()).decode()}"/>'
    written = re.sub("<store-key.*/>", stranger, config.read_text(encoding="utf-8"))
    config.write_text(written, encoding="utf-8")
    refused = typed("run", str(config))
    assert refused.exit_code == 1
    assert "opens with the store key named" in refused.stderr
    with pytest.raises(SealError):
        open_seal(open_engine(load(config).store.url), load(config).security.store_keys)
