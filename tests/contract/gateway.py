"""A client of the CMPP door, as plain as one that a hospital would write: blocking, CMPP 3.0."""

from __future__ import annotations

import socket
from types import TracebackType
from typing import Any, Self

from connectors.cmpp.auth import source_digest
from connectors.cmpp.pdus import CODECS, ActiveTest, Connect, Deliver, DeliverResp, Submit
from tests.nodes import ACCESS_NUMBER, HOST

_CODECS = CODECS["3.0"]
_AT = 101000000
PATIENCE_S = 30


class CmppClient:
    """One connection. `status` is what the login heard; a context."""

    def __init__(self, port: int, account: str, secret: str) -> None:
        self.socket = socket.create_connection((HOST, port), timeout=PATIENCE_S)
        self._delivered: list[Deliver] = []
        self._sequence = 1
        digest = source_digest(account.encode(), secret.encode(), _AT)
        self._write(Connect(1, account.encode(), digest, 0x30, _AT))
        self.status: int = self._read().status

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.socket.close()

    def submit(self, *mobiles: str, content: str = "您好", **more: Any) -> Any:
        """The answer to a submit of one frame."""
        asked: dict[str, Any] = {
            "src_id": ACCESS_NUMBER.encode(),
            "dest_terminal_id": tuple(each.encode() for each in mobiles),
            "msg_content": content.encode("utf-16-be"),
        }
        return self.ask(Submit(self._next(), **(asked | more)))

    def test(self) -> Any:
        """The answer to a heartbeat."""
        return self.ask(ActiveTest(self._next()))

    def ask(self, pdu: Any) -> Any:
        """The answer to a frame; what is delivered meanwhile is kept."""
        self._write(pdu)
        while isinstance(heard := self._read(), Deliver):
            self._delivered.append(heard)
        assert heard.sequence_id == pdu.sequence_id
        return heard

    def delivered(self) -> Deliver:
        """The next report or text, answered with 0."""
        heard = self._delivered.pop(0) if self._delivered else self._read()
        assert isinstance(heard, Deliver)
        self._write(DeliverResp(heard.sequence_id, heard.msg_id, 0))
        return heard

    def _next(self) -> int:
        self._sequence += 1
        return self._sequence

    def _write(self, pdu: Any) -> None:
        self.socket.sendall(_CODECS.encode(pdu))

    def _read(self) -> Any:
        head = self._exactly(4)
        return _CODECS.decode(head + self._exactly(int.from_bytes(head, "big") - 4))

    def _exactly(self, count: int) -> bytes:
        octets = b""
        while len(octets) < count:
            more = self.socket.recv(count - len(octets))
            if not more:
                raise EOFError
            octets += more
        return octets
