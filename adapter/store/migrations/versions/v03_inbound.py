"""Parts of long texts from phones, and what came before, so that nothing is kept twice."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, PrimaryKeyConstraint, SmallInteger, String, Text

revision = "v03"
down_revision = "v02"


def upgrade() -> None:
    op.create_table(
        "inbound_part",
        Column("id", BigInteger(), autoincrement=False, nullable=False),
        Column("channel", String(64), nullable=False),
        Column("mobile", String(32), nullable=False),
        Column("access_number", String(32), nullable=False),
        Column("extension", String(20), nullable=True),
        Column("reference", Integer(), nullable=False),
        Column("total", SmallInteger(), nullable=False),
        Column("number", SmallInteger(), nullable=False),
        Column("content", Text(), nullable=False),
        Column("received_at", BigInteger(), nullable=False),
        PrimaryKeyConstraint("id"),
    )
    op.create_index("inbound_part_mobile", "inbound_part", ["mobile", "reference"])
    op.create_table(
        "arrival",
        Column("id", BigInteger(), autoincrement=False, nullable=False),
        Column("channel", String(64), nullable=False),
        Column("arrival_key", String(64), nullable=False),
        PrimaryKeyConstraint("id"),
    )
    op.create_index("arrival_key", "arrival", ["arrival_key", "channel"], unique=True)
