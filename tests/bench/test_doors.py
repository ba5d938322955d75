"""The benchmarks of the doors run, and count what they should; no figure is judged."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

from adapter.bench import doors
from adapter.cli import main

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doors, "WARM_UP", 50)
    monkeypatch.setattr(doors, "_IDLE_S", 0.1)


def bench(*arguments: str) -> dict[str, Any]:
    done = CliRunner().invoke(main, ["bench", "--json", *arguments])
    assert done.exit_code == 0, done.output
    told: dict[str, Any] = json.loads(done.output)
    return told


@pytest.mark.parametrize(
    ("door", "batch", "requests"),
    [("soap", 1, 200), ("http", 50, 4), ("socket", 1, 200), ("cmpp", 1, 200)],
)
def test_a_door_alone(door: str, batch: int, requests: int) -> None:
    found = bench("--accept-only", "--door", door, "--batch", str(batch), "--messages", "200")
    assert (found["messages"], found["requests"]) == (200, requests)
    assert 0 < found["answer_ms"]["p50"] <= found["answer_ms"]["max"]
    assert found["cpu_us_each"] > 0


@pytest.mark.parametrize("door", ["socket", "cmpp"])
def test_the_whole_way(door: str) -> None:
    found = bench("--door", door, "--batch", "1", "--messages", "300")
    assert (found["lost"], found["duplicates"]) == (0, 0)
    assert found["rate"] > 0


def test_a_flood_beside_another_client() -> None:
    found = bench("--flood", "--accept-only", "--door", "cmpp", "--messages", "20", "--rate", "50")
    assert found["flood_rate"] > 0
    assert found["alone_ms"]["max"] > 0 < found["beside_ms"]["max"]


def test_silent_clients_stay_and_are_answered() -> None:
    found = bench("--idle", "--messages", "50")
    assert found["visitors"] == {"socket": 50, "cmpp": 20}
    assert found["cmpp_answer_ms"]["max"] > 0
