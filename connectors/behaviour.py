"""How a simulated carrier behaves: the options of `sms-adapter simulate`, read from their words.

| option | word | meaning |
|---|---|---|
| `--delay` | `50`, `20-200`, `5/100-300` | ms before answer and receipt; `answer/receipt` apart |
| `--fail` | `0.1:MK:0001`, `0.05:9` | this share gets this stat in its receipt, or, where the code is a number, this result at submit |
| `--throttle` | `200` | submits a second beyond which the answer is "flow control" |
| `--drop-link` | `500`, `10s` | drop the link at every 500th submit, unanswered; or every 10 s |
| `--inbound` | `0.2`, `3s` | this share of submits is answered by a text; or one comes every 3 s |
"""  # noqa: E501

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_RESULT = re.compile(r"[0-9]+|0x[0-9a-fA-F]+")
_SPAN = re.compile(r"(\d+(?:\.\d+)?)(?:-(\d+(?:\.\d+)?))?")


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
    `inbound_every_s` sends one by time. `seed` makes the dice repeatable.
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
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class SimulatorOptions:
    """One simulated carrier: where it listens, who may log in, how it behaves.

    An empty `account` lets everyone in who knows the password. `window`: deliveries a link may
    leave unanswered; those unanswered for `response_timeout_s` are sent again. `client_port`:
    where the client listens for a connection that the carrier opens. `keep`: events readable
    in the process. `own`: what the protocol alone knows, in its own class.
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
    own: Any = None


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
    return Failure(_share(share), code)


def parse_drop(word: str) -> tuple[int, float]:
    """Submits between drops, or 0 and the seconds between drops."""
    return (0, _seconds(word)) if word.endswith("s") else (int(word), 0.0)


def parse_inbound(word: str) -> tuple[float, float]:
    """Share of submits that are answered, or 0 and the seconds between texts."""
    return (0.0, _seconds(word)) if word.endswith("s") else (_share(word), 0.0)


def _span(word: str) -> Span:
    match = _SPAN.fullmatch(word)
    if match is None:
        raise ValueError(f"{word}: expected milliseconds such as 50 or 20-200")
    low = float(match[1])
    high = float(match[2]) if match[2] else low
    if high < low:
        raise ValueError(f"{word}: the range runs backwards")
    return Span(low, high)


def _share(word: str) -> float:
    share = float(word)
    if not 0 <= share <= 1:
        raise ValueError(f"{word}: a share lies between 0 and 1")
    return share


def _seconds(word: str) -> float:
    seconds = float(word.removesuffix("s"))
    if seconds <= 0:
        raise ValueError(f"{word}: expected more than 0 seconds")
    return seconds
