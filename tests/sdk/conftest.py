"""One node with a simulated carrier for all SDKs, each with an account of its own."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

from tests.nodes import ACCESS_NUMBER, Carrier, Node, Setup, free_port, until
from tests.sdk.front import Front
from tests.sdk.languages import KEY_ID, MAKERS, SECRET, Language

ROOT = Path(__file__).resolve().parents[2]
ACCOUNTS = ("his", "python-sync", "python-async", "java", "php", "csharp", "pascal", "raw", "sql")
CONTENT_KEY = bytes(range(32))
VECTORS: list[dict[str, Any]] = json.loads(
    (ROOT / "tests/data/encryption.json").read_text(encoding="utf-8")
)


@dataclass(frozen=True)
class World:
    """The node and its carrier."""

    node: Node
    carrier: Carrier

    @property
    def url(self) -> str:
        return self.node.url

    def texts(self, mobile: str) -> list[str]:
        """What the carrier was given for this number."""
        return [each["text"] for each in self.carrier.taken() if each["destination"] == mobile]

    def answer_from(self, mobile: str, text: str, extension: str = "") -> None:
        """A text from a phone."""
        self.carrier.send_inbound(mobile, f"{ACCESS_NUMBER}{extension}", text)

    def until_sent(self, mobile: str, count: int = 1) -> list[str]:
        until(lambda: len(self.texts(mobile)) >= count, f"{count} texts for {mobile}")
        return self.texts(mobile)


def _client(number: int, account: str, password: str) -> str:
    key = base64.b64encode(CONTENT_KEY).decode()
    return (
        f'<client account="{account}" extension="{number}">{password}'
        f'<hmac-key id="{KEY_ID}" secret="{SECRET}"/>'
        f'<content-key id="{KEY_ID}" cipher="aes-256-gcm" key="{key}"/></client>'
    )


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("sdk")
    with Carrier() as carrier:
        port = free_port()
        setup = Setup(folder, f"sqlite:///{folder / 'store.db'}", carrier.port, web_port=port)
        config = setup.write()
        written = config.read_text(encoding="utf-8")
        start = written.index("<clients>") + len("<clients>")
        end = written.index("</clients>")
        hashed = written[start:end].partition("<password ")[2].partition("/>")[0]
        clients = "".join(
            _client(number, account, f"<password {hashed}/>")
            for number, account in enumerate(ACCOUNTS, 11)
        )
        config.write_text(written[:start] + clients + written[end:], encoding="utf-8")
        with Node(config, port) as node:
            yield World(node.start(), carrier)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Language]:
    """A language, compiled once."""
    return cache(lambda name: MAKERS[name](tmp_path_factory.mktemp(name)))


@pytest.fixture
def front(world: World) -> Iterator[Front]:
    with Front(world.url) as opened:
        yield opened


@pytest.fixture
def ref(request: pytest.FixtureRequest) -> str:
    """A client reference of this test's own."""
    return f"REF-{crc32(request.node.nodeid.encode()):08x}"
