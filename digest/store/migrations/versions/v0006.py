"""What a letter needs of its reader is in an index by profile (SQLite). An expansion: older programs work with it."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        columns = ["profile_id", "id", "state", "address", "name"]
        op.create_index("subscriber_letter", "subscriber", columns, unique=False)
