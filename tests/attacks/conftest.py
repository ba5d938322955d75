"""A real node under attack, and a client that has to be served meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import pytest

from adapter.files import allow_many_open
from tests.contract.conftest import House, open_house, who
from tests.contract.doors import Heard, doors_of
from tests.nodes import until

MEANWHILE = 10
"""Messages that somebody else gets accepted while an attack stands."""
_numbers = count(1)


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """For all attacks: what one of them leaves behind meets the next."""
    allow_many_open()
    with open_house(tmp_path_factory.mktemp("attacks")) as opened:
        yield opened


class Others:
    """A client that sends through the web and the socket door, one message after another, until
    it is told to stop."""

    def __init__(self, house: House) -> None:
        self._doors = doors_of(house.web_port, house.socket_port)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._go, name="others")
        self.accepted: list[str] = []
        self.refused: list[Heard] = []
        self.error: Exception | None = None

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()
        self._doors["socket"].leave()

    def served(self, more: int = MEANWHILE) -> None:
        """Until so many more were accepted."""
        wanted = len(self.accepted) + more
        until(lambda: self.error or len(self.accepted) >= wanted, "others are served")
        assert self.error is None

    def _go(self) -> None:
        try:
            while not self._ended.is_set():
                self._send()
        except Exception as error:
            self.error = error

    def _send(self) -> None:
        number = next(_numbers)
        door = self._doors["socket" if number % 3 == 0 else "json"]
        asked = {
            "clientRef": f"meanwhile-{number}",
            "content": "请准时就诊",
            "recipients": [{"mobile": f"135{number:08}"}],
        }
        heard = door.ask(who("all"), "Send", asked)
        if heard.refused:
            self.refused.append(heard)
        else:
            self.accepted.append(asked["recipients"][0]["mobile"])  # type: ignore[index]


@contextmanager
def under_attack(house: House) -> Iterator[Others]:
    """Others are served before the attack, and after it; nothing that they got accepted is lost,
    and nothing but that was sent."""
    sent_before = len(house.carrier.taken())
    others = Others(house)
    others.start()
    try:
        others.served()
        yield others
        others.served()
    finally:
        others.stop()
    assert others.error is None
    assert others.refused == []
    until(house.node.at_rest, "the node is at rest")
    sent = [each["destination"] for each in house.carrier.taken()[sent_before:]]
    assert sorted(sent) == sorted(others.accepted), "nothing lost, and nothing got in"
