"""A client's service: one request with events, and whether they are safe there.

Nothing but the configured address is ever called. A redirect is a failure like any other; an
answer that is too long, too slow, compressed or cut off is none.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

import httpx

from adapter.callbacks.forms import Form
from adapter.config.model import Callback
from adapter.domain.values import Home
from adapter.security.macs import SignedRequest, mac
from connectors.web.answers import retry_after_s
from connectors.web.requests import Request
from connectors.web.transport import Given, LostError, NotSentError, Transport

ASKED_TO_WAIT = frozenset({429, 503})
_REDIRECTS = range(300, 400)


class NotTakenError(Exception):
    """The events are not safe, and come again; the message says why, for a log. `away`: nobody
    was reached. `wait_s`: what the service asks us to wait at least."""

    def __init__(self, reason: str, *, away: bool = False, wait_s: float = 0.0) -> None:
        super().__init__(reason)
        self.away = away
        self.wait_s = wait_s


class Target:
    """Of one event loop. Raises ValueError for settings that cannot work."""

    def __init__(self, callback: Callback, form: Form, now: Callable[[], float]) -> None:
        self.most = form.most
        self._form = form
        self._transport = Transport(callback.transport)
        self._headers = dict(callback.headers)
        self._signer = _Signer(callback, now) if callback.secret else None
        if callback.user:
            shown = f"{callback.user}:{callback.password}".encode()
            self._headers["Authorization"] = f"Basic {base64.b64encode(shown).decode()}"

    async def bring(self, events: Sequence[Home]) -> None:
        """Raises NotTakenError."""
        try:
            request = self._form.request(events)
        except ValueError as error:
            raise NotTakenError(f"it cannot be written: {type(error).__name__}") from None
        try:
            given = await self._transport.exchange(self._dressed(request, events))
        except NotSentError as error:
            raise NotTakenError(str(error), away=True) from None
        except LostError as error:
            raise NotTakenError(str(error)) from None
        if given.status not in range(200, 300):
            raise _refused(given)
        if fault := self._form.fault(events, given):
            raise NotTakenError(fault)

    async def close(self) -> None:
        await self._transport.close()

    def _dressed(self, request: Request, events: Sequence[Home]) -> Request:
        """With the headers that every request has."""
        headers = {**request.headers, **self._headers}
        key = str(events[0].id) if len(events) == 1 else ""
        if key:
            headers["Idempotency-Key"] = key
        if self._signer is not None:
            headers["Authorization"] = self._signer.authorization(request, key)
        return request._replace(headers=headers)


class _Signer:
    """Signs requests as clients sign theirs (adapter/security/macs.py)."""

    def __init__(self, callback: Callback, now: Callable[[], float]) -> None:
        self._algorithm = callback.algorithm.upper()
        self._secret = callback.secret.encode()
        self._named = {"account": callback.account, "key": callback.key_id}
        self._now = now

    def authorization(self, request: Request, key: str) -> str:
        moment = datetime.fromtimestamp(self._now(), UTC)
        parts: Mapping[str, str] = {
            **self._named,
            "time": f"{moment:%Y-%m-%dT%H:%M:%SZ}",
            "nonce": secrets.token_hex(16),
        }
        signed = SignedRequest(request.method, _path(request.url), key.encode(), request.body)
        signature = mac(self._algorithm, self._secret, signed, **parts).hex()
        shown = ", ".join(f'{name}="{value}"' for name, value in parts.items())
        return f'{self._algorithm} {shown}, signature="{signature}"'


def _path(url: str) -> str:
    """As it stands in the request line, without the query."""
    return httpx.URL(url).raw_path.partition(b"?")[0].decode("ascii")


def _refused(given: Given) -> NotTakenError:
    reason = f"HTTP {given.status}"
    if given.status in _REDIRECTS:
        reason += ": a redirect, which is not followed"
    asked = retry_after_s(given) if given.status in ASKED_TO_WAIT else None
    return NotTakenError(reason, wait_s=asked or 0.0)
