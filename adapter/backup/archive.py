"""The archive: what a backup holds, as one compressed and sealed stream of frames.

A frame is 1 octet kind, 4 octets length (big-endian), and its body. In this order:

    M   JSON: what the archive is, when it was taken, and of which schema
    F   a file of the configuration: 2 octets length of its name, the name, its octets
    T   JSON: a table begins, its name and columns
    D   whole rows of it (`adapter.backup.rows`)
    E   JSON: it ends; how many rows it had, and their SHA-256
    Z   JSON: the end of the archive, with the rows of every table

Both sides hold a few MiB in memory, however long the stream is.
"""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, BinaryIO, NamedTuple

from adapter.backup.faults import BackupError, DamagedError
from adapter.backup.sealing import Sealer, unseal

FORMAT = 1
_HEAD = struct.Struct(">cI")
_NAME = struct.Struct(">H")
_LONGEST = 64 << 20
_AT_ONCE = 4 << 20


@dataclass(frozen=True, slots=True)
class Manifest:
    """`schema` is the store's revision, `taken_at` the moment of the snapshot (ms since 1970)."""

    node: str
    program: str
    schema: str
    database: str
    taken_at: int
    format: int = FORMAT


class FileOf(NamedTuple):
    """A file of the configuration, by its path from the main file's folder."""

    name: str
    octets: bytes


class TableBegin(NamedTuple):
    """The rows that follow are of this table, values in the order of `columns`."""

    name: str
    columns: Sequence[str]


class TableEnd(NamedTuple):
    name: str
    rows: int


Part = Manifest | FileOf | TableBegin | bytes | TableEnd


class ArchiveWriter:
    """Writes an archive to `file`; `finish` ends it."""

    def __init__(self, file: BinaryIO, key: bytes, manifest: Manifest) -> None:
        self._sealer = Sealer(file, key)
        # Level 1 keeps pace with the databases; texts shrink to a fifth all the same.
        self._zip = zlib.compressobj(1)
        self._rows: dict[str, int] = {}
        self._frame(b"M", _json(asdict(manifest)))

    def file(self, name: str, octets: bytes) -> None:
        coded = name.encode()
        self._frame(b"F", _NAME.pack(len(coded)) + coded + octets)

    def table(self, name: str, columns: Sequence[str], blocks: Iterable[bytes]) -> int:
        """A table, its rows in blocks of whole lines; how many rows it had."""
        self._frame(b"T", _json({"name": name, "columns": list(columns)}))
        rows, digest = 0, hashlib.sha256()
        for block in blocks:
            # A line end within a value is escaped: these are ends of rows.
            rows += block.count(b"\n")
            digest.update(block)
            self._frame(b"D", block)
        self._frame(b"E", _json({"name": name, "rows": rows, "sha256": digest.hexdigest()}))
        self._rows[name] = rows
        return rows

    def finish(self) -> Mapping[str, int]:
        """The rows of each table."""
        self._frame(b"Z", _json({"tables": self._rows}))
        self._sealer.write(self._zip.flush())
        self._sealer.finish()
        return self._rows

    def _frame(self, kind: bytes, body: bytes) -> None:
        self._sealer.write(self._zip.compress(_HEAD.pack(kind, len(body))))
        self._sealer.write(self._zip.compress(body))


def read_archive(file: BinaryIO, key: bytes) -> Iterator[Part]:
    """The parts of an archive, first its manifest. Raises BackupError; what came before an
    error was authentic, and is worth nothing without the rest."""
    frames = _frames(unseal(file, key))
    kind, body = next(frames, (b"", b""))
    if kind != b"M":
        raise DamagedError("it does not begin with a manifest")
    yield _manifest(body)
    tables: dict[str, int] = {}
    open_table, digest, rows = "", hashlib.sha256(), 0
    for kind, body in frames:
        match kind:
            case b"F":
                (length,) = _NAME.unpack_from(body)
                name = body[_NAME.size : _NAME.size + length].decode()
                yield FileOf(name, body[_NAME.size + length :])
            case b"T":
                begun = json.loads(body)
                open_table, digest, rows = begun["name"], hashlib.sha256(), 0
                yield TableBegin(open_table, begun["columns"])
            case b"D":
                digest.update(body)
                rows += body.count(b"\n")
                yield body
            case b"E":
                told = json.loads(body)
                if told != {"name": open_table, "rows": rows, "sha256": digest.hexdigest()}:
                    raise DamagedError(f"table {open_table}: not the rows that were written")
                tables[open_table] = rows
                yield TableEnd(open_table, rows)
            case b"Z":
                if json.loads(body)["tables"] != tables:
                    raise DamagedError("tables are missing in it")
                return
            case _:
                raise DamagedError(f"it holds a frame of an unknown kind {kind!r}")
    raise DamagedError("it has no end")


def _manifest(body: bytes) -> Manifest:
    told: dict[str, Any] = json.loads(body)
    if told.get("format") != FORMAT:
        raise BackupError(
            f"its format is {told.get('format')}, this program reads {FORMAT}: "
            "restore it with the program that made it"
        )
    return Manifest(**told)


def _frames(pieces: Iterator[bytes]) -> Iterator[tuple[bytes, bytes]]:
    buffer = bytearray()
    for octets in _unzipped(pieces):
        buffer += octets
        at = 0
        while len(buffer) - at >= _HEAD.size:
            kind, length = _HEAD.unpack_from(buffer, at)
            if length > _LONGEST:
                raise DamagedError("it holds a frame that is too long")
            end = at + _HEAD.size + length
            if len(buffer) < end:
                break
            yield kind, bytes(memoryview(buffer)[at + _HEAD.size : end])
            at = end
        del buffer[:at]
    if buffer:
        raise DamagedError("it ends within a frame")


def _unzipped(pieces: Iterator[bytes]) -> Iterator[bytes]:
    unzip = zlib.decompressobj()
    try:
        for piece in pieces:
            octets = unzip.decompress(piece, _AT_ONCE)
            while octets:
                yield octets
                octets = unzip.decompress(unzip.unconsumed_tail, _AT_ONCE)
    except zlib.error as error:
        raise DamagedError(f"its compression is broken: {error}") from None


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
