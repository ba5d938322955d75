"""Settings of channels: written by a command, read by the node."""

from __future__ import annotations

from sqlalchemy import Engine

from adapter.store.channel_settings import read, write


def test_the_last_one_counts(store: Engine) -> None:
    assert read(store) == {}
    write(store, ["a", "b"], "access_number", "spare", 1)
    write(store, ["a"], "access_number", "primary", 2)
    write(store, ["a"], "other", "yes", 3)
    assert read(store) == {
        "a": {"access_number": "primary", "other": "yes"},
        "b": {"access_number": "spare"},
    }
