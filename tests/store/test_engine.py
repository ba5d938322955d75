"""Opening a store."""

from __future__ import annotations

import sqlite3

import pytest

from adapter.store.engine import open_engine


def test_an_sqlite_that_is_too_old_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 26, 0))
    monkeypatch.setattr(sqlite3, "sqlite_version", "3.26.0")
    told = r"SQLite 3\.26\.0; the store needs 3\.33 or newer, or PostgreSQL"
    with pytest.raises(OSError, match=told):
        open_engine("sqlite://")
