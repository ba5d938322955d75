"""What any octets must not do to the library: raise anything but its own errors, or come out of a
decoder and an encoder changed. `scripts/fuzz` searches, tests/connectors/test_fuzz.py replays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from connectors.dialect import Delivered
from connectors.errors import DecodeError, EncodeError
from connectors.pdu_view import VIEWS, describe
from connectors.protocols import CLIENTS, LISTENERS, SERVERS
from connectors.settings import LinkSettings, ServerSettings
from tests.connectors.vectors import frames

VERSIONS = [(protocol, version) for protocol, views in VIEWS.items() for version in views]
Reader = Callable[[int, bytes], Any]


def seeds(protocol: str) -> list[bytes]:
    """Whole frames to begin from."""
    return frames(protocol.upper())


def readers(protocol: str) -> Iterator[Reader]:
    """Both ends of a connection, made afresh: they remember what they read."""
    for version in VIEWS[protocol]:
        settings = LinkSettings(protocol, version, "127.0.0.1", 1, "901234", "secret")
        yield CLIENTS[protocol](settings).read
    yield SERVERS[protocol].dialect(ServerSettings(protocol)).read
    caller = SERVERS[protocol].caller
    if caller is not None:
        yield caller(ServerSettings(protocol)).read
    if protocol in LISTENERS:
        yield LISTENERS[protocol]().read


def try_codecs(protocol: str, frame: bytes) -> None:
    """Every version's decoder, encoder and view."""
    for version, view in VIEWS[protocol].items():
        describe(protocol, version, frame.hex())
        try:
            pdu = view.codecs.decode(frame)
        except DecodeError as fault:
            assert 0 <= fault.offset <= len(frame)
            continue
        try:
            again = view.codecs.by_command[pdu.command].encode(pdu)
        except EncodeError:
            continue  # a peer exceeded a width that binds us
        assert again == frame


def try_readers(protocol: str, frame: bytes) -> None:
    """Both ends, as the wire hands them a frame: a good length and a whole header."""
    for read in readers(protocol):
        try:
            event = read(int.from_bytes(frame[4:8], "big"), frame)
        except DecodeError:
            continue
        if isinstance(event, Delivered):
            assert isinstance(event.response, bytes)


def attempt(protocol: str, frame: bytes) -> None:
    """Raises whatever should not have been."""
    try_codecs(protocol, frame)
    header = CLIENTS[protocol](
        LinkSettings(protocol, next(iter(VIEWS[protocol])), "127.0.0.1", 1, "1", "1")
    ).header_size
    if len(frame) >= header:
        try_readers(protocol, len(frame).to_bytes(4, "big") + frame[4:])
