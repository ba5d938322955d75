"""What a web request shows of who sent it: SOAP headers and HTTP headers, not yet believed.

    Credentials                 account and password, our own SOAP header
    Security/UsernameToken      WS-Security: a password as text, or its digest
    Authorization               HTTP: Basic, or an HMAC over the request
    (TLS, a trusted proxy)      the client's certificate
    Security/Signature          WS-Security: the envelope, signed (adapter.security.signatures)

The first of these that names an account counts; HMAC and certificate are read beside the others,
so that a client may have to show several.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from lxml import etree

from adapter.contract import NS
from adapter.domain.errors import Code, Refusal
from adapter.domain.proofs import Proof
from adapter.domain.states import Door
from adapter.doors.proxies import CERTIFICATE_KEY
from adapter.doors.service import Caller
from adapter.security.digests import TokenDigest
from adapter.security.macs import RequestMac, SignedRequest, is_signed

_WSS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity"
_WSSE = f"{{{_WSS}-secext-1.0.xsd}}"
_WSU = f"{{{_WSS}-utility-1.0.xsd}}"
_CREDENTIALS = f"{{{NS}}}Credentials"
BLOCKS = frozenset({_CREDENTIALS, f"{_WSSE}Security"})
"""Header blocks of an envelope that are read here."""


@dataclass(frozen=True, slots=True)
class _Shown:
    account: str = ""
    password: str = ""
    proofs: tuple[Proof, ...] = ()


def soap_caller(
    headers: Iterable[etree._Element] | None,
    environ: Mapping[str, Any],
    body: bytes,
    signature: Proof | None,
) -> Caller:
    """Who calls over SOAP, by an envelope with this signature. Raises Refusal(SIGNATURE_INVALID)
    for an HMAC that cannot be read."""
    shown = _in_headers(() if headers is None else headers)
    if signature is not None:
        shown = replace(shown, proofs=(*shown.proofs, signature))
    return _caller(shown, environ, body, Door.SOAP)


def http_caller(environ: Mapping[str, Any], body: bytes) -> Caller:
    """Who calls over plain HTTP. Raises Refusal(SIGNATURE_INVALID) for an HMAC that cannot be
    read."""
    return _caller(_Shown(), environ, body, Door.HTTP)


def _caller(shown: _Shown, environ: Mapping[str, Any], body: bytes, door: Door) -> Caller:
    authorization = environ.get("HTTP_AUTHORIZATION", "")
    proofs = shown.proofs
    if CERTIFICATE_KEY in environ:
        proofs += (environ[CERTIFICATE_KEY],)
    if is_signed(authorization):
        signed = _mac(authorization, environ, body)
        proofs += (signed,)
        shown = shown if shown.account else _Shown(signed.account)
    elif not shown.account:
        shown = _Shown(*basic(authorization))
    address = str(environ.get("REMOTE_ADDR", ""))
    return Caller(shown.account, shown.password, address, door, proofs)


def _in_headers(headers: Iterable[etree._Element]) -> _Shown:
    for header in headers:
        if header.tag == _CREDENTIALS:
            return _own_header(header)
        if header.tag == f"{_WSSE}Security":
            token = header.find(f"{_WSSE}UsernameToken")
            if token is not None:
                return _username_token(token)
    return _Shown()


def _own_header(header: etree._Element) -> _Shown:
    prefix = f"{{{NS}}}"
    return _Shown(
        _text(header, f"{prefix}account", "account"),
        _text(header, f"{prefix}password", "password"),
    )


def _username_token(token: etree._Element) -> _Shown:
    """A token whose parts cannot be read shows an account and nothing more."""
    account = _text(token, f"{_WSSE}Username")
    password = token.find(f"{_WSSE}Password")
    if password is None:
        return _Shown(account)
    text = (password.text or "").strip()
    if not (password.get("Type") or "").endswith("#PasswordDigest"):
        return _Shown(account, text)
    nonce, created = _text(token, f"{_WSSE}Nonce"), _text(token, f"{_WSU}Created")
    digest = TokenDigest.read(nonce, created, text)
    return _Shown(account, proofs=() if digest is None else (digest,))


def basic(authorization: str) -> tuple[str, str]:
    """Account and password of HTTP Basic; empty where it is none, or cannot be read."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        account, _, password = base64.b64decode(value, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, ValueError):
        return "", ""
    return account, password


def _mac(authorization: str, environ: Mapping[str, Any], body: bytes) -> RequestMac:
    request = SignedRequest(
        environ["REQUEST_METHOD"],
        environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", ""),
        environ.get("HTTP_IDEMPOTENCY_KEY", "").encode("latin-1"),
        body,
    )
    try:
        return RequestMac.read(authorization, request)
    except ValueError as error:
        raise Refusal(Code.SIGNATURE_INVALID, f"Authorization: {error}", "Authorization") from None


def _text(parent: etree._Element, *tags: str) -> str:
    """Text of the first child with one of these tags, else empty."""
    for tag in tags:
        if text := parent.findtext(tag):
            return text.strip()
    return ""
