"""A node: builds the parts, starts and stops them in order. Nothing else knows all of them.

Started from the ground up, so that nothing is offered before it can be done:

    store, committers > notifier, callbacks > dispatcher and links > sources > doors > jobs

Stopped from the top down, so that nothing is taken that would not be finished. A source stops
in two steps, because it is a door above and a home below: it claims no more rows when the
other doors close, and gives up its database when the notifier has brought home the batch in
hand. A part that does not end in its time is named in the log and left behind.

A node whose store was taken over by another one (`adapter.store.ownership`) stops sending
before anything else, and `run` raises.

Threads: the event loop (links, dispatcher) runs in the main thread, that of the socket and
CMPP doors in another, that of the callbacks in a third; each committer, courier, source, job
and worker in its own, and so what brings SQLite's log home.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import Engine, func, select

from adapter import __version__
from adapter.backup import fence
from adapter.callbacks import LOOK_FOR_REPLAYS_S, Callbacks
from adapter.config.model import Config
from adapter.dispatch.dispatcher import Dispatcher
from adapter.dispatch.inbox import Inbox
from adapter.dispatch.settler import Settler
from adapter.dispatch.store_spool import StoreSpool
from adapter.dispatch.switches import Switches
from adapter.domain.ids import IdMaker
from adapter.domain.values import Home
from adapter.doors.cmpp import CmppDoor
from adapter.doors.cmpp_intake import CmppIntake
from adapter.doors.cmpp_texts import Reader
from adapter.doors.company import Company
from adapter.doors.health import HealthDoor, here
from adapter.doors.mounts import doors
from adapter.doors.porch import OpenDoor, Porch
from adapter.doors.push import push_door
from adapter.doors.service import Exchange
from adapter.doors.socket import SocketDoor
from adapter.doors.web import Serving, Site, serve
from adapter.files import allow_many_open
from adapter.intake.accounts import Accounts
from adapter.intake.intake import Intake, utc_now
from adapter.intake.limits import Limits
from adapter.intake.uploads import Uploads
from adapter.jobs import sweep
from adapter.jobs.backup import Backup
from adapter.jobs.fold import Fold
from adapter.jobs.reseal import Reseal
from adapter.jobs.retention import Retention
from adapter.jobs.scheduler import Scheduler
from adapter.jobs.upkeep import Upkeep
from adapter.links import open_links
from adapter.metrics import Metrics
from adapter.notify.feeds import Feeds
from adapter.notify.notifier import Notifier
from adapter.notify.wording import describer
from adapter.security.passwords import PasswordChecker
from adapter.security.tries import WrongTries
from adapter.sources import Sources
from adapter.sources.references import References
from adapter.standing import Standing
from adapter.store import channel_settings, migrate, schema, spooling, store_keys
from adapter.store.acceptance import Acceptance
from adapter.store.capacity import Capacity
from adapter.store.checkpoints import Checkpoints
from adapter.store.clock import now_ms
from adapter.store.committer import Committer
from adapter.store.counted import count_commits
from adapter.store.dead_letters import DeadLetters
from adapter.store.desk import Desk
from adapter.store.engine import open_engine
from adapter.store.nonces import Nonces
from adapter.store.ownership import Ownership, StoreOwnedError
from adapter.store.submit_parts import SubmitParts
from adapter.store.uploading import Uploading
from adapter.store.watermarks import Watermark
from connectors.loop import fastest_loop
from connectors.trace import Trace
from connectors.web.link import WebLink

log = structlog.get_logger(__name__)

SWITCH_S = 0.001
COLLECT_AFTER = 10_000, 50
"""Objects until the collector looks at the youngest, and such looks until it looks at older ones:
all threads stand still meanwhile, a millisecond for each 2,000."""


class Node:
    """One process of the platform, from a checked configuration.

    The constructor takes the store: it raises StoreOwnedError when another node has it,
    SchemaTooNewError when a newer program wrote it, and what the driver raises when it cannot
    be opened, SealError when it is sealed and the configuration lacks its key. Nothing is sent or
    taken before `run`.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.metrics = Metrics()
        self._clients = {client.account: client for client in config.clients}
        self._zone = ZoneInfo(config.node.timezone)
        self._stopping = asyncio.Event()
        fence.heed(config)
        self._engine = open_engine(config.store.url)
        self._ownership = Ownership(self._engine, config.node.name)
        self._ownership.acquire()
        migrate.upgrade(self._engine)
        self._ownership.claim()
        store_keys.prepare(self._engine, config.security.store_keys)
        self._seal = store_keys.open_seal(
            self._engine, config.security.store_keys, self.metrics.unreadable
        )
        if not self._seal.is_sealed:
            log.warning("store.in_clear", cure='<security><store-key key="..."/></security>')
        count_commits(self._engine, self.metrics.tally)
        self._build_core()
        self._build_services()

    def _build_core(self) -> None:
        """What moves messages."""
        config, engine = self.config, self._engine
        self._ids = IdMaker(config.node.id, _greatest_id(engine))
        self._capacity = Capacity(config.store.capacity, spooling.count_waiting(engine))
        self._committers = _committers(engine, self.metrics, self._ownership, self._store_back)
        accepting, mass, starting, recording = self._committers
        self._checkpoints = Checkpoints(engine)
        self._inbox = Inbox(
            recording,
            self._ids,
            _owners(config),
            _inbound_sources(config),
            config.policies.inbound_wait_s,
            self._tell,
        )
        self._spool = StoreSpool(
            engine,
            starting,
            recording,
            self._ids,
            self._capacity,
            self._inbox,
            self._tell,
            self.metrics,
        )
        traces = {each.name: Trace(each.trace) for each in config.channels if each.trace}
        self._traces = traces
        self._dispatcher = Dispatcher(
            self._spool,
            config.channels,
            config.routes,
            self._clients,
            config.policies,
            lambda its, told, pace: open_links(its, told, pace, traces.get(its.name)),
            now_ms,
            self.metrics,
        )
        read = partial(channel_settings.read, engine)
        self._switches = Switches(read, self._dispatcher.channels)
        self._switching: asyncio.Task[None] | None = None
        self._settler = Settler(
            engine,
            recording,
            self._ids,
            self._capacity,
            config.policies,
            self._clients,
            self._tell,
            self._dispatcher.look_again,
            self._dispatcher.recorder.is_alive,
            config.channels,
        )
        self._describe = describer({each.name: each.protocol for each in config.channels})
        acceptance = Acceptance(
            accepting,
            self._ids,
            self._capacity,
            self._dispatcher.arrived,
            self._tell,
            self._dispatcher.look_again,
            mass,
        )
        self._desk = Desk(engine, accepting, self._ids, self._capacity, self._describe, self._tell)
        limits = Limits(self._zone, self._desk.accepted_since)
        self._intake = Intake(acceptance, self._ids, config, limits)
        uploading = Uploading(
            mass,
            self._ids,
            self._capacity,
            self._dispatcher.arrived,
            self._dispatcher.look_again,
        )
        self.uploads = Uploads(uploading, self._ids, config, limits)
        self._acceptance = acceptance

    def _build_services(self) -> None:
        """What brings messages in, takes notices home, and looks after the house."""
        config, engine = self.config, self._engine
        self._sources = Sources(
            config,
            self._intake,
            self._desk,
            self.metrics.refused,
            memory=partial(References, self._acceptance),
            marks=partial(Watermark, engine, self._committers[0]),
            enough=self._dispatcher.has_enough,
        )
        self._notifier = Notifier(
            engine, self._committers[-1], self._sources.homes(), self._describe, self.metrics
        )
        self._company = Company()
        self._feeds = Feeds(engine, self._desk.acknowledge, self._describe)
        self._porch = Porch(self._feeds, self._open_doors)
        self._scheduler = Scheduler(
            [
                sweep.settle(self._settler.settle),
                sweep.expire(self._settler.expire),
                sweep.give_up(self._inbox.give_up),
                Fold(engine, self._zone),
                Retention(engine, config.jobs, self._zone),
                Upkeep(engine),
                Reseal(engine, self._committers, self._seal, config.security.store_keys),
                *([Backup(config.path, config.jobs.backup)] if config.jobs.backup else []),
            ],
            self.metrics,
            self._zone,
        )
        self.standing = Standing(
            config,
            engine,
            self._capacity,
            self._dispatcher,
            self._notifier,
            self._sources,
            self._scheduler,
            self.metrics,
            datetime.now(UTC),
            self._traces,
            lambda: self._callbacks.status(),
        )
        self.metrics.watch(self.standing)
        security = config.security
        self._accounts = Accounts(
            config.clients,
            PasswordChecker(),
            first_use=Nonces(self._committers[0]).first_use,
            tries=WrongTries(security.wrong_tries, security.lock_s),
            window_s=security.clock_window_s,
            watch=self.metrics,
        )
        self._exchange = Exchange(
            self._accounts,
            self._intake,
            self._desk,
            timezone=self._zone,
            state=lambda: "stopping" if self._stopping.is_set() else "running",
            watch=self.metrics,
        )
        self._build_callbacks()
        self.web = self._build_web()

    def _build_callbacks(self) -> None:
        """What takes events to the clients' own services, on an event loop of its own."""
        letters = DeadLetters(self._committers[-1])
        self._called_back = Feeds(self._engine, letters.arrived, self._describe, LOOK_FOR_REPLAYS_S)
        self._callbacks = Callbacks(
            self.config.callbacks,
            self._exchange.words,
            self._engine,
            letters,
            self._called_back,
            self.metrics,
            time.time,
        )
        self._callers = Porch(self._called_back, lambda: [self._callbacks], "callbacks")

    def _open_doors(self) -> Sequence[OpenDoor]:
        """The doors where clients stay, on the event loop of the porch."""
        opened: list[OpenDoor] = []
        if self.config.socket is not None:
            opened.append(
                SocketDoor(self._exchange, self._feeds, self.config.socket, self._company)
            )
        if self.config.cmpp_server is not None:
            intake = CmppIntake(
                self._intake,
                SubmitParts(self._engine, self._committers[0]),
                self._ids,
                Reader(self.config, utc_now),
                self.config.cmpp_server.part_wait_s,
                utc_now,
                self.metrics,
            )
            settings = self.config.cmpp_server
            door = CmppDoor(self._accounts, intake, self._feeds, settings, self._company)
            opened.append(door)
        return opened

    def _build_web(self) -> Serving:
        web = self.config.web
        health = HealthDoor(self.standing, self.metrics.registry, status_networks=here(web.host))
        pages = {
            **doors(self._exchange, web),
            "/healthz": health.healthz,
            "/readyz": health.readyz,
            "/metrics": health.metrics,
            "/status": health.status,
        }
        receivers = {
            name: link
            for name, channel in self._dispatcher.channels.items()
            for link in channel.links
            if isinstance(link, WebLink)
        }
        if receivers:
            pages["/push"] = push_door(receivers, max(1, web.threads // 2))
        return serve(Site(pages), web, self._company)

    async def run(self, started: Callable[[], None] = lambda: None) -> None:
        """Serve until a signal comes or `stop` is called; then stop without loss.

        Raises StoreOwnedError when another node took the store meanwhile."""
        loop = asyncio.get_running_loop()
        self._ownership.watch(lambda: loop.call_soon_threadsafe(self.stop))
        for committer in dict.fromkeys(self._committers):
            committer.start()
        self._checkpoints.start()
        try:
            await self._start()
            log.info("node.started", node=self.config.node.name, version=__version__)
            started()
            await self._stopping.wait()
        finally:
            await self._stop()
            log.info("node.stopped", node=self.config.node.name)
        if self._ownership.lost:
            raise StoreOwnedError(self._ownership.lost)

    def stop(self) -> None:
        """Ask the node to stop. On the event loop, or from a signal handler."""
        self._stopping.set()

    async def _start(self) -> None:
        await asyncio.to_thread(self._settler.recover)
        self._notifier.start()
        if self.config.callbacks:
            await asyncio.to_thread(self._callers.start)
        await self._switches.look()
        self._switching = asyncio.get_running_loop().create_task(self._switches.run())
        await self._dispatcher.start()
        await asyncio.to_thread(self._sources.start)
        await asyncio.to_thread(self._porch.start)
        self.web.start()
        self._scheduler.start()

    async def _stop(self) -> None:
        log.info("node.stopping")
        if self._switching is not None:
            self._switching.cancel()
        if self._ownership.lost:
            await self._dispatcher.stop(wait_s=0.0)
        # Each of these waits for threads of its own; the loop goes on for the links.
        doors = (
            self._scheduler.stop,
            self.web.stop,
            self._porch.stop,
            self._sources.claim_no_more,
        )
        await asyncio.gather(*map(asyncio.to_thread, doors))
        await self._dispatcher.stop(self.config.policies.stop_wait_s)
        homeward = (self._notifier.stop, self._callers.stop)
        await asyncio.gather(*map(asyncio.to_thread, homeward))
        await asyncio.to_thread(self._sources.stop)
        for committer in dict.fromkeys(self._committers):
            await asyncio.to_thread(committer.stop)
        await asyncio.to_thread(self._checkpoints.stop)
        self._engine.dispose()
        self._ownership.release()

    def _store_back(self) -> None:
        self._notifier.look_again()
        self._settler.count_again()

    def _tell(self, notices: Sequence[Home]) -> None:
        self._notifier.tell(notices)
        self._feeds.tell(notices)
        self._called_back.tell(notices)


def run(config: Config, started: Callable[[Node], None] = lambda _node: None) -> None:
    """Run a node until SIGTERM or Ctrl-C. `started` hears of it when it serves."""
    # A committer's transaction is a dozen short waits for the database; after each it has to
    # get the interpreter back from whoever computes, by default for 5 ms. Shorter turns than
    # these cost more CPU in changes than they save in waits.
    sys.setswitchinterval(SWITCH_S)
    allow_many_open()
    node = Node(config)
    # What was built stays; what messages leave behind is freed without the collector's help.
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
    with asyncio.Runner(loop_factory=fastest_loop()) as runner:
        runner.run(_until_signal(node, partial(started, node)))


async def _until_signal(node: Node, started: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    for name in ("SIGINT", "SIGTERM", "SIGBREAK"):
        number = getattr(signal, name, None)
        if number is not None:
            # Also on Windows, whose loops take no signal handlers of their own.
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(node.stop))
    await node.run(started)


def _committers(
    engine: Engine, metrics: Metrics, ownership: Ownership, back: Callable[[], None]
) -> tuple[Committer, Committer, Committer, Committer]:
    """For accepting, for accepting what is large, for starting attempts, for recording: on SQLite,
    which has one writer, the same one."""

    def made(name: str) -> Committer:
        watch = metrics.store(name)
        return Committer(engine, name, watch=watch, guard=ownership.guard, back=back)

    if engine.dialect.name == "sqlite":
        only = made("store")
        return only, only, only, only
    return made("accept"), made("accept-mass"), made("start"), made("record")


def _greatest_id(engine: Engine) -> int:
    """No id is made twice, even if the clock was set back since the last one."""
    with engine.connect() as connection:
        return max(
            connection.execute(select(func.max(table.c.id))).scalar_one() or 0
            for table in (
                schema.submission,
                schema.message,
                schema.notification,
                schema.dead_letter,
                schema.tally,
                schema.receipt,
                schema.inbound,
                schema.submit_part,
            )
        )


def _owners(config: Config) -> Mapping[str, str]:
    """Whose an extension is."""
    return {client.extension: client.account for client in config.clients}


def _inbound_sources(config: Config) -> Mapping[str, Sequence[str]]:
    """Which sources keep inbound texts for a client."""
    sources: defaultdict[str, list[str]] = defaultdict(list)
    for source in config.sources:
        if source.enabled and source.inbound_table:
            sources[source.client].append(source.name)
    return sources
