"""Cursors: a place in the row of notices, and exactly which ones an answer held.

A cursor is `after-last-count-check`: the answer began behind `after`, ended with `last`
and held `count` notices whose ids make up `check`. An acknowledgement looks the notices
between up again and compares: one that was committed late with an earlier id, and so was never
handed out, is never acknowledged unseen. Nothing has to be remembered between the calls.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from adapter.domain.errors import Code, Refusal

_CURSOR = re.compile(r"(\d{1,19})-(\d{1,19})-(\d{1,5})-([0-9a-f]{8})", re.ASCII)
_MAX_ID = 2**63 - 1


def _check(ids: Sequence[int]) -> str:
    return f"{zlib.crc32(','.join(map(str, ids)).encode('ascii')):08x}"


@dataclass(frozen=True, slots=True)
class Cursor:
    """The notices with ids in (after, last]."""

    after: int = 0
    last: int = 0
    count: int = 0
    check: str = "00000000"

    @classmethod
    def over(cls, after: int, ids: Sequence[int]) -> Cursor:
        """The cursor of an answer with these ids, fetched behind `after`."""
        return cls(after, ids[-1] if ids else after, len(ids), _check(ids))

    @classmethod
    def parse(cls, text: str | None) -> Cursor:
        """Raises Refusal(BAD_REQUEST). None is the beginning."""
        if text is None:
            return cls()
        match = _CURSOR.fullmatch(text.strip())
        if match is None or int(match[1]) > _MAX_ID or int(match[2]) > _MAX_ID:
            raise Refusal(Code.BAD_REQUEST, "cursor: is none that we gave", "cursor")
        return cls(int(match[1]), int(match[2]), int(match[3]), match[4])

    def covers(self, ids: Sequence[int]) -> bool:
        """Whether these are the very notices of the answer."""
        return self.count == len(ids) and self.check == _check(ids)

    def __str__(self) -> str:
        return f"{self.after}-{self.last}-{self.count}-{self.check}"
