"""Describe a PDU once; get its encoder and its decoder.

A PDU is a struct whose annotations carry a field description:

    class Cancel(Frame):
        title: ClassVar[str] = "CMPP_CANCEL"
        command: ClassVar[int] = 0x00000007
        msg_id: Annotated[bytes, Raw("Msg_Id", 8)] = bytes(8)

`compile_codec(Cancel, "3.0")` turns the description into two functions. Runs of fixed fields
become one `struct.Struct`, and the functions are generated as source and compiled once, as
`dataclasses` does: a CMPP submit is decoded and encoded again in a few microseconds.

A width may differ by version (`{"2.0": 21, "3.0": 32}`); a version that is missing has no such
field. Octet strings are kept as bytes without their NUL padding, so every frame that decodes
also encodes to the same octets, whatever a peer hid behind a NUL; `connectors.text.plain`
makes text of them.

Limits: decoders raise `DecodeError` only, and expect `bytes`. When the fast way fails, the
frame is walked field by field to find out where.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar, get_type_hints

from msgspec import Struct, structs

from connectors.errors import DecodeError, EncodeError

Width = int | Mapping[str, int]
_UINT = {1: "B", 2: "H", 4: "I", 8: "Q"}


def _uint_at(frame: bytes, at: int, width: int) -> int:
    return int.from_bytes(frame[at : at + width], "big")


class Source:
    """The two functions of a codec while they are being written."""

    def __init__(self) -> None:
        self.namespace: dict[str, Any] = {"NUL": b"\0"}
        self.read: list[str] = []
        self.write: list[str] = []
        self.pieces: list[str] = []
        self.checks: list[str] = []
        self.sizes: list[str] = []
        self.assigned: list[str] = []
        self.size = 0
        self._formats: list[str] = []
        self._targets: list[str] = []
        self._values: list[str] = []
        self._after: list[str] = []
        self._runs = 0

    def fixed(self, fmt: str, target: str, value: str, after: str = "") -> None:
        """One fixed field: joins the current run."""
        self._formats.append(fmt)
        self._targets.append(target)
        self._values.append(value)
        if after:
            self._after.append(after)

    def flush(self) -> None:
        """End the current run of fixed fields: one unpack, one pack."""
        if not self._formats:
            return
        run = struct.Struct(">" + "".join(self._formats))
        unpack, pack = f"unpack_{self._runs}", f"pack_{self._runs}"
        self.namespace[unpack], self.namespace[pack] = run.unpack_from, run.pack
        self.read.append(f"{', '.join(self._targets)}, = {unpack}(frame, at)")
        self.read.append(f"at += {run.size}")
        self.read += self._after
        self.pieces.append(f"{pack}({', '.join(self._values)})")
        self.size += run.size
        self._runs += 1
        self._formats, self._targets, self._values, self._after = [], [], [], []

    def attribute(self, name: str) -> None:
        """The decoder sets, the encoder loads this attribute."""
        self.assigned.append(name)
        self.write.append(f"{name} = pdu.{name}")


class Spec(Protocol):
    """What every field description can do."""

    @property
    def name(self) -> str:
        """The field's name on the wire, as in the specification."""

    def resolve(self, version: str) -> Self | None:
        """This description with the widths of `version`, or None where it has no such field."""

    def emit(self, source: Source, attr: str) -> None:
        """Write this field's part of both functions."""

    def span(self, frame: bytes, at: int) -> int:
        """How many octets the field wants at `at`."""

    def fault(self, value: Any) -> str:
        """Why `value` does not fit, or empty."""


@dataclass(frozen=True, slots=True)
class _Sized:
    name: str
    width: Width = 1

    def resolve(self, version: str) -> Self | None:
        if isinstance(self.width, int):
            return self
        width = self.width.get(version, 0)
        return replace(self, width=width) if width else None

    @property
    def octets(self) -> int:
        if not isinstance(self.width, int):
            raise TypeError(f"{self.name}: width was not resolved for a version")
        return self.width

    def span(self, frame: bytes, at: int) -> int:
        return self.octets


class UInt(_Sized):
    """An unsigned integer of 1, 2, 4 or 8 octets."""

    __slots__ = ()

    def emit(self, source: Source, attr: str) -> None:
        source.attribute(attr)
        source.fixed(_UINT[self.octets], attr, attr)

    def fault(self, value: Any) -> str:
        fits = isinstance(value, int) and 0 <= value < 1 << 8 * self.octets
        return "" if fits else f"not an unsigned integer of {self.octets} octets"


class Raw(_Sized):
    """Exactly `width` octets, kept as they are: ids and digests."""

    __slots__ = ()

    def emit(self, source: Source, attr: str) -> None:
        source.attribute(attr)
        source.fixed(f"{self.octets}s", attr, attr)
        source.checks.append(f"len({attr}) != {self.octets}")

    def fault(self, value: Any) -> str:
        fits = isinstance(value, bytes) and len(value) == self.octets
        return "" if fits else f"not exactly {self.octets} octets"


