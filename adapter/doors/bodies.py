"""The body of a web request, read whole and no further than the limit."""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING

from adapter.domain.errors import Code, Refusal

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

_CHARSET = re.compile(r"""charset\s*=\s*["']?([a-z0-9._-]{1,40})""")
_GZIP = 16 + zlib.MAX_WBITS


class TooLarge(Refusal):
    """The body is beyond the limit."""

    def __init__(self, limit: int) -> None:
        super().__init__(Code.BAD_REQUEST, f"the request has more than {limit} octets")


def charset_of(environ: WSGIEnvironment) -> str | None:
    """The character set that the Content-Type names."""
    found = _CHARSET.search(environ.get("CONTENT_TYPE", "").lower())
    return found[1] if found else None


def read_body(environ: WSGIEnvironment, most: int) -> bytes:
    """The body, unpacked where it is compressed. `most` octets, packed and unpacked.

    waitress gives CONTENT_LENGTH also for chunks. Raises Refusal(BAD_REQUEST), TooLarge.
    """
    if environ.get("CONTENT_TYPE", "").lower().startswith("multipart/"):
        raise Refusal(Code.BAD_REQUEST, "attachments are not taken: send the plain request")
    try:
        length = int(environ.get("CONTENT_LENGTH") or 0)
    except ValueError:
        raise Refusal(Code.BAD_REQUEST, "Content-Length is no number") from None
    if length > most:
        raise TooLarge(most)
    body: bytes = environ["wsgi.input"].read(length)
    match environ.get("HTTP_CONTENT_ENCODING", "identity").strip().lower():
        case "identity":
            return body
        case "gzip" | "x-gzip":
            return _unpacked(body, most)
        case _:
            raise Refusal(Code.BAD_REQUEST, "Content-Encoding: gzip, or none")


def _unpacked(body: bytes, most: int) -> bytes:
    unpacker = zlib.decompressobj(_GZIP)
    try:
        # One octet more than allowed shows that there would be more.
        text = unpacker.decompress(body, most + 1)
    except zlib.error:
        raise Refusal(Code.BAD_REQUEST, "the body is not gzip") from None
    if len(text) > most:
        raise TooLarge(most)
    if not unpacker.eof or unpacker.unused_data:
        raise Refusal(Code.BAD_REQUEST, "the body is not one whole gzip member")
    return text
