"""What only one kind of database does. `tongue_of` is the way in; nobody else asks which
database it is."""

from __future__ import annotations

from sqlalchemy import Dialect
from sqlalchemy.dialects import registry
from sqlalchemy.engine import URL

from dbpoll.dialects.base import Tongue
from dbpoll.dialects.mssql import SqlServer
from dbpoll.dialects.mysql import MySql
from dbpoll.dialects.oracle import Dameng, Oracle
from dbpoll.dialects.postgresql import PostgreSql
from dbpoll.dialects.sqlite import Sqlite

registry.register("dm", "dbpoll.dialects.dameng", "DamengDialect")
registry.register("dm.dmPython", "dbpoll.dialects.dameng", "DamengDialect")
registry.register("kingbase", "dbpoll.dialects.kingbase", "KingbaseDialect")

_TONGUES: dict[str, type[Tongue]] = {
    "postgresql": PostgreSql,
    "kingbase": PostgreSql,
    "sqlite": Sqlite,
    "mysql": MySql,
    "mariadb": MySql,
    "oracle": Oracle,
    "dm": Dameng,
    "mssql": SqlServer,
}
_DRIVERS = {
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
    "oracle": "oracle+oracledb",
    "mssql": "mssql+pymssql",
}


def with_driver(url: URL) -> URL:
    """A URL that names no driver, with the one that we know."""
    return url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))


def tongue_of(dialect: Dialect) -> Tongue:
    """The tongue of a dialect. Raises ValueError for a database that nobody has taught us."""
    try:
        return _TONGUES[dialect.name](dialect)
    except KeyError:
        raise ValueError(f"no such database: {dialect.name}") from None
