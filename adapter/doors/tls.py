"""The web server of a node with TLS: cheroot, serving the application that waitress serves without.

TLS 1.2 at least. A client may show a certificate that `tls-ca` has signed; one that shows another
is not let in. Renewed files are taken up without a restart (`adapter.doors.renewal`).

Limits: a connection keeps a thread while its request comes in; one that says nothing is dropped
after `_SILENCE_S`, and as many silent ones as there are threads keep others waiting for so long.
Where strangers can connect, put nginx in front (docs/operator/nginx.md).
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import structlog
from cheroot.makefile import StreamReader, StreamWriter
from cheroot.ssl import Adapter
from cheroot.wsgi import Server

from adapter.config.model import Web
from adapter.doors.proxies import CERTIFICATE_KEY
from adapter.doors.renewal import RenewedContext
from adapter.security.certificates import ShownCertificate

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

_SILENCE_S = 10
_STOP_S = 5
_WAITING = 128
# A body in chunks is read to one octet beyond the limit, a chunk at a time.
_CHUNKING = 2

log = structlog.get_logger(__name__)


class _Peer:
    """What an environment says of a connection. It is asked when a request was read, that is
    after the handshake, which is left to a worker: whoever is slow at it must not keep others
    from connecting."""

    def __init__(self, connection: ssl.SSLSocket) -> None:
        self._connection = connection
        self._known: dict[str, Any] = {}

    def keys(self) -> Iterable[str]:
        if not self._known:
            self._known = {"wsgi.url_scheme": "https", "HTTPS": "on"}
            der = self._connection.getpeercert(binary_form=True)
            if der:
                self._known[CERTIFICATE_KEY] = ShownCertificate.read_der(der)
        return self._known.keys()

    def __getitem__(self, name: str) -> Any:
        return self._known[name]


class _Tls(Adapter):
    """How cheroot speaks TLS."""

    def __init__(self, context: RenewedContext) -> None:
        self._context = context

    def bind(self, sock: Any) -> Any:
        return sock

    def wrap(self, sock: Any) -> tuple[ssl.SSLSocket, _Peer]:
        wrapped = self._context.current().wrap_socket(
            sock, server_side=True, do_handshake_on_connect=False
        )
        return wrapped, _Peer(wrapped)

    def get_environ(self) -> dict[str, str]:
        return {}

    def makefile(self, sock: Any, mode: str = "r", bufsize: int = -1) -> Any:
        return (StreamReader if "r" in mode else StreamWriter)(sock, mode, bufsize)


class _Server(Server):
    def error_log(self, msg: str = "", level: int = 20, traceback: bool = False) -> None:
        """What cheroot has to tell: broken handshakes, mostly."""
        log.info("web.tls", told=msg.splitlines()[0][:200] if msg else "")


class TlsServer:
    """cheroot in a thread of its own. `port` is the real one, also where 0 was asked for.

    Raises OSError where the address is taken or a file cannot be used.
    """

    def __init__(self, app: WSGIApplication, web: Web) -> None:
        self._server = _Server(
            (web.host, web.port),
            app,
            numthreads=web.threads,
            server_name="SmsExchange",
            request_queue_size=_WAITING,
            timeout=_SILENCE_S,
            shutdown_timeout=_STOP_S,
        )
        # Who must show a certificate is said by the client's <entry>.
        context = RenewedContext(web.tls_certificate, web.tls_key, web.tls_ca, required=False)
        self._server.ssl_adapter = _Tls(context)
        self._server.max_request_body_size = web.max_body * _CHUNKING
        self._server.prepare()
        self.host, self.port = self._server.bind_addr[:2]
        self._thread = threading.Thread(target=self._server.serve, name="web", daemon=True)

    def start(self) -> None:
        """Serve; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Accept no more, answer the requests in work (5 s at most), close. May be repeated."""
        self._server.stop()
        if self._thread.ident is not None:
            self._thread.join()
