"""Settings: one table; file and variables agree with it; every mistake is named with its mend."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from digest.errors import SettingsError
from digest.model import Cadence, Detail, Schedule
from digest.settings import Settings, load_settings, settings_table, settings_toml

SECRET = "4f" * 32
SUPPRESSION = "9a" * 32


def read(toml_text: str = "", **environ: str) -> Settings:
    return load_settings(None, environ, toml_text=toml_text)


def test_without_a_file_everything_has_a_default_that_mails_nobody() -> None:
    settings = read()
    assert settings.sender == "outbox"
    assert settings.safety.live is False
    assert settings.database_url == "sqlite:///digest.db"
    assert settings.schedule.schedule_value() == Schedule(Cadence.WEEKLY, "sunday", "18:00", "Europe/London")


def test_the_defaults_that_the_contract_names() -> None:
    settings = read()
    assert settings.digest.horizon == timedelta(days=14)
    assert settings.digest.look_back == timedelta(days=28)
    assert settings.digest.archive_after == timedelta(days=60)
    assert settings.schedule.stale_after == timedelta(hours=48)
    assert settings.schedule.send_between == "06:00-22:00"
    assert settings.feeds.host_pause_s == 5
    assert settings.sendgrid.batch_size == 500
    assert settings.retention.pages == timedelta(days=400)
    assert settings.feeds.allow_private_addresses is False


def test_a_file_is_read_section_by_section() -> None:
    settings = read(
        'base_url = "https://digest.example.org/"\n'
        '[publication]\nname = "Ynys Digest"\nfrom = "news@digest.example.org"\n'
        'reply-to = "desk@digest.example.org"\ncolours = { accent = "#1d5b79" }\n'
        '[digest]\ndetail = "full"\nhorizon = "3w"\n[safety]\nallow_list = ["ann@example.org"]\n'
    )
    publication = settings.publication_value()
    assert publication.name == "Ynys Digest"
    assert publication.from_address == "news@digest.example.org"
    assert publication.reply_to == "desk@digest.example.org"
    assert publication.base_url == "https://digest.example.org"
    assert publication.colours == {"accent": "#1d5b79"}
    assert settings.digest.detail is Detail.FULL
    assert settings.digest.horizon == timedelta(weeks=3)
    assert settings.safety.allow_list == ("ann@example.org",)


def test_a_variable_wins_over_the_file() -> None:
    settings = read("[sendgrid]\nbatch_size = 100\n", DIGEST_SENDGRID__BATCH_SIZE="7")
    assert settings.sendgrid.batch_size == 7


def test_a_tier_has_a_table_of_its_own_and_variables() -> None:
    settings = read("[tiers.resident]\nmax_councils = 3\n", DIGEST_TIERS__RESIDENT__MAX_DETAIL="brief")
    assert settings.tiers.resident.max_councils == 3
    assert settings.tiers.resident.max_detail is Detail.BRIEF
    assert settings.tiers.professional == read().tiers.professional


def test_variables_carry_lists_tables_and_top_level_options() -> None:
    settings = read(
        DIGEST_BASE_URL="https://d.example",
        DIGEST_SAFETY__ALLOW_LIST="ann@example.org, @council.example",
        DIGEST_OLD_SECRET_KEYS=f"{SECRET},{SUPPRESSION}",
        DIGEST_PUBLICATION__COLOURS='{"accent": "#000"}',
        DIGEST_PUBLICATION__FROM="a@b.example",
    )
    assert settings.base_url == "https://d.example"
    assert settings.safety.allow_list == ("ann@example.org", "@council.example")
    assert [key.get_secret_value() for key in settings.old_secret_keys] == [SECRET, SUPPRESSION]
    assert settings.publication.colours == {"accent": "#000"}
    assert settings.publication.from_address == "a@b.example"


@pytest.mark.parametrize("written", ["a@x.example, @y.example", '["a@x.example", "@y.example"]'])
def test_a_list_in_a_variable_is_written_with_commas_or_as_json(written: str) -> None:
    found = load_settings(None, {"DIGEST_SAFETY__ALLOW_LIST": written})
    assert found.safety.allow_list == ("a@x.example", "@y.example")


def test_a_list_that_is_neither_is_a_mistake() -> None:
    with pytest.raises(SettingsError, match=r"DIGEST_SAFETY__ALLOW_LIST.*one, two"):
        load_settings(None, {"DIGEST_SAFETY__ALLOW_LIST": "[a@x.example]"})


def test_every_option_of_the_table_can_be_given_as_its_variable() -> None:
    for row in settings_table():
        value = SECRET if row.is_secret else row.default.strip('"') or "ann@example.org"
        if row.default in ("[]", ""):
            value = {"duration": "3h", "whole number": "5"}.get(row.type, value)
        given = load_settings(None, {row.variable: value}).model_fields_set
        assert row.name.split(".")[0] in given, f"{row.variable} was not taken"


def test_the_provider_s_own_variable_gives_the_key_unless_ours_does() -> None:
    theirs = read(SENDGRID_API_KEY="SG.theirs").sendgrid.api_key
    assert theirs is not None
    assert theirs.get_secret_value() == "SG.theirs"
    ours = read(SENDGRID_API_KEY="SG.theirs", DIGEST_SENDGRID__API_KEY="SG.ours").sendgrid.api_key
    assert ours is not None
    assert ours.get_secret_value() == "SG.ours"


def test_the_entrances_own_variables_are_no_options_and_no_mistake() -> None:
    assert read(DIGEST_NOW="2025-09-21T18:00Z", DIGEST_CONFIG="x.toml", PATH="/bin") == read()


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(Exception, match="frozen"):
        read().sendgrid.batch_size = 5  # type: ignore[misc]


# --- mistakes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[sendgrid]\nbatchsize = 5", "sendgrid.batchsize in digest.toml.*sendgrid.batch_size"),
        ("[sendgird]\nbatch_size = 5", "sendgird.batch_size.*sendgrid.batch_size"),
        ("databse_url = ''", "databse_url.*database_url"),
        ("[publication]\nbase_url = ''", "publication.base_url.*did you mean base_url"),
        ("publication = 3", "publication in digest.toml is no option"),
        ("x = = 1", "digest.toml is not valid TOML.*line 1"),
        ("[sendgrid]\nbatch_size = 'many'", "sendgrid.batch_size in digest.toml = 'many'.*integer.*500"),
        ("[sendgrid]\nbatch_size = 1001", "1001.*less than or equal to 1000"),
        (
            "[tiers.resident]\nmax_councils = 0",
            "tiers.resident.max_councils in digest.toml = 0.*greater than",
        ),
        ("[tiers.gold]\nmax_councils = 1", "tiers.gold.max_councils.*did you mean tiers.*max_councils"),
        ("sender = 'pigeon'", "sender in digest.toml = 'pigeon'.*'outbox', 'smtp' or 'sendgrid'"),
        ("[digest]\nhorizon = 14", "digest.horizon.*14.*unit"),
        ("[digest]\nhorizon = 'soon'", "digest.horizon.*soon.*48h"),
        ("[schedule]\ntime = '18:10'", "schedule.*18:10.*quarter hour"),
        ("[schedule]\ntimezone = 'Europe/Lodnon'", "Lodnon.*Europe/London"),
        ("[schedule]\nsend_between = 'always'", "always.*06:00-22:00"),
        ("base_url = 'digest.example.org'", "digest.example.org.*https://"),
        ("base_url = 'https://digest.example.org/a&b'", "base_url.*links begin with it"),
        (f"base_url = 'https://digest.example.org/{'p' * 99}'", "base_url.*leave room for 110"),
        ("base_url = 'https://digest.example.org:99999'", "base_url.*99999.*[Pp]ort"),
        ("[sendgrid]\nbase_url = 'http://127.0.0.1:99999'", "sendgrid.base_url.*[Pp]ort"),
        ("[publication]\nfrom = 'notanaddress'", "publication.from.*notanaddress.*digest@example.org"),
        ("[publication]\nreply_to = 'Us <us@x.example>'", "publication.reply_to.*bare address"),
        ("[safety]\nallow_list = ['example.org']", "safety.allow_list.*'example.org'.*@example.org"),
        ("[safety]\nallow_list = ['bad entry@x.example']", "safety.allow_list.*'bad entry@x.example'"),
        ("[safety]\nlive = 'perhaps'", "safety.live.*perhaps.*boolean"),
    ],
)
def test_a_mistake_in_the_file_is_named_with_its_mend(text: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        read(text)


def test_a_mistake_in_a_variable_names_the_variable() -> None:
    with pytest.raises(SettingsError, match=r"DIGEST_SENDGRID__BATCHSIZE.*DIGEST_SENDGRID__BATCH_SIZE"):
        read(DIGEST_SENDGRID__BATCHSIZE="5")
    with pytest.raises(SettingsError, match="DIGEST_SENDGRID__BATCH_SIZE = 'many'"):
        read(DIGEST_SENDGRID__BATCH_SIZE="many")
    with pytest.raises(SettingsError, match="write tables as JSON"):
        read(DIGEST_PUBLICATION__COLOURS="{accent")


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(SettingsError) as refused:
        read("sender = 'pigeon'\n[smtp]\nport = 0")
    assert len(str(refused.value).splitlines()) == 2


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.toml.*digest init"):
        load_settings(str(tmp_path / "nowhere.toml"), {})


@pytest.mark.parametrize("name", ["DIGEST_SECRET_KEY", "DIGEST_OLD_SECRET_KEYS", "DIGEST_SUPPRESSION_KEY"])
def test_a_short_key_is_refused_and_not_shown(name: str) -> None:
    with pytest.raises(SettingsError, match=f"{name}.*32 characters") as refused:
        load_settings(None, {name: "tooshort"})
    assert "tooshort" not in str(refused.value)


def test_secrets_show_nowhere() -> None:
    secrets = {row.variable: SECRET for row in settings_table() if row.is_secret}
    assert len(secrets) == 5
    assert SECRET not in repr(load_settings(None, secrets))


# --- the table and the default file -------------------------------------------------------------------


def test_the_default_file_explains_every_option_and_changes_none() -> None:
    text = settings_toml(SECRET, SUPPRESSION)
    settings = read(text)
    assert settings == read(DIGEST_SECRET_KEY=SECRET, DIGEST_SUPPRESSION_KEY=SUPPRESSION)
    for row in settings_table():
        assert f"# {row.help}\n" in text


def test_the_defaults_shown_in_the_file_are_the_real_ones() -> None:
    text = settings_toml(SECRET, SUPPRESSION)
    plain = re.sub(r"^# ([a-z_]+ = )", r"\1", text, flags=re.MULTILINE)
    assert plain.count("\n# ") < text.count("\n# ") / 1.5
    assert read(plain) == read(text)


def test_facts_stand_in_the_default_file_as_given() -> None:
    text = settings_toml(
        SECRET, SUPPRESSION, base_url="https://d.example", publication__from="a@b.example",
        publication__name='The "Digest" of Ynys Môn', publication__colours={"accent": "#123"},
        outbox__directory="my letters",
        digest__horizon=timedelta(days=7), safety__allow_list=["ann@example.org"], safety__live=True,
    )  # fmt: skip
    settings = read(text)
    assert settings.publication.name == 'The "Digest" of Ynys Môn'
    assert settings.publication.colours == {"accent": "#123"}
    assert settings.outbox.directory == Path("my letters")
    assert settings.digest.horizon == timedelta(days=7)
    assert settings.safety.live is True


def test_a_fact_that_is_no_option_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"publication\.form.*publication.from"):
        settings_toml(SECRET, SUPPRESSION, publication__form="a@b.example")


def test_paths_are_meant_from_the_folder_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "digest.toml"
    file.write_text('[summaries]\ninbox = "in"\n[outbox]\ndirectory = "/var/letters"\n', encoding="utf-8")
    settings = load_settings(str(file), {})
    assert settings.database_url == f"sqlite:///{tmp_path}/digest.db"
    assert settings.summaries.inbox == tmp_path / "in"
    assert settings.outbox.directory == Path("/var/letters")


@pytest.mark.parametrize(
    "url", ["sqlite:////var/lib/digest.db", "sqlite:///:memory:", "postgresql://db/digest"]
)
def test_database_urls_that_are_no_relative_files_stay(tmp_path: Path, url: str) -> None:
    file = tmp_path / "digest.toml"
    file.write_text(f'database_url = "{url}"\n', encoding="utf-8")
    assert load_settings(str(file), {}).database_url == url


def test_a_host_in_other_letters_is_written_as_mail_needs_it() -> None:
    settings = load_settings(
        None, {}, toml_text=f'secret_key = "{"k" * 40}"\nbase_url = "https://Møde.example/x/"'
    )
    assert settings.base_url == "https://xn--mde-0na.example/x"
