"""The socket door: every operation as XML documents over connections that stay open.

A frame is a 4-byte big-endian length and an XML document. The first one is `<Login>`; then
come documents of the contract, as many at once as `window` allows, and what the client asked for
is pushed to it (docs/integrator/socket.md).

Promises: as those of the SOAP door, and those of `adapter.notify.feeds` for what is pushed.
A request with an `id` runs beside others and its answer carries the id; those without run one
after the other. A frame that cannot be read is answered with ExchangeFault, the connection
stays; only a length that cannot be believed ends it.

Limits: a connection holds `window` requests, each of `max_frame` octets at most, and answers
to them that the client has not read; it is not read from meanwhile.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import Any

import structlog
from lxml import etree

from adapter.config.model import Socket
from adapter.contract import SmsExchange
from adapter.domain.errors import Code, Refusal
from adapter.domain.proofs import Proof
from adapter.domain.states import Door
from adapter.domain.values import Home, InboundNotice, Notice
from adapter.doors.company import Company
from adapter.doors.decoding import decode, parse
from adapter.doors.documents import Documents
from adapter.doors.doorman import Doorman
from adapter.doors.elements import DEFAULT_NS, Elements, local
from adapter.doors.faults import internal, tell
from adapter.doors.frames import Frames
from adapter.doors.markup import Markup, document
from adapter.doors.renewal import RenewedContext
from adapter.doors.service import SENDING, Asked, Caller, Exchange
from adapter.doors.shapes import PREFIX, Shapes
from adapter.doors.workers import Workers, messages_in
from adapter.notify.feeds import Feed, Feeds, Stream
from adapter.security.certificates import shown_in

FIRST_FRAME = 8_000
"""Octets that a connection may send before it has logged in."""
LONGEST_MARK = 64
PUSH_BATCH = 100
"""Notices in one frame."""
PUSH_WINDOW = 4
"""Frames of notices without an acknowledgement."""
WRONG_S = 1.0
"""A refused login is answered so much later."""
_LOGINS_WAITING = 200
_LOGIN_THREADS = 2
_LOOK_S = 0.5
_FINISH_S = 5.0
_HEAD = 2_048
_LOGIN_FIELDS = ("account", "password", "receipts", "inbound")
_FLAGS = {"true": True, "1": True, "false": False, "0": False, "": False}


def _result_of(operation: str) -> Any:
    """The model of an operation's result."""
    (model,) = SmsExchange.public_methods[operation].out_message._type_info.values()
    return model


_PING, _RECEIPTS, _INBOUND = map(_result_of, ("Ping", "FetchReceipts", "FetchInbound"))

log = structlog.get_logger(__name__)