class Octets(_Sized):
    """An octet string padded with NUL on the right to `width`."""

    __slots__ = ()

    def emit(self, source: Source, attr: str) -> None:
        source.attribute(attr)
        source.fixed(f"{self.octets}s", attr, attr, f"{attr} = {attr}.rstrip(NUL)")
        source.checks.append(f"len({attr}) > {self.octets}")

    def fault(self, value: Any) -> str:
        fits = isinstance(value, bytes) and len(value) <= self.octets
        return "" if fits else f"longer than {self.octets} octets"


class Length(_Sized):
    """Octets of the whole frame; computed, no attribute."""

    __slots__ = ()

    def emit(self, source: Source, attr: str) -> None:
        source.fixed(_UINT[self.octets], "_length", "_total")

    def fault(self, value: Any) -> str:
        return ""


class Command(_Sized):
    """The PDU's command number; constant, no attribute."""

    __slots__ = ()

    def emit(self, source: Source, attr: str) -> None:
        source.fixed(_UINT[self.octets], "_command", "COMMAND")

    def fault(self, value: Any) -> str:
        return ""


@dataclass(frozen=True, slots=True)
class Counted:
    """Octets whose number stands right before them, in the field `count`."""

    name: str
    count: str
    width: int = 1

    def resolve(self, version: str) -> Self | None:
        return self

    def emit(self, source: Source, attr: str) -> None:
        size = f"_{attr}_size"
        source.attribute(attr)
        source.write.append(f"{size} = len({attr})")
        source.fixed(_UINT[self.width], size, size)
        source.flush()
        source.read.append(f"{attr} = frame[at:at + {size}]")
        source.read.append(f"at += {size}")
        source.pieces.append(attr)
        source.sizes.append(size)

    def span(self, frame: bytes, at: int) -> int:
        return self.width + _uint_at(frame, at, self.width)

    def fault(self, value: Any) -> str:
        fits = isinstance(value, bytes) and len(value) < 1 << 8 * self.width
        return "" if fits else f"more octets than {self.count} can count"


@dataclass(frozen=True, slots=True)
class Repeated:
    """A tuple of NUL-padded octet strings whose number stands right before them, in `count`."""

    name: str
    count: str
    each: Width = 1
    width: int = 1

    def resolve(self, version: str) -> Self | None:
        if isinstance(self.each, int):
            return self
        return replace(self, each=self.each[version])

    @property
    def octets(self) -> int:
        if not isinstance(self.each, int):
            raise TypeError(f"{self.name}: width was not resolved for a version")
        return self.each

    def emit(self, source: Source, attr: str) -> None:
        size, each, packed = f"_{attr}_size", self.octets, f"_{attr}_packed"
        source.attribute(attr)
        source.write += [
            f"{size} = len({attr})",
            f"{packed} = {attr}[0].ljust({each}, NUL) if {size} == 1 else "
            f"b''.join([_item.ljust({each}, NUL) for _item in {attr}])",
        ]
        source.checks.append(f"len({packed}) != {each} * {size}")
        source.fixed(_UINT[self.width], size, size)
        source.flush()
        source.read += [
            f"_end = at + {each} * {size}",
            f"{attr} = (frame[at:_end].rstrip(NUL),) if {size} == 1 else tuple("
            f"[frame[_at:_at + {each}].rstrip(NUL) for _at in range(at, _end, {each})])",
            "at = _end",
        ]
        source.pieces.append(packed)
        source.sizes.append(f"{each} * {size}")

    def span(self, frame: bytes, at: int) -> int:
        return self.width + self.octets * _uint_at(frame, at, self.width)

    def fault(self, value: Any) -> str:
        if len(value) >= 1 << 8 * self.width:
            return f"more than {self.count} can count"
        return "" if all(len(v) <= self.octets for v in value) else f"longer than {self.octets}"


@dataclass(frozen=True, slots=True)
class OptionalUInt:
    """An unsigned integer at the end that some peers leave out; None when it is absent."""

    name: str
    width: int = 1

    def resolve(self, version: str) -> Self | None:
        return self

    def emit(self, source: Source, attr: str) -> None:
        source.flush()
        source.attribute(attr)
        width = self.width
        source.namespace["to_int"] = int.from_bytes
        source.read += [
            f"{attr} = to_int(frame[at:at + {width}], 'big') if at < len(frame) else None",
            f"at += 0 if {attr} is None else {width}",
        ]
        source.write.append(f"_{attr} = b'' if {attr} is None else {attr}.to_bytes({width}, 'big')")
        source.pieces.append(f"_{attr}")
        source.sizes.append(f"len(_{attr})")

    def span(self, frame: bytes, at: int) -> int:
        return self.width if at < len(frame) else 0

    def fault(self, value: Any) -> str:
        fits = value is None or 0 <= value < 1 << 8 * self.width
        return "" if fits else f"not an unsigned integer of {self.width} octets"


