"""The standby's exercise (R-3.4), whole and on one machine: `scripts/drill-standby`.

A node works on its store, a simulated carrier takes its texts, a client sends without pause
and repeats what was not accepted. In the middle of it the node dies, and its database
server with it. `sms-adapter promote` makes the standby's store the valid one, the standby's
node takes the old one's address, and the client goes on. Then the dead come back.

    --store postgresql    two servers, synchronous replication: nothing may be lost
    --store sqlite        backups shipped every second: what came after the last one is lost

Prints one JSON object, judged by what the carrier saw, what the client heard and what the
standby's store holds; times are seconds after the death. Exit status 1 when `broken` names
a promise that did not hold.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import psutil

from adapter.backup.shelf import Shelf
from adapter.bench.callers import Callers
from adapter.bench.forms import FORMS
from adapter.bench.load import EvenPace
from adapter.bench.rig import PASSWORD, Rig, free_port, wait_until
from adapter.bench.sightings import Sightings
from adapter.children import Children
from adapter.domain.states import FINAL, State
from adapter.drill.evidence import Evidence
from adapter.security.passwords import hash_password
from adapter.security.secrets import new_key, write_key
from scripts.replication import Server

GOAL_S = 60.0
LINKS, WINDOW = 2, 32
PATIENCE_S = 120.0
OLD_NODE_S = 15.0
MOODS = ("--delay", "20-100/100-1000")

_CONFIG = """\
<?xml version="1.0" encoding="UTF-8"?>
<adapter xmlns="urn:his-sms:config:1">
  <node name={name} id="{id}"/>
  <store url={store}{standby}/>
  <web host="127.0.0.1" port="{web}"/>
  <logging format="text"/>
  <security key-file="adapter.key"/>
  <channels>
    <channel name="main" protocol="cmpp" version="3.0" access-number="106900001234">
      <connection host="127.0.0.1" port="{carrier}" account="900001" password="bench"
                  links="{links}" window="{window}" rate="5000"
                  reconnect-min="100ms" reconnect-max="1s"/>
    </channel>
  </channels>
  <routes>
    <route carrier="mobile" channels="main"/>
    <route carrier="unicom" channels="main"/>
    <route carrier="telecom" channels="main"/>
    <route carrier="broadnet" channels="main"/>
  </routes>
  <clients>
    <client account="his" extension="01"><password hash={hash}/></client>
  </clients>
  <policies receipt-wait="15s"><lane name="normal" doubt="resend" doubt-wait="2s"/></policies>
  <jobs>{jobs}</jobs>
</adapter>
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A drill; the death comes when a share of `dies_at` has reached the carrier."""

    store: str
    messages: int
    rate: float
    dies_at: float = 0.5


@dataclass(frozen=True, slots=True)
class Stage:
    """What the two kinds of standby have different: where the stores are, how the old one
    dies and comes back, and how the new one is promoted."""

    old: str
    new: str
    jobs: str
    promote: Sequence[str]
    ready: Callable[[], object]
    die: Callable[[], None]
    come_back: Callable[[], None]


def drill(wanted: Wanted) -> dict[str, Any]:
    """Run it. Raises RuntimeError when a part does not come up."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sms-drill-")))
        stage = _replicated(folder, stack) if wanted.store == "postgresql" else _shipped(folder)
        children = stack.enter_context(Children(folder))
        return _Scene(wanted, stage, folder, children).play()


def _replicated(folder: Path, stack: ExitStack) -> Stage:
    primary = Server.new(folder / "primary")
    stack.callback(primary.kill)
    primary.do("CREATE DATABASE store")
    standby = primary.new_standby(folder / "standby")
    stack.callback(standby.kill)
    return Stage(
        primary.url("store"), standby.url("store"), "", (), lambda: True, primary.kill,
        primary.start,
    )  # fmt: skip


def _shipped(folder: Path) -> Stage:
    backups = folder / "backups"

    def nothing() -> None:
        """Its disk is out of reach, and then it is back."""

    return Stage(
        f"sqlite:///{folder / 'old.db'}",
        f"sqlite:///{folder / 'new.db'}",
        f'<backup to={quoteattr(str(backups))} every="1s" keep="5"/>',
        ("--from", str(backups)),
        lambda: Shelf(backups).of(),
        nothing,
        nothing,
    )


