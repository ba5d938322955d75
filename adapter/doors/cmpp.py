"""The CMPP door: a gateway for clients that speak CMPP 2.0 or 3.0 (docs/integrator/cmpp.md).

Login, window, heartbeats both ways and frames are `connectors.server`'s; here it is decided who
comes in, and texts go to intake.

Promises
    A submit is answered with 0 after the commit, a part of a long text when it is kept, its last
    part when the whole is accepted. A submit to several numbers is taken whole or not at all.
    Reports and texts are pushed until they are answered (`adapter.notify.feeds`).
    Submits of one client gather while its commits run, and share a call of intake
    (`adapter.doors.workers`).

Limits: a connection has `window` submits without an answer; more hear result 8.
"""

from __future__ import annotations

import asyncio
import secrets
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog

from adapter.config.model import CmppServer
from adapter.domain.client import Client
from adapter.domain.errors import Code, Refusal
from adapter.domain.proofs import Proof, ProofKind, Stamp
from adapter.domain.states import Door
from adapter.doors.cmpp_codes import FLOW, result_of
from adapter.doors.cmpp_intake import Answer, CmppIntake
from adapter.doors.cmpp_pushing import Pusher
from adapter.doors.company import Company
from adapter.doors.doorman import Doorman
from adapter.doors.faults import internal
from adapter.doors.renewal import RenewedContext
from adapter.doors.workers import Workers
from adapter.intake.accounts import Accounts
from adapter.notify.feeds import Feeds, Stream
from adapter.security.certificates import shown_in
from connectors.server import Secret, ServerSession, serve
from connectors.server_dialect import Entry, Submitted
from connectors.settings import ServerSettings

_ENTRIES = {Code.RATE_LIMITED: Entry.TOO_MANY, Code.IP_DENIED: Entry.BAD_ACCOUNT}
_LOOK_S = 5.0
_FINISH_S = 5.0
_LEAVE_S = 2.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Shown:
    """The authenticator of a CONNECT, which the protocol held against the secret."""

    right: bool
    kind: ProofKind = ProofKind.DIGEST
    stamp: Stamp | None = None

    def fits(self, client: Client) -> bool:
        return self.right


@dataclass(slots=True)
class _Visit:
    """A connection that is logged in."""

    client: Client
    pusher: Pusher
    go_on: Callable[[], None]
    unanswered: int = 0


