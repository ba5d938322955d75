"""Notices that a client's callback did not take in time."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, PrimaryKeyConstraint, String

revision = "v11"
down_revision = "v10"


def upgrade() -> None:
    op.create_table(
        "dead_letter",
        Column("id", BigInteger(), autoincrement=False, nullable=False),
        Column("destination", String(80), nullable=False),
        Column("message_id", BigInteger()),
        Column("inbound_id", BigInteger()),
        Column("state", String(12)),
        Column("code", String(32)),
        Column("channel", String(64)),
        Column("submitted_at", BigInteger()),
        Column("done_at", BigInteger()),
        Column("died_at", BigInteger(), nullable=False),
        Column("reason", String(200)),
        Column("replayed_at", BigInteger()),
        PrimaryKeyConstraint("id"),
    )
    op.create_index("dead_letter_destination", "dead_letter", ["destination", "id"])
