"""Words that clients use once, so that a recorded request is refused."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, PrimaryKeyConstraint, String

revision = "v07"
down_revision = "v06"


def upgrade() -> None:
    op.create_table(
        "nonce",
        Column("digest", String(64), nullable=False),
        Column("until", BigInteger(), nullable=False),
        PrimaryKeyConstraint("digest"),
    )
    op.create_index("nonce_until", "nonce", ["until"])
