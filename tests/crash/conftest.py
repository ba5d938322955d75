"""A crash test works on the databases that the whole node works on."""

from __future__ import annotations

from tests.node.conftest import his, store_url

__all__ = ["his", "store_url"]
