"""Which channel takes a message, for every combination of channels that are up and avoided."""

from __future__ import annotations

import itertools

import pytest

from adapter.dispatch.routes import Routes

CHANNELS = {"mobile": ("a", "b", "c"), "unicom": ("b", "a"), "telecom": ("c",)}
EVERY = list(itertools.product((False, True), repeat=3))


@pytest.mark.parametrize("carrier", CHANNELS)
def test_the_first_that_is_up_and_not_avoided_else_the_first_that_is_up(carrier: str) -> None:
    for up, avoided in itertools.product(EVERY, EVERY):
        is_up = dict(zip("abc", up, strict=True))
        avoid = {name for name, so in zip("abc", avoided, strict=True) if so}
        routes = Routes(CHANNELS, is_up.__getitem__)
        there = [name for name in CHANNELS[carrier] if is_up[name]]
        wanted = [name for name in there if name not in avoid]
        assert routes.choice(carrier, avoid) == next(iter(wanted or there), None)
        assert routes.elsewhere(carrier, avoid) == bool(wanted)


def test_a_carrier_without_a_route_has_no_channel() -> None:
    assert Routes(CHANNELS, lambda _: True).choice("broadnet") is None
