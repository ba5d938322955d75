"""One real node with every door open, its carrier, and the hospital's table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from adapter.security.passwords import hash_password
from dbpoll.ddl import ddl
from tests.contract.doors import Door, Heard, Who, doors_of
from tests.contract.forms import alike
from tests.dbpoll.conftest import His
from tests.nodes import ACCESS_NUMBER, ACCOUNT, HOST, SECRET, Carrier, Node, free_port

PASSWORD = "S3cret of all clients"
CMPP_SECRET = "cmpp-secret"
CONTENT_KEY = bytes(range(32))
ZONE = ZoneInfo("Asia/Shanghai")

NAMES = ("soap11", "soap12", "xml", "json", "string", "socket")
"""The doors that take every operation, and the accounts of their own clients."""
EXTENSIONS = {name: f"1{place}" for place, name in enumerate(NAMES)}


def _hours() -> str:
    """A part of the day that is far from now."""
    hour = (datetime.now(ZONE).hour + 12) % 23
    return f"{hour:02}:00-{hour:02}:30"


def _configuration(folder: Path, carrier: int, web: int, socket: int, cmpp: int, most: int) -> str:
    key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    shown = f'<password hash="{hash_password(PASSWORD)}"/>'
    own = "".join(
        f'<client account="{name}" title="门诊系统" extension="{EXTENSIONS[name]}" '
        f'signature="市一医院" daily-quota="5000" monthly-quota="90000" rate-per-minute="6000" '
        f'hours="00:00-24:00" lanes="normal bulk" businesses="general notice">{shown}'
        f'<content-key id="k1" cipher="aes-256-gcm" key="{key}"/></client>'
        for name in NAMES
    )
    # One for each door: wrong tries of one account are slowed down.
    refused = "".join(
        f'<client account="closed-{name}" doors="dbpoll">{shown}</client>'
        f'<client account="off-{name}" enabled="false">{shown}</client>'
        for name in NAMES
    )
    return f"""\
<adapter xmlns="urn:his-sms:config:1">
  <node name="test"/>
  <store url="sqlite:///{folder}/store.db" capacity="{most}"/>
  <web port="{web}"/>
  <socket port="{socket}" connections-per-client="4"/>
  <cmpp-server port="{cmpp}"/>
  <logging format="text"/>
  <security wrong-tries="1000"/>
  <channels>
    <channel name="main" protocol="cmpp" version="3.0" access-number="{ACCESS_NUMBER}">
      <connection host="{HOST}" port="{carrier}" account="{ACCOUNT}" password="{SECRET}"
                  links="1" window="16" rate="5000" reconnect-min="50ms"/>
    </channel>
  </channels>
  <routes>
    <route carrier="mobile" channels="main"/>
    <route carrier="unicom" channels="main"/>
    <route carrier="telecom" channels="main"/>
  </routes>
  <clients>
    {own}
    <client account="all" extension="20" cmpp-secret="{CMPP_SECRET}">{shown}</client>
    <client account="single" extension="21" cmpp-secret="{CMPP_SECRET}">{shown}</client>
    <client account="away" networks="10.0.0.0/8" cmpp-secret="{CMPP_SECRET}">{shown}</client>
    {refused}
    <client account="sealed">{shown}<certificate subject="CN=his"/>
      <entry needs="password certificate"/></client>
    <client account="signed">{shown}<hmac-key id="k" secret="0123456789abcdef"/>
      <entry needs="password hmac"/></client>
    <client account="slow" rate-per-minute="1" cmpp-secret="{CMPP_SECRET}">{shown}</client>
    <client account="small" daily-quota="1" cmpp-secret="{CMPP_SECRET}">{shown}</client>
    <client account="month" monthly-quota="1">{shown}</client>
    <client account="night" hours="{_hours()}" cmpp-secret="{CMPP_SECRET}">{shown}</client>
    <client account="narrow" lanes="normal" businesses="notice" business="notice"
            max-segments="1" max-recipients="2" cmpp-secret="{CMPP_SECRET}">{shown}</client>
  </clients>
  <sources>
    <source name="his" client="all" url="sqlite:///{folder}/his.db" inbound-table="SMS_INBOUND"
            poll-min="20ms" poll-max="200ms"/>
    <source name="few" client="small" url="sqlite:///{folder}/few.db" poll-min="20ms"
            poll-max="200ms"/>
  </sources>
  <templates><template name="turn">${{name}}，请到${{room}}就诊。</template></templates>
  <policies><lane name="normal" doubt-wait="1s"/></policies>
</adapter>
"""


@dataclass
class House:
    """The node and what stands around it."""

    node: Node
    carrier: Carrier
    doors: dict[str, Door]
    web_port: int
    socket_port: int
    cmpp_port: int
    his: His
    few: His
    folder: Path

    def each(
        self, operation: str, request: Mapping[str, Any], account: str = "{door}"
    ) -> dict[str, Heard]:
        """What every door says to a request, by the door's name. `{door}` in the account stands
        for that; a word behind it for a password that is not ours."""
        return {
            name: door.ask(who(account.format(door=name)), operation, request)
            for name, door in self.doors.items()
        }

    def same(self, operation: str, request: Mapping[str, Any], account: str = "{door}") -> Heard:
        """The one answer that all doors give, ids and times aside."""
        return one_of(self.each(operation, request, account))


def who(account: str) -> Who:
    """The client of this account; with another password where one stands behind it."""
    name, _, wrong = account.partition(" ")
    return Who(name, wrong or PASSWORD)


def one_of(answers: dict[str, Heard]) -> Heard:
    """The answer of the first door, after the others' were held against it."""
    first, *others = [_comparable(name, heard) for name, heard in answers.items()]
    for name, other in zip(list(answers)[1:], others):
        assert other == first, f"{name} differs"
    return next(iter(answers.values()))


def _comparable(name: str, heard: Heard) -> Any:
    told = (heard.result, heard.code, heard.field, heard.description, bool(heard.retry_after))
    own = EXTENSIONS.get(name, "")
    return [None if each is None else alike(each, name, own) for each in told]


@contextmanager
def open_house(folder: Path, most: int = 100_000) -> Iterator[House]:
    with ExitStack() as stack:
        carrier = stack.enter_context(Carrier())
        ports = web, socket, cmpp = free_port(), free_port(), free_port()
        tables = []
        for name in ("his", "few"):
            database = His(f"sqlite:///{folder}/{name}.db")
            with database.engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA journal_mode=WAL")
            database.script(ddl("sqlite"))
            stack.callback(database.engine.dispose)
            tables.append(database)
        config = folder / "adapter.xml"
        config.write_text(_configuration(folder, carrier.port, *ports, most), encoding="utf-8")
        node = stack.enter_context(Node(config, web)).start()
        doors = doors_of(web, socket)
        his, few = tables
        yield House(node, carrier, doors, web, socket, cmpp, his, few, folder)
        for door in doors.values():
            door.leave()
        assert node.stop() == 0, node.last_words()


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """For every test of this folder: each uses references and numbers of its own."""
    with open_house(tmp_path_factory.mktemp("contract")) as opened:
        yield opened
