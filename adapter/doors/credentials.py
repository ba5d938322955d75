"""Who a request says it comes from: SOAP header or HTTP header."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from typing import Any

import structlog
from lxml import etree

from adapter.contract import NS
from adapter.domain.states import Door
from adapter.doors.service import Caller

_WSSE = "{http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd}"
_CREDENTIALS = f"{{{NS}}}Credentials"

log = structlog.get_logger(__name__)


def _text(parent: etree._Element, *tags: str) -> str:
    """Text of the first child with one of these tags, else empty."""
    for tag in tags:
        if text := parent.findtext(tag):
            return text.strip()
    return ""


def _own_header(header: etree._Element) -> tuple[str, str]:
    prefix = f"{{{NS}}}"
    return (
        _text(header, f"{prefix}account", "account"),
        _text(header, f"{prefix}password", "password"),
    )


def _username_token(security: etree._Element) -> tuple[str, str] | None:
    token = security.find(f"{_WSSE}UsernameToken")
    if token is None:
        return None
    password = token.find(f"{_WSSE}Password")
    account = _text(token, f"{_WSSE}Username")
    if password is None:
        return account, ""
    if (password.get("Type") or "").endswith("#PasswordDigest"):
        # A digest can only be checked against the clear password; a hash is all we keep.
        log.warning(
            "password_digest_refused",
            account=account[:64],
            hint="the client must send the UsernameToken as PasswordText, over TLS",
        )
        return account, ""
    return account, (password.text or "").strip()


def _basic(authorization: str) -> tuple[str, str] | None:
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        account, _, password = base64.b64decode(value, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, ValueError):
        return None
    return account, password


def _shown(headers: Iterable[etree._Element], environ: Mapping[str, Any]) -> tuple[str, str] | None:
    for header in headers:
        if header.tag == _CREDENTIALS:
            return _own_header(header)
        if header.tag == f"{_WSSE}Security" and (token := _username_token(header)):
            return token
    return _basic(environ.get("HTTP_AUTHORIZATION", ""))


def caller_of(headers: Iterable[etree._Element] | None, environ: Mapping[str, Any]) -> Caller:
    """Who calls over SOAP, not yet believed. SOAP headers go before HTTP Basic."""
    account, password = _shown(() if headers is None else headers, environ) or ("", "")
    return Caller(account, password, str(environ.get("REMOTE_ADDR", "")), Door.SOAP)


def http_caller(environ: Mapping[str, Any]) -> Caller:
    """Who calls over plain HTTP, not yet believed: HTTP Basic."""
    account, password = _basic(environ.get("HTTP_AUTHORIZATION", "")) or ("", "")
    return Caller(account, password, str(environ.get("REMOTE_ADDR", "")), Door.HTTP)
