"""Accounts of the desk, on SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from digest.errors import ConflictError, NotFoundError
from digest.model import Role
from digest.pipeline import operators
from digest.store.database import Database

NOW = datetime(2025, 9, 7, 17, 0, tzinfo=UTC)
WORDS = "four words make one"


@pytest.fixture
def joan(database: Database) -> Database:
    operators.add(database, "joan", role=Role.EDITOR, password=WORDS, actor="test", now=NOW)
    return database


def test_who_knows_the_password_is_signed_in_until_they_sign_out(joan: Database) -> None:
    found = operators.sign_in(joan, "joan", WORDS, now=NOW)
    assert found is not None
    operator, secret = found
    assert operator.role is Role.EDITOR
    later = NOW + timedelta(hours=1)
    assert operators.signed_in(joan, secret, now=later) is not None
    operators.sign_out(joan, secret, now=later)
    operators.sign_out(joan, secret, now=later)
    assert operators.signed_in(joan, secret, now=later) is None


@pytest.mark.parametrize(("name", "password"), [("joan", "not these words"), ("nobody", WORDS), ("", "")])
def test_a_wrong_name_or_password_lets_nobody_in(joan: Database, name: str, password: str) -> None:
    assert operators.sign_in(joan, name, password, now=NOW) is None


def test_a_session_ends_when_unused_and_at_the_end_of_the_day(joan: Database) -> None:
    found = operators.sign_in(joan, "joan", WORDS, now=NOW)
    assert found is not None
    assert operators.signed_in(joan, found[1], now=NOW + operators.IDLE + timedelta(seconds=1)) is None
    seen = NOW
    while seen < NOW + operators.SESSION - operators.IDLE:
        seen += operators.IDLE / 2
        assert operators.signed_in(joan, found[1], now=seen) is not None
    assert operators.signed_in(joan, found[1], now=NOW + operators.SESSION) is None


def test_a_changed_account_is_signed_out_everywhere(joan: Database) -> None:
    found = operators.sign_in(joan, "joan", WORDS, now=NOW)
    assert found is not None
    operators.change(joan, "joan", role=Role.VIEWER, actor="test", now=NOW)
    assert operators.signed_in(joan, found[1], now=NOW) is None


def test_a_disabled_account_lets_nobody_in_until_it_is_enabled(joan: Database) -> None:
    operators.change(joan, "joan", is_disabled=True, actor="test", now=NOW)
    assert operators.sign_in(joan, "joan", WORDS, now=NOW) is None
    operators.change(joan, "joan", is_disabled=False, actor="test", now=NOW)
    assert operators.sign_in(joan, "joan", WORDS, now=NOW) is not None


def test_a_name_is_taken_once_and_a_password_is_long(joan: Database) -> None:
    with pytest.raises(ConflictError, match="there is an operator joan"):
        operators.add(joan, "joan", role=Role.ADMIN, password=WORDS, actor="test", now=NOW)
    with pytest.raises(operators.PasswordError, match="at least 12 characters"):
        operators.add(joan, "ann", role=Role.ADMIN, password="short", actor="test", now=NOW)
    with pytest.raises(NotFoundError, match="operator list"):
        operators.change(joan, "ann", role=Role.ADMIN, actor="test", now=NOW)
