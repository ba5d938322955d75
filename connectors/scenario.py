"""A scenario: what a simulated carrier does, step by step (`sms-adapter simulate --script FILE`).

TOML, because Python reads it, a person can comment it, and a step is a block of lines:

    # The carrier is over its limit for ten seconds, then drops the links; from then on it is good.
    [[step]]
    throttle = 20
    for = "10s"

    [[step]]
    drop = true

A step is a mood, some acts, and an end.

| key | meaning |
|---|---|
| the options of `simulate` | the mood (connectors/behaviour.py); the others stay as on the command line |
| `down = true` | the mood, too: links are broken, and nobody listens on the port |
| `drop = true` | act: break every link, without a word |
| `send = {from = "138...", to = "1069...", text = "TD"}` | act: a text from a phone; a list for several |
| `receipt = {id = "...", stat = "DELIVRD", from = "1069...", to = "138..."}` | act: a receipt for any id; a list for several |
| `raw = "00 00"` | act: these octets to every client |
| `for = "10s"` | end: so long |
| `until = "100 submits"` | end: so many since the step began (submits, receipts, inbounds, logins, closes) |

With both ends the first to come counts. A step with neither lasts for ever when it is the last
one; before that it may only act. After an ended last step the carrier is as the command line says,
or, with `repeat = true` at the top of the file, begins again.

The log gets an event `step` with `number` as each begins.
"""  # noqa: E501

from __future__ import annotations

import asyncio
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from connectors.behaviour import WORDS, Behaviour, parse_seconds, read_behaviour
from connectors.eventlog import EventLog

_HEAD = re.compile(r"^\s*\[\[\s*step\s*\]\]")
_EVENTS = ("submit", "receipt", "inbound", "login", "close")
_UNTIL = re.compile(rf"(\d+) ({'|'.join(_EVENTS)})s?")


class ScenarioError(ValueError):
    """A scenario that cannot be played: the file, the line, the step and the fault."""


@dataclass(frozen=True, slots=True)
class PhoneText:
    """A text from a phone."""

    source: str
    destination: str
    text: str


@dataclass(frozen=True, slots=True)
class AnyReceipt:
    """A receipt, whether or not there was such a submit; numbers are the submit's."""

    id: str
    stat: str = "DELIVRD"
    source: str = ""
    destination: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """`words` are options and their values. Without `seconds` and `count` it has no end."""

    number: int
    words: Mapping[str, Any]
    seconds: float | None = None
    event: str = ""
    count: int = 0
    down: bool = False
    drop: bool = False
    texts: Sequence[PhoneText] = ()
    receipts: Sequence[AnyReceipt] = ()
    raw: bytes = b""

    @property
    def ends(self) -> bool:
        return self.seconds is not None or self.count > 0

    @property
    def has_mood(self) -> bool:
        return bool(self.words) or self.down


@dataclass(frozen=True, slots=True)
class Scenario:
    steps: Sequence[Step]
    repeat: bool = False


class Stage(Protocol):
    """The simulated carrier, as a scenario sees it."""

    log: EventLog

    @property
    def usual(self) -> Behaviour:
        """Its behaviour without a scenario."""

    def behave(self, behaviour: Behaviour) -> None: ...

    def drop_links(self) -> None: ...

    def send_inbound(self, source: str, destination: str, text: str) -> None: ...

    def send_receipt(
        self, msg_id: str, *, stat: str, source: str = "", destination: str = ""
    ) -> None: ...

    def send_raw(self, octets: bytes) -> None: ...

    async def close_port(self) -> None: ...

    async def open_port(self) -> None: ...


async def play(stage: Stage, scenario: Scenario) -> None:
    """Until the last step ends, if it does."""
    while True:
        for step in scenario.steps:
            await _take(stage, step)
        if not scenario.repeat:
            stage.behave(stage.usual)
            return


async def _take(stage: Stage, step: Step) -> None:
    begun = stage.log.counts[step.event]
    stage.log.add("step", {"number": step.number})
    stage.behave(read_behaviour(step.words, stage.usual))
    if step.down:
        await stage.close_port()
    if step.drop or step.down:
        stage.drop_links()
    if step.raw:
        stage.send_raw(step.raw)
    for text in step.texts:
        stage.send_inbound(text.source, text.destination, text.text)
    for each in step.receipts:
        stage.send_receipt(
            each.id, stat=each.stat, source=each.source, destination=each.destination
        )
    await _end(stage.log, step, begun)
    if step.down:
        await stage.open_port()


