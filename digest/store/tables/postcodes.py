"""Which councils serve a postcode, as an operator's file says."""

from __future__ import annotations

from sqlmodel import Field, SQLModel

from digest.store.tables.columns import ref


class PostcodeRow(SQLModel, table=True):
    """A whole postcode, its sector or its outward code ("SK1 3XE", "SK1 3", "SK1") and one council there."""

    __tablename__ = "postcode"
    code: str = Field(primary_key=True)
    council_id: int = Field(sa_column=ref("council.id", primary=True))
