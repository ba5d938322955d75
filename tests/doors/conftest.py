"""A web server with the SOAP door over the real intake and store (SQLite), and ways to call it."""

from __future__ import annotations

import http.client
import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from lxml import etree
from sqlalchemy import Engine

from adapter.config.model import Channel, Config, Route, Template, Web
from adapter.contract import NS
from adapter.domain.client import Client
from adapter.domain.ids import IdMaker
from adapter.domain.outcomes import Received
from adapter.domain.states import Carrier, Lane, State
from adapter.domain.values import Notice, Waiting
from adapter.doors.mounts import doors
from adapter.doors.service import Exchange
from adapter.doors.web import Serving, Site, serve
from adapter.intake.accounts import Accounts
from adapter.intake.intake import Intake
from adapter.intake.limits import Limits
from adapter.security.passwords import PasswordChecker, hash_password
from adapter.security.tries import WrongTries
from adapter.store import inbound
from adapter.store.acceptance import Acceptance
from adapter.store.capacity import Capacity
from adapter.store.clock import to_ms
from adapter.store.committer import Committer
from adapter.store.desk import Desk
from adapter.store.endings import Step, end, known_of
from adapter.store.engine import open_engine
from adapter.store.nonces import Nonces
from adapter.store.schema import metadata

PASSWORD = "S3cret-of-the-HIS"
SOAP11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP12 = "http://www.w3.org/2003/05/soap-envelope"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
TOKEN = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0"
CREDENTIALS = (
    f'<Credentials xmlns="{NS}"><account>his</account><password>{PASSWORD}</password></Credentials>'
)


@dataclass
class Answer:
    """What came back over the wire."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def envelope(self) -> etree._Element:
        return etree.fromstring(self.body)

    def text(self, name: str) -> str | None:
        """Text of the first element of this local name."""
        found = self.texts(name)
        return found[0] if found else None

    def texts(self, name: str) -> list[str | None]:
        return [element.text for element in self.envelope.iter(f"{{*}}{name}")]

    @property
    def fault(self) -> tuple[str | None, str | None, str | None]:
        """Fault code without its prefix, our code, the field."""
        side = self.text("faultcode")
        if side is None:
            side = self.text("Value")
        return (side or "").partition(":")[2], self.text("code"), self.text("field")


def config(client: Client) -> Config:
    return Config(
        path=Path("adapter.xml"),
        clients=[client],
        channels=[
            Channel("all", "cmpp", "3.0", "127.0.0.1", 7890, "a", "b", access_number="10690000")
        ],
        routes=[Route(carrier, ["all"]) for carrier in Carrier],
        templates=[Template("turn", "${name}，请到${room}就诊。")],
    )


@dataclass
class Node:
    """The parts behind the door, as a test may want to look at them."""

    server: Serving
    exchange: Exchange
    intake: Intake
    desk: Desk
    committer: Committer
    engine: Engine
    ids: IdMaker
    arrived: list[Waiting] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    def post(
        self,
        body: bytes | str,
        path: str = "/soap",
        content_type: str | None = "text/xml; charset=utf-8",
        headers: dict[str, str] | None = None,
    ) -> Answer:
        octets = body.encode() if isinstance(body, str) else body
        sent = {} if content_type is None else {"Content-Type": content_type}
        return self.request("POST", path, octets, {**sent, **(headers or {})})

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            given = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, given, response.read())
        finally:
            connection.close()

    def receive(self, mobile: str, content: str) -> None:
        """A text from a phone arrives for the client `his`."""
        text = Received("all", mobile, content, "10690000", "01", to_ms(datetime.now(UTC)))
        with self.engine.begin() as connection:
            inbound.take(connection, self.ids, [text], {"01": "his"}, {})

    def end(self, ended: Sequence[Waiting], state: State, code: str = "") -> None:
        """Messages come to their final state at the carrier."""
        at = to_ms(datetime.now(UTC))
        steps = [Step(known_of(each), state, code, "all", at, at) for each in ended]
        with self.engine.begin() as connection:
            end(connection, self.ids, steps)

    def call(self, operation: str, header: str = CREDENTIALS, soap: str = SOAP11) -> Answer:
        """Post an operation, given as XML, in an envelope with credentials."""
        return self.post(envelope(operation, header, soap))


def envelope(body: str, header: str = CREDENTIALS, soap: str = SOAP11) -> str:
    return (
        f'<s:Envelope xmlns:s="{soap}"><s:Header>{header}</s:Header>'
        f"<s:Body>{body}</s:Body></s:Envelope>"
    )


def send(
    content: str = "Your appointment is at 14:30.", mobile: str = "13800138000", more: str = ""
) -> str:
    """A Send as an XML element."""
    return (
        f'<Send xmlns="{NS}"><request><content>{content}</content>'
        f"<recipients><Recipient><mobile>{mobile}</mobile></Recipient></recipients>"
        f"{more}</request></Send>"
    )


@pytest.fixture(scope="session")
def password_hash() -> str:
    return hash_password(PASSWORD)


@pytest.fixture(scope="session")
def client(password_hash: str) -> Client:
    return Client(
        "his",
        [password_hash],
        title="门诊系统",
        extension="01",
        signature="市一医院",
        lane=Lane.NORMAL,
        rate_per_minute=1000,
        daily_quota=50_000,
    )


@pytest.fixture
def node(tmp_path: Path, client: Client) -> Iterator[Node]:
    """A node with an empty store."""
    with open_node(tmp_path, client) as opened:
        yield opened


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, client: Client) -> Iterator[Node]:
    """One node for all tests of a module that do not look at what others stored."""
    with open_node(tmp_path_factory.mktemp("node"), client) as opened:
        yield opened


@contextmanager
def open_node(
    folder: Path, client: Client, *, tries: WrongTries | None = None, **settings: Any
) -> Iterator[Node]:
    """`settings` of `<web>`. Without `tries` nobody is locked out."""
    engine = open_engine(f"sqlite:///{folder / 'adapter.db'}")
    metadata.create_all(engine)
    committer = Committer(engine, "test")
    ids, capacity = IdMaker(), Capacity(100_000)
    arrived: list[Waiting] = []

    def told(notices: list[Notice]) -> None:
        """Nobody waits for notices here: they are fetched."""

    acceptance = Acceptance(committer, ids, capacity, arrived.extend, told)
    desk = Desk(engine, committer, ids, capacity, describe, told)
    zone = ZoneInfo("Asia/Shanghai")
    limits = Limits(zone, desk.accepted_since)
    intake = Intake(acceptance, ids, config(client), limits)
    exchange = Exchange(
        Accounts(
            [client, replace(client, account="lis")],
            PasswordChecker(),
            first_use=Nonces(committer).first_use,
            # A clock that leaps: many tests share a node and an address.
            tries=tries or WrongTries(clock=partial(next, itertools.count(0.0, 10_000.0))),
        ),
        intake,
        desk,
        timezone=zone,
    )
    url = "http://sms.hospital.example:8080"
    web = Web(port=0, public_url=url, threads=4, max_body=5_000_000, **settings)
    server = serve(Site(doors(exchange, web)), web)
    committer.start()
    server.start()
    yield Node(server, exchange, intake, desk, committer, engine, ids, arrived)
    server.stop()
    committer.stop()
    engine.dispose()


def describe(state: State, code: str, channel: str) -> str:
    return f"{state}: {code}" if code else ""


@pytest.fixture
def tomorrow() -> str:
    """A date that a schedule may have."""
    return (datetime.now(UTC) + timedelta(days=2)).date().isoformat()
