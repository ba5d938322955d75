"""What a provider sends to us: who may, and the answer when it is durable."""

from __future__ import annotations

import base64
import hmac
import ipaddress
import logging
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import parse_qs

from connectors.web import documents
from connectors.web.intake import Deliveries
from connectors.web.items import Contents, Reading
from connectors.web.settings import Push, WebSettings

log = logging.getLogger(__name__)

RECORDED_WITHIN_S = 10.0
_MOST_AT_ONCE = 8
SIGNATURES = ("sha1", "sha256", "sha512")


class Pushed(NamedTuple):
    """A request to us. Names of headers are in small letters."""

    address: str
    headers: Mapping[str, str]
    query: str
    body: bytes


class Reply(NamedTuple):
    """What goes back: 200 with the configured text, or the status of a refusal."""

    status: int
    kind: str = "text/plain"
    body: bytes = b""


class Pushes:
    """All that an account pushes, by name. Raises ValueError for settings that cannot work."""

    def __init__(self, settings: WebSettings, deliveries: Deliveries) -> None:
        self._named = {each.name: _Receiver(settings, each) for each in settings.pushes}
        self._deliveries = deliveries
        self._name = settings.name
        self._most = settings.max_answer
        self._running = 0

    async def receive(self, name: str, pushed: Pushed) -> Reply:
        """Answers after what it held is durable; 503 where that takes too long, 422 where
        something of it could not be read, so that the provider keeps it."""
        receiver = self._named.get(name)
        if receiver is None:
            return Reply(404)
        if len(pushed.body) > self._most:
            return Reply(413)
        if not receiver.admits(pushed):
            return Reply(403)
        if self._running >= _MOST_AT_ONCE:
            return Reply(503)
        try:
            held = receiver.read(pushed)
        except documents.UnreadableError:
            return Reply(400)
        if held.nothing:
            log.warning("%s, %s: a push held nothing that could be read", self._name, name)
            return Reply(422)
        self._running += 1
        try:
            durable = await self._deliveries.record(held.items, RECORDED_WITHIN_S)
        finally:
            self._running -= 1
        if not durable:
            return Reply(503)
        return Reply(422) if held.unread else receiver.reply


class _Receiver:
    """One kind of push."""

    def __init__(self, settings: WebSettings, push: Push) -> None:
        self._push = push
        self._networks = [ipaddress.ip_network(each, strict=False) for each in push.networks]
        self._contents = Contents(settings, push)
        shown = [name for name in (push.header, push.query, push.signature) if name]
        if not push.networks and not push.secret:
            raise ValueError("networks or secret: one is needed, or anybody could push")
        if push.secret and len(shown) != 1:
            raise ValueError("secret: name the header, the query or the signature that shows it")
        if shown and not push.secret:
            raise ValueError(f"secret: {shown[0]} needs one")
        self.reply = Reply(200, push.reply_type, push.reply.encode())

    def admits(self, pushed: Pushed) -> bool:
        """Whether it comes from the provider."""
        if self._networks:
            try:
                address = ipaddress.ip_address(pushed.address)
            except ValueError:
                return False
            if not any(address in network for network in self._networks):
                return False
        return not self._push.secret or self._shows_secret(pushed)

    def _shows_secret(self, pushed: Pushed) -> bool:
        push = self._push
        secret = push.secret.encode()
        if push.header:
            return hmac.compare_digest(_header(pushed, push.header), secret)
        if push.query:
            given = parse_qs(pushed.query, keep_blank_values=True).get(push.query, [""])[0]
            return hmac.compare_digest(given.encode("utf-8", "replace"), secret)
        made = hmac.digest(secret, pushed.body, push.algorithm)
        shown = _header(pushed, push.signature)
        return hmac.compare_digest(shown.lower(), made.hex().encode()) or hmac.compare_digest(
            shown, base64.b64encode(made)
        )

    def read(self, pushed: Pushed) -> Reading:
        """Raises UnreadableError."""
        # Some providers push by GET, with everything in the query.
        octets = pushed.body or pushed.query.encode("ascii", "replace")
        return self._contents.read(octets)


def _header(pushed: Pushed, name: str) -> bytes:
    return pushed.headers.get(name.lower(), "").encode("utf-8", "replace")
