"""A small drill: the node and its database die, the standby goes on, nothing is lost."""

from __future__ import annotations

import pytest

from scripts.drill_standby import Wanted, drill


@pytest.mark.crash
def test_a_replicated_standby_loses_nothing() -> None:
    found = drill(Wanted("postgresql", messages=300, rate=100))
    assert found["broken"] == []
    assert (found["accepted"], found["lost"], found["never_sent"]) == (300, 0, 0)
    assert found["unmarked"] == 0
    assert found["old_node"] == "refused"
