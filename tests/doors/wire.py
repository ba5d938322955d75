"""A client of the socket door, as docs/integrator/socket.md describes it: blocking, of one
thread."""

from __future__ import annotations

import socket
import ssl
from types import TracebackType
from typing import Self

from lxml import etree

from adapter.contract import NS

NOTHING = 0.2


class SocketClient:
    """Frames out, documents in. A context."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        plain = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.socket = plain if tls is None else tls.wrap_socket(plain, server_hostname="localhost")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.socket.close()

    def write(self, document: str) -> None:
        octets = document.encode()
        self.socket.sendall(len(octets).to_bytes(4, "big") + octets)

    def read(self) -> etree._Element:
        """The next document. Raises EOFError where the connection ends."""
        octets = self._exactly(int.from_bytes(self._exactly(4), "big"))
        return etree.fromstring(octets)

    def ask(self, document: str) -> etree._Element:
        self.write(document)
        return self.read()

    def log_in(self, account: str, password: str, more: str = "") -> etree._Element:
        return self.ask(
            f'<Login xmlns="{NS}"><account>{account}</account>'
            f"<password>{password}</password>{more}</Login>"
        )

    def acknowledge(self, push: etree._Element) -> None:
        self.write(f'<Ack xmlns="{NS}" id="{push.get("id")}"/>')

    def ended(self) -> bool:
        """Whether the other side closes, after whatever it still has to say."""
        try:
            while True:
                self.read()
        except (EOFError, ConnectionError):
            return True

    def _exactly(self, count: int) -> bytes:
        octets = b""
        while len(octets) < count:
            more = self.socket.recv(count - len(octets))
            if not more:
                raise EOFError
            octets += more
        return octets


def text(document: etree._Element, name: str) -> str | None:
    """Text of the first element of this name."""
    return next((each.text for each in document.iter(f"{{{NS}}}{name}")), None)


def texts(document: etree._Element, name: str) -> list[str | None]:
    return [each.text for each in document.iter(f"{{{NS}}}{name}")]


def name(document: etree._Element) -> str:
    return str(etree.QName(document).localname)
