"""A node that cannot start says why and ends; one that is asked to stop does so in time."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from adapter.store.engine import open_engine, write_connection
from adapter.store.ownership import claim
from tests.nodes import HOST, PATIENCE_S, Carrier, Node, Setup, free_port


def run(config: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "adapter", "run", str(config)],
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE_S,
        check=False,
    )


def setup(folder: Path, carrier_port: int) -> Setup:
    return Setup(folder, f"sqlite:///{folder / 'store.db'}", carrier_port)


@pytest.mark.slow
def test_a_port_in_use_ends_the_node_with_a_reason(tmp_path: Path) -> None:
    its = setup(tmp_path, free_port())
    with socket.socket() as other:
        other.bind((HOST, its.web_port))
        other.listen()
        ended = run(its.write())
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert "in use" in ended.stderr


@pytest.mark.slow
def test_a_second_node_on_the_same_store_is_refused(tmp_path: Path) -> None:
    with Carrier() as carrier:
        first = setup(tmp_path, carrier.port)
        with Node(first.write(), first.web_port).start() as node:
            other = tmp_path / "other"
            other.mkdir()
            second = Setup(other, first.store, carrier.port)
            ended = run(second.write())
            assert ended.returncode == 1
            assert "Traceback" not in ended.stderr
            assert node.stop() == 0


@pytest.mark.slow
def test_a_node_whose_carrier_is_away_stops_in_time(tmp_path: Path) -> None:
    with Carrier() as carrier:
        its = setup(tmp_path, carrier.port)
        node = Node(its.write(), its.web_port).start()
    with node:
        assert node.stop() == 0


@pytest.mark.slow
def test_a_node_whose_store_was_taken_over_says_so_and_ends(tmp_path: Path) -> None:
    with Carrier() as carrier:
        its = setup(tmp_path, carrier.port)
        with Node(its.write(), its.web_port).start() as node:
            engine = open_engine(its.store)
            with write_connection(engine) as connection, connection.begin():
                claim(connection, "standby")
            engine.dispose()
            assert node.wait() == 1
            assert "node standby" in node.last_words()
            assert "Traceback" not in node.last_words()
