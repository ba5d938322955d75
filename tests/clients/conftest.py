"""One live node for all clients, with an account and a simulated carrier's texts for each."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from connectors.behaviour import Behaviour, Span
from tests.clients.steps import SENT_REPLY
from tests.clients.toolkits import TOOLKITS
from tests.nodes import ACCESS_NUMBER, PASSWORD, Carrier, Node, Setup, until

EXTENSIONS = {"page": "03"} | {each.id: str(number) for number, each in enumerate(TOOLKITS, 10)}


@dataclass(frozen=True)
class Live:
    """A running node; its accounts are the ids of the toolkits, and `page`."""

    url: str
    carrier: Carrier
    store: Path

    def send_reply(self, account: str) -> None:
        """A text from a phone, waited for until the account can fetch it."""
        number = ACCESS_NUMBER + EXTENSIONS[account]
        self.carrier.send_inbound("13700137000", number, SENT_REPLY)
        until(lambda: self.ask(account, "FetchInbound").get("inbound"), "the text is there")

    def ask(self, account: str, operation: str) -> dict[str, Any]:
        """An operation with an empty request, by JSON."""
        address = f"{self.url}/api/json/{operation}"
        answer = requests.post(address, json={}, auth=(account, PASSWORD), timeout=30)
        answer.raise_for_status()
        told: dict[str, Any] = answer.json()
        return told

    def texts(self, account: str) -> dict[str, str]:
        """What the carrier got from the account, by number."""
        source = ACCESS_NUMBER + EXTENSIONS[account]
        submits = (each for each in self.carrier.events("submit") if each["source"] == source)
        return {each["destination"]: each["text"] for each in submits}

    def stored(self, account: str, column: str, where: str) -> list[Any]:
        """Of the account's submissions."""
        with closing(sqlite3.connect(f"file:{self.store}?mode=ro", uri=True)) as connection:
            query = f"SELECT {column} FROM submission WHERE client = ? AND {where}"
            return [row[0] for row in connection.execute(query, (account,))]


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    folder = tmp_path_factory.mktemp("live")
    store = folder / "store.db"
    with Carrier(Behaviour(receipt_delay=Span(1, 20))) as carrier:
        setup = Setup(folder, f"sqlite:///{store}", carrier.port, accounts=EXTENSIONS)
        with Node(setup.write(), setup.web_port).start() as node:
            yield Live(node.url, carrier, store)
