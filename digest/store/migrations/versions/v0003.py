"""How many follow each council, and since when, is counted in an index alone."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    is_open = sa.text("ended_at IS NULL")
    op.create_index(
        "subscription_followers",
        "subscription",
        ["council_id", "ended_at", "started_at"],
        unique=False,
        sqlite_where=is_open,
        postgresql_where=is_open,
    )
