"""A word is used once: by many at a time, and after a restart."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import Engine, func, select

from adapter.domain.errors import StoreUnavailable
from adapter.store.clock import from_ms
from adapter.store.committer import Committer
from adapter.store.nonces import Nonces
from adapter.store.schema import nonce

NOW = 1_800_000_000_000
SOON = from_ms(NOW) + timedelta(minutes=5)


@contextmanager
def opened(store: Engine, now: int = NOW) -> Iterator[Nonces]:
    committer = Committer(store, "test")
    committer.start()
    try:
        yield Nonces(committer, lambda: now)
    finally:
        committer.stop()


def test_a_word_is_new_once_also_after_a_restart(store: Engine) -> None:
    with opened(store) as nonces:
        assert nonces.first_use("his a", SOON)
        assert not nonces.first_use("his a", SOON)
        assert nonces.first_use("his b", SOON)
    with opened(store) as nonces:
        assert not nonces.first_use("his a", SOON)


def test_of_many_at_once_one_is_first(store: Engine) -> None:
    with opened(store) as nonces, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: nonces.first_use("his same", SOON), range(64)))
    assert answers.count(True) == 1


def test_what_has_lost_its_use_is_forgotten(store: Engine) -> None:
    with opened(store) as nonces:
        for at in range(5):
            nonces.first_use(f"his {at}", SOON)
    with opened(store, NOW + 300_001) as nonces:
        nonces.first_use("his later", SOON + timedelta(minutes=10))
    with store.connect() as connection:
        assert connection.execute(select(func.count()).select_from(nonce)).scalar() == 1


def test_without_the_store_nothing_is_said(store: Engine) -> None:
    with opened(store) as nonces:
        pass
    with pytest.raises(StoreUnavailable):
        nonces.first_use("his a", SOON)
