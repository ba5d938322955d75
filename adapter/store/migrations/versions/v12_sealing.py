"""Contents and numbers sealed, numbers found by a keyed digest.

Rows stay as they are: a node that has a store key seals them while it works. Only plain values
that could be mistaken for sealed ones get the mark of key 0 in front. What SQLite frees here is
overwritten: an index that goes holds numbers in clear.
"""

from __future__ import annotations

import time

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, PrimaryKeyConstraint, String, text

revision = "v12"
down_revision = "v11"

_NUMBERS = {
    "message": ("id",),
    "receipt": (),
    "inbound": ("id",),
    "inbound_part": ("reference",),
}
_TEXTS = {
    "submission": ("content",),
    "message": ("content", "mobile"),
    "receipt": ("mobile",),
    "inbound": ("content", "mobile"),
    "inbound_part": ("content", "mobile"),
    "submit_part": ("content",),
}
_MARK = "\x02"


def upgrade() -> None:
    on_sqlite = op.get_bind().dialect.name == "sqlite"
    if on_sqlite:
        op.execute("PRAGMA secure_delete = ON")
    op.create_table(
        "store_key",
        Column("id", Integer(), autoincrement=False, nullable=False),
        Column("wrapped", String(200), nullable=True),
        Column("master", String(16), nullable=True),
        Column("made_at", BigInteger(), nullable=False),
        PrimaryKeyConstraint("id"),
    )
    in_clear = text("INSERT INTO store_key (id, made_at) VALUES (0, :now)")
    op.execute(in_clear.bindparams(now=int(time.time() * 1000)))
    for table, further in _NUMBERS.items():
        if not on_sqlite:
            op.alter_column(table, "mobile", type_=String(256))
        op.add_column(table, Column("mobile_key", BigInteger(), nullable=True))
        op.drop_index(f"{table}_mobile", table)
        _create_index(f"{table}_mobile", table, ["mobile", *further], "mobile_key IS NULL")
        _create_index(f"{table}_number", table, ["mobile_key", *further], "mobile_key IS NOT NULL")
    for table, columns in _TEXTS.items():
        for column in columns:
            escape = text(
                f"UPDATE {table} SET {column} = :escaped || {column} "  # noqa: S608
                f"WHERE substr({column}, 1, 1) = :mark"
            )
            op.execute(escape.bindparams(escaped=f"{_MARK}0:", mark=_MARK))


def _create_index(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(name, table, columns, postgresql_where=text(where), sqlite_where=text(where))
