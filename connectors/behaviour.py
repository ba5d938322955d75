"""How a simulated carrier behaves: the options of `sms-adapter simulate`, read from their words.

The words are the same on the command line (`--delay 50`) and in a scenario (`delay = "50"`,
connectors/scenario.py).

| option | word | meaning |
|---|---|---|
| `--delay` | `50`, `20-200`, `5/100-300` | ms before answer and receipt; `answer/receipt` apart |
| `--fail` | `0.1:MK:0001`, `0.05:9` | this share gets this stat in its receipt, or, where the code is a number, this result at submit |
| `--throttle` | `200` | submits a second beyond which the answer is "flow control" |
| `--drop-link` | `500`, `10s` | drop the link at every 500th submit, unanswered; or every 10 s |
| `--inbound` | `0.2`, `3s` | this share of submits is answered by a text; or one comes every 3 s |
| `--inbound-text` | `TD` | what that text says |
| `--no-receipt` | | never a receipt |
| `--repeat-receipt` | `0.1` | this share of receipts comes twice |
| `--wrong-id` | `0.1` | this share of receipts has an id that no answer had |
| `--no-answer` | `0.1` | this share of submits is taken, and receipted, but never answered |
| `--refuse-login` | `secret` | every login is refused: `account`, `secret`, `version` or `too-many` |
| `--silent` | | connections are taken and read; nothing is ever said on them |
"""  # noqa: E501

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from connectors.server_dialect import Entry

if TYPE_CHECKING:
    from connectors.scenario import Scenario

_RESULT = re.compile(r"[0-9]+|0x[0-9a-fA-F]+")
_SPAN = re.compile(r"(\d+(?:\.\d+)?)(?:-(\d+(?:\.\d+)?))?")
_TIME = re.compile(r"(\d+(?:\.\d+)?)(ms|s|min)")
_UNITS = {"ms": 0.001, "s": 1.0, "min": 60.0}
_REFUSALS = {
    "account": Entry.BAD_ACCOUNT,
    "secret": Entry.BAD_SECRET,
    "version": Entry.BAD_VERSION,
    "too-many": Entry.TOO_MANY,
}


@dataclass(frozen=True, slots=True)
class Span:
    """A range of milliseconds to draw from."""

    low: float = 0.0
    high: float = 0.0

    def __bool__(self) -> bool:
        return self.high > 0


