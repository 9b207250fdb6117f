"""Who is due first on a schedule is found in an index; on PostgreSQL that of letters by batch is small."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    is_active = sa.text("state = 'active'")
    op.create_index(
        "subscriber_due",
        "subscriber",
        ["schedule_id", "due_from_at"],
        unique=False,
        sqlite_where=is_active,
        postgresql_where=is_active,
    )
    if op.get_bind().dialect.name == "postgresql":
        # Equal keys are kept once (deduplication), and planning writes a million of them: half the time.
        op.drop_index("delivery_batch", "delivery")
        op.create_index("delivery_batch", "delivery", ["batch_id"], unique=False)