class SocketDoor:
    """Listens and keeps its visitors. Lives on the event loop of the porch."""

    def __init__(
        self,
        exchange: Exchange,
        feeds: Feeds,
        settings: Socket,
        company: Company | None = None,
    ) -> None:
        self.exchange = exchange
        self.feeds = feeds
        self.settings = settings
        self.doorman = Doorman(settings.connections, settings.connections_per_client)
        shapes = Shapes()
        self.elements = Elements(shapes)
        self.documents = Documents(self.elements)
        self.markup = Markup(shapes)
        self.workers = Workers(settings.threads, "socket", self.respond_together, company)
        self.logins: Workers[Any, Any] = Workers(_LOGIN_THREADS, "socket-login")
        self.logins_waiting = 0
        self.visitors: dict[Visitor, None] = {}
        self.port = settings.port
        self._server: asyncio.Server | None = None
        self._looking: asyncio.TimerHandle | None = None

    async def open(self) -> None:
        settings, loop = self.settings, asyncio.get_running_loop()
        tls: ssl.SSLContext | None = None
        if settings.tls_certificate:
            files = settings.tls_certificate, settings.tls_key, settings.tls_ca
            tls = RenewedContext(*files).standing()
        self._server = await loop.create_server(
            partial(Visitor, self),
            settings.host,
            settings.port,
            ssl=tls,
            ssl_handshake_timeout=settings.login_s if tls else None,
            backlog=1_024,
        )
        self.port = self._server.sockets[0].getsockname()[1]
        self._look()
        log.info("socket.open", host=settings.host, port=self.port, tls=tls is not None)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        if self._looking is not None:
            self._looking.cancel()
        visitors = list(self.visitors)
        working = [future for visitor in visitors for future in visitor.finish()]
        if working:
            await asyncio.wait(working, timeout=_FINISH_S)
        for visitor in visitors:
            visitor.close("the node stops")
        if self.visitors:
            await asyncio.wait([visitor.gone for visitor in visitors], timeout=_FINISH_S)
        self.workers.stop()
        self.logins.stop()

    def respond(self, caller: Caller, octets: bytes) -> bytes:
        """The answer to a request. On a thread; raises nothing."""
        mark = ""
        try:
            root = parse(decode(octets))
            mark = _mark_of(root)
            name, arguments = self.documents.read_root(root)
            answered = self.documents.write(name, self.exchange.run(name, caller, *arguments))
        except Refusal as refusal:
            answered = tell(None, refusal)
        except Exception as error:
            answered = tell(None, internal(error))
        if mark:
            answered.set("id", mark)
        return written(answered)

    def respond_together(self, frames: Sequence[tuple[Caller, bytes]]) -> list[bytes]:
        """The answers to requests that send, taken in by one call. On a thread; raises
        nothing."""
        answers = [b""] * len(frames)
        asked: list[Asked] = []
        marks: list[tuple[int, str]] = []
        for place, (caller, octets) in enumerate(frames):
            try:
                root = parse(decode(octets))
                mark = _mark_of(root)
                name, arguments = self.documents.read_root(root)
            except Exception:
                name = ""
            if name in SENDING:
                asked.append(Asked(caller, name, arguments[0]))
                marks.append((place, mark))
            else:
                # Whatever it is, or is wrong with it: said the usual way.
                answers[place] = self.respond(caller, octets)
        told = self.exchange.run_together(asked)
        for (place, mark), each, answer in zip(marks, asked, told, strict=True):
            answers[place] = self._told(each.operation, mark, answer)
        return answers

    def _told(self, operation: str, mark: str, answer: Any) -> bytes:
        if not isinstance(answer, Exception):
            model = SmsExchange.public_methods[operation].out_message
            return document(self.markup, operation, model, answer, mark)
        refused = tell(None, answer if isinstance(answer, Refusal) else internal(answer))
        if mark:
            refused.set("id", mark)
        return written(refused)

    def _look(self) -> None:
        now = asyncio.get_running_loop().time()
        for visitor in list(self.visitors):
            visitor.look(now)
        self._looking = asyncio.get_running_loop().call_later(_LOOK_S, self._look)


