"""The first schema."""

from __future__ import annotations

from alembic import op
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    String,
    Text,
)

revision = "v01"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "attempt",
        Column("message_id", BigInteger(), autoincrement=False, nullable=False),
        Column("number", SmallInteger(), nullable=False),
        Column("channel", String(64), nullable=False),
        Column("parts", String(200), nullable=True),
        Column("in_doubt", Boolean(), nullable=False),
        Column("started_at", BigInteger(), nullable=False),
        Column("doubt_at", BigInteger(), nullable=True),
        Column("settle_at", BigInteger(), nullable=True),
        PrimaryKeyConstraint("message_id"),
    )
    op.create_table(
        "inbound",
        Column("id", BigInteger(), autoincrement=False, nullable=False),
        Column("channel", String(64), nullable=False),
        Column("mobile", String(32), nullable=False),
        Column("content", Text(), nullable=True),
        Column("access_number", String(32), nullable=False),
        Column("extension", String(20), nullable=True),
        Column("client", String(64), nullable=True),
        Column("message_id", BigInteger(), nullable=True),
        Column("received_at", BigInteger(), nullable=False),
        PrimaryKeyConstraint("id"),
    )
    op.create_index("inbound_mobile", "inbound", ["mobile", "id"])
    op.create_table(
        "message",
        Column("id", BigInteger(), autoincrement=False, nullable=False),
        Column("submission_id", BigInteger(), nullable=False),
        Column("ref", String(64), nullable=True),
        Column("mobile", String(20), nullable=False),
        Column("carrier", String(16), nullable=False),
        Column("content", Text(), nullable=True),
        Column("segments", SmallInteger(), nullable=False),
        Column("state", String(12), nullable=False),
        Column("code", String(32), nullable=True),
        Column("channel", String(64), nullable=True),
        Column("in_doubt", Boolean(), nullable=False),
        Column("submitted_at", BigInteger(), nullable=True),
        Column("done_at", BigInteger(), nullable=True),
        PrimaryKeyConstraint("id"),
        postgresql_with={"fillfactor": "80"},
    )
    op.create_index("message_mobile", "message", ["mobile", "id"])
    op.create_index("message_submission", "message", ["submission_id"])
    op.create_table(
        "notification",
        Column("id", BigInteger(), autoincrement=False, nullable=False),
        Column("destination", String(80), nullable=False),
        Column("message_id", BigInteger(), nullable=True),
        Column("inbound_id", BigInteger(), nullable=True),
        Column("state", String(12), nullable=True),
        Column("code", String(32), nullable=True),
        Column("channel", String(64), nullable=True),
        Column("submitted_at", BigInteger(), nullable=True),
        Column("done_at", BigInteger(), nullable=True),
        PrimaryKeyConstraint("id"),
    )
    op.create_index("notification_destination", "notification", ["destination", "id"])
    op.create_table(
        "receipt",
        Column("id", BigInteger(), autoincrement=False, nullable=False),
        Column("channel", String(64), nullable=False),
        Column("carrier_id", String(64), nullable=False),
        Column("mobile", String(32), nullable=True),
        Column("code", String(32), nullable=False),
        Column("delivered", Boolean(), nullable=False),
        Column("state", String(12), nullable=False),
        Column("submitted", String(20), nullable=True),
        Column("done", String(20), nullable=True),
        Column("received_at", BigInteger(), nullable=False),
        PrimaryKeyConstraint("id"),
    )
    op.create_index("receipt_carrier_id", "receipt", ["carrier_id"])
    op.create_index("receipt_mobile", "receipt", ["mobile"])
    op.create_table(
        "segment",
        Column("message_id", BigInteger(), autoincrement=False, nullable=False),
        Column("attempt", SmallInteger(), autoincrement=False, nullable=False),
        Column("number", SmallInteger(), autoincrement=False, nullable=False),
        Column("channel", String(64), nullable=False),
        Column("carrier_id", String(64), nullable=True),
        Column("code", String(32), nullable=True),
        Column("state", String(12), nullable=False),
        Column("submitted_at", BigInteger(), nullable=False),
        Column("receipt_code", String(32), nullable=True),
        Column("receipt_at", BigInteger(), nullable=True),
        PrimaryKeyConstraint("message_id", "attempt", "number"),
        postgresql_with={"fillfactor": "80"},
    )
    op.create_index("segment_carrier_id", "segment", ["carrier_id"])
    op.create_table(
        "spool",
        Column("message_id", BigInteger(), autoincrement=False, nullable=False),
        Column("carrier", String(16), nullable=False),
        Column("lane", String(16), nullable=False),
        Column("client", String(64), nullable=False),
        Column("due_at", BigInteger(), nullable=False),
        Column("expire_at", BigInteger(), nullable=False),
        Column("tries", SmallInteger(), nullable=False),
        Column("in_doubt", Boolean(), nullable=False),
        Column("parts", String(200), nullable=True),
        PrimaryKeyConstraint("message_id"),
    )
    op.create_index("spool_queue", "spool", ["carrier", "lane", "client", "due_at", "message_id"])
    op.create_table(
        "statistics_day",
        Column("day", Integer(), autoincrement=False, nullable=False),
        Column("client", String(64), nullable=False),
        Column("business", String(64), nullable=False),
        Column("door", String(64), nullable=False),
        Column("channel", String(64), nullable=False),
        Column("carrier", String(64), nullable=False),
        Column("state", String(64), nullable=False),
        Column("messages", BigInteger(), nullable=False),
        Column("segments", BigInteger(), nullable=False),
        PrimaryKeyConstraint("day", "client", "business", "door", "channel", "carrier", "state"),
    )
    op.create_table(
        "statistics_hour",
        Column("hour", Integer(), autoincrement=False, nullable=False),
        Column("client", String(64), nullable=False),
        Column("business", String(64), nullable=False),
        Column("door", String(64), nullable=False),
        Column("channel", String(64), nullable=False),
        Column("carrier", String(64), nullable=False),
        Column("state", String(64), nullable=False),
        Column("messages", BigInteger(), nullable=False),
        Column("segments", BigInteger(), nullable=False),
        PrimaryKeyConstraint("hour", "client", "business", "door", "channel", "carrier", "state"),
    )
    op.create_table(
        "submission",
        Column("id", BigInteger(), autoincrement=False, nullable=False),
        Column("client", String(64), nullable=False),
        Column("door", String(16), nullable=False),
        Column("source", String(64), nullable=True),
        Column("client_ref", String(64), nullable=True),
        Column("ref_key", String(200), nullable=True),
        Column("business", String(32), nullable=False),
        Column("lane", String(16), nullable=False),
        Column("content", Text(), nullable=True),
        Column("extension", String(20), nullable=True),
        Column("pass_through", String(200), nullable=True),
        Column("business_key", String(64), nullable=True),
        Column("receipt", Boolean(), nullable=False),
        Column("accepted_at", BigInteger(), nullable=False),
        Column("due_at", BigInteger(), nullable=False),
        Column("expire_at", BigInteger(), nullable=False),
        Column("refusals", Text(), nullable=True),
        PrimaryKeyConstraint("id"),
    )
    op.create_index("submission_business", "submission", ["business_key", "client"])
    op.create_index("submission_ref", "submission", ["ref_key"], unique=True)
    op.create_table(
        "tally",
        Column("id", BigInteger(), autoincrement=False, nullable=False),
        Column("hour", Integer(), nullable=False),
        Column("client", String(64), nullable=False),
        Column("business", String(64), nullable=False),
        Column("door", String(64), nullable=False),
        Column("channel", String(64), nullable=False),
        Column("carrier", String(64), nullable=False),
        Column("state", String(64), nullable=False),
        Column("messages", BigInteger(), nullable=False),
        Column("segments", BigInteger(), nullable=False),
        PrimaryKeyConstraint("id"),
    )
