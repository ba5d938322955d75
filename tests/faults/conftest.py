"""Houses to break things in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from connectors.behaviour import Behaviour
from tests.dbpoll.conftest import His, in_file
from tests.faults.house import House
from tests.node.conftest import his
from tests.nodes import Carrier, Node, Setup

__all__ = ["his"]

Build = Callable[..., House]


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Build]:
    """Builds a house and starts its node; what is not given is a good carrier, an SQLite store
    and no HIS."""
    with ExitStack() as stack:

        def make(
            behaviour: Behaviour | None = None,
            *,
            store: str = "",
            his: His | None = None,
            program: Sequence[str] = ("-m", "adapter"),
            **setup: Any,
        ) -> House:
            log = tmp_path / "carrier.jsonl"
            carrier = stack.enter_context(Carrier(behaviour, log=log))
            url = store or f"sqlite:///{tmp_path / 'store.db'}"
            wanted = Setup(tmp_path, url, carrier.port, his.url if his else "", **setup)
            node = stack.enter_context(Node(wanted.write(), wanted.web_port, program))
            node.start()
            return House(carrier, wanted, node, his)

        yield make


@pytest.fixture
def sqlite_his(tmp_path: Path) -> Iterator[His]:
    """The hospital's tables in a file."""
    with in_file(tmp_path / "his.db") as made:
        yield made
