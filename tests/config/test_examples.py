"""The configurations that come with the project really load."""

from __future__ import annotations

import base64
import shutil
from pathlib import Path

import pytest

from adapter.config.load import check, load
from adapter.demo import make_store_key
from adapter.domain.states import Carrier
from adapter.security.passwords import PasswordChecker

CONF = Path(__file__).parents[2] / "conf"
ENVIRON = {
    "SMS_STORE_PASSWORD": "a",
    "SMS_MOBILE_PASSWORD": "b",
    "HIS_DB_PASSWORD": "c",
    "SMS_STORE_KEY": base64.b64encode(bytes(range(32))).decode(),
}
EXAMPLES = sorted(CONF.glob("*/adapter.xml"))


@pytest.fixture(autouse=True)
def _store_key() -> None:
    """As the demo makes it."""
    make_store_key(CONF / "demo/adapter.xml")


def test_there_are_examples() -> None:
    assert {path.parent.name for path in EXAMPLES} >= {"demo", "example"}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_an_example_has_no_faults(path: Path) -> None:
    assert [str(f) for f in check(path, ENVIRON)] == []
    load(path, ENVIRON)


def test_the_demo_is_as_the_contract_says() -> None:
    config = load(CONF / "demo/adapter.xml", {})
    var = CONF.parent / "var/demo"
    assert (config.web.host, config.web.port) == ("127.0.0.1", 8080)
    assert config.store.url == f"sqlite:///{(var / 'adapter.db').as_posix()}"
    (source,) = config.sources
    assert source.url == f"sqlite:///{(var / 'his.db').as_posix()}"
    assert (source.receipt_table, source.inbound_table) == ("SMS_RECEIPT", "SMS_INBOUND")
    assert {(c.protocol, c.host, c.port) for c in config.channels} == {
        ("cmpp", "127.0.0.1", 17890),
        ("sgip", "127.0.0.1", 18801),
        ("smgp", "127.0.0.1", 18890),
        ("smpp", "127.0.0.1", 12775),
    }
    assert {r.carrier: r.channels[0] for r in config.routes} == {
        each: each.value for each in Carrier
    }
    (client,) = config.clients
    assert PasswordChecker().verify("his", client.password_hashes, "his-demo")
    assert not client.rate_per_minute or client.rate_per_minute > 1_000


def test_the_example_works_from_a_copy(tmp_path: Path) -> None:
    copy = Path(shutil.copytree(CONF / "example", tmp_path / "conf"))
    config = load(copy / "adapter.xml", ENVIRON)
    assert [c.password for c in config.channels] == ["b", "replace-me"]
    assert len(config.clients) == 3
