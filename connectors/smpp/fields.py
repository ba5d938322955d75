"""Kinds of field that SMPP has beside the common ones (smpp.md 2, 4)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Self

from connectors.fields import Source

SME, LIST = 1, 2


@dataclass(frozen=True, slots=True)
class CString:
    """Text that ends with a NUL; kept as bytes without it.

    `width` counts the NUL and binds what we send; a peer may exceed it. With `optional` the
    field is None where the frame ends before it: responses that carry an error often lack
    their body.
    """

    name: str
    width: int
    optional: bool = False

    def resolve(self, version: str) -> Self | None:
        return self

    def emit(self, source: Source, attr: str) -> None:
        source.flush()
        source.attribute(attr)
        source.namespace["c_string"] = c_string
        reading = f"{attr}, at = c_string(frame, at)"
        packed = f"_{attr}"
        if self.optional:
            reading += " if at < len(frame) else (None, at)"
            source.write.append(f"{packed} = b'' if {attr} is None else {attr} + NUL")
            source.checks.append(f"len({packed}) > {self.width} or NUL in {packed}[:-1]")
        else:
            source.write.append(f"{packed} = {attr} + NUL")
            source.checks.append(f"len({packed}) > {self.width} or NUL in {attr}")
        source.read.append(reading)
        source.pieces.append(packed)
        source.sizes.append(f"len({packed})")

    def span(self, frame: bytes, at: int) -> int:
        if self.optional and at >= len(frame):
            return 0
        end = frame.find(b"\0", at)
        return (end if end >= 0 else max(len(frame), at)) + 1 - at

    def fault(self, value: Any) -> str:
        if value is None and self.optional:
            return ""
        if not isinstance(value, bytes):
            return "not octets"
        if b"\0" in value:
            return "a NUL inside"
        return "" if len(value) < self.width else f"longer than {self.width - 1} characters"


class Address(NamedTuple):
    """A destination of a submit_multi: a number, or with `flag` LIST a list's name."""

    address: bytes
    ton: int = 0
    npi: int = 0
    flag: int = SME


class Unsuccessful(NamedTuple):
    """A destination that a submit_multi could not be sent to."""

    address: bytes
    ton: int
    npi: int
    status: int


def c_string(frame: bytes, at: int) -> tuple[bytes, int]:
    """The text at `at` and where the next field begins. Raises struct.error without a NUL."""
    end = frame.find(b"\0", at)
    if end < 0:
        raise struct.error("no NUL")
    return frame[at:end], end + 1


def read_addresses(frame: bytes, at: int) -> tuple[tuple[Address, ...], int]:
    """Raises struct.error when the frame ends early or a flag is unknown."""
    (count,) = struct.unpack_from(">B", frame, at)
    at += 1
    found = []
    for _ in range(count):
        (flag,) = struct.unpack_from(">B", frame, at)
        ton = npi = 0
        if flag == SME:
            ton, npi = struct.unpack_from(">BB", frame, at + 1)
            at += 2
        elif flag != LIST:
            raise struct.error(f"dest_flag {flag}")
        address, at = c_string(frame, at + 1)
        found.append(Address(address, ton, npi, flag))
    return tuple(found), at


def write_addresses(addresses: tuple[Address, ...]) -> bytes:
    """Raises struct.error or TypeError for what does not fit."""
    out = [struct.pack(">B", len(addresses))]
    for address, ton, npi, flag in addresses:
        if len(address) > 20 or b"\0" in address or flag not in (SME, LIST):
            raise struct.error("address")
        head = struct.pack(">BBB", flag, ton, npi) if flag == SME else b"\2"
        out += [head, address, b"\0"]
    return b"".join(out)


def read_failures(frame: bytes, at: int) -> tuple[tuple[Unsuccessful, ...] | None, int]:
    """Raises struct.error when the frame ends early."""
    if at >= len(frame):
        return None, at
    (count,) = struct.unpack_from(">B", frame, at)
    at += 1
    found = []
    for _ in range(count):
        ton, npi = struct.unpack_from(">BB", frame, at)
        address, at = c_string(frame, at + 2)
        (status,) = struct.unpack_from(">I", frame, at)
        found.append(Unsuccessful(address, ton, npi, status))
        at += 4
    return tuple(found), at


def write_failures(failures: tuple[Unsuccessful, ...] | None) -> bytes:
    """Raises struct.error or TypeError for what does not fit."""
    if failures is None:
        return b""
    out = [struct.pack(">B", len(failures))]
    for address, ton, npi, status in failures:
        if len(address) > 20 or b"\0" in address:
            raise struct.error("address")
        out += [struct.pack(">BB", ton, npi), address, struct.pack(">BI", 0, status)]
    return b"".join(out)


@dataclass(frozen=True, slots=True)
class _Entries:
    """A tuple whose number stands right before it, in `count`."""

    name: str
    count: str
    width: int = 1
    read: ClassVar[staticmethod[[bytes, int], tuple[Any, int]]]
    write: ClassVar[staticmethod[[Any], bytes]]

    def resolve(self, version: str) -> Self | None:
        return self

    def emit(self, source: Source, attr: str) -> None:
        read, write = type(self).read, type(self).write
        source.flush()
        source.attribute(attr)
        source.namespace.update({read.__name__: read, write.__name__: write})
        source.read.append(f"{attr}, at = {read.__name__}(frame, at)")
        source.write.append(f"_{attr} = {write.__name__}({attr})")
        source.pieces.append(f"_{attr}")
        source.sizes.append(f"len(_{attr})")

    def span(self, frame: bytes, at: int) -> int:
        try:
            end = type(self).read(frame, at)[1]
        except struct.error:
            return len(frame) - at + 1
        return end - at

    def fault(self, value: Any) -> str:
        try:
            type(self).write(value)
        except (struct.error, TypeError, ValueError):
            return "an entry does not fit"
        return ""


class Destinations(_Entries):
    """A tuple of `Address`."""

    __slots__ = ()
    read = staticmethod(read_addresses)
    write = staticmethod(write_addresses)


class Failures(_Entries):
    """A tuple of `Unsuccessful`, or None where the frame ends before their number."""

    __slots__ = ()
    read = staticmethod(read_failures)
    write = staticmethod(write_failures)
