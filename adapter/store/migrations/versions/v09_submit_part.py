"""Parts of long texts from CMPP clients."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, PrimaryKeyConstraint, SmallInteger, String, Text

revision = "v09"
down_revision = "v08"


def upgrade() -> None:
    op.create_table(
        "submit_part",
        Column("id", BigInteger(), autoincrement=False, nullable=False),
        Column("client", String(64), nullable=False),
        Column("part_key", String(64), nullable=False),
        Column("number", SmallInteger(), nullable=False),
        Column("total", SmallInteger(), nullable=False),
        Column("content", Text(), nullable=False),
        Column("received_at", BigInteger(), nullable=False),
        PrimaryKeyConstraint("id"),
    )
    op.create_index("submit_part_key", "submit_part", ["part_key"])
