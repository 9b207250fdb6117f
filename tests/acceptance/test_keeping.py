"""An operator keeps an installation well: the doctor, backups, and what comes back from them."""

from __future__ import annotations

from typing import Any

import pytest

from digest.deliver.fake_sendgrid import FakeSendGrid
from tests.acceptance.conftest import Operator
from tests.acceptance.test_live import fake, live  # noqa: F401


def test_a_new_installation_has_nothing_bad_but_the_wheres_to_look(operator: Operator) -> None:
    done = operator.digest("doctor", "--json")
    states = {one["what"]: one["state"] for one in done.document["findings"]}
    assert done.code == 0
    assert states["database"] == "good"
    assert states["templates"] == "good"
    assert states["base_url"] == "look"
    assert "bad" not in states.values()


def test_the_doctor_names_a_broken_template_and_goes_on(operator: Operator) -> None:
    own = operator.folder / "own"
    own.mkdir()
    (own / "letter.txt").write_text("{{ no_such }}", encoding="utf-8")
    settings = operator.folder / "digest.toml"
    settings.write_text(settings.read_text().replace("# templates =", 'templates = "own"'))
    done = operator.digest("doctor", "--json")
    found = {one["what"]: one for one in done.document["findings"]}
    assert done.code == 1
    assert "letter.txt" in found["templates"]["says"]
    assert found["disk"]["state"] == "good"


def test_the_doctor_says_that_a_mail_server_does_not_answer(operator: Operator) -> None:
    settings = operator.folder / "digest.toml"
    server = '[smtp]\nhost = "127.0.0.1"\nport = 1\nsecurity = "none"\n'
    settings.write_text('sender = "smtp"\n' + settings.read_text().replace("[smtp]\n", server))
    done = operator.digest("doctor", "--json")
    found = {one["what"]: one for one in done.document["findings"]}
    assert done.code == 1
    assert found["smtp"]["state"] == "bad"


def findings(operator: Operator) -> dict[str, Any]:
    done = operator.digest("doctor", "--json")
    return {one["what"]: one for one in done.document["findings"]}


def test_the_doctor_finds_a_key_that_may_send_and_a_webhook_key_that_is_one(
    operator: Operator,
    live: FakeSendGrid,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DIGEST_SENDGRID__WEBHOOK_PUBLIC_KEY", live.account.key.public)
    found = findings(operator)
    assert (found["sendgrid"]["state"], found["sendgrid"]["says"]) == ("good", "the key may send")
    assert found["sendgrid.webhook_public_key"]["state"] == "good"
    assert (found["suppression lists"]["state"], found["Email Logs"]["state"]) == ("good", "good")


def test_the_doctor_says_what_is_missed_where_a_key_may_only_send(
    operator: Operator,
    live: FakeSendGrid,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SENDGRID_API_KEY", "SG.mail-only")
    found = findings(operator)
    assert found["sendgrid"]["says"] == "the key may send"
    for what in ("suppression lists", "Email Logs"):
        assert found[what]["state"] == "look"
        assert "SendGrid answers 403" in found[what]["says"]
        assert "give the key the right" in found[what]["says"]


def test_the_doctor_finds_the_webhook_key_bad_that_serve_refuses(
    operator: Operator,
    live: FakeSendGrid,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DIGEST_SENDGRID__WEBHOOK_PUBLIC_KEY", "abc")
    refused = operator.digest("serve", "--port", "0")
    found = findings(operator)["sendgrid.webhook_public_key"]
    assert (refused.code, found["state"]) == (2, "bad")
    assert found["says"] in refused.said
    assert "copy the verification key" in found["says"]


def test_the_doctor_says_that_sendgrid_refuses_the_key(
    operator: Operator,
    live: FakeSendGrid,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SENDGRID_API_KEY", "SG.wrong")
    found = findings(operator)["sendgrid"]
    assert found["state"] == "bad"
    assert "401" in found["says"]


def test_what_was_backed_up_comes_back(operator: Operator) -> None:
    assert operator.digest("db", "backup", "kept.db").code == 0
    operator.digest("council", "add", "bryn", "--name", "Bryn")
    refused = operator.digest("db", "restore", "kept.db")
    assert refused.code == 1
    assert "--replace" in refused.said
    assert operator.digest("db", "restore", "kept.db", "--replace").code == 0
    names = [one["slug"] for one in operator.digest("council", "list", "--json").document["councils"]]
    assert names == ["aber"]
    assert operator.digest("db", "check").code == 0


def test_a_lost_database_is_restored_without_a_question(operator: Operator) -> None:
    operator.digest("db", "backup", "kept.db")
    for path in operator.folder.glob("digest.db*"):
        path.unlink()
    assert operator.digest("db", "restore", "kept.db").code == 0
    assert operator.digest("council", "show", "aber", "--json").document["name"] == "Aber"


def test_a_backup_replaces_an_older_one_and_nothing_else(operator: Operator) -> None:
    assert operator.digest("db", "backup", "kept.db").code == 0
    assert operator.digest("db", "backup", "kept.db").code == 0
    settings = (operator.folder / "digest.toml").read_bytes()
    for precious in ("digest.toml", "digest.db"):
        done = operator.digest("db", "backup", precious)
        assert (done.code, "name another file" in done.said) == (1, True)
    assert (operator.folder / "digest.toml").read_bytes() == settings


def test_what_is_no_backup_replaces_nothing(operator: Operator) -> None:
    operator.write("notes.txt", "not a database")
    done = operator.digest("db", "restore", "notes.txt", "--replace")
    assert done.code == 1
    assert "no backup" in done.said
    assert operator.digest("council", "show", "aber").code == 0
