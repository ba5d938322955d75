"""One text for a message id, however the SMSC writes it (smpp.md 8).

Some answer a submit with a hexadecimal id and write it in decimal in the receipt, or the other
way round, often with leading zeros. The canonical text is the answer's id in lower case without
leading zeros; a receipt's id is brought to the answers' base.

Limits: self-detection needs receipts whose answers are among the last `REMEMBERED`; until the
first of them, an id is taken as it stands.
"""

from __future__ import annotations

import re
from collections import Counter
from enum import StrEnum

REMEMBERED = 10_000
_SURE = 20
_LONGEST = 64
_TAIL = 10
_DECIMAL = re.compile(r"[0-9]{1,32}")
_HEX = re.compile(r"[0-9a-f]{1,32}")


class IdForm(StrEnum):
    """How a receipt writes the id. DECIMAL: answers are hexadecimal; HEX: decimal. SWAPPED: its
    octets in reverse. LAST10: the last ten characters of it, found among the last answers."""

    AUTO = "auto"
    SAME = "same"
    DECIMAL = "decimal"
    HEX = "hex"
    SWAPPED = "swapped"
    LAST10 = "last10"


def canonical(text: str) -> str:
    """Lower case, without leading zeros, at most 64 characters; empty for no id."""
    stripped = text.strip().lower()
    return stripped.lstrip("0")[:_LONGEST] or stripped[:1]


def converted(text: str, form: IdForm) -> str | None:
    """The answer's canonical id for a receipt's; None when it cannot be of this form."""
    plain = canonical(text)
    if form is IdForm.DECIMAL:
        return f"{int(plain):x}" if _DECIMAL.fullmatch(plain) else None
    if form is IdForm.SWAPPED:
        return _swapped(text.strip().lower())
    if form is IdForm.HEX:
        return str(int(plain, 16)) if _HEX.fullmatch(plain) else None
    return plain


def _swapped(text: str) -> str | None:
    whole = len(text) % 2 == 0 and _HEX.fullmatch(text)
    return canonical(bytes.fromhex(text)[::-1].hex()) if whole else None


class IdBook:
    """What the links of a channel have learnt about their SMSC's ids. For one event loop."""

    def __init__(self) -> None:
        self.votes: Counter[IdForm] = Counter()
        """Receipts whose id fitted an answer in this form and no other."""
        self._recent: dict[str, None] = {}
        self._by_tail: dict[str, str] = {}

    def issued(self, text: str) -> str:
        """The canonical id of an answer; remembered for its receipt."""
        plain = canonical(text)
        if plain:
            self._recent[plain] = None
            self._by_tail[plain[-_TAIL:]] = plain
            if len(self._recent) > REMEMBERED:
                del self._recent[next(iter(self._recent))]
            if len(self._by_tail) > REMEMBERED:
                del self._by_tail[next(iter(self._by_tail))]
        return plain

    def receipted(self, text: str, form: IdForm, exact: str = "") -> tuple[str, bool]:
        """The canonical id of a receipt, and whether its base was changed.

        `exact` is receipted_message_id, where the receipt has one: it goes before the text,
        unless the text alone fits an answer.
        """
        if exact:
            plain = canonical(exact)
            if plain in self._recent or not text or form is not IdForm.AUTO:
                return plain, False
        if form is IdForm.AUTO:
            form = self._detect(text)
            if exact and converted(text, form) not in self._recent:
                return canonical(exact), False
        if form is IdForm.LAST10:
            tail = canonical(text)[-_TAIL:]
            return self._by_tail.get(tail, tail), True
        found = converted(text, form)
        return (canonical(text), False) if found is None else (found, form is not IdForm.SAME)

    def _detect(self, text: str) -> IdForm:
        usual = max((IdForm.SAME, IdForm.DECIMAL, IdForm.HEX), key=self.votes.__getitem__)
        if self.votes[usual] >= _SURE and self.votes[usual] * 10 > self.votes.total() * 9:
            return usual
        fitting = [
            form
            for form in (IdForm.SAME, IdForm.DECIMAL, IdForm.HEX)
            if converted(text, form) in self._recent
        ]
        if len(fitting) == 1:
            self.votes[fitting[0]] += 1
            return fitting[0]
        return usual if not fitting or usual in fitting else fitting[0]
