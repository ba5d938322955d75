"""The node dies while the messages of a large request are stored, before it is accepted."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from sqlalchemy import Engine, func, select

from adapter.store.engine import open_engine
from adapter.store.schema import message, staged
from connectors.behaviour import Behaviour, Span
from tests.faults.conftest import Build
from tests.faults.house import CONTENT, DOUBTS_SOON, web_number
from tests.nodes import Soap, insist, until

pytestmark = pytest.mark.slow

PROMPT = Behaviour(answer_delay=Span(1, 10), receipt_delay=Span(1, 50), seed=4)
BATCHES, EACH, KILLS = 6, 500, 3


def send(url: str, first: int) -> list[int]:
    """A request of EACH recipients, asked for until it is accepted; the ids."""
    soap = insist(lambda: Soap(url))
    entries = [(web_number(call), CONTENT) for call in range(first, first + EACH)]
    return insist(lambda: soap.send_batch(entries, f"batch-{first}"))


def begun(store: Engine) -> set[int]:
    """Requests of which messages are stored, and that are not accepted."""
    with store.connect() as connection:
        return set(connection.execute(select(staged.c.submission_id)).scalars())


def is_storing(store: Engine, left: set[int]) -> bool:
    return bool(begun(store) - left)


@pytest.mark.crash
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_killed_while_large_requests_are_stored(
    build: Build, request: pytest.FixtureRequest, database: str
) -> None:
    url = "" if database == "sqlite" else request.getfixturevalue("postgres_url")
    house = build(PROMPT, store=url, policies=DOUBTS_SOON)
    store = open_engine(house.setup.store)
    left: set[int] = set()
    with ThreadPoolExecutor(2) as pool:
        firsts = range(0, BATCHES * EACH, EACH)
        answers = [pool.submit(send, house.node.url, first) for first in firsts]
        for _ in range(KILLS):
            until(partial(is_storing, store, left), "a request is being stored")
            house.node.kill()
            left = begun(store)
            house.node.start()
        ids = [made for answer in answers for made in answer.result()]
    house.calls = BATCHES * EACH
    assert len(set(ids)) == house.calls
    house.settle()
    assert begun(store) == left
    with store.connect() as connection:
        kept = connection.execute(select(func.count()).select_from(message)).scalar_one()
    assert kept >= house.calls
    assert bool(left) == (kept > house.calls), "what is left belongs to what broke off"
    store.dispose()
