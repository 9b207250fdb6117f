"""Keys of the API from the command line: shown once, listed without their secret, ended."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from digest.cli import app
from digest.cli.entrance import translated


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["api-key", *words])


@pytest.fixture(autouse=True)
def _installation(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DIGEST_DATABASE_URL", sqlite_url)


def test_a_key_is_printed_once_listed_and_revoked() -> None:
    secret = run("create", "summary writer", "--scope", "summaries", "--scope", "read").stdout.strip()
    assert secret.startswith("dgk_")
    listed = run("list", "--json").stdout
    assert secret not in listed
    (key,) = json.loads(listed)["keys"]
    assert (key["name"], key["scopes"], key["revoked_at"]) == ("summary writer", ["read", "summaries"], None)
    assert run("revoke", "summary writer").exit_code == 0
    assert run("revoke", "summary writer").exit_code == 0
    assert json.loads(run("list", "--json").stdout)["keys"][0]["revoked_at"]
    assert "summary writer" in run("list").stdout


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("create", "a", "--scope", "everything"), "--scope 'everything' is unknown"),
        (("create", "!", "--scope", "read"), "is no name for a key"),
        (("revoke", "nobody"), "there is no key 'nobody'"),
    ],
)
def test_what_cannot_be_is_said(words: tuple[str, ...], why: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit), translated():
        app(["api-key", *words], standalone_mode=False)
    assert why in capsys.readouterr().err


def test_two_keys_of_one_name_are_a_conflict(capsys: pytest.CaptureFixture[str]) -> None:
    run("create", "one", "--scope", "read")
    with pytest.raises(SystemExit), translated():
        app(["api-key", "create", "one", "--scope", "read"], standalone_mode=False)
    assert "there is a key 'one' already" in capsys.readouterr().err