class Visitor(Frames):
    """One connection; a listener of feeds once it has asked to be."""

    def __init__(self, door: SocketDoor) -> None:
        super().__init__(FIRST_FRAME)
        self._door = door
        self._settings = door.settings
        self._came_at = self._loop.time()
        self._caller: Caller | None = None
        self._feeds: list[Feed] = []
        self._working: set[asyncio.Future[bytes]] = set()
        self._in_turn: deque[tuple[bytes, str]] = deque()
        self._turn_taken = False
        self._pushes = 0
        self._pushed: dict[str, tuple[Feed, Sequence[Home], float]] = {}
        self.gone: asyncio.Future[None] = self._loop.create_future()

    # The connection.

    def opened(self) -> None:
        self._door.visitors[self] = None
        if not self._door.doorman.arrive():
            self.part(Refusal(Code.RATE_LIMITED, "too many connections"))

    def closed(self, reason: str) -> None:
        self._door.visitors.pop(self, None)
        self._door.doorman.depart()
        self._in_turn.clear()
        if self._caller is not None:
            self._door.doorman.leave(self._caller.account)
            self._leave_feeds()
            log.info("socket.left", client=self._caller.account, address=self.peer, reason=reason)
        if not self.gone.done():
            self.gone.set_result(None)

    def part(self, refusal: Refusal) -> None:
        """Say why, and close."""
        self.send(written(tell(None, refusal)))
        self.close(refusal.description)

    def too_long(self, length: int) -> None:
        words = f"a frame of {length} octets was announced; 1 to {self.most} are taken"
        self.send(written(tell(None, Refusal(Code.BAD_REQUEST, words))))

    def look(self, now: float) -> None:
        """Close a connection that has outstayed a limit."""
        settings = self._settings
        if self.closing:
            return
        if self._caller is None:
            if now - self._came_at > settings.login_s + WRONG_S:
                self.part(Refusal(Code.AUTH_FAILED, "no login in time"))
            return
        if self.stuck_since is not None and now - self.stuck_since > settings.answer_s:
            self.close("the client does not read")
        elif any(now - at > settings.answer_s for _, _, at in self._pushed.values()):
            self.part(Refusal(Code.BAD_REQUEST, "what was pushed was not acknowledged in time"))
        elif not self._working and now - self.heard_at > settings.idle_s:
            self.part(Refusal(Code.BAD_REQUEST, "idle for too long; send Ping now and then"))

    def finish(self) -> set[asyncio.Future[bytes]]:
        """Take no more requests; those that are in work."""
        self.hold(True)
        self._in_turn.clear()
        self._leave_feeds()
        return set(self._working)

    def flow_changed(self) -> None:
        self.hold(self.stuck_since is not None or self._is_full or not self._has_room)
        self._wake_feeds()

    # Frames.

    def frame_received(self, octets: bytes) -> None:
        if self._caller is None:
            # What comes behind the login waits for its answer.
            self.hold(True)
            task = self._loop.create_task(self._login(octets))
            task.add_done_callback(_seen)
            return
        name, mark = glance(octets)
        if name == "Ack":
            self._acknowledged(mark)
        elif mark:
            self._work(octets, name, in_turn=False)
        else:
            self._in_turn.append((octets, name))
            self._next_in_turn()
        self.flow_changed()

    @property
    def _is_full(self) -> bool:
        return len(self._working) + len(self._in_turn) >= self._settings.window

    @property
    def _has_room(self) -> bool:
        caller = self._caller
        return caller is None or self._door.workers.has_room(caller.account, self.flow_changed)

    def _next_in_turn(self) -> None:
        if self._in_turn and not self._turn_taken:
            self._turn_taken = True
            self._work(*self._in_turn.popleft(), in_turn=True)

    def _work(self, octets: bytes, name: str, *, in_turn: bool) -> None:
        assert self._caller is not None
        account, workers = self._caller.account, self._door.workers
        if name in SENDING:
            answer = workers.join(account, (self._caller, octets), messages_in(octets))
        else:
            answer = workers.run(account, partial(self._door.respond, self._caller, octets))
        self._await(answer, in_turn=in_turn)

    def _await(self, answer: asyncio.Future[bytes], *, in_turn: bool) -> None:
        self._working.add(answer)
        answer.add_done_callback(partial(self._worked, in_turn))

    def _worked(self, in_turn: bool, future: asyncio.Future[bytes]) -> None:
        self._working.discard(future)
        if future.cancelled() or self.closing:
            return
        self.send(future.result())
        if in_turn:
            self._turn_taken = False
            self._next_in_turn()
        self.flow_changed()

    # The login.

    async def _login(self, octets: bytes) -> None:
        try:
            shown, streams, mark = read_login(octets, self.peer, shown_in(self.certificate))
            caller, answer = await self._authenticate(shown)
        except Refusal as refusal:
            if refusal.code is not Code.RATE_LIMITED:
                await asyncio.sleep(WRONG_S)
            log.warning("socket.refused", address=self.peer, code=str(refusal.code))
            self.part(refusal)
            return
        if self.closing:
            return
        if not self._door.doorman.enter(caller.account):
            most = self._settings.connections_per_client
            words = f"the client has {most} connections already"
            self.part(Refusal(Code.RATE_LIMITED, words))
            return
        self._caller = caller
        self.most = self._settings.max_frame
        if mark:
            answer.set("id", mark)
        self.send(written(answer))
        log.info("socket.entered", client=caller.account, address=self.peer)
        for stream in streams:
            feed = self._door.feeds.feed(caller.account, stream)
            self._feeds.append(feed)
            feed.join(self)
        self.heard_at = self._loop.time()
        self.hold(False)

    async def _authenticate(self, shown: Caller) -> tuple[Caller, etree._Element]:
        """Who comes in, and the answer to the login. Raises Refusal."""
        door = self._door
        if door.logins_waiting >= _LOGINS_WAITING:
            raise Refusal(Code.RATE_LIMITED, "too many logins at once; try again")
        door.logins_waiting += 1
        try:
            client = await door.logins.run(self.peer, partial(door.exchange.enter, shown))
        except Refusal:
            raise
        except Exception as error:
            raise internal(error) from None
        finally:
            door.logins_waiting -= 1
        # From now on it is known: who tries wrong passwords from its address locks it out of
        # nothing that stands.
        caller = Caller(client.account, "", self.peer, Door.SOCKET, client=client)
        result = door.exchange.run("Ping", caller)
        answer = etree.Element(f"{PREFIX}LoginResponse", nsmap=DEFAULT_NS)
        told = etree.SubElement(answer, f"{PREFIX}LoginResult")
        door.elements.fill(_PING, vars(result), told)
        return caller, answer

    # What is pushed.

    @property
    def room(self) -> int:
        shut = self.closing or self.stuck_since is not None or len(self._pushed) >= PUSH_WINDOW
        return 0 if shut else PUSH_BATCH

    def push(self, feed: Feed, notices: Sequence[Home]) -> None:
        self._pushes += 1
        mark = str(self._pushes)
        self._pushed[mark] = feed, notices, self._loop.time()
        frame = etree.Element(f"{PREFIX}Push", nsmap=DEFAULT_NS)
        frame.set("id", mark)
        words, elements = self._door.exchange.words, self._door.elements
        receipts = [words.receipt(each) for each in notices if isinstance(each, Notice)]
        texts = [words.inbound(each) for each in notices if isinstance(each, InboundNotice)]
        elements.fill(_RECEIPTS, {"receipts": receipts or None}, frame)
        elements.fill(_INBOUND, {"inbound": texts or None}, frame)
        self.send(written(frame))

    def _acknowledged(self, mark: str) -> None:
        known = self._pushed.pop(mark, None)
        if known is not None:
            feed, notices, _ = known
            feed.answered(each.id for each in notices)

    def _wake_feeds(self) -> None:
        for feed in self._feeds:
            feed.wake()

    def _leave_feeds(self) -> None:
        for feed in self._feeds:
            theirs = [each for of, held, _ in self._pushed.values() if of is feed for each in held]
            feed.leave(self, theirs)
        self._feeds.clear()
        self._pushed.clear()


