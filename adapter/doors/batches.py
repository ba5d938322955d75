"""Web requests that are answered together: what a door has to offer for that, beside WSGI.

One thread takes several requests of one client, hands them to intake in one call, and answers
them after the one commit. Who may be in a batch is only guessed beforehand, from
the first octets of a request; the door looks again when it reads them whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

GLANCE = 3_000
"""Octets of a body that are looked at to find out whose it is."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back for one request."""

    status: str
    body: bytes
    headers: list[tuple[str, str]] = field(default_factory=list)


class Glimpse(NamedTuple):
    """What is seen of a POST before it is read: its path beneath the mount, its Authorization,
    the first octets of its body."""

    path: str
    authorization: str
    head: bytes


@dataclass(frozen=True, slots=True)
class Batched:
    """A WSGI application that can also take several requests at a time, one answer for each.

    `account_of` guesses whose request it is, None where it has to be run alone.
    """

    single: WSGIApplication
    several: Callable[[Sequence[WSGIEnvironment]], Sequence[Answer]]
    account_of: Callable[[Glimpse], str | None]

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return self.single(environ, start_response)
