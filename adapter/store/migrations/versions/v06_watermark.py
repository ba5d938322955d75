"""How far sources that go by a growing key have come."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, PrimaryKeyConstraint, String

revision = "v06"
down_revision = "v05"


def upgrade() -> None:
    op.create_table(
        "watermark",
        Column("source", String(64), nullable=False),
        Column("mark", String(128), nullable=False),
        Column("changed_at", BigInteger(), nullable=False),
        PrimaryKeyConstraint("source"),
    )
