"""KingbaseES for SQLAlchemy: PostgreSQL's protocol and language under another name."""

from __future__ import annotations

import re

from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

_LIKE_POSTGRESQL = (12, 0)


class KingbaseDialect(PGDialect_psycopg):
    supports_statement_cache = True

    def _get_server_version_info(self, connection: Connection) -> tuple[int, ...]:
        """Its version() says `KingbaseES V008R006...`, in which SQLAlchemy finds no PostgreSQL."""
        said = str(connection.exec_driver_sql("SELECT version()").scalar())
        found = re.search(r"PostgreSQL (\d+)(?:\.(\d+))?", said)
        return (int(found[1]), int(found[2] or 0)) if found else _LIKE_POSTGRESQL
