"""Counting what was committed: tallies reach the metrics after the commit, never before."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, Engine

from adapter.domain.tally import Tally

_TALLIES = "tallies"
_COUNT = "count_tallies"


def count_commits(engine: Engine, count: Callable[[Sequence[Tally]], None]) -> None:
    """Have `count` called with the tallies of each transaction that a committer commits."""
    engine.update_execution_options(**{_COUNT: count})


def remember(connection: Connection, tallies: Sequence[Tally]) -> None:
    """These were written in the transaction that is open."""
    connection.info.setdefault(_TALLIES, []).extend(tallies)


def forget(connection: Connection) -> None:
    """A transaction begins: nothing is left of one that was rolled back."""
    connection.info.pop(_TALLIES, None)


def tell(connection: Connection) -> None:
    """The transaction was committed."""
    tallies = connection.info.pop(_TALLIES, ())
    count = connection.get_execution_options().get(_COUNT)
    if count is not None:
        count(tallies)
