"""Half of each page free for updates on PostgreSQL; an index of those that have a business key.

Pages that are there stay as they are.
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

revision = "v13"
down_revision = "v12"


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for table in ("message", "segment"):
            op.execute(f"ALTER TABLE {table} SET (fillfactor = 50)")
    op.drop_index("submission_business", "submission")
    named = text("business_key IS NOT NULL")
    op.create_index(
        "submission_business",
        "submission",
        ["business_key", "client"],
        postgresql_where=named,
        sqlite_where=named,
    )
