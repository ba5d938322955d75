"""Reading at one moment, while others write."""

from __future__ import annotations

from sqlalchemy import Engine, func, select

from adapter.store import bulk
from adapter.store.reading import at_one_moment
from adapter.store.schema import notification
from tests.store.making import IDS, count, writing


def test_what_is_committed_meanwhile_is_not_seen(store: Engine) -> None:
    """Else a reply was read without the receipt that had been committed just before it."""
    counted = select(func.count()).select_from(notification)
    with at_one_moment(store) as connection:
        assert connection.execute(counted).scalar_one() == 0
        with writing(store) as writer:
            row = (IDS.next(), "client:his", 1, None, "DELIVERED", None, None, None, None)
            bulk.insert(writer, notification, [row])
        assert connection.execute(counted).scalar_one() == 0
    assert count(store, notification) == 1
