"""What editions name is stored once for all that are told the same, and so is what their pages have in common.

A program from before cannot read what is stored now. Pages that are stored already are read as they are; what
editions named is carried over.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    # Alembic would copy a whole table for a reference on SQLite, which adds such a column at once.
    kind = "INTEGER" if op.get_bind().dialect.name == "sqlite" else "BIGINT"
    op.create_table(
        "form",
        sa.Column("id", key, autoincrement=True, nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("fingerprint"),
    )
    op.execute(f"ALTER TABLE page ADD COLUMN form_id {kind} REFERENCES form (id)")
    _index("page_form", "page", ["form_id"], where="form_id IS NOT NULL")
    op.create_table(
        "news",
        sa.Column("id", key, autoincrement=True, nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("fingerprint"),
    )
    op.create_table(
        "news_item",
        sa.Column("news_id", key, autoincrement=False, nullable=False),
        sa.Column("item", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("is_folded", sa.SmallInteger(), nullable=False),
        sa.ForeignKeyConstraint(["news_id"], ["news.id"]),
        sa.PrimaryKeyConstraint("news_id", "item"),
    )
    op.execute(f"ALTER TABLE edition ADD COLUMN news_id {kind} REFERENCES news (id)")
    _carry_over()
    op.create_index("news_item_item", "news_item", ["item"], unique=False)
    # Without it a page that goes is looked for in all editions.
    _index("edition_page", "edition", ["page_id"], where="page_id IS NOT NULL")
    _index("edition_news", "edition", ["news_id"], where="news_id IS NOT NULL")
    _index("edition_waiting", "edition", ["run_id", "id"], where="composed_at IS NULL")


def _carry_over() -> None:
    """What each edition named, as news of its own."""
    op.execute("INSERT INTO news (fingerprint) SELECT DISTINCT 'edition ' || edition_id FROM edition_item")
    op.execute(
        "INSERT INTO news_item (news_id, item, version, is_folded) "
        "SELECT n.id, i.item, i.version, i.is_folded FROM edition_item i "
        "JOIN news n ON n.fingerprint = 'edition ' || i.edition_id"
    )
    op.execute(
        "UPDATE edition SET news_id = (SELECT n.id FROM news n WHERE n.fingerprint = 'edition ' || edition.id)"
    )
    op.drop_table("edition_item")


def _index(name: str, table: str, columns: list[str], *, where: str) -> None:
    condition = sa.text(where)
    op.create_index(
        name, table, columns, unique=False, sqlite_where=condition, postgresql_where=condition
    )
