"""One request and its answer over HTTP, and what is certain when there is none.

No redirect is followed, no proxy or certificate is taken from the environment, an answer longer
than the limit is not read to its end, and a compressed one is not read at all.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Mapping
from typing import NamedTuple

import httpx

from connectors.tls import client_context
from connectors.trace import Tap, Way
from connectors.web.requests import Request
from connectors.web.settings import WebSettings

# It tells every address, where numbers and secrets may stand.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)

_UNSENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)


class Given(NamedTuple):
    """An answer. Names of headers are in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class NotSentError(Exception):
    """The request never reached the provider."""


class LostError(Exception):
    """The request may have reached the provider; its answer did not reach us."""


def check_transport(settings: WebSettings) -> None:
    """Raises ValueError for certificates or a proxy that cannot be used."""
    own = (settings.certificate, settings.certificate_key)
    if settings.certificate_key and not settings.certificate:
        raise ValueError("certificate-key: it has no effect without certificate")
    for name, files in (("ca", (settings.ca, "", "")), ("certificate", ("", *own))):
        try:
            client_context(*files)
        except (OSError, ssl.SSLError) as e:
            raise ValueError(f"{name}: the file cannot be used: {e.strerror or e}") from None
    try:
        if settings.proxy:
            httpx.Proxy(settings.proxy)
    except (ValueError, httpx.InvalidURL):
        raise ValueError("proxy: write http://HOST:PORT") from None


class Transport:
    """Connections to one provider, as many as requests are made at once, kept open between them.
    Of one event loop."""

    def __init__(self, settings: WebSettings, tap: Tap | None = None) -> None:
        self._settings = settings
        self._tap = tap
        self._timeout_s = settings.response_timeout_s
        self._most = settings.max_answer
        self._context = client_context(settings.ca, settings.certificate, settings.certificate_key)
        # A client for each connection: one pool for all looks through all of them each time.
        self._clients: list[httpx.AsyncClient] = []
        self._idle: list[httpx.AsyncClient] = []

    def _client(self) -> httpx.AsyncClient:
        """The one that was used last, or a new one."""
        if self._idle:
            return self._idle.pop()
        settings = self._settings
        made = httpx.AsyncClient(
            verify=self._context,
            proxy=settings.proxy or None,
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(
                settings.response_timeout_s, connect=settings.connect_timeout_s, pool=None
            ),
            limits=httpx.Limits(max_connections=1, keepalive_expiry=settings.keep_alive_s),
            headers={"Accept-Encoding": "identity", "User-Agent": "his-sms-adapter"},
        )
        self._clients.append(made)
        return made

    async def exchange(self, request: Request) -> Given:
        """Raises NotSentError and LostError."""
        if self._tap is None:
            return await self._ask(request)
        return await self._tapped(self._tap, request)

    async def _tapped(self, tap: Tap, request: Request) -> Given:
        name = f"{request.method} {request.path}"
        tap.noted(Way.SENT, name, len(request.body))
        try:
            given = await self._ask(request)
        except (NotSentError, LostError) as e:
            tap.noted(Way.CLOSED, f"{name}: {e}")
            raise
        tap.noted(Way.RECEIVED, f"{name}: {given.status}", len(given.body))
        return given

    async def _ask(self, request: Request) -> Given:
        client = self._client()
        try:
            # An answer that drips: httpx counts the silence between its pieces alone.
            async with asyncio.timeout(self._settings.connect_timeout_s + self._timeout_s):
                return await self._exchange(client, request)
        except TimeoutError:
            raise LostError(f"no answer in {self._timeout_s:g} s") from None
        except _UNSENT as e:
            raise NotSentError(f"no connection: {str(e) or type(e).__name__}") from None
        except httpx.TimeoutException:
            raise LostError(f"no answer in {self._timeout_s:g} s") from None
        except (httpx.HTTPError, ssl.SSLError) as e:
            # TLS that breaks in the midst comes as it is; so does a refused certificate of ours,
            # of which TLS 1.3 tells when we think that the handshake is done.
            raise LostError(f"the connection was lost: {str(e) or type(e).__name__}") from None
        finally:
            self._idle.append(client)

    async def _exchange(self, client: httpx.AsyncClient, request: Request) -> Given:
        async with client.stream(
            request.method, request.url, headers=dict(request.headers), content=request.body
        ) as response:
            headers = {name.lower(): value for name, value in response.headers.items()}
            if headers.get("content-encoding", "identity") != "identity":
                raise LostError("the answer is compressed, which nobody asked for")
            body = bytearray()
            async for piece in response.aiter_raw():
                body += piece
                if len(body) > self._most:
                    raise LostError(f"the answer is longer than {self._most} octets")
            return Given(response.status_code, headers, bytes(body))

    async def close(self) -> None:
        for client in self._clients:
            await client.aclose()
