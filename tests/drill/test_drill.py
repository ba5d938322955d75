"""A small drill, as CI can afford it; the big one is in docs/reliability.md."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from adapter.cli import main

pytestmark = pytest.mark.crash

KEYS = {
    "kills", "accepted", "final", "lost", "duplicates", "in_doubt", "receipts_lost", "seconds",
}  # fmt: skip


@pytest.mark.parametrize("store", ["sqlite", "postgresql"])
def test_a_node_killed_again_and_again_keeps_its_promises(store: str) -> None:
    wanted = ["--kills", "2", "--messages", "600", "--store", store, "--window", "16"]
    ended = CliRunner().invoke(main, ["drill", *wanted, "--json"])
    found = json.loads(ended.stdout)
    assert found.keys() >= KEYS
    assert found["broken"] == []
    assert (found["accepted"], found["final"], found["lost"]) == (600, 600, 0)
    assert ended.exit_code == 0
