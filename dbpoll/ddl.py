"""The tables of the contract as a hospital's DBA would create them, for each database.

One description, compiled by SQLAlchemy's own dialects. No name is longer than 30 bytes
(Oracle before 12.2), and none is quoted: each database folds them its own way, and
dbpoll finds them in any case.

Limits: Dameng speaks Oracle's language here and is compiled with that dialect.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Dialect,
    Identity,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Sequence,
    SmallInteger,
    String,
    Table,
    Unicode,
    func,
    text,
)
from sqlalchemy.dialects import mssql, mysql, oracle, postgresql, sqlite
from sqlalchemy.schema import CreateIndex, CreateSequence, CreateTable, SetColumnComment
from sqlalchemy.sql import quoted_name
from sqlalchemy.types import TypeEngine

_DIALECTS: dict[str, Callable[[], Dialect]] = {
    "oracle": oracle.dialect,
    "mssql": mssql.dialect,
    "mysql": mysql.dialect,
    "postgresql": postgresql.dialect,
    "sqlite": sqlite.dialect,
    "dm": oracle.dialect,
}
DIALECTS = tuple(_DIALECTS)

_HEAD = """\
-- Tables of the HIS SMS adapter for {dialect}.
-- SMS_OUTBOUND: the HIS inserts a row, the adapter sends it and writes the result into it.
-- SMS_RECEIPT, SMS_INBOUND: only where the configuration names them.
-- Keep the index on (STATUS, ID): without it every poll reads the whole table.
"""

_NUMBERED = """\
-- New numbers: {outbound}_SEQ.NEXTVAL. Where the database allows it (Oracle 12c and later):
-- ALTER TABLE {outbound} MODIFY (ID DEFAULT {outbound}_SEQ.NEXTVAL);
"""


_WITH_SEQUENCE = ("oracle", "mssql")
_SEQUENCE = Sequence(quoted_name("SMS_OUTBOUND_SEQ", quote=False), start=1)


# What a DBA would write below the tables, for each database. `$ACCOUNT` is the adapter's.
_GRANTS = """\
-- Rights. The adapter's account needs these and no others ($ACCOUNT: its name):
-- GRANT SELECT, UPDATE ON SMS_OUTBOUND TO $ACCOUNT;
-- GRANT SELECT, INSERT ON SMS_RECEIPT TO $ACCOUNT;
-- GRANT SELECT, INSERT ON SMS_INBOUND TO $ACCOUNT;
"""
_PURGE = """\
-- Purging, once a day: rows that reached their end, 90 days after it. In small steps, so that
-- nobody waits for the job's locks.
-- {purge}
"""
_PURGES = {
    "oracle": "DELETE FROM SMS_OUTBOUND WHERE STATUS BETWEEN 3 AND 6"
    " AND DONE_AT < SYSTIMESTAMP - INTERVAL '90' DAY AND ROWNUM <= 5000;",
    "mssql": "DELETE TOP (2000) FROM SMS_OUTBOUND WHERE STATUS BETWEEN 3 AND 6"
    " AND DONE_AT < DATEADD(DAY, -90, SYSDATETIME());",
    "mysql": "DELETE FROM SMS_OUTBOUND WHERE STATUS BETWEEN 3 AND 6"
    " AND DONE_AT < NOW() - INTERVAL 90 DAY ORDER BY STATUS, ID LIMIT 5000;",
    "postgresql": "DELETE FROM SMS_OUTBOUND WHERE ID IN (SELECT ID FROM SMS_OUTBOUND"
    " WHERE STATUS BETWEEN 3 AND 6 AND DONE_AT < now() - INTERVAL '90 days' LIMIT 5000);",
    "sqlite": "DELETE FROM SMS_OUTBOUND WHERE STATUS BETWEEN 3 AND 6"
    " AND DONE_AT < datetime('now', 'localtime', '-90 days');",
}
_PURGES["dm"] = _PURGES["oracle"]

_NEWS = """\
-- News: with this trigger the adapter hears of a row in milliseconds and need not ask for it.
CREATE FUNCTION SMS_OUTBOUND_NEWS() RETURNS trigger LANGUAGE plpgsql AS
'BEGIN NOTIFY sms_outbound; RETURN NULL; END';