class _Scene:
    def __init__(self, wanted: Wanted, stage: Stage, folder: Path, children: Children) -> None:
        self._wanted = wanted
        self._stage = stage
        self._folder = folder
        self._children = children
        self._web, self._carrier = free_port(), free_port()
        self._log = folder / "carrier.jsonl"
        self._seen = Sightings(self._log)
        self._hash = hash_password(PASSWORD)
        write_key(folder / "adapter.key", new_key())

    def play(self) -> dict[str, Any]:
        wanted, stage = self._wanted, self._stage
        self._children.start(
            "carrier", "simulate", "--protocol", "cmpp", "--port", str(self._carrier),
            "--account", "900001", "--password", "bench", "--log", str(self._log), *MOODS,
        )  # fmt: skip
        old = self._start("old", 1, stage.old, self._web)
        wait_until(old, "/readyz")
        clients = Callers(FORMS["soap"], self._web, callers=2, batch=5, patience_s=PATIENCE_S)
        feeder = threading.Thread(
            target=clients.feed, args=(wanted.messages, EvenPace(wanted.rate)), daemon=True
        )
        feeder.start()
        self._until(lambda: self._sent() >= wanted.messages * wanted.dies_at and stage.ready())

        self._kill(old)
        stage.die()
        died, told, sent = time.monotonic(), len(clients.accepted), self._sent()
        config = self._write("new", 2, stage.new, self._web, stage.old)
        promoted = self._promote(config)
        promote_s = time.monotonic() - died
        new = Rig(self._web, config, self._children.start("new", "run", str(config)), self._log)
        wait_until(new, "/readyz")
        ready_s = time.monotonic() - died
        self._until(lambda: self._sent() > sent)
        sends_s = time.monotonic() - died

        stage.come_back()
        old_node = self._fate(self._start("old", 1, stage.old, free_port(), standby=stage.new))
        feeder.join()
        evidence = Evidence(stage.new)
        self._until(lambda: all(each.state in FINAL for each in evidence.messages()))
        clients.close()
        self._children.stop()
        times = {"promote_s": promote_s, "ready_s": ready_s, "sends_s": sends_s}
        return {
            "store": wanted.store,
            "messages": wanted.messages,
            "accepted_before": told,
            "accepted": len(clients.accepted),
            **{name: round(seconds, 2) for name, seconds in times.items()},
            "in_doubt": sum(promoted["in_doubt"].values()),
            "old_node": old_node,
            **self._judge(clients, evidence, sends_s, old_node),
        }

    def _judge(
        self, clients: Callers, evidence: Evidence, sends_s: float, old_node: str
    ) -> dict[str, Any]:
        self._seen.look()
        stored = evidence.messages()
        lost = clients.accepted - {each.mobile for each in stored}
        unsent = clients.accepted - self._seen.submits.keys()
        marked = {each.mobile for each in stored if each.in_doubt}
        extra = {number: times - 1 for number, times in self._seen.submits.items() if times > 1}
        unmarked = sum(times for number, times in extra.items() if number not in marked)
        lossless = self._wanted.store == "postgresql"
        faults = {
            f"{len(clients.failed)} requests were never accepted": bool(clients.failed),
            f"{len(lost)} accepted messages were lost": lossless and bool(lost),
            f"{unmarked} duplicates are not marked in_doubt": lossless and unmarked > 0,
            f"the standby sent after {sends_s:.0f} s": sends_s > GOAL_S,
            f"the old node is {old_node}": old_node == "running",
        }
        return {
            "lost": len(lost),
            "never_sent": len(unsent),
            "duplicates": sum(extra.values()),
            "unmarked": unmarked,
            "sent_again": len(marked),
            "unknown": sum(each.state == State.UNKNOWN for each in stored),
            "broken": [fault for fault, is_so in faults.items() if is_so],
        }

    def _start(self, name: str, number: int, store: str, web: int, standby: str = "") -> Rig:
        config = self._write(name, number, store, web, standby)
        return Rig(web, config, self._children.start(name, "run", str(config)), self._log)

    def _write(self, name: str, number: int, store: str, web: int, standby: str = "") -> Path:
        path = self._folder / f"{name}.xml"
        (self._folder / f"{name}.log").unlink(missing_ok=True)
        other = standby if self._wanted.store == "postgresql" else ""
        path.write_text(
            _CONFIG.format(
                name=quoteattr(name), id=number, store=quoteattr(store), web=web,
                standby=f" standby={quoteattr(other)}" if other else "",
                carrier=self._carrier, links=LINKS, window=WINDOW, hash=quoteattr(self._hash),
                jobs=self._stage.jobs,
            ),
            encoding="utf-8",
        )  # fmt: skip
        return path

    def _promote(self, config: Path) -> dict[str, Any]:
        command = [sys.executable, "-m", "adapter", "promote", "--json", "--config", str(config)]
        done = subprocess.run(
            [*command, *self._stage.promote], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"promote: {done.stderr.strip()}")
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def _fate(self, old: Rig) -> str:
        """What became of the old node that came back: refused, waiting or running."""
        try:
            old.node.process.wait(OLD_NODE_S)
        except subprocess.TimeoutExpired:
            return "running" if "node.started" in old.node.last_words() else "waiting"
        finally:
            old.kill(self._children)
        return "refused"

    def _kill(self, rig: Rig) -> None:
        """With the backup that it is writing, as if the machine had lost its power."""
        helpers = psutil.Process(rig.node.process.pid).children(recursive=True)
        rig.kill(self._children)
        for each in helpers:
            with suppress(psutil.NoSuchProcess):
                each.kill()

    def _sent(self) -> int:
        self._seen.look()
        return self._seen.submits.total()

    def _until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            if time.monotonic() > deadline:
                raise RuntimeError(f"nothing moved for {PATIENCE_S:.0f} s")
            if dead := self._children.dead():
                raise RuntimeError(f"{dead.name} ended by itself:\n{dead.last_words()}")
            time.sleep(0.05)


def run() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--store", choices=("postgresql", "sqlite"), default="postgresql")
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--rate", type=float, default=500.0, help="messages a second")
    parser.add_argument("--times", type=int, default=1, help="run it so often")
    chosen = parser.parse_args()
    broken = False
    for _ in range(chosen.times):
        found = drill(Wanted(chosen.store, chosen.messages, chosen.rate))
        broken = broken or bool(found["broken"])
        print(json.dumps(found), flush=True)
    sys.exit(int(broken))


if __name__ == "__main__":
    run()
