"""Two processes of ours ask each other over two pipes.

What passes are pickled tuples: a question is (number, name, source, arguments), with number 0 where
nobody waits for the answer, and an answer (number, value, fault). A question is worked on by the
executor of its handler, never by the thread that listens: so neither process can wait for the other
one to listen.
"""

from __future__ import annotations

import copyreg
import pickle
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from itertools import count
from types import MappingProxyType
from typing import IO, Any, NamedTuple

import structlog

from dbpoll.settings import Settings
from dbpoll.values import Locked, NotNow

log = structlog.get_logger("dbpoll")


def _proxy(content: dict[object, object]) -> MappingProxyType[object, object]:
    return MappingProxyType(content)


# Settings have some.
copyreg.pickle(MappingProxyType, lambda proxy: (_proxy, (dict(proxy),)))


class Elsewhere(Exception):
    """What was raised in the other process, in words: its own class may exist only there."""


class Gone(ConnectionError):
    """The other process is away. Whether it did what it was asked is unknown."""


_CARRIED = (NotNow, Locked, Elsewhere)


class Setup(NamedTuple):
    """What the process that polls is told first: its sources, whether somebody keeps marks for
    each, and the level of `logging` from which on it tells what happens."""

    sources: list[tuple[Settings, bool]]
    level: int


class Handler(NamedTuple):
    """`work` gives the answer to a question, or a Future of it."""

    executor: Executor
    work: Callable[..., object]


class Calls:
    """One end."""

    def __init__(self, heard: IO[bytes], said: IO[bytes]) -> None:
        self._heard = heard
        self._said = said
        self._numbers = count(1)
        self._asked: dict[int, Future[Any]] = {}
        self._lock = threading.Lock()
        self._gone = False

    def ask(self, name: str, source: str, *arguments: object) -> Future[Any]:
        """The answer to come. It raises NotNow, Locked, Elsewhere or Gone."""
        asked: Future[Any] = Future()
        number = next(self._numbers)
        self._asked[number] = asked
        try:
            self._say((number, name, source, arguments))
        except OSError:
            self._lose(number)
        except Exception:
            # It cannot be said: the caller's fault.
            self._asked.pop(number, None)
            raise
        if self._gone:
            self._lose(number)
        return asked

    def tell(self, name: str, source: str, *arguments: object) -> None:
        """What needs no answer; nothing happens when the other process is away."""
        try:
            self._say((0, name, source, arguments))
        except OSError:
            return

    def listen(self, handler: Callable[[str, str], Handler]) -> None:
        """Returns when the other process is away, or is not understood. `handler` finds who
        answers a question, by its name and that of its source."""
        try:
            while True:
                match pickle.load(self._heard):  # noqa: S301 - from a process that we started
                    case (number, name, source, arguments):
                        executor, work = handler(name, source)
                        executor.submit(self._work, number, work, arguments)
                    case (number, value, fault):
                        self._answered(number, value, fault)
        except (EOFError, OSError):
            pass
        except Exception:
            log.exception("calls_unreadable")
        self._gone = True
        for number in list(self._asked):
            self._lose(number)

    def _work(
        self, number: int, work: Callable[..., object], arguments: tuple[object, ...]
    ) -> None:
        try:
            found = work(*arguments)
        except Exception as fault:
            if not isinstance(fault, _CARRIED):
                log.exception("call_failed")
            self._answer(number, None, fault)
            return
        if isinstance(found, Future):
            found.add_done_callback(partial(self._answer_later, number))
        else:
            self._answer(number, found, None)

    def _answer_later(self, number: int, done: Future[object]) -> None:
        fault = done.exception()
        if fault is not None and not isinstance(fault, _CARRIED):
            log.error("call_failed", exc_info=fault)
        self._answer(number, None if fault else done.result(), fault)

    def _answer(self, number: int, value: object, fault: BaseException | None) -> None:
        if not number:
            return
        if fault is not None and not isinstance(fault, _CARRIED):
            fault = Elsewhere(type(fault).__name__)
        try:
            self._say((number, value, fault))
        except OSError:
            return  # Nobody waits any more.
        except Exception as unsayable:
            self._say((number, None, Elsewhere(type(unsayable).__name__)))

    def _answered(self, number: int, value: object, fault: Exception | None) -> None:
        asked = self._asked.pop(number)
        if fault is None:
            asked.set_result(value)
        else:
            asked.set_exception(fault)

    def _say(self, told: tuple[object, ...]) -> None:
        octets = pickle.dumps(told, pickle.HIGHEST_PROTOCOL)
        with self._lock:
            try:
                self._said.write(octets)
                self._said.flush()
            except ValueError as closed:
                raise Gone("its process is away") from closed

    def _lose(self, number: int) -> None:
        asked = self._asked.pop(number, None)
        if asked is not None:
            asked.set_exception(Gone("its process is away"))