CREATE TRIGGER SMS_OUTBOUND_NEWS AFTER INSERT ON SMS_OUTBOUND
    FOR EACH STATEMENT EXECUTE FUNCTION SMS_OUTBOUND_NEWS();
"""


def ddl(dialect: str) -> str:
    """The statements as a script. Raises ValueError for a dialect not in DIALECTS."""
    if dialect not in _DIALECTS:
        raise ValueError(f"no such dialect: {dialect}; there are {', '.join(DIALECTS)}")
    compiler = _DIALECTS[dialect]()
    parts = [_HEAD.format(dialect=dialect)]
    parts += [f"{statement};\n" for statement in _statements(compiler)]
    if compiler.name == "oracle":
        parts.append(_NUMBERED.format(outbound="SMS_OUTBOUND"))
    if dialect == "postgresql":
        parts.append(_NEWS)
    if dialect != "sqlite":
        parts.append(_GRANTS)
    parts.append(_PURGE.format(purge=_PURGES[dialect]))
    return "\n".join(parts)


def _statements(dialect: Dialect) -> Iterator[str]:
    if dialect.name in _WITH_SEQUENCE:
        yield _sql(CreateSequence(_SEQUENCE), dialect)
    for table in tables(dialect.name).tables.values():
        # Where the database keeps no comments, or only by a procedure, they stand above.
        above = dialect.name in ("sqlite", "mssql")
        remarks = [f"-- {column.name}: {column.comment}\n" for column in table.c if column.comment]
        yield ("".join(remarks) if above else "") + _sql(CreateTable(table), dialect)
        for index in sorted(table.indexes, key=lambda each: str(each.name)):
            yield _sql(CreateIndex(index), dialect)
        if dialect.supports_comments and not dialect.inline_comments and not above:
            for column in table.c:
                if column.comment:
                    yield _sql(SetColumnComment(column), dialect)


def _sql(element: Any, dialect: Dialect) -> str:
    compiled = str(element.compile(dialect=dialect)).strip()
    return "\n".join(line.rstrip().replace("\t", "    ") for line in compiled.splitlines())


def tables(dialect: str) -> MetaData:
    """The description itself, for a dialect of SQLAlchemy."""
    metadata = MetaData()
    moment = _moment(dialect)
    outbound = Table(
        _name("SMS_OUTBOUND"),
        metadata,
        _key(dialect),
        _column("MOBILE", _text(dialect, 2000), "one number, or several separated by commas"),
        _column("CONTENT", _text(dialect, 2000), "the text, or else TEMPLATE with PARAMS"),
        _column("TEMPLATE", _text(dialect, 64), "name of a template of the adapter"),
        _column("PARAMS", _text(dialect, 2000), "its values: a JSON object, or pairs name=value"),
        _column("BUSINESS", _text(dialect, 32), "kind of use, for statistics and policy"),
        _column("LANE", _text(dialect, 16), "urgent, realtime, normal or bulk"),
        _column("EXTENSION", _text(dialect, 20), "digits after the access number"),
        _column("PASS_THROUGH", _text(dialect, 200), "comes back with every answer"),
        _column("BUSINESS_KEY", _text(dialect, 64), "an appointment number, say: to withdraw by"),
        _column("SCHEDULE_AT", moment, "not before"),
        _column("EXPIRE_AT", moment, "not after"),
        _column("CREATED_AT", _aware(dialect), "", server_default=_now(dialect)),
        _column(
            "STATUS",
            SmallInteger(),
            "0 new, 1 taken, 2 submitted, 3 delivered, 4 failed, 5 refused, 6 cancelled",
            nullable=False,
            server_default=text("0"),
        ),
        _column("MESSAGE_ID", _text(dialect, 32), "of the message, of several: of the submission"),
        _column("RESULT_CODE", _text(dialect, 32), "code of the carrier, or of the refusal"),
        _column("RESULT_TEXT", _text(dialect, 200), "the same in words"),
        _column("SEGMENTS", SmallInteger(), "segments charged"),
        _column("TAKEN_AT", moment, ""),
        _column("SUBMITTED_AT", moment, ""),
        _column("DONE_AT", moment, ""),
        **_options(dialect, fill=70),
    )
    Index(_name("SMS_OUTBOUND_STATUS"), outbound.c.STATUS, outbound.c.ID)
    Table(
        _name("SMS_RECEIPT"),
        metadata,
        _column("OUTBOUND_ID", BigInteger(), "SMS_OUTBOUND.ID", nullable=False),
        _column("MESSAGE_ID", _text(dialect, 32), "one for each recipient", nullable=False),
        _column("MOBILE", _text(dialect, 20), ""),
        _column("STATE", _text(dialect, 16), "the final state", nullable=False),
        _column("CARRIER_CODE", _text(dialect, 32), ""),
        _column("SEGMENTS", SmallInteger(), ""),
        _column("CHANNEL", _text(dialect, 64), ""),
        _column("SUBMITTED_AT", moment, ""),
        _column("DONE_AT", moment, ""),
        PrimaryKeyConstraint("OUTBOUND_ID", "MESSAGE_ID", "STATE", name=_name("SMS_RECEIPT_PK")),
        **_options(dialect),
    )
    Table(
        _name("SMS_INBOUND"),
        metadata,
        Column(_name("ID"), BigInteger(), primary_key=True, autoincrement=False),
        _column("MOBILE", _text(dialect, 32), "the phone it came from"),
        _column("CONTENT", _text(dialect, 2000), ""),
        _column("ACCESS_NUMBER", _text(dialect, 32), "the number it was sent to"),
        _column("EXTENSION", _text(dialect, 20), "digits after our own access number"),
        _column("OUTBOUND_ID", BigInteger(), "the row it answers"),
        _column("RECEIVED_AT", moment, ""),
        **_options(dialect),
    )
    return metadata


def _key(dialect: str) -> Column[int]:
    """A number that the database gives where the HIS gives none."""
    name = _name("ID")
    match dialect:
        case "sqlite":
            return Column(name, Integer(), primary_key=True)
        case "postgresql":
            return Column(name, BigInteger(), Identity(always=False), primary_key=True)
        case "mysql":
            return Column(name, BigInteger(), primary_key=True, autoincrement=True)
        case "mssql":
            given = _SEQUENCE.next_value()
            return Column(
                name, BigInteger(), primary_key=True, autoincrement=False, server_default=given
            )
    return Column(name, BigInteger(), primary_key=True, autoincrement=False)


def _column(name: str, type_: TypeEngine[Any], comment: str, **options: Any) -> Column[Any]:
    return Column(_name(name), type_, comment=comment or None, **options)


def _name(name: str) -> quoted_name:
    return quoted_name(name, quote=False)


def _text(dialect: str, length: int) -> TypeEngine[str]:
    # SQL Server keeps Chinese only in N-types, whatever the database's code page.
    return Unicode(length) if dialect == "mssql" else String(length)


def _moment(dialect: str) -> TypeEngine[Any]:
    match dialect:
        case "oracle":
            return oracle.TIMESTAMP()
        case "mysql":
            return mysql.DATETIME(fsp=3)
        case "mssql":
            return mssql.DATETIME2(3)  # type: ignore[no-untyped-call]
    return DateTime()


def _aware(dialect: str) -> TypeEngine[Any]:
    # The server's clock may tell another zone than the hospital's.
    match dialect:
        case "oracle":
            return oracle.TIMESTAMP(timezone=True)
        case "postgresql" | "mssql":
            return DateTime(timezone=True)
    return _moment(dialect)


def _now(dialect: str) -> Any:
    match dialect:
        case "sqlite":
            return text("(datetime('now', 'localtime'))")
        case "mysql":
            return text("CURRENT_TIMESTAMP(3)")
        case "mssql":
            return text("SYSDATETIMEOFFSET()")
    return func.current_timestamp()


def _options(dialect: str, fill: int = 100) -> dict[str, Any]:
    if dialect == "mysql":
        return {"mysql_engine": "InnoDB", "mysql_default_charset": "utf8mb4"}
    if dialect == "postgresql" and fill < 100:
        # A row is updated two or three times soon after it came: room for that on its page.
        return {"postgresql_with": {"fillfactor": fill}}
    return {}
