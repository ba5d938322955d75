"""Where a real node says that it stands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from adapter.config.load import load
from adapter.domain.errors import StoreUnavailable
from adapter.domain.states import Lane
from adapter.node import Node
from adapter.store.schema import spool
from tests.nodes import Setup, free_port


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    """Built, never run."""
    setup = Setup(tmp_path, f"sqlite:///{tmp_path / 'store.db'}", free_port())
    its = Node(load(setup.write()))
    yield its
    its.web.stop()
    its._ownership.release()
    its._engine.dispose()


def put(node: Node, messages: int, lane: Lane) -> None:
    with node._engine.begin() as connection:
        for made in range(messages):
            connection.execute(
                spool.insert().values(
                    message_id=made, carrier="mobile", lane=lane.value, client="his", due_at=made,
                    expire_at=10**15, tries=0, in_doubt=False,
                )
            )  # fmt: skip


def test_what_waits_is_counted_by_lane(node: Node) -> None:
    put(node, 3, Lane.BULK)
    queues = {each.lane: each for each in node.standing.status().queues}
    assert {lane: each.waiting for lane, each in queues.items()} == {
        lane: 3 if lane is Lane.BULK else 0 for lane in Lane
    }
    assert queues[Lane.BULK].oldest_s > 0


def test_readiness_asks_no_database(node: Node) -> None:
    asked: list[Any] = []
    event.listen(node._engine, "before_cursor_execute", lambda *call: asked.append(call))
    assert node.standing.checks() == {
        "store": "",
        "dispatcher": "not running",
        "channels": "none is up",
    }
    assert not asked
    status = node.standing.status()
    assert status.checks == node.standing.checks()
    assert asked


def test_a_store_that_takes_no_commits_is_not_writable_though_it_can_be_read(node: Node) -> None:
    def refuse(connection: Any) -> None:
        if connection.get_execution_options().get("writes"):
            raise OperationalError("begin", None, OSError("disk full"))

    event.listen(node._engine, "begin", refuse)
    committer = node._committers[0]
    committer.start()
    with pytest.raises(StoreUnavailable):
        node._desk.cancel("his", message_ids=[1])
    committer.stop()
    status = node.standing.status()
    assert not status.store.writable
    assert status.store.reason == node.standing.checks()["store"] == "OperationalError"
