"""TLS contexts for links and listeners, and what went wrong in words.

At least TLS 1.2, with the defaults of Python's `ssl` for the rest. A client checks the server's
certificate and name unless it is told not to; a server asks for a client's certificate where it
is given who may sign one.
"""

from __future__ import annotations

import asyncio
import ssl


def client_context(
    ca: str = "", certificate: str = "", key: str = "", *, verify: bool = True
) -> ssl.SSLContext:
    """For connections that we open.

    `ca`: a file with the certificates that may sign the server's, or that one itself; empty for
    those that the system trusts. `certificate` and `key`: our own, where the server asks for
    one. Raises OSError or ssl.SSLError for a file that cannot be read.
    """
    context = ssl.create_default_context(cafile=ca or None)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if certificate:
        context.load_cert_chain(certificate, key or None, password=_no_password)
    return context


def server_context(certificate: str, key: str, client_ca: str = "") -> ssl.SSLContext:
    """For connections that come in. With `client_ca` nobody comes in without a certificate that
    it signed. Raises OSError or ssl.SSLError for a file that cannot be read."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key or None, password=_no_password)
    if client_ca:
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def shown_certificate(transport: asyncio.BaseTransport | None) -> bytes:
    """The certificate (DER) that the peer of a connection has shown and that was verified; empty
    without one, or without TLS."""
    tls = transport.get_extra_info("ssl_object") if transport is not None else None
    return (tls.getpeercert(binary_form=True) or b"") if tls is not None else b""


def fault(error: BaseException) -> str:
    """Why a connection could not be opened: of a certificate, what is wrong with it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate was refused: {error.verify_message.rstrip('.')}"
    if isinstance(error, ssl.SSLError):
        reason = getattr(error, "reason", "") or str(error)
        return f"TLS: {reason.replace('_', ' ').lower()}"
    return str(error)


def _no_password() -> str:
    """Rather than asking at the terminal."""
    return ""
