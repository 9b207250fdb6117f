"""Subscribers come in, change and go, on both databases."""

from __future__ import annotations

from digest.store.database import Database


def test_a_fresh_database_has_nothing_wrong(database: Database) -> None:
    assert database.check() == ()
