"""What a proxy in front says of the client: its address and its certificate.

Believed only of the proxies in the configuration; from anybody else the headers are taken out
before an application sees them, so that nobody makes himself another one.

    X-Real-IP              the client's address
    X-SSL-Client-Verify    SUCCESS where the proxy has verified the client's certificate
    X-SSL-Client-Cert      the certificate, PEM, percent-encoded (nginx: $ssl_client_escaped_cert)

A proxy must set all three itself, also where there is nothing to tell, so that those of a client
do not pass. docs/operator/nginx.md has a configuration that does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import unquote

from adapter.doors.batches import Answer
from adapter.intake.networks import Networks
from adapter.security.certificates import ShownCertificate

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

CERTIFICATE_KEY = "adapter.client_certificate"
"""Where the environment holds the client's certificate, a ShownCertificate."""

ADDRESS, VERIFIED, CERTIFICATE = (
    "HTTP_X_REAL_IP",
    "HTTP_X_SSL_CLIENT_VERIFY",
    "HTTP_X_SSL_CLIENT_CERT",
)
_LONGEST = 16_000


class Proxied:
    """The application as it is behind these proxies (addresses and networks); `several` takes
    several requests at a time. `certificate_of`: what the caller of a request has shown by TLS of
    our own."""

    def __init__(
        self,
        app: WSGIApplication,
        proxies: Sequence[str],
        several: Callable[[Sequence[WSGIEnvironment]], Sequence[Answer]],
        certificate_of: Callable[[WSGIEnvironment], ShownCertificate | None] = lambda _: None,
    ) -> None:
        self._app = app
        self._several = several
        self._certificate_of = certificate_of
        self._proxies = Networks(proxies)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        self._look_behind(environ)
        return self._app(environ, start_response)

    def several(self, environs: Sequence[WSGIEnvironment]) -> Sequence[Answer]:
        """An answer to each of these requests."""
        for environ in environs:
            self._look_behind(environ)
        return self._several(environs)

    def _look_behind(self, environ: WSGIEnvironment) -> None:
        told = {name: environ.pop(name, "") for name in (ADDRESS, VERIFIED, CERTIFICATE)}
        if environ.get("REMOTE_ADDR", "") in self._proxies:
            environ["REMOTE_ADDR"] = _address(told[ADDRESS])
            certificate = _certificate(told[VERIFIED], told[CERTIFICATE])
        else:
            certificate = self._certificate_of(environ)
        if certificate is not None:
            environ[CERTIFICATE_KEY] = certificate


def _address(told: str) -> str:
    """The client's address; none where the proxy names none, which fits no list of addresses."""
    try:
        return str(ip_address(told.strip()))
    except ValueError:
        return ""


def _certificate(verified: str, pem: str) -> ShownCertificate | None:
    if verified.strip() != "SUCCESS" or len(pem) > _LONGEST:
        return None
    try:
        return ShownCertificate.read(unquote(pem))
    except ValueError:
        return None
