"""What an operator gets wrong is named, with its place and its mend, and nothing is left half-written."""

from __future__ import annotations

import functools
import http.server
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.conftest import Operator

GOOD_FEED = """<?xml version="1.0"?><rss version="2.0"><channel><title>Aber meetings</title>
<item><title>Planning Committee - Wednesday, 10th September, 2025 10.00 am</title>
<link>https://aber.example/ieListDocuments.aspx?CId=1&amp;MId=7</link><guid>7</guid></item></channel></rss>"""
HTML = "<!doctype html><html><head><title>Sorry</title></head><body><p>We moved.</p></body></html>"
SUMMARY = """---
council: {council}
committee: Planning
starts_at: 2025-09-03T10:00
origin: human
---
The committee met.
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, str]]:
    """A folder that is served over loopback, and its address; settings allow this machine."""
    monkeypatch.setenv("DIGEST_FEEDS__ALLOW_PRIVATE_ADDRESSES", "true")
    monkeypatch.setenv("DIGEST_FEEDS__HOST_PAUSE_S", "0")
    folder = tmp_path / "site"
    folder.mkdir()
    handler = functools.partial(_Quiet, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Nothing is said."""


def meetings(operator: Operator) -> int:
    return int(operator.digest("council", "show", "aber", "--json").document["meetings"])


# --- feeds ----------------------------------------------------------------------------------------------


def test_an_unreachable_feed_is_named_and_the_others_are_polled(
    operator: Operator, site: tuple[Path, str]
) -> None:
    folder, address = site
    (folder / "good.xml").write_text(GOOD_FEED)
    operator.digest("feed", "add", "aber", "http://127.0.0.1:9/gone.xml")
    operator.digest("feed", "add", "aber", f"{address}/good.xml")
    done = operator.digest("poll", "--all", "--json")
    assert done.code == 1
    assert "aber: http://127.0.0.1:9/gone.xml could not be reached" in done.said
    assert (done.document["feeds"], done.document["failed"], done.document["new"]) == (2, 1, 1)


@pytest.mark.parametrize(
    "body", [HTML, GOOD_FEED[:150], "", "\x00\x01\x02"], ids=["a page", "a torn feed", "nothing", "bytes"]
)
def test_what_is_no_feed_is_named_and_leaves_no_meeting(
    operator: Operator, site: tuple[Path, str], body: str
) -> None:
    folder, address = site
    (folder / "feed.xml").write_text(body)
    operator.digest("feed", "add", "aber", f"{address}/feed.xml")
    done = operator.digest("poll", "--all", "--json")
    assert done.code == 1
    assert f"aber: {address}/feed.xml: " in done.said
    assert done.document["failed"] == 1
    assert meetings(operator) == 0


def test_a_missing_page_is_named_with_its_status(operator: Operator, site: tuple[Path, str]) -> None:
    operator.digest("feed", "add", "aber", f"{site[1]}/nothing-here.xml")
    done = operator.digest("poll", "--all")
    assert done.code == 1
    assert "404" in done.said


def test_a_feed_of_an_unknown_council_is_refused_with_the_nearest(operator: Operator) -> None:
    done = operator.digest("feed", "add", "abar", "https://aber.example/feed.xml")
    assert done.code == 1
    assert "'abar'" in done.said
    assert "'aber'" in done.said or "did you mean aber" in done.said
    assert operator.digest("feed", "list", "--json").document == {"feeds": []}


def test_what_is_no_web_address_is_wrong_usage(operator: Operator) -> None:
    done = operator.digest("feed", "add", "aber", "aber.example/feed")
    assert done.code == 2
    assert "https://" in done.said


# --- summaries --------------------------------------------------------------------------------------------


def test_a_summary_for_an_unknown_council_is_refused_and_the_good_one_kept(operator: Operator) -> None:
    bad = operator.write("bad.md", SUMMARY.format(council="abar"))
    good = operator.write("good.md", SUMMARY.format(council="aber"))
    done = operator.digest("summary", "import", str(bad), str(good), "--json")
    assert done.code == 1
    assert (done.document["imported"], done.document["unchanged"]) == (1, 0)
    (refused,) = done.document["refused"]
    assert (refused["path"], refused["line"]) == (str(bad), 2)
    assert "abar" in refused["why"]
    assert "aber" in refused["why"].replace("abar", "")
    assert len(operator.digest("summary", "list", "--json").document["summaries"]) == 1


def test_a_file_that_is_not_there_is_wrong_usage_and_nothing_is_imported(operator: Operator) -> None:
    good = operator.write("good.md", SUMMARY.format(council="aber"))
    done = operator.digest("summary", "import", str(good), "missing.md")
    assert done.code == 2
    assert "missing.md" in done.said
    assert operator.digest("summary", "list", "--json").document["summaries"] == []


# --- subscribers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "named"),
    [
        ("not-an-address,aber", "not-an-address"),
        ("ann@example.org,abar", "abar"),
        ("ann@example.org,", "council"),
    ],
)
def test_a_bad_row_is_named_with_its_line_and_the_good_ones_are_kept(
    operator: Operator, row: str, named: str
) -> None:
    operator.write("people.csv", f"email,councils\nbob@example.org,aber\n{row}\neve@example.org,aber\n")
    done = operator.digest("subscriber", "import", "people.csv", "--json")
    assert done.code == 1
    assert done.document["imported"] == 2
    (refused,) = done.document["refused"]
    assert refused["line"] == 3
    assert named in refused["why"]


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("not-an-address", "--council", "aber"), "not-an-address"),
        (("ann@example.org", "--council", "abar"), "abar"),
    ],
)
def test_a_reader_who_cannot_be_added_is_refused_and_not_stored(
    operator: Operator, words: tuple[str, ...], named: str
) -> None:
    done = operator.digest("subscriber", "add", *words)
    assert done.code == 1
    assert named in done.said
    assert operator.digest("subscriber", "export", "--json").document == {"subscribers": []}


