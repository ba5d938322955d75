"""The published contract as files: `wsdl/` and `xsd/`, exported from the code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from adapter.doors.soap import make_application
from adapter.doors.wsdl import build_callback_wsdl, build_wsdl, schema_of

EXAMPLE_URL = "http://127.0.0.1:8080"
CALLBACK_URL = "http://127.0.0.1:8000/sms/events"
"""An example: a callback's address is the client's own."""


def documents(url: str = EXAMPLE_URL) -> Mapping[str, bytes]:
    """The documents by their paths. `url` (http://host:port) is published as the address."""
    base = url.rstrip("/")
    wsdl = build_wsdl(make_application("1.1"), f"{base}/soap")
    built = {
        "wsdl/SmsExchange.wsdl": wsdl,
        "wsdl/SmsExchange12.wsdl": build_wsdl(make_application("1.2"), f"{base}/soap12"),
        "xsd/exchange.xsd": schema_of(wsdl),
        "wsdl/callback.wsdl": (callback := build_callback_wsdl(CALLBACK_URL)),
        "xsd/callback.xsd": schema_of(callback),
    }
    return {path: document.rstrip() + b"\n" for path, document in built.items()}


def write(folder: Path, url: str = EXAMPLE_URL) -> list[Path]:
    """Write the documents under `folder`; the files written. Raises OSError."""
    written = []
    for name, document in documents(url).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(document)
        written.append(path)
    return written
