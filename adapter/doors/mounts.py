"""Where the doors of programs stand on the web server: path -> WSGI application."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from adapter.config.model import Web
from adapter.doors.api_documents import ApiDocuments
from adapter.doors.batches import Batched, Glimpse
from adapter.doors.http import HttpDoor
from adapter.doors.http import account_of as http_account
from adapter.doors.service import Exchange
from adapter.doors.soap import SoapDoor
from adapter.doors.soap import account_of as soap_account

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication


def doors(exchange: Exchange, web: Web) -> dict[str, WSGIApplication]:
    """SOAP, JSON and XML, and what describes them."""
    url = web.public_url or f"{web.scheme}://{web.host}:{web.port}"
    soap = SoapDoor(exchange, url, web.max_body)
    http = HttpDoor(exchange, web.max_body)

    def known(account_of: Callable[[Glimpse], str | None]) -> Callable[[Glimpse], str | None]:
        """Made up accounts are one, so that nobody gets more turns by names."""

        def guess(glimpse: Glimpse) -> str | None:
            account = account_of(glimpse)
            return account if account is None or exchange.knows(account) else ""

        return guess

    return {
        "/soap": Batched(soap.soap, soap.several, known(soap_account)),
        "/soap12": Batched(soap.soap12, soap.several12, known(soap_account)),
        "/api": ApiDocuments(url),
        "/api/json": Batched(http.json, http.several_json, known(http_account)),
        "/api/xml": Batched(http.xml, http.several_xml, known(http_account)),
    }