def test_an_unknown_column_is_wrong_usage_and_names_the_nearest(operator: Operator) -> None:
    operator.write("people.csv", "email,concils\nbob@example.org,aber\n")
    done = operator.digest("subscriber", "import", "people.csv")
    assert done.code == 2
    assert "'concils'" in done.said
    assert "'councils'" in done.said
    assert operator.digest("subscriber", "export", "--json").document == {"subscribers": []}


# --- settings and clock ------------------------------------------------------------------------------------


def test_an_unknown_setting_is_wrong_usage_names_the_nearest_and_nothing_is_made(tmp_path: Path) -> None:
    operator = Operator(tmp_path)
    operator.write("digest.toml", "[feeds]\nconcurency = 3\n")
    for words in (("init",), ("run",), ("poll",), ("status",)):
        done = operator.digest(*words)
        assert done.code == 2
        assert "concurency" in done.said
        assert "concurrency" in done.said
    assert [path.name for path in tmp_path.iterdir()] == ["digest.toml"]


def test_an_unknown_variable_is_wrong_usage_and_names_the_nearest(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGEST_SENDR", "outbox")
    done = operator.digest("run")
    assert done.code == 2
    assert "DIGEST_SENDR" in done.said
    assert "DIGEST_SENDER" in done.said


def test_a_clock_that_is_no_instant_is_wrong_usage(operator: Operator) -> None:
    done = operator.digest("run", now="next sunday")
    assert done.code == 2
    assert "'next sunday'" in done.said
    assert "2025-09-07T18:00" in done.said


def test_without_tables_a_run_says_how_to_make_them(tmp_path: Path) -> None:
    operator = Operator(tmp_path)
    operator.digest("init")
    (tmp_path / "digest.db").unlink()
    done = operator.digest("run")
    assert done.code == 1
    assert "digest db upgrade" in done.said


def test_an_instant_is_named_by_the_option_that_gave_it(operator: Operator) -> None:
    done = operator.digest("run", "--at", "next sunday")
    assert done.code == 2
    assert "--at 'next sunday'" in done.said


@pytest.mark.parametrize("command", ["serve", "fake-sendgrid", "preview"])
def test_a_port_that_cannot_be_used_is_wrong_usage(operator: Operator, command: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        busy = operator.digest(command, "--port", port)
    beyond = operator.digest(command, "--port", "99999")
    assert (busy.code, beyond.code) == (2, 2)
    assert f"port {port} cannot be used" in busy.said
    assert "65535" in beyond.said


@pytest.mark.parametrize(
    "webhook",
    ["not a url", "127.0.0.1:8000", "ftp://127.0.0.1/", "http:///path", "http://a:port/", "http://[a", ""],
)
def test_a_webhook_that_is_no_web_address_is_wrong_usage(operator: Operator, webhook: str) -> None:
    done = operator.digest("fake-sendgrid", "--port", "0", "--webhook", webhook)
    assert done.code == 2
    assert f"--webhook {webhook!r}" in done.said
    assert "http://127.0.0.1:8000/webhooks/sendgrid" in done.said


@pytest.mark.parametrize(
    "words",
    [("lint", "none.html"), ("notice", "service", "none.md"), ("preview", "--profile", "none.json")],
)
def test_a_file_that_is_not_there_is_named_once_and_plainly(
    operator: Operator, words: tuple[str, ...]
) -> None:
    done = operator.digest(*words)
    assert done.code == 2
    assert done.said.count(words[-1]) == 1
    assert "Errno" not in done.said


def test_in_another_folder_nothing_is_begun_and_the_way_back_is_named(
    operator: Operator, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = Operator(tmp_path_factory.mktemp("elsewhere"))
    for words in (("run",), ("status",), ("run", "list")):
        done = elsewhere.digest(*words)
        assert done.code != 0
        assert "--config" in done.said
        assert "digest init" in done.said
    assert list(elsewhere.folder.iterdir()) == []
    assert f"no digest.toml in {elsewhere.folder}" in elsewhere.digest("run").said
    # The settings are there, and the database is not.
    (operator.folder / "digest.db").rename(operator.folder / "kept.db")
    for beside in operator.folder.glob("digest.db-*"):
        beside.unlink()
    gone = operator.digest("run", "list")
    assert gone.code == 1
    assert "digest.db does not exist" in gone.said
    assert not (operator.folder / "digest.db").exists()


def test_a_line_that_is_no_toml_is_shown_unless_it_may_hold_a_secret(operator: Operator) -> None:
    settings = operator.folder / "digest.toml"
    good = settings.read_text(encoding="utf-8")
    settings.write_text(f"{good}\n[safety]\nlive = True\n".replace("[safety]\n", "", 1), encoding="utf-8")
    assert "live = True (texts stand in quotes; true and false are small)" in operator.digest("run").said
    settings.write_text(f"secret_key = abc\n{good}", encoding="utf-8")
    assert "abc" not in operator.digest("run").said


def test_what_is_no_letter_id_is_said_with_where_they_are(operator: Operator) -> None:
    done = operator.digest("letter", "show", "1")
    assert done.code == 2
    assert "'1' is no letter's id: `digest letter list ADDRESS` has them" in done.said
