"""Finding messages by client and time, and by a state other than delivered."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, PrimaryKeyConstraint, String

revision = "v10"
down_revision = "v09"

_ENDED = """
INSERT INTO not_delivered (message_id, client, state)
SELECT m.id, s.client, m.state FROM message m JOIN submission s ON s.id = m.submission_id
WHERE m.state NOT IN ('ACCEPTED', 'DELIVERED')
"""


def upgrade() -> None:
    op.create_table(
        "not_delivered",
        Column("message_id", BigInteger(), autoincrement=False, nullable=False),
        Column("client", String(64), nullable=False),
        Column("state", String(12), nullable=False),
        PrimaryKeyConstraint("message_id"),
    )
    op.execute(_ENDED)
    op.create_index("not_delivered_state", "not_delivered", ["state", "message_id"])
    op.create_index("not_delivered_client", "not_delivered", ["client", "state", "message_id"])
    op.create_index("submission_client", "submission", ["client", "id"])
    op.drop_index("message_submission", "message")
    op.create_index("message_submission", "message", ["submission_id", "id"])
