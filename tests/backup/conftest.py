"""Stores of both kinds, and configurations with a key that name them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from xml.sax.saxutils import quoteattr

import pytest

from adapter.config.load import load
from adapter.config.model import Config
from adapter.security.secrets import new_key, write_key
from tests.conftest import new_database

Configure = Callable[..., Config]

_TEXT = """\
<adapter xmlns="urn:his-sms:config:1" xmlns:xi="http://www.w3.org/2001/XInclude">
  <node name="{node}" id="{id}"/>
  <store url={store} {store_more}/>
  <security key-file="{key}"/>
  {channels}
  {more}
</adapter>
"""
_CHANNELS = """\
<channels>
  <channel name="first" protocol="cmpp" version="3.0" access-number="1069">
    <connection host="127.0.0.1" port="1" account="a" password="p"/>
  </channel>
</channels>
"""


@pytest.fixture
def configure(tmp_path: Path) -> Configure:
    """The configuration of a node in a folder of its own; all have one key unless told."""
    write_key(tmp_path / "adapter.key", new_key())

    def write(
        store: str,
        node: str = "main",
        more: str = "",
        *,
        key: str = "../adapter.key",
        number: int = 1,
        store_more: str = "",
    ) -> Config:
        folder = tmp_path / node
        folder.mkdir(exist_ok=True)
        (folder / "channels.xml").write_text(
            _CHANNELS.replace("<channels>", '<channels xmlns="urn:his-sms:config:1">'),
            encoding="utf-8",
        )
        path = folder / "adapter.xml"
        channels = (
            '<xi:include href="channels.xml"/><routes><route carrier="mobile" channels="first"/>'
            '</routes><clients><client account="his"/></clients>'
        )
        path.write_text(
            _TEXT.format(
                node=node,
                id=number,
                store=quoteattr(store),
                store_more=store_more,
                key=key,
                channels=channels,
                more=more,
            ),
            encoding="utf-8",
        )
        return load(path)

    return write


@pytest.fixture
def new_store(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[[str], str]]:
    """The URL of an empty store of a kind: `sqlite`, `postgresql`."""
    with ExitStack() as stack:
        made = iter(range(100))

        def make(kind: str) -> str:
            if kind == "sqlite":
                return f"sqlite:///{tmp_path / f'store{next(made)}.db'}"
            server: str = request.getfixturevalue("postgres_server")
            return stack.enter_context(new_database(server))

        yield make
