"""`/api/` and `/api/openapi.json`: what there is to call, for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from adapter.doors.api_page import build_page
from adapter.doors.openapi import build_openapi

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

_JSON = "application/json; charset=utf-8"
_HTML = "text/html; charset=utf-8"
_POLICY = ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")


class ApiDocuments:
    """A WSGI application for /api; both documents are made once, with the published address."""

    def __init__(self, public_url: str) -> None:
        document = build_openapi(public_url)
        written = json.dumps(document, ensure_ascii=False, indent=1).encode()
        page = _HTML, build_page(document)
        self._documents = {"/openapi.json": (_JSON, written), "/": page, "": page}

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        found = self._documents.get(environ.get("PATH_INFO", ""))
        if found is None:
            mime, body, status = "text/plain", b"Not found\n", "404 Not Found"
        elif environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            mime, body, status = "text/plain", b"GET, please\n", "405 Method Not Allowed"
        else:
            (mime, body), status = found, "200 OK"
        headers = [("Content-Type", mime), ("Content-Length", str(len(body)))]
        if status.startswith("405"):
            headers.append(("Allow", "GET, HEAD"))
        if found is not None and found[0] == _HTML:
            headers.append(_POLICY)
        start_response(status, headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]
