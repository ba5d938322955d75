"""One text for a message id, however a carrier writes it in its answer and in its receipt.

Some SMSCs answer a submit with a hexadecimal id and write it in decimal in the receipt, or the
other way round, often with leading zeros (smpp.md 8); gateways of other protocols swap its
octets, or keep its last ten characters only. The canonical text is the answer's id in lower case
without leading zeros, or the tail of it where receipts have no more; a receipt's id is brought to
that.

Limits: a base is found out by receipts whose answers are among the last `REMEMBERED`. Until
enough were seen, an id is taken as the most of them were written, or as it stands, and `others`
says what it may be as well; who keeps the answers can look for those. Of two ids with the same
tail, the one who keeps them decides.
"""

from __future__ import annotations

import re
from collections import Counter
from enum import StrEnum

from connectors.values import LONGEST_ID

REMEMBERED = 10_000
_SURE = 20
_TAIL = 10
_DECIMAL = re.compile(r"[0-9]{1,32}")
_HEX = re.compile(r"[0-9a-f]{1,32}")


class IdForm(StrEnum):
    """How a receipt writes the id. DECIMAL: answers are hexadecimal; HEX: decimal. SWAPPED: its
    octets in reverse. LAST10: its last ten characters, which then stand for it everywhere."""

    AUTO = "auto"
    SAME = "same"
    DECIMAL = "decimal"
    HEX = "hex"
    SWAPPED = "swapped"
    LAST10 = "last10"


_BASES = (IdForm.SAME, IdForm.DECIMAL, IdForm.HEX)


def canonical(text: str) -> str:
    """Lower case, without leading zeros, at most 64 characters; empty for no id."""
    stripped = text.strip().lower()
    return stripped.lstrip("0")[:LONGEST_ID] or stripped[:1]


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


def _tail(text: str) -> str:
    return canonical(text.strip()[-_TAIL:])


def _swapped(text: str) -> str | None:
    whole = len(text) % 2 == 0 and _HEX.fullmatch(text)
    return canonical(bytes.fromhex(text)[::-1].hex()) if whole else None


class IdBook:
    """What the links of a channel have learnt about their carrier's ids. For one event loop."""

    def __init__(self) -> None:
        self.votes: Counter[IdForm] = Counter()
        """Receipts whose id fitted an answer in this form and no other."""
        self._recent: dict[str, None] = {}

    def issued(self, text: str, form: IdForm = IdForm.AUTO) -> str:
        """The canonical id of an answer; remembered for its receipt."""
        plain = _tail(text) if form is IdForm.LAST10 else canonical(text)
        if plain:
            self._recent[plain] = None
            if len(self._recent) > REMEMBERED:
                del self._recent[next(iter(self._recent))]
        return plain

    def receipted(self, text: str, form: IdForm, exact: str = "") -> tuple[str, bool]:
        """The canonical id of a receipt, and whether its base was changed.

        `exact` is receipted_message_id, where the receipt has one: it goes before the text,
        unless the text alone fits an answer.
        """
        if form is IdForm.LAST10:
            return _tail(exact or text), True
        if exact:
            plain = canonical(exact)
            if plain in self._recent or not text or form is not IdForm.AUTO:
                return plain, False
        if form is IdForm.AUTO:
            form = self._detect(text)
            if exact and converted(text, form) not in self._recent:
                return canonical(exact), False
        found = converted(text, form)
        return (canonical(text), False) if found is None else (found, form is not IdForm.SAME)

    def others(self, text: str, form: IdForm, exact: str = "") -> tuple[str, ...]:
        """What the id of a receipt may be as well, where nothing tells its base: the answer is
        none of the last ones, as after a restart."""
        if form is not IdForm.AUTO or self._is_sure(self._usual()):
            return ()
        bases = (converted(each, base) for each in (exact, text) if each for base in _BASES)
        every = dict.fromkeys(each for each in bases if each)
        if any(each in self._recent for each in every):
            return ()
        found, _ = self.receipted(text, form, exact)
        return tuple(each for each in every if each != found)

    def _usual(self) -> IdForm:
        return max(_BASES, key=self.votes.__getitem__)

    def _is_sure(self, usual: IdForm) -> bool:
        return self.votes[usual] >= _SURE and self.votes[usual] * 10 > self.votes.total() * 9

    def _detect(self, text: str) -> IdForm:
        usual = self._usual()
        if self._is_sure(usual):
            return usual
        fitting = [form for form in _BASES if converted(text, form) in self._recent]
        if len(fitting) == 1:
            self.votes[fitting[0]] += 1
            return fitting[0]
        return usual if not fitting or usual in fitting else fitting[0]