@dataclass(frozen=True, slots=True)
class Failure:
    """`share` (0..1) of submits fail with `code`: a result when it is a number, else a stat."""

    share: float
    code: str

    @property
    def at_submit(self) -> bool:
        return _RESULT.fullmatch(self.code) is not None

    @property
    def result(self) -> int:
        """The number of a failure at submit."""
        return int(self.code, 16 if "x" in self.code else 10)


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What a simulated carrier does with its clients; the default is a good carrier.

    `drop_after` drops the link at every n-th submit, `drop_every_s` by time.
    `inbound_share` of submits is answered with `inbound_text` from the recipient's phone,
    `inbound_every_s` sends one by time. Shares (0..1): `repeated` receipts come twice, `strange`
    ones have a wrong id, `unanswered` submits get a receipt and no answer. `login` other than OK
    refuses everybody. `silent`: connections are read, and nothing is said. `seed` makes the dice
    repeatable.
    """

    answer_delay: Span = field(default_factory=Span)
    receipt_delay: Span = field(default_factory=Span)
    receipts: bool = True
    failures: tuple[Failure, ...] = ()
    throttle_per_s: float = 0.0
    drop_after: int = 0
    drop_every_s: float = 0.0
    inbound_share: float = 0.0
    inbound_every_s: float = 0.0
    inbound_text: str = "收到"
    repeated: float = 0.0
    strange: float = 0.0
    unanswered: float = 0.0
    login: Entry = Entry.OK
    silent: bool = False
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class SimulatorOptions:
    """One simulated carrier: where it listens, who may log in, how it behaves.

    An empty `account` lets everyone in who knows the password. `window`: deliveries a link may
    leave unanswered; those unanswered for `response_timeout_s` are sent again. `client_port`:
    where the client listens for a connection that the carrier opens. `keep`: events readable
    in the process. `tls` is for the port, `call_tls` for the connection that the carrier opens
    (`connectors.tls`). `own`: what the protocol alone knows, in its own class. `scenario`: played
    from the start, over `behaviour`.
    """

    protocol: str = "cmpp"
    host: str = "127.0.0.1"
    port: int = 0
    account: str = ""
    password: str = field(default="", repr=False)
    behaviour: Behaviour = field(default_factory=Behaviour)
    log: Path | None = None
    window: int = 32
    heartbeat_s: float = 60.0
    response_timeout_s: float = 60.0
    gateway: int = 106901
    keep: int = 0
    client_host: str = "127.0.0.1"
    client_port: int = 0
    tls: ssl.SSLContext | None = None
    call_tls: ssl.SSLContext | None = None
    own: Any = None
    scenario: Scenario | None = None


def read_behaviour(words: Mapping[str, Any], base: Behaviour | None = None) -> Behaviour:
    """`base` with these options, by their names on the command line; None leaves one as it is.

    Raises ValueError, naming the option that is unknown or cannot be read.
    """
    behaviour = base or Behaviour()
    for name, value in words.items():
        if value is None:
            continue
        reader = WORDS.get(name)
        if reader is None:
            raise ValueError(f"{name}: unknown; known are {', '.join(WORDS)}")
        try:
            behaviour = replace(behaviour, **reader(value))
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
    return behaviour


def parse_delay(word: str) -> tuple[Span, Span]:
    """Delay of the answer, delay of the receipt."""
    answer, slash, receipt = word.partition("/")
    first = _span(answer)
    return first, _span(receipt) if slash else first


def parse_fail(word: str) -> Failure:
    """`share:code`; the code may hold a colon itself."""
    share, _, code = word.partition(":")
    if not code or len(code) > 7:
        raise ValueError(f"{word}: expected SHARE:CODE such as 0.1:MK:0001 or 0.05:9")
    return Failure(parse_share(share), code)


def parse_drop(word: str) -> tuple[int, float]:
    """Submits between drops, or 0 and the seconds between drops."""
    if word.endswith("s"):
        return 0, parse_seconds(word)
    if not word.isdecimal() or not int(word):
        raise ValueError(f"{word}: expected a number of submits such as 500, or a time such as 10s")
    return int(word), 0.0


def parse_inbound(word: str) -> tuple[float, float]:
    """Share of submits that are answered, or 0 and the seconds between texts."""
    return (0.0, parse_seconds(word)) if word.endswith("s") else (parse_share(word), 0.0)


def parse_share(word: str) -> float:
    """0 to 1."""
    share = _number(word, "a share such as 0.1")
    if not 0 <= share <= 1:
        raise ValueError(f"{word}: a share lies between 0 and 1")
    return share


def parse_seconds(word: str) -> float:
    """`10s`, `0.5s`, `200ms`, `2min`; more than 0."""
    match = _TIME.fullmatch(word)
    if match is None or not float(match[1]):
        raise ValueError(f"{word}: expected a time of more than 0 such as 10s, 200ms or 2min")
    return float(match[1]) * _UNITS[match[2]]


def _span(word: str) -> Span:
    match = _SPAN.fullmatch(word)
    if match is None:
        raise ValueError(f"{word}: expected milliseconds such as 50 or 20-200")
    low = float(match[1])
    high = float(match[2]) if match[2] else low
    if high < low:
        raise ValueError(f"{word}: the range runs backwards")
    return Span(low, high)


def _number(word: str, expected: str) -> float:
    try:
        return float(word)
    except ValueError:
        raise ValueError(f"{word}: expected {expected}") from None


def _rate(word: Any) -> float:
    rate = _number(str(word), "submits a second such as 200")
    if not 0 <= rate < float("inf"):
        raise ValueError(f"{word}: expected 0 (no limit) or more")
    return rate


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{value}: expected true or false")
    return value


def _failures(value: Any) -> tuple[Failure, ...]:
    words = value if isinstance(value, list | tuple) else [value]
    return tuple(parse_fail(str(word)) for word in words)


def _refusal(word: str) -> Entry:
    if word not in _REFUSALS:
        raise ValueError(f"{word}: expected one of {', '.join(_REFUSALS)}")
    return _REFUSALS[word]


def _pair(first: str, second: str, values: tuple[Any, Any]) -> dict[str, Any]:
    return {first: values[0], second: values[1]}


WORDS: Mapping[str, Callable[[Any], Mapping[str, Any]]] = MappingProxyType(
    {
        "delay": lambda value: _pair("answer_delay", "receipt_delay", parse_delay(str(value))),
        "no-receipt": lambda value: {"receipts": not _flag(value)},
        "fail": lambda value: {"failures": _failures(value)},
        "throttle": lambda value: {"throttle_per_s": _rate(value)},
        "drop-link": lambda value: _pair("drop_after", "drop_every_s", parse_drop(str(value))),
        "inbound": lambda value: _pair(
            "inbound_share", "inbound_every_s", parse_inbound(str(value))
        ),
        "inbound-text": lambda value: {"inbound_text": str(value)},
        "repeat-receipt": lambda value: {"repeated": parse_share(str(value))},
        "wrong-id": lambda value: {"strange": parse_share(str(value))},
        "no-answer": lambda value: {"unanswered": parse_share(str(value))},
        "refuse-login": lambda value: {"login": _refusal(str(value))},
        "silent": lambda value: {"silent": _flag(value)},
    }
)
"""What each option makes of its word: fields of `Behaviour`. Readers raise ValueError."""
