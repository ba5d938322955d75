"""Dameng DM8 for SQLAlchemy: Oracle's language through the vendor's driver dmPython.

The vendor's own dialect lags behind SQLAlchemy; what dbpoll says to a database is a small
part of the language, in which the two agree.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.dialects.oracle.base import OracleDialect
from sqlalchemy.engine import URL


class DamengDialect(OracleDialect):
    name = "dm"
    driver = "dmPython"
    default_paramstyle = "qmark"
    supports_statement_cache = True
    max_identifier_length = 128

    @classmethod
    def import_dbapi(cls) -> ModuleType:
        import dmPython

        module: ModuleType = dmPython
        return module

    def create_connect_args(self, url: URL) -> Any:
        options = url.translate_connect_args(username="user", host="server")
        options.pop("database", None)
        return [], {"port": 5236, **options, "autoCommit": False}

    def _get_server_version_info(self, connection: Connection) -> tuple[int, ...]:
        return (12, 1)

    def initialize(self, connection: Connection) -> None:
        if url_schema := connection.engine.url.database:
            connection.exec_driver_sql(f'SET SCHEMA "{url_schema}"')
        super().initialize(connection)  # type: ignore[no-untyped-call]
