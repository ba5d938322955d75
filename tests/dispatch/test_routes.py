"""Which channel serves which carrier, for every combination of channels that are up."""

from __future__ import annotations

import itertools

from adapter.dispatch.routes import Routes

CHANNELS = {"mobile": ("a", "b", "c"), "unicom": ("b", "a"), "telecom": ("c",)}


def test_a_carrier_is_served_by_its_first_choice_that_is_up() -> None:
    for up in itertools.product((False, True), repeat=3):
        is_up = dict(zip("abc", up, strict=True))
        routes = Routes(CHANNELS, is_up.__getitem__)
        for carrier, ordered in CHANNELS.items():
            first = next((name for name in ordered if is_up[name]), None)
            serving = [n for n in "abc" if is_up[n] and carrier in routes.served_by(n)]
            assert serving == ([first] if first else [])


def test_a_channel_in_no_route_serves_nobody() -> None:
    assert Routes(CHANNELS, lambda _: True).served_by("d") == ()
