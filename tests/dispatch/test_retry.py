"""The pauses between attempts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from adapter.config.model import LanePolicy
from adapter.dispatch.retry import backoff_ms
from adapter.domain.states import DoubtRule, Lane


def policy(least: float, most: float) -> LanePolicy:
    return LanePolicy(Lane.NORMAL, DoubtRule.RESEND, 1.0, backoff_min_s=least, backoff_max_s=most)


def test_the_pauses_of_the_default() -> None:
    whole = [2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600]
    for tries, seconds in enumerate(whole, 1):
        for _ in range(20):
            pause = backoff_ms(policy(2, 600), tries) / 1000
            assert seconds / 2 - 0.001 <= pause <= seconds


def test_messages_that_failed_together_do_not_come_back_together() -> None:
    assert len({backoff_ms(policy(2, 600), 3) for _ in range(100)}) > 50


@given(st.floats(0.001, 3600), st.floats(0.001, 86_400), st.integers(1, 10_000))
def test_a_pause_is_never_longer_than_the_longest(least: float, most: float, tries: int) -> None:
    assert 0 <= backoff_ms(policy(least, most), tries) <= 1000 * most
