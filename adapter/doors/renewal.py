"""Certificates of the doors, renewed without a restart.

Certificate, key and authorities are looked at again for each connection; files that cannot be
used leave the last good ones in force, and the log says so once.
"""

from __future__ import annotations

import ssl
import threading
from pathlib import Path
from typing import Any

import structlog

from connectors.tls import fault, server_context

log = structlog.get_logger(__name__)


class RenewedContext:
    """The TLS context of certificate, key and authorities, made anew when a file has changed.

    `client_ca`: who signs the certificates that clients show; all of them have to where
    `required`. Raises OSError or ssl.SSLError where the files cannot be used at the start.
    """

    def __init__(
        self, certificate: str, key: str, client_ca: str, *, required: bool = True
    ) -> None:
        self._files = certificate, key, client_ca
        self._required = required
        self._seen = self._stamps()
        self._context = self._made()
        self._lock = threading.Lock()

    def current(self) -> ssl.SSLContext:
        """For the next connection."""
        with self._lock:
            stamps = self._stamps()
            if stamps != self._seen:
                self._seen = stamps
                self._renew()
            return self._context

    def standing(self) -> ssl.SSLContext:
        """For a server that wants one context for all its life: it turns to the current one
        at each handshake."""
        context = self._made()
        # A ticket would let a client in again without showing its certificate anew.
        context.options |= ssl.OP_NO_TICKET
        context.num_tickets = 0

        def turn(connection: Any, _name: str | None, _context: ssl.SSLContext) -> None:
            connection.context = self.current()

        context.sni_callback = turn
        return context

    def _renew(self) -> None:
        try:
            self._context = self._made()
        except OSError as error:  # ssl.SSLError is one, too
            log.error("tls.not_renewed", certificate=self._files[0], error=fault(error))
        else:
            log.info("tls.renewed", certificate=self._files[0])

    def _made(self) -> ssl.SSLContext:
        certificate, key, client_ca = self._files
        context = server_context(certificate, key, client_ca)
        if client_ca and not self._required:
            context.verify_mode = ssl.CERT_OPTIONAL
        return context

    def _stamps(self) -> list[tuple[int, int] | None]:
        return [_stamp(file) for file in self._files if file]


def _stamp(file: str) -> tuple[int, int] | None:
    try:
        found = Path(file).stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
