"""A message remembers which channels turned it away, and which tries never reached the wire."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, Integer, String

revision = "v04"
down_revision = "v03"


def upgrade() -> None:
    for table in ("spool", "attempt"):
        op.add_column(table, Column("unsent", Integer(), nullable=False, server_default="0"))
    op.add_column("spool", Column("avoid", String(500), nullable=True))