async def _end(log: EventLog, step: Step, begun: int) -> None:
    if step.count:
        try:
            await log.wait_for(step.event, begun + step.count, step.seconds)
        except TimeoutError:
            return
    elif step.seconds is not None:
        await asyncio.sleep(step.seconds)
    elif step.has_mood:
        await asyncio.Event().wait()  # the last one, for ever


def load(path: Path) -> Scenario:
    """Raises OSError and ScenarioError."""
    try:
        return read(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ScenarioError(f"{path}: {error}") from error


def read(text: str) -> Scenario:
    """A scenario from its text. Raises ScenarioError with line and step."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(str(error)) from error
    steps, repeat = document.pop("step", []), document.pop("repeat", False)
    if document:
        unknown = ", ".join(document)
        raise ScenarioError(f"{unknown}: unknown outside of a step; there is `repeat` alone")
    if not isinstance(steps, list) or not steps:
        raise ScenarioError("no [[step]]")
    if not isinstance(repeat, bool):
        raise ScenarioError("repeat: expected true or false")
    heads = [at for at, line in enumerate(text.splitlines(), 1) if _HEAD.match(line)]
    made = []
    for number, values, line in zip(count(1), steps, [*heads, *[0] * len(steps)]):
        place = f"line {line}, step {number}" if line else f"step {number}"
        try:
            step = _step(number, values)
            _check_end(step, last=number == len(steps) and not repeat)
        except ValueError as error:
            raise ScenarioError(f"{place}: {error}") from error
        made.append(step)
    if repeat and not any(step.ends for step in made):
        raise ScenarioError("repeat: without a step that has an end it would spin")
    return Scenario(made, repeat)


def _check_end(step: Step, *, last: bool) -> None:
    if step.has_mood and not step.ends and not last:
        raise ValueError("neither `for` nor `until`: only the last step may last for ever")


def _step(number: int, values: Any) -> Step:
    if not isinstance(values, dict):
        raise ValueError("expected a table")
    words = {name: value for name, value in values.items() if name in WORDS}
    read_behaviour(words)
    own: dict[str, Any] = {}
    for name, value in values.items():
        if name in words:
            continue
        reader = _OWN.get(name)
        if reader is None:
            raise ValueError(f"{name}: unknown; known are {', '.join([*_OWN, *WORDS])}")
        try:
            own |= reader(value)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
    return Step(number, words, **own)


def _until(value: Any) -> dict[str, Any]:
    match = _UNTIL.fullmatch(str(value))
    if match is None or not int(match[1]):
        raise ValueError(f"{value}: expected a number and one of {', '.join(_EVENTS)}")
    return {"count": int(match[1]), "event": match[2]}


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{value}: expected true or false")
    return value


def _octets(value: Any) -> bytes:
    try:
        return bytes.fromhex(value)
    except (ValueError, TypeError):
        raise ValueError("expected octets in hexadecimal such as 0000000c") from None


def _tables(value: Any, needed: set[str], optional: set[str]) -> list[dict[str, str]]:
    """One table or several, each with these keys, all strings."""
    tables = value if isinstance(value, list) else [value]
    for table in tables:
        if not isinstance(table, dict) or not needed <= table.keys() <= needed | optional:
            more = f", perhaps {', '.join(sorted(optional))}" if optional else ""
            raise ValueError(f"expected a table with {', '.join(sorted(needed))}{more}")
        for name, word in table.items():
            if not isinstance(word, str):
                raise ValueError(f"{name}: expected a string")
    return tables


def _texts(value: Any) -> list[PhoneText]:
    tables = _tables(value, {"from", "to", "text"}, set())
    return [PhoneText(each["from"], each["to"], each["text"]) for each in tables]


def _receipts(value: Any) -> list[AnyReceipt]:
    return [
        AnyReceipt(
            each["id"], each.get("stat", "DELIVRD"), each.get("from", ""), each.get("to", "")
        )
        for each in _tables(value, {"id"}, {"stat", "from", "to"})
    ]


_OWN: Mapping[str, Callable[[Any], Mapping[str, Any]]] = MappingProxyType(
    {
        "for": lambda value: {"seconds": parse_seconds(str(value))},
        "until": _until,
        "down": lambda value: {"down": _flag(value)},
        "drop": lambda value: {"drop": _flag(value)},
        "send": lambda value: {"texts": _texts(value)},
        "receipt": lambda value: {"receipts": _receipts(value)},
        "raw": lambda value: {"raw": _octets(value)},
    }
)
"""What each key of a step beside the mood makes of its value: fields of `Step`."""
