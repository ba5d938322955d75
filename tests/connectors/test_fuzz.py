"""Octets of every kind against every decoder and both ends of a connection; what `scripts/fuzz`
found before is replayed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.pdu_view import VIEWS
from tests.connectors.drawing import damaged
from tests.connectors.fuzzing import attempt, seeds

FOUND = sorted((Path(__file__).parents[1] / "data" / "fuzz").glob("*-*"))


@pytest.mark.parametrize("case", FOUND, ids=lambda case: case.name)
def test_what_was_found_before(case: Path) -> None:
    attempt(case.name.partition("-")[0], case.read_bytes())


@pytest.mark.parametrize("protocol", VIEWS)
def test_every_frame_of_the_vectors(protocol: str) -> None:
    for frame in seeds(protocol):
        attempt(protocol, frame)


@pytest.mark.parametrize("protocol", VIEWS)
@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_damaged_frames(protocol: str, data: st.DataObject) -> None:
    attempt(protocol, data.draw(damaged(seeds(protocol))))


@pytest.mark.parametrize("protocol", VIEWS)
@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_any_octets_under_any_command(protocol: str, data: st.DataObject) -> None:
    commands = {command for view in VIEWS[protocol].values() for command in view.codecs.by_command}
    command = data.draw(st.sampled_from(sorted(commands)) | st.integers(0, (1 << 32) - 1))
    body = data.draw(st.binary(max_size=300))
    attempt(protocol, (8 + len(body)).to_bytes(4, "big") + command.to_bytes(4, "big") + body)