class CmppDoor:
    """The `connectors.server.Gate` of clients. Lives on the event loop of the porch."""

    def __init__(
        self,
        accounts: Accounts,
        intake: CmppIntake,
        feeds: Feeds,
        settings: CmppServer,
        company: Company | None = None,
    ) -> None:
        self._accounts = accounts
        self._intake = intake
        self._feeds = feeds
        self._settings = settings
        self._workers = Workers(settings.threads, "cmpp", self._take, company)
        self._waiting: set[asyncio.Future[Answer]] = set()
        self._asking: dict[ServerSession, str] = {}
        self._visits: dict[ServerSession, _Visit] = {}
        self._server: asyncio.Server | None = None
        self._looking: asyncio.TimerHandle | None = None
        self._closing = False
        self.doorman = Doorman(settings.connections, settings.connections_per_client)
        self.port = settings.port

    async def open(self) -> None:
        settings = self._settings
        tls: ssl.SSLContext | None = None
        if settings.tls_certificate:
            files = settings.tls_certificate, settings.tls_key, settings.tls_ca
            tls = RenewedContext(*files).standing()
        served = ServerSettings(
            "cmpp",
            window=settings.deliver_window,
            heartbeat_s=settings.heartbeat_s,
            heartbeat_tries=settings.heartbeat_tries,
            response_timeout_s=settings.response_timeout_s,
            login_timeout_s=settings.login_s,
            tls=tls,
        )
        self._server = await serve(self, settings.host, settings.port, served)
        self.port = self._server.sockets[0].getsockname()[1]
        self._look()
        log.info("cmpp.open", host=settings.host, port=self.port, tls=tls is not None)

    async def close(self) -> None:
        self._closing = True
        if self._server is not None:
            self._server.close()
        if self._looking is not None:
            self._looking.cancel()
        for future in self._workers.turn_away():
            future.set_result(Answer(0, FLOW))
        if self._waiting:
            await asyncio.wait(self._waiting, timeout=_FINISH_S)
        leaving = [asyncio.ensure_future(session.gone.wait()) for session in self._visits]
        for session in list(self._visits):
            session.leave()
        if leaving:
            await asyncio.wait(leaving, timeout=_LEAVE_S)
        self._workers.stop()

    # The gate.

    def connected(self, session: ServerSession) -> None:
        if not self.doorman.arrive() or self._closing:
            session.abort("too many connections")

    def secret(self, session: ServerSession, account: str) -> Secret:
        if self._accounts.wait_s(account, session.peer):
            # Whatever is shown: an answer that told right from wrong would let the guessing go on.
            return Entry.TOO_MANY
        self._asking[session] = account
        client = self._accounts.find(account)
        known = (client.cmpp_secret, client.cmpp_secret_old) if client is not None else ()
        # Whoever is not known, or may not, hears the same as who has a wrong secret.
        return tuple(each.encode() for each in known if each) or secrets.token_bytes(16)

    def entered(self, session: ServerSession) -> Entry:
        try:
            client = self._authenticate(session, right=True)
        except Refusal as refusal:
            return _ENTRIES.get(refusal.code, Entry.BAD_SECRET)
        if not self.doorman.enter(client.account):
            return Entry.TOO_MANY
        self._visits[session] = _Visit(client, Pusher(session), partial(session.hold, False))
        return Entry.OK

    def ready(self, session: ServerSession) -> None:
        visit = self._visits[session]
        account = visit.client.account
        log.info(
            "cmpp.entered", client=account, address=session.peer, protocol_version=session.version
        )
        for stream in (Stream.CMPP_RECEIPTS, Stream.INBOUND):
            visit.pusher.listen(self._feeds.feed(account, stream))

    def submitted(self, session: ServerSession, submit: Submitted) -> None:
        visit = self._visits[session]
        if self._closing or visit.unanswered >= self._settings.window:
            session.answer(submit, result=FLOW)
            return
        visit.unanswered += 1
        future = self._workers.join(
            visit.client.account, (visit.client, submit), len(submit.destinations)
        )
        self._waiting.add(future)
        future.add_done_callback(partial(self._taken, session, submit))
        if not self._workers.has_room(visit.client.account, visit.go_on):
            session.hold(True)

    def acknowledged(self, session: ServerSession, token: Any, result: int) -> None:
        self._visits[session].pusher.acknowledged(token, result)

    def undelivered(self, session: ServerSession, tokens: Sequence[Any]) -> None:
        visit = self._visits.get(session)
        if visit is not None:
            visit.pusher.undelivered(tokens)

    def left(self, session: ServerSession, reason: str) -> None:
        self.doorman.depart()
        if session in self._asking:
            self._note_wrong_secret(session)
        visit = self._visits.pop(session, None)
        if visit is not None:
            self.doorman.leave(visit.client.account)
            visit.pusher.leave()
            log.info("cmpp.left", client=visit.client.account, address=session.peer, reason=reason)

    # Who comes in.

    def _authenticate(self, session: ServerSession, *, right: bool) -> Client:
        account = self._asking.pop(session)
        shown: list[Proof] = [_Shown(right), *shown_in(session.certificate)]
        return self._accounts.authenticate(account, "", session.peer, Door.CMPP, shown)

    def _note_wrong_secret(self, session: ServerSession) -> None:
        """The connection asked to come in, and was never let in."""
        if session.refused != Entry.BAD_SECRET:
            del self._asking[session]
            return
        try:
            self._authenticate(session, right=False)
        except Refusal:
            return

    # Submits on their way to intake.

    def _take(self, pieces: Sequence[tuple[Client, Submitted]]) -> list[Answer]:
        """On a thread. They are one client's."""
        return self._intake.accept(pieces[0][0], [submit for _, submit in pieces])

    def _taken(
        self, session: ServerSession, submit: Submitted, future: asyncio.Future[Answer]
    ) -> None:
        self._waiting.discard(future)
        visit = self._visits.get(session)
        if future.cancelled():
            return
        error = future.exception()
        if visit is None:
            return
        visit.unanswered -= 1
        answer = Answer(0, result_of(internal(error).code)) if error else future.result()
        msg_id = "" if answer.result else f"{answer.msg_id:016x}"
        session.answer(submit, msg_id, answer.result)

    def _look(self) -> None:
        """Texts that wait for their rest, now and then. No client's work, and nobody's company."""
        give_up = partial(self._intake.give_up, self._accounts.find)
        future = asyncio.get_running_loop().run_in_executor(None, give_up)
        future.add_done_callback(self._looked)

    def _looked(self, future: asyncio.Future[None]) -> None:
        if not future.cancelled() and (error := future.exception()) is not None:
            log.warning("cmpp.parts_unread", error=type(error).__name__)
        if not self._closing:
            loop = asyncio.get_running_loop()
            self._looking = loop.call_later(min(_LOOK_S, self._settings.part_wait_s), self._look)
