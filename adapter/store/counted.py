"""Counting what was committed: tallies reach the metrics after the commit, never before."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, Engine, event

from adapter.domain.tally import Tally

_KEY = "tallies"


def remember(connection: Connection, tallies: Sequence[Tally]) -> None:
    """These were written in the transaction that is open."""
    connection.info.setdefault(_KEY, []).extend(tallies)


def count_commits(engine: Engine, count: Callable[[Sequence[Tally]], None]) -> None:
    """Have `count` called with the tallies of each transaction that was committed."""

    def committed(connection: Connection) -> None:
        count(connection.info.pop(_KEY, ()))

    def rolled_back(connection: Connection) -> None:
        connection.info.pop(_KEY, None)

    event.listen(engine, "commit", committed)
    event.listen(engine, "rollback", rolled_back)
