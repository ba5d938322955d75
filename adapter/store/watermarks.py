"""How far sources that go by a growing key have come."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, Engine, delete, insert, select

from adapter.store.clock import now_ms
from adapter.store.committer import Committer, Kind
from adapter.store.reading import reading
from adapter.store.schema import watermark


class Watermark:
    """Of one source. Raises StoreUnavailable when the store is away."""

    def __init__(self, engine: Engine, committer: Committer, source: str) -> None:
        self._engine = engine
        self._committer = committer
        self._source = source
        self._kind: Kind[str, None] = Kind("watermark", 2, self._write)

    def read(self) -> str | None:
        """The mark that was written last, None if none ever was."""
        query = select(watermark.c.mark).where(watermark.c.source == self._source)
        with reading(self._engine) as connection:
            found = connection.execute(query).scalar()
        return None if found is None else str(found)

    def write(self, mark: str) -> None:
        """Returns after the commit."""
        self._committer.submit(self._kind, mark).result()

    def _write(self, connection: Connection, marks: Sequence[str]) -> list[None]:
        connection.execute(delete(watermark).where(watermark.c.source == self._source))
        values = {"source": self._source, "mark": marks[-1], "changed_at": now_ms()}
        connection.execute(insert(watermark).values(values))
        return [None for _ in marks]
