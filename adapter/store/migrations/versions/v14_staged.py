"""Submissions whose messages are stored slice by slice, ahead of their acceptance."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, PrimaryKeyConstraint

revision = "v14"
down_revision = "v13"


def upgrade() -> None:
    op.create_table(
        "staged",
        Column("submission_id", BigInteger(), nullable=False),
        PrimaryKeyConstraint("submission_id"),
    )
