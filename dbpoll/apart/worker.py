"""One thread that works in order, and keeps no process from ending.

Not `concurrent.futures.ThreadPoolExecutor`: Python waits for its threads at the exit, and a call
into a driver or a database may never return.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Worker(Executor):
    """An executor. What it has to do when it is shut down it does, unless the process ends."""

    def __init__(self, name: str) -> None:
        self._todo: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def submit(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        done: Future[T] = Future()
        self._todo.put((done, partial(work, *args, **kwargs)))
        return done

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """What was submitted is done; nobody waits for it."""
        self._todo.put(None)

    def _work(self) -> None:
        while (item := self._todo.get()) is not None:
            done, work = item
            if not done.set_running_or_notify_cancel():
                continue
            try:
                result = work()
            except BaseException as fault:
                done.set_exception(fault)
            else:
                done.set_result(result)
