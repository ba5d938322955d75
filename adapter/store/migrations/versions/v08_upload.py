"""How far a submission has come whose recipients are uploaded portion by portion."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, PrimaryKeyConstraint

revision = "v08"
down_revision = "v07"


def upgrade() -> None:
    op.create_table(
        "upload",
        Column("submission_id", BigInteger(), nullable=False),
        Column("entries", Integer(), nullable=False),
        Column("accepted", Integer(), nullable=False),
        PrimaryKeyConstraint("submission_id"),
    )
