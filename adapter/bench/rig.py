"""A node under test: its configuration, its process, its simulated carrier's process."""

from __future__ import annotations

import http.client
import json
import socket
import time
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import quoteattr

import psutil

from adapter.children import Child, Children
from adapter.security.passwords import hash_password

ACCOUNT = "his"
FLOOD = "flood"
"""A second client, who sends as fast as it can where it is asked to."""
PASSWORD = "bench"  # noqa: S105 - of a node that lives for a minute
CMPP_SECRET = "bench"  # noqa: S105
STORE_KEY = b"the store of such a node, sealed"
READY_WAIT_S = 60.0
SOURCE = "his"

_CONFIG = """\
<?xml version="1.0" encoding="UTF-8"?>
<adapter xmlns="urn:his-sms:config:1">
  <node name="bench"/>
  <store url={store}/>
  <web host="127.0.0.1" port="{web}" max-body="100MB"/>
  <socket host="127.0.0.1" port="{socket}" connections-per-client="1000"/>
  <cmpp-server host="127.0.0.1" port="{cmpp}" connections-per-client="1000"/>
  <security><store-key key="{key}"/></security>
  <logging format="json" level="INFO"/>
  <channels>
    <channel name="bench-1" protocol="cmpp" version="3.0" access-number="106900001234">
      <connection host="127.0.0.1" port="{carrier}" account="900001" password="bench"
                  links="{links}" window="{window}" rate="20000"/>
    </channel>
  </channels>
  <routes>
    <route carrier="mobile" channels="bench-1"/>
    <route carrier="unicom" channels="bench-1"/>
    <route carrier="telecom" channels="bench-1"/>
    <route carrier="broadnet" channels="bench-1"/>
  </routes>
  <clients>
    <client account="his" extension="01" cmpp-secret={secret}><password hash={hash}/></client>
    <client account="flood" extension="02" cmpp-secret={secret}><password hash={hash}/></client>
  </clients>
  {source}
  {policies}
</adapter>
"""
_SOURCE = '<sources><source name="his" client="his" url={url}/></sources>'


@dataclass(frozen=True, slots=True)
class Line:
    """The carrier line of a benchmark: what the contract would allow. The carrier waits
    `delay_ms` before each answer."""

    links: int = 4
    window: int = 64
    delay_ms: float = 0.0


class Ports(NamedTuple):
    """Where a node's doors are."""

    web: int
    socket: int
    cmpp: int


@dataclass(slots=True)
class Rig:
    """A running node. `log` is what its carrier saw."""

    web: int
    config: Path
    node: Child
    log: Path
    peak_rss: int = 0
    socket: int = 0
    cmpp: int = 0

    def kill(self, children: Children) -> None:
        """End the node without warning."""
        children.kill(self.node)

    def start_again(self, children: Children) -> None:
        """Another life for a node that ended."""
        self.node = children.start("node", "run", str(self.config))

    def memory(self) -> int:
        """Bytes of memory that the node's processes have resident now."""
        return sum(each.memory_info().rss for each in self._processes())

    def watch(self) -> None:
        """Note the node's memory; call it now and then."""
        self.peak_rss = max(self.peak_rss, self.memory())

    def cpu_seconds(self) -> float:
        """CPU time that the node's processes have used so far."""
        times = [each.cpu_times() for each in self._processes()]
        return sum(each.user + each.system for each in times)

    def _processes(self) -> list[psutil.Process]:
        node = psutil.Process(self.node.process.pid)
        return [node, *node.children(recursive=True)]


def start(
    folder: Path,
    children: Children,
    store: str,
    his: str | None,
    line: Line,
    *,
    moods: Sequence[str] = (),
    policies: str = "",
) -> Rig:
    """Start a carrier and a node; returns when the node is ready.

    `his` is the URL of a database with the tables of the contract, None without a source.
    `moods` are further options of the simulator, `policies` the configuration's element.
    Raises RuntimeError when the node does not come up.
    """
    carrier = carrier_of(folder, children, line, moods)
    rig = start_node(folder, children, store, his, line, carrier, policies)
    wait_until(rig, "/readyz")
    if his is not None:
        _wait(rig, lambda: _polls(rig.web))
    return rig


def carrier_of(folder: Path, children: Children, line: Line, moods: Sequence[str]) -> int:
    """Start a carrier that notes what it sees in `carrier.jsonl`; its port."""
    port = free_port()
    delay = ("--delay", f"{line.delay_ms:g}/0") if line.delay_ms else ()
    children.start(
        "carrier", "simulate", "--protocol", "cmpp", "--port", str(port),
        "--account", "900001", "--password", "bench", "--log", str(folder / "carrier.jsonl"),
        "--window", str(line.window), *delay, *moods,
    )  # fmt: skip
    return port


def start_node(
    folder: Path,
    children: Children,
    store: str,
    his: str | None,
    line: Line,
    carrier: int,
    policies: str = "",
) -> Rig:
    """Start the node alone, for a carrier that may or may not listen at port `carrier`."""
    ports, config = configure(folder, store, his, line, carrier, policies)
    node = children.start("node", "run", str(config))
    log = folder / "carrier.jsonl"
    return Rig(ports.web, config, node, log, socket=ports.socket, cmpp=ports.cmpp)


def configure(
    folder: Path, store: str, his: str | None, line: Line, carrier: int, policies: str = ""
) -> tuple[Ports, Path]:
    """Write a node's configuration; its ports, and the file."""
    ports = Ports(free_port(), free_port(), free_port())
    config = folder / "adapter.xml"
    config.write_text(
        _CONFIG.format(
            store=quoteattr(store),
            **ports._asdict(),
            carrier=carrier,
            links=line.links,
            window=line.window,
            key=b64encode(STORE_KEY).decode(),
            hash=quoteattr(hash_password(PASSWORD)),
            secret=quoteattr(CMPP_SECRET),
            source=_SOURCE.format(url=quoteattr(his)) if his else "",
            policies=policies,
        ),
        encoding="utf-8",
    )
    return ports, config


def wait_until(rig: Rig, page: str) -> None:
    """Until `/healthz` (serves) or `/readyz` (can send) is good. Raises RuntimeError with the
    node's last words when that does not come."""
    _wait(rig, lambda: serves(rig.web, page))


def _wait(rig: Rig, is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + READY_WAIT_S
    while not is_so():
        if rig.node.process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the node did not get ready:\n{rig.node.last_words()}")
        time.sleep(0.05)


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def serves(port: int, page: str) -> bool:
    """Whether the node at this web port has a good word for `/healthz` or `/readyz`."""
    return _asked(port, page) is not None


def _polls(port: int) -> bool:
    """Whether every source of the node at this web port has looked at its table."""
    status = _asked(port, "/status")
    return status is not None and all(each["polled_at"] for each in json.loads(status)["sources"])


def _asked(port: int, page: str) -> bytes | None:
    """A page of the node at this web port; None when it is not well."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", page)
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    return body if response.status == http.client.OK else None
