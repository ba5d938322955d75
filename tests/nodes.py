"""A whole node for tests: its configuration, its process, its carrier and its clients.

    carrier = Carrier()                 a simulated carrier on a thread of its own
    setup = Setup(folder, store, carrier.port, web_port=free_port(), ...)
    node = Node(setup.write())          `python -m adapter run` in a process of its own
    soap = Soap(node.url, "web")        the SOAP service as a client system sees it

Nothing here waits by sleeping: a condition is looked at again until it holds, and 40 s without
it fail.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from xml.sax.saxutils import quoteattr

import requests
import zeep

from adapter.children import ask_to_stop
from adapter.commands.status import UnreachableError, fetch
from adapter.config.model import Web
from adapter.security.passwords import hash_password
from connectors.behaviour import Behaviour, SimulatorOptions
from connectors.scenario import Scenario, load, read
from connectors.simulator import Simulator

ROOT = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"
PATIENCE_S = 40.0
ACCOUNT, SECRET = "900001", "carrier-secret"
PASSWORD = "client-secret"
ACCESS_NUMBER = "106900001234"

Event = Mapping[str, Any]
T = TypeVar("T")


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def until(condition: Callable[[], object], what: str = "", wait_s: float = PATIENCE_S) -> None:
    """Look again until it holds."""
    deadline = time.monotonic() + wait_s
    while not condition():
        assert time.monotonic() < deadline, f"not in {wait_s:g} s: {what or condition}"
        time.sleep(0.02)


class Carrier:
    """A simulated carrier that outlives any node. A context."""

    def __init__(
        self,
        behaviour: Behaviour | None = None,
        *,
        log: Path | None = None,
        protocol: str = "cmpp",
        client_port: int = 0,
        own: Any = None,
    ) -> None:
        self.port = free_port()
        self._options = SimulatorOptions(
            protocol,
            HOST,
            self.port,
            ACCOUNT,
            SECRET,
            behaviour or Behaviour(),
            log,
            keep=1_000_000,
            client_port=client_port,
            own=own,
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="carrier")
        self._simulator = Simulator(self._options)

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._simulator.start())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._do(self._simulator.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def wait_for(self, event: str, count: int, wait_s: float = PATIENCE_S) -> None:
        """Until so many events of this name have happened."""
        self._do(self._simulator.wait_for(event, count, wait_s))

    def count(self, event: str) -> int:
        return self._simulator.log.counts[event]

    def events(self, event: str) -> list[Event]:
        """Oldest first."""

        async def kept() -> list[Event]:
            return list(self._simulator.events(event))

        return self._do(kept()) if self._thread.is_alive() else [*self._simulator.events(event)]

    def taken(self) -> list[Event]:
        """The submits that it accepted."""
        return [each for each in self.events("submit") if each["result"] == 0]

    def repeated(self) -> dict[str, int]:
        """Numbers that got a segment more than once, and how many were too many. Each number
        may be sent only one message."""
        seen = Counter((each["destination"], each["number"]) for each in self.taken())
        extra: Counter[str] = Counter()
        for (destination, _), times in seen.items():
            if times > 1:
                extra[destination] += times - 1
        return dict(extra)

    def behave(self, behaviour: Behaviour) -> None:
        """Another mood, from now on."""
        self._loop.call_soon_threadsafe(self._simulator.behave, behaviour)

    def play(self, scenario: Scenario | Path | str) -> None:
        """A scenario, its file or its text, from its first step. `wait_for("step", n)` waits
        until its n-th step has begun, `until(lambda: not carrier.playing)` until it is over."""
        if not isinstance(scenario, Scenario):
            scenario = load(scenario) if isinstance(scenario, Path) else read(scenario)
        self._loop.call_soon_threadsafe(self._simulator.play, scenario)

    @property
    def playing(self) -> bool:
        task = self._simulator.playing
        return task is not None and not task.done()

    def drop_links(self) -> None:
        """Break every connection, without a word."""
        self._loop.call_soon_threadsafe(self._simulator.drop_links)

    def go_away(self) -> None:
        """Break every connection and listen no more, until `come_back`."""
        self._do(self._simulator.close_port())
        self.drop_links()

    def come_back(self) -> None:
        self._do(self._simulator.open_port())

    def send_inbound(self, source: str, destination: str, text: str) -> None:
        self._loop.call_soon_threadsafe(self._simulator.send_inbound, source, destination, text)

    def send_raw(self, octets: bytes) -> None:
        """A frame of one's own to whoever is logged in."""
        self._loop.call_soon_threadsafe(self._simulator.send_raw, octets)

    def send_receipts(self, submits: Sequence[Event], stat: str = "DELIVRD") -> None:
        """A receipt for each of these submits."""

        async def send() -> None:
            for each in submits:
                self._simulator.send_receipt(
                    each["id"], stat=stat, source=each["source"], destination=each["destination"]
                )

        self._do(send())

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_S + 10)


@cache
def password_hash_of_clients() -> str:
    return hash_password(PASSWORD)


