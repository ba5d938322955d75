"""Sequence numbers: their form, their share of the counter, and the way back."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.sgip.pdus import CODECS
from connectors.sgip.sequence import MAX_NODE, Sequences, text
from tests.connectors.vectors import named

AT = datetime(2026, 3, 9, 7, 23, 15, tzinfo=UTC).timestamp()


def test_the_vectors_number() -> None:
    vector = named("sgip_submit_gbk_short")
    expected = CODECS["1.2"].decode(bytes.fromhex(vector["hex"])).sequence_number
    sequences = Sequences(3010012345, start=0, clock=lambda: AT)
    assert sequences.make(2) == expected
    assert text(expected) == "301001234503091523150000000002"


@given(
    st.integers(0, MAX_NODE), st.integers(0, 200), st.integers(0, (1 << 26) - 1),
    st.integers(0, (1 << 32) - 1), st.integers(0, 5000),
)  # fmt: skip
def test_a_number_leads_back_to_its_ordinal(
    node: int, share: int, start: int, first: int, later: int
) -> None:
    sequences = Sequences(node, share, start=start)
    number = sequences.make(first)
    sequences.make((first + later) % (1 << 32))
    assert sequences.ordinal(number) == first


def test_links_of_a_channel_never_meet() -> None:
    numbers = {
        Sequences(3010012345, share, start=(1 << 26) - 2, clock=lambda: AT).make(ordinal)
        for share in range(64)
        for ordinal in range(8)
    }
    assert len(numbers) == 64 * 8


def test_connections_of_a_link_start_somewhere_else() -> None:
    starts = {Sequences(1, clock=lambda: AT).make(1) for _ in range(4)}
    assert len(starts) > 1


def test_a_number_of_somebody_else_is_nobodys() -> None:
    sequences = Sequences(3010012345, 1, start=0)
    sequences.make(1)
    assert sequences.ordinal(Sequences(3010012345, 2, start=0).make(1)) is None
    assert sequences.ordinal(Sequences(3010012346, 1, start=0).make(1)) is None


def test_a_peer_may_rebuild_the_time() -> None:
    sequences = Sequences(1, 0, start=5, clock=lambda: AT)
    number = sequences.make(1)
    assert sequences.ordinal(number[:4] + bytes(4) + number[8:]) == 1


@pytest.mark.parametrize("node", [-1, MAX_NODE + 1])
def test_a_node_id_is_a_number_of_four_octets(node: int) -> None:
    with pytest.raises(ValueError, match="node id"):
        Sequences(node)