def written(element: etree._Element) -> bytes:
    """A document as octets of UTF-8."""
    octets: bytes = etree.tostring(element, xml_declaration=True, encoding="UTF-8")
    return octets


_ROOT = re.compile(
    rb"""\s*(?:<\?xml\s[^>]*\?>\s*)?<(?:[\w.-]+:)?([\w.-]+)"""
    rb"""((?:\s+[\w:.-]+\s*=\s*"[^"<>&\t\r\n]*")*)\s*/?>"""
)
_ID = re.compile(rb"""\sid\s*=\s*"([^"]*)\"""")


def glance(octets: bytes) -> tuple[str, str]:
    """The name of a document's root and its `id`, from its first octets; empty where they cannot
    be read so."""
    root = _ROOT.match(octets[:_HEAD])
    if root is not None and root[0].isascii():
        found = _ID.search(root[2])
        mark = found[1].decode()[:LONGEST_MARK] if found else ""
        return root[1].decode(), mark
    parser = etree.XMLPullParser(events=("start",), resolve_entities=False, no_network=True)
    try:
        parser.feed(octets[:_HEAD])
        for _, element in parser.read_events():
            if isinstance(element, etree._Element):
                return local(element), str(element.get("id", ""))[:LONGEST_MARK]
    except etree.XMLSyntaxError:
        pass
    return "", ""


def read_login(
    octets: bytes, address: str, proofs: Sequence[Proof] = ()
) -> tuple[Caller, list[Stream], str]:
    """Who wants in, what is to be pushed, and the frame's id. Raises Refusal."""
    root = parse(decode(octets))
    if root.tag != f"{PREFIX}Login":
        raise Refusal(Code.AUTH_FAILED, "the first frame must be <Login>")
    given: dict[str, str] = {}
    for child in root:
        name = local(child)
        if name not in _LOGIN_FIELDS or name in given:
            known = ", ".join(_LOGIN_FIELDS)
            raise Refusal(Code.BAD_REQUEST, f"Login: takes {known}, each once")
        given[name] = (child.text or "").strip() if name != "password" else child.text or ""
    account, password = given.get("account", ""), given.get("password", "")
    if not account and not proofs:
        raise Refusal(Code.AUTH_FAILED, "account and password are missing")
    caller = Caller(account, password, address, Door.SOCKET, proofs)
    wanted = (("receipts", Stream.RECEIPTS), ("inbound", Stream.INBOUND))
    return caller, [stream for name, stream in wanted if _flag(given, name)], _mark_of(root)


def _flag(given: dict[str, str], name: str) -> bool:
    try:
        return _FLAGS[given.get(name, "")]
    except KeyError:
        raise Refusal(Code.BAD_REQUEST, f"{name}: must be true or false", name) from None


def _mark_of(root: etree._Element) -> str:
    mark = str(root.get("id", ""))
    if len(mark) > LONGEST_MARK:
        raise Refusal(Code.BAD_REQUEST, f"id: at most {LONGEST_MARK} characters", "id")
    return mark


def _seen(task: asyncio.Task[None]) -> None:
    """A login that failed within is logged; the connection runs into its time limit."""
    if not task.cancelled() and (error := task.exception()) is not None:
        internal(error)
