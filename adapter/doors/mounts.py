"""Where the doors of programs stand on the web server: path -> WSGI application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapter.config.model import Web
from adapter.doors.api_documents import ApiDocuments
from adapter.doors.http import HttpDoor
from adapter.doors.service import Exchange
from adapter.doors.soap import SoapDoor

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication


def doors(exchange: Exchange, web: Web) -> dict[str, WSGIApplication]:
    """SOAP, JSON and XML, and what describes them."""
    url = web.public_url or f"{web.scheme}://{web.host}:{web.port}"
    soap = SoapDoor(exchange, url, web.max_body)
    http = HttpDoor(exchange, web.max_body)
    return {
        "/soap": soap.soap,
        "/soap12": soap.soap12,
        "/api": ApiDocuments(url),
        "/api/json": http.json,
        "/api/xml": http.xml,
    }