@dataclass(frozen=True, slots=True)
class Setup:
    """A configuration for one node: a source `his` where `his` is given, and a client `web`.

    `connection`: further attributes of the channel's connection, as XML; `sources`: other
    sources of the client `his`, as XML; `security`: the element. `accounts`: further clients with
    the same password, account -> extension.
    """

    folder: Path
    store: str
    carrier_port: int
    his: str = ""
    web_port: int = field(default_factory=free_port)
    links: int = 2
    window: int = 16
    rate: float = 5_000
    policies: str = ""
    lane: str = "normal"
    connection: str = ""
    accounts: Mapping[str, str] = field(default_factory=dict)
    sources: str = ""
    callback: str = ""
    """Of the client `web`, as XML."""
    clients: str = ""
    """More of them, as XML."""
    security: str = ""

    @property
    def windows(self) -> int:
        """Segments that may be on the wire at one time, over all links."""
        return self.links * self.window

    def write(self) -> Path:
        """The file `adapter.xml`, in `folder`."""
        path = self.folder / "adapter.xml"
        path.write_text(self._xml(), encoding="utf-8")
        return path

    def _xml(self) -> str:
        return f"""\
<adapter xmlns="urn:his-sms:config:1">
  <node name="test"/>
  <store url={quoteattr(self.store)}/>
  <web port="{self.web_port}"/>
  {self.security}
  <logging format="text"/>
  <channels>
    <channel name="main" protocol="cmpp" version="3.0" access-number="{ACCESS_NUMBER}">
      <connection host="{HOST}" port="{self.carrier_port}" account="{ACCOUNT}"
                  password="{SECRET}" links="{self.links}" window="{self.window}"
                  rate="{self.rate:g}" reconnect-min="50ms" reconnect-max="500ms"
                  {self.connection}/>
    </channel>
  </channels>
  <routes>
    <route carrier="mobile" channels="main"/>
    <route carrier="unicom" channels="main"/>
    <route carrier="telecom" channels="main"/>
    <route carrier="broadnet" channels="main"/>
  </routes>
  <clients>
    <client account="his" extension="01" lane="{self.lane}"/>
    {self._client("web", "02", self.callback)}
    {"".join(self._client(*each) for each in self.accounts.items())}
    {self.clients}
  </clients>
  <sources>{self._source()}</sources>
  {self.policies}
</adapter>
"""

    def _client(self, account: str, extension: str, callback: str = "") -> str:
        return f"""
    <client account="{account}" extension="{extension}" lane="{self.lane}">
      <password hash="{password_hash_of_clients()}"/>
      {callback}
    </client>"""

    def _source(self) -> str:
        if not self.his:
            return self.sources
        return f"""
    <source name="his" client="his" url={quoteattr(self.his)} receipt-table="SMS_RECEIPT"
            inbound-table="SMS_INBOUND" poll-min="20ms" poll-max="200ms"/>"""


class Node:
    """A node's process, started and killed as often as a test likes. A context.

    `program`: what Python is to run instead of the module `adapter`.
    """

    def __init__(
        self, config: Path, web_port: int, program: Sequence[str] = ("-m", "adapter")
    ) -> None:
        self.config = config
        self._program = program
        self.url = f"http://{HOST}:{web_port}"
        self.log = config.with_suffix(".log")
        self.lives = 0
        self._web = Web(HOST, web_port)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start it and wait until it is ready to take and send."""
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, *self._program, "run", str(self.config)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.config.parent,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
                start_new_session=os.name != "nt",
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
        self.lives += 1
        until(self._is_ready, "the node is ready")
        return self

    @property
    def pid(self) -> int:
        """Of the process that runs, or ran last."""
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """End it without warning: SIGKILL, on Windows TerminateProcess."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """Ask it to stop, as a service manager does; its exit status."""
        assert self._process is not None
        ask_to_stop(self._process)
        return self.wait()

    def wait(self) -> int:
        """Until it has ended; its exit status."""
        assert self._process is not None
        return self._process.wait(PATIENCE_S)

    def status(self) -> Mapping[str, Any]:
        """What `sms-adapter status --json` shows."""
        return fetch(self._web)

    def at_rest(self) -> bool:
        """Nothing waits, is on the wire or in doubt."""
        try:
            found = self.status()
        except UnreachableError:
            return False
        return not any((found["on_wire"], found["in_doubt"], found["store"]["waiting"]))

    def last_words(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-30:])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.last_words()
        connection = HTTPConnection(HOST, self._web.port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()


def insist(ask: Callable[[], T]) -> T:
    """What a call of a SOAP service gives, asked until it is answered, whoever dies meanwhile."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return ask()
        except (requests.RequestException, zeep.exceptions.Error):
            assert time.monotonic() < deadline
            time.sleep(0.05)


class Soap:
    """The client `web` at a node's SOAP service. Of one thread."""

    def __init__(self, url: str, account: str = "web") -> None:
        self._client = zeep.Client(f"{url}/soap?wsdl")
        self._headers = {"Credentials": {"account": account, "password": PASSWORD}}

    def call(self, operation: str, **request: Any) -> Any:
        """Raises what zeep and requests raise."""
        service = getattr(self._client.service, operation)
        return service(request=request, _soapheaders=self._headers)

    def send(self, mobile: str, content: str, ref: str) -> int:
        """One message, asked for until it is accepted, whoever dies meanwhile; its id."""
        recipients = {"Recipient": [{"mobile": mobile}]}
        [made] = insist(
            lambda: self._sent("Send", clientRef=ref, content=content, recipients=recipients)
        )
        return made

    def send_batch(self, entries: Sequence[tuple[str, str]], ref: str) -> list[int]:
        """(mobile, content) each; the ids."""
        asked = {"Entry": [{"mobile": mobile, "content": content} for mobile, content in entries]}
        return self._sent("SendBatch", clientRef=ref, entries=asked)

    def _sent(self, operation: str, **request: Any) -> list[int]:
        reply = self.call(operation, **request)
        assert reply.code == "OK", reply
        return [int(each.messageId) for each in reply.results.Result]

    def fetch_all(self, what: str) -> list[Any]:
        """Every receipt ("Receipts") or text ("Inbound") that waits, page by page, each
        acknowledged."""
        found: list[Any] = []
        while True:
            page = self.call(f"Fetch{what}", max=400)
            held = getattr(page, what.lower())
            items = getattr(held, what.removesuffix("s")) if held is not None else []
            if not items:
                return found
            found += items
            self.call(f"Ack{what}", cursor=page.cursor)
