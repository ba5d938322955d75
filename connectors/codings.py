"""The codings of texts that each protocol has, their numbers on the wire, and their names.

In the Chinese protocols 0 is ASCII, an octet a character, and 3 is SIM data, so Latin-1 and the
GSM alphabet have no number there (protocols/cmpp.md B1, sgip.md, smgp.md 3). SMPP's 0 is the
SMSC's own alphabet: `connectors.smpp.content` translates what goes under it (smpp.md 6).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from connectors.errors import EncodeError
from connectors.values import Coding

_CHINESE: Mapping[Coding, int] = MappingProxyType(
    {Coding.ASCII: 0, Coding.BINARY: 4, Coding.UCS2: 8, Coding.GB: 15}
)
NUMBERS: Mapping[str, Mapping[Coding, int]] = MappingProxyType(
    {
        "cmpp": _CHINESE,
        "sgip": _CHINESE,
        "smgp": _CHINESE,
        "smpp": MappingProxyType(
            {
                Coding.ASCII: 0,
                Coding.GSM: 0,
                Coding.LATIN1: 3,
                Coding.BINARY: 4,
                Coding.UCS2: 8,
                Coding.GB: 15,
            }
        ),
    }
)
"""By protocol: msg_fmt, MessageCoding, MsgFormat or data_coding of a segment."""

WORDS: Mapping[str, Coding] = MappingProxyType(
    {
        "ascii": Coding.ASCII,
        "gsm7": Coding.GSM,
        "latin1": Coding.LATIN1,
        "gb18030": Coding.GB,
        "ucs2": Coding.UCS2,
    }
)
"""What a configuration calls those that carry texts."""

COMPLETE = frozenset({"gb18030", "ucs2"})
"""Those that carry every text."""


def wire_number(protocol: str, coding: Coding) -> int:
    """What the coding field of a submit says. Raises EncodeError where there is no number."""
    try:
        return NUMBERS[protocol][coding]
    except KeyError:
        raise EncodeError(f"{protocol} has no {coding!r}", field="coding") from None


def named(words: Iterable[str]) -> tuple[Coding, ...]:
    """Codings by their names. Raises KeyError."""
    return tuple(WORDS[word] for word in words)


def words_of(protocol: str) -> tuple[str, ...]:
    """The names of what a protocol can carry."""
    numbers = NUMBERS[protocol]
    return tuple(word for word, coding in WORDS.items() if coding in numbers)
