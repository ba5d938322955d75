"""What operators set for a channel at run time, such as the number that its texts bear."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, PrimaryKeyConstraint, String

revision = "v05"
down_revision = "v04"


def upgrade() -> None:
    op.create_table(
        "channel_setting",
        Column("channel", String(64), nullable=False),
        Column("name", String(32), nullable=False),
        Column("value", String(64), nullable=False),
        Column("changed_at", BigInteger(), nullable=False),
        PrimaryKeyConstraint("channel", "name"),
    )