class PDU(Struct, gc=False):
    """Base of all PDUs. A protocol's own base adds `header` and the header's attributes."""

    title: ClassVar[str]
    command: ClassVar[int]
    header: ClassVar[tuple[Spec, ...]]


P = TypeVar("P", bound=PDU)


@dataclass(frozen=True, slots=True)
class Codec(Generic[P]):
    """Encoder and decoder of one PDU in one version. `layout` is (attribute, description)."""

    pdu: type[P]
    layout: tuple[tuple[str, Spec], ...] = field(repr=False)
    encode: Callable[[P], bytes] = field(repr=False)
    decode: Callable[[bytes], P] = field(repr=False)


def compile_codec(pdu: type[P], version: str) -> Codec[P]:
    """The codec of `pdu` as `version` lays it out."""
    layout = _layout(pdu, version)
    source = Source()
    for attr, spec in layout:
        spec.emit(source, attr)
    source.flush()
    namespace = source.namespace
    namespace.update({f"default_{each.name}": each.default for each in structs.fields(pdu)})
    namespace.update(
        COMMAND=pdu.command,
        PDU=pdu,
        StructError=struct.error,
        decode_fault=lambda frame: _decode_fault(pdu, layout, frame),
        encode_fault=lambda value: _encode_fault(layout, value),
    )
    # The text compiled here is made of the descriptions above alone, never of input.
    exec(_decoder(source, pdu) + _encoder(source), namespace)  # noqa: S102
    return Codec(pdu, layout, namespace["encode"], namespace["decode"])


def _layout(pdu: type[PDU], version: str) -> tuple[tuple[str, Spec], ...]:
    layout: list[tuple[str, Spec]] = [("", spec) for spec in pdu.header]
    for attr, hint in get_type_hints(pdu, include_extras=True).items():
        for spec in getattr(hint, "__metadata__", ()):
            resolved = spec.resolve(version)
            if resolved is not None:
                layout.append((attr, resolved))
    return tuple(layout)


def _decoder(source: Source, pdu: type[PDU]) -> str:
    # By place: naming them costs four times as much.
    values = [
        each.name if each.name in source.assigned else f"default_{each.name}"
        for each in structs.fields(pdu)
    ]
    lines = ["def decode(frame):", " at = 0", " try:"]
    lines += [f"  {line}" for line in source.read]
    lines += [
        " except StructError:",
        "  raise decode_fault(frame) from None",
        " if at != len(frame) or _length != at or _command != COMMAND:",
        "  raise decode_fault(frame)",
        f" return PDU({', '.join(values)})",
    ]
    return "\n".join([*lines, ""])


def _encoder(source: Source) -> str:
    total = " + ".join([str(source.size), *source.sizes])
    pieces = ", ".join(source.pieces)
    frame = pieces if len(source.pieces) == 1 else f"b''.join(({pieces}))"
    lines = ["def encode(pdu):", " try:"]
    lines += [f"  {line}" for line in source.write]
    if source.checks:
        lines += [f"  if {' or '.join(source.checks)}:", "   raise encode_fault(pdu)"]
    lines += [f"  _total = {total}", f"  return {frame}"]
    lines += [" except (StructError, TypeError, AttributeError, OverflowError):"]
    lines += ["  raise encode_fault(pdu) from None"]
    return "\n".join([*lines, ""])


def _decode_fault(
    pdu: type[PDU], layout: tuple[tuple[str, Spec], ...], frame: bytes
) -> DecodeError:
    at = 0
    for _, spec in layout:
        left = len(frame) - at
        needed = spec.span(frame, at)
        if needed > left and isinstance(spec, Counted | Repeated):
            if left < spec.width:
                return _short(spec.width, left, at, spec.count)
            return _short(needed - spec.width, left - spec.width, at + spec.width, spec.name)
        if needed > left:
            return _short(needed, left, at, spec.name)
        if isinstance(spec, Length) and _uint_at(frame, at, needed) != len(frame):
            return DecodeError(f"frame has {len(frame)} octets", offset=at, field=spec.name)
        if isinstance(spec, Command) and _uint_at(frame, at, needed) != pdu.command:
            return DecodeError(f"not {pdu.title}", offset=at, field=spec.name)
        at += needed
    return DecodeError(f"{len(frame) - at} octets after the last field", offset=at)


def _short(needed: int, left: int, at: int, field: str) -> DecodeError:
    return DecodeError(f"needs {needed} octets, {left} left", offset=at, field=field)


def _encode_fault(layout: tuple[tuple[str, Spec], ...], pdu: PDU) -> EncodeError:
    for attr, spec in layout:
        reason = spec.fault(getattr(pdu, attr)) if attr else ""
        if reason:
            return EncodeError(reason, field=spec.name)
    return EncodeError("cannot be encoded", field=type(pdu).title)
