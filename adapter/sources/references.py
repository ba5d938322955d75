"""Under which reference a row is accepted: its key, or `KEY~2` when it is sent again.

A row is a second sending if it was taken after its last sending was accepted: ids of
submissions tell when that was. So the answer is the same before and after a crash.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from adapter.domain.ids import id_at
from adapter.domain.ports import AcceptancePort
from dbpoll.values import Row

_NUMBERED = re.compile(r"(.*)~[1-9][0-9]{0,5}", re.DOTALL)


class References:
    """Of one source whose rows may be sent again."""

    def __init__(self, acceptance: AcceptancePort, client: str, source: str) -> None:
        self._acceptance = acceptance
        self._client = client
        self._source = source

    def of(self, rows: Sequence[Row]) -> dict[str, str]:
        """The reference of each key. Raises StoreUnavailable."""
        found: dict[str, str] = {}
        asked = {row.key: (row.key, row.taken_at) for row in rows}
        number = 1
        while asked:
            answers = self._acceptance.first_answers(
                [(self._client, self._source, reference) for reference, _ in asked.values()]
            )
            number += 1
            later: dict[str, tuple[str, datetime | None]] = {}
            for (key, (reference, taken_at)), answer in zip(asked.items(), answers, strict=True):
                made = None if answer is None else answer.submission_id
                if made is not None and taken_at is not None and made < id_at(taken_at):
                    later[key] = (f"{key}~{number}", taken_at)
                else:
                    found[key] = reference
            asked = later
        return found


def key_of(reference: str) -> str:
    """The key of a row that may have been sent again."""
    numbered = _NUMBERED.fullmatch(reference)
    return numbered[1] if numbered else reference


def is_ambiguous(key: str) -> bool:
    """Whether a key looks like a reference of another one."""
    return _NUMBERED.fullmatch(key) is not None
