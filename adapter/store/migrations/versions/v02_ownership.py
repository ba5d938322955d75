"""Who owns the store: the epoch that fences a node which lost it."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, PrimaryKeyConstraint, String

revision = "v02"
down_revision = "v01"


def upgrade() -> None:
    op.create_table(
        "ownership",
        Column("epoch", BigInteger(), autoincrement=False, nullable=False),
        Column("node", String(64), nullable=False),
        Column("since", BigInteger(), nullable=False),
        PrimaryKeyConstraint("epoch"),
    )
