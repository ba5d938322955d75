"""How new rows are found and made ours: one strategy, one class."""

from __future__ import annotations

from collections.abc import Container

from dbpoll.dialects.base import Tongue
from dbpoll.feeds.base import Feed, Marks
from dbpoll.feeds.ledger import LedgerFeed
from dbpoll.feeds.own import OwnFeed
from dbpoll.feeds.removal import RemovalFeed
from dbpoll.feeds.shelf import QueryShelf, Shelf, TableShelf
from dbpoll.feeds.status import StatusFeed
from dbpoll.feeds.watermark import WatermarkFeed
from dbpoll.settings import Settings, Strategy
from dbpoll.tables import Found


def feed_for(
    settings: Settings,
    found: Found | None,
    tongue: Tongue,
    held: Container[str],
    known: set[str],
    marks: Marks,
) -> Feed:
    """The feed that the settings ask for. `found` is None where own statements reach the
    table; `held` are the keys that this process is busy with, `known` those that it knows to
    be accepted."""
    if settings.strategy is Strategy.STATUS:
        if found is None:
            return OwnFeed(settings, held)
        return StatusFeed(settings, TableShelf(settings, found, tongue), held)
    shelf: Shelf = QueryShelf(settings)
    if found is not None:
        shelf = TableShelf(settings, found, tongue)
    if settings.strategy is Strategy.WATERMARK:
        return WatermarkFeed(settings, shelf, held, marks)
    if settings.strategy is Strategy.REMOVE:
        return RemovalFeed(settings, shelf, held)
    return LedgerFeed(shelf, held, known)
