"""The codecs of one version of a protocol, by PDU and by command number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, cast

from connectors.errors import DecodeError
from connectors.fields import PDU, Codec, compile_codec

P = TypeVar("P", bound=PDU)


class Codecs:
    """Made once a version. A header begins with its length and its command, 4 octets each."""

    def __init__(self, version: str, pdus: Sequence[type[PDU]], *, header_size: int) -> None:
        self.version = version
        self.header_size = header_size
        self._length, self._command = (spec.name for spec in pdus[0].header)
        self.by_command: Mapping[int, Codec[Any]] = {
            pdu.command: compile_codec(pdu, version) for pdu in pdus
        }

    def of(self, pdu: type[P]) -> Codec[P]:
        """The codec of this PDU, for those who keep the ones they need most."""
        return cast(Codec[P], self.by_command[pdu.command])

    def encode(self, pdu: PDU) -> bytes:
        """One frame; raises EncodeError."""
        return self.by_command[pdu.command].encode(pdu)

    def decode(self, frame: bytes) -> Any:
        """The PDU of a whole frame; raises DecodeError, also for an unknown command."""
        if len(frame) < self.header_size:
            reason = f"a header has {self.header_size} octets"
            raise DecodeError(reason, offset=0, field=self._length)
        command = int.from_bytes(frame[4:8], "big")
        codec = self.by_command.get(command)
        if codec is None:
            reason = f"unknown command 0x{command:08x}"
            raise DecodeError(reason, offset=4, field=self._command)
        return codec.decode(frame)
