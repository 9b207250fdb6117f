"""An operator keeps the readers: by hand and by list, through the command line alone."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from digest.cli import main
from tests.conftest import ROOT

SAMPLES = ROOT / "samples" / "subscribers.csv"
NOW = "2025-09-07T18:00+01:00"
LATER = "2025-10-07T18:00+01:00"
WEB_FORM = ("--confirmed", "--consent-source", "web form")


@dataclass(frozen=True)
class Done:
    """How a command ended and what it said."""

    returncode: int
    stdout: str
    stderr: str


@dataclass
class Desk:
    """A folder with an installation, and the operator's command line in it."""

    folder: Path

    def run(self, *words: str, now: str = NOW) -> Done:
        """The console script, called in this process: fifty interpreters would take a minute to start."""
        said, complained = io.StringIO(), io.StringIO()
        code: object = None
        with (
            pytest.MonkeyPatch.context() as here,
            contextlib.redirect_stdout(said),
            contextlib.redirect_stderr(complained),
        ):
            here.chdir(self.folder)
            here.setattr(sys, "argv", ["digest", "--now", now, *words])
            try:
                main()
            except SystemExit as ended:
                code = ended.code
        assert code is None or isinstance(code, int), code
        return Done(code or 0, said.getvalue(), complained.getvalue())

    def start(self, *words: str) -> Done:
        """The same in a process of its own."""
        command = [sys.executable, "-m", "digest", "--now", NOW, *words]
        environ = {"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "PATH": "/usr/bin:/bin"}
        done = subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, env=environ, check=False
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def good(self, *words: str, now: str = NOW) -> str:
        """The stdout of a command that must succeed."""
        done = self.run(*words, now=now)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def shown(self, address: str) -> Any:
        return json.loads(self.good("subscriber", "show", address, "--json"))

    def taken(self, *lines: str, now: str = NOW, update: bool = False) -> tuple[int, Any]:
        """Exit code and JSON of an import of these lines."""
        path = self.folder / "list.csv"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8-sig")
        options = ["--update"] if update else []
        done = self.run("subscriber", "import", "list.csv", "--json", *options, now=now)
        return done.returncode, json.loads(done.stdout)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """One installation for all stories of this file; each has readers of its own."""
    desk = Desk(tmp_path_factory.mktemp("desk"))
    desk.good("init")
    desk.good("council", "add", "stockport", "--name", "Stockport")
    desk.good("council", "add", "great-harrow-on-sea", "--name", "Great Harrow-on-Sea")
    return desk


def test_a_reader_is_added_pauses_resumes_leaves_and_is_erased(desk: Desk) -> None:
    add = ("subscriber", "add", "ada@example.org", "--council", "stockport", "--topic", "Parks", *WEB_FORM)
    desk.good(*add, "--cadence", "daily", "--time", "07:15", "--keyword", "-bus")
    ada = desk.shown("ADA@example.org")
    wished = {"councils": ["stockport"], "topics": ["parks"], "keywords": ["-bus"], "status": "active"}
    assert ada.items() >= (wished | {"cadence": "daily", "day": "", "time": "07:15"}).items()
    assert ada["consents"] == [{"source": "web form", "at": "2025-09-07T17:00:00Z"}]

    desk.good("subscriber", "pause", "ada@example.org", "--until", "2025-10-01")
    assert (desk.shown("ada@example.org")["status"], desk.shown("ada@example.org")["paused_until"]) == (
        "paused",
        "2025-10-01",
    )
    desk.good("subscriber", "resume", "ada@example.org")
    assert desk.shown("ada@example.org")["status"] == "active"
    desk.good("subscriber", "leave", "ada@example.org")
    assert desk.shown("ada@example.org")["status"] == "left"
    desk.good("subscriber", "erase", "ada@example.org")
    gone = desk.run("subscriber", "show", "ada@example.org")
    assert (gone.returncode, "nobody is subscribed as ada@example.org" in gone.stderr) == (1, True)


def test_without_confirmed_a_new_reader_is_pending(desk: Desk) -> None:
    desk.good("subscriber", "add", "pia@example.org", "--council", "stockport")
    pia = desk.shown("pia@example.org")
    assert (pia["status"], pia["due_from_at"], pia["consents"]) == ("pending", None, [])


def test_an_import_says_in_json_what_became_of_every_row(desk: Desk) -> None:
    head = "email,name,councils,detail"
    kim = "kim@example.org,Kim,stockport,full"
    code, said = desk.taken(head, kim, "lee@,Lee,stockport,", "mo@example.org,Mo,stokport,")
    assert code == 1
    assert (said["imported"], said["updated"], said["unchanged"]) == (1, 0, 0)
    assert [set(one) for one in said["refused"]] == [{"line", "why"}] * 2
    assert [one["line"] for one in said["refused"]] == [3, 4]
    assert "did you mean stockport" in said["refused"][1]["why"]
    assert desk.taken(head, kim) == (0, {"imported": 0, "updated": 0, "unchanged": 1, "refused": []})
    changed = kim.replace("full", "headline")
    assert desk.taken(head, changed)[0] == 1
    assert desk.taken(head, changed, update=True) == (
        0,
        {"imported": 0, "updated": 1, "unchanged": 0, "refused": []},
    )
    assert desk.shown("kim@example.org")["detail"] == "headline"


def test_who_left_comes_back_only_with_a_later_consent(desk: Desk) -> None:
    head = "email,councils,consent_source,consent_at"
    row = "nan@example.org,stockport,paper,"
    assert desk.taken(head, row + "2025-06-01")[0] == 0
    desk.good("subscriber", "leave", "nan@example.org")
    for update in (False, True):
        code, said = desk.taken(head, row + "2025-06-01", now=LATER, update=update)
        assert (code, said["imported"], len(said["refused"])) == (1, 0, 1)
        assert "left on 2025-09-07" in said["refused"][0]["why"]
    assert desk.shown("nan@example.org")["status"] == "left"
    assert desk.taken(head, row + "2025-10-01", now=LATER)[0] == 0
    assert desk.shown("nan@example.org")["status"] == "active"


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ("email,councils,keyword\nada@example.org,stockport,bus\n", "did you mean 'keywords'?"),
        ("", "empty"),
        (None, "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_used_is_wrong_usage(desk: Desk, content: str | None, names: str) -> None:
    path = desk.folder / "bad.csv"
    path.unlink(missing_ok=True)
    if content is not None:
        path.write_text(content, encoding="utf-8")
    done = desk.run("subscriber", "import", "bad.csv", "--json")
    assert (done.returncode, done.stdout) == (2, "")
    assert "bad.csv" in done.stderr
    assert names in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("add", "ada.example.org", "--council", "stockport"), "email: 'ada.example.org'"),
        (("add", "zoe@example.org", "--council", "stokport"), "did you mean stockport"),
        (("add", "zoe@example.org", "--council", "stockport", "--detail", "ful"), "did you mean 'full'"),
        (("pause", "zoe@example.org"), "nobody is subscribed as zoe@example.org"),
    ],
)
def test_a_wrong_reader_is_named_and_nothing_is_stored(
    desk: Desk, words: tuple[str, ...], names: str
) -> None:
    done = desk.run("subscriber", *words)
    assert done.returncode == 1
    assert names in done.stderr
    assert "Traceback" not in done.stderr
    assert "zoe@" not in desk.good("subscriber", "export")


def test_a_pause_until_a_day_that_is_over_is_wrong_usage(desk: Desk) -> None:
    done = desk.run("subscriber", "pause", "ada@example.org", "--until", "2025-09-07")
    assert (done.returncode, "not in the future" in done.stderr) == (2, True)


def test_the_sample_list_goes_out_and_comes_back_the_same(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.good("init")
    for slug in ("stockport", "great-harrow-on-sea", "llanfair-y-bryn", "little-wittering"):
        desk.good("council", "add", slug, "--name", slug)
    done = desk.start("subscriber", "import", str(SAMPLES), "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {"imported": 25, "updated": 0, "unchanged": 0, "refused": []}
    exported = desk.start("subscriber", "export").stdout
    with SAMPLES.open(encoding="utf-8-sig", newline="") as lines:
        asked = {row["email"]: row for row in csv.DictReader(lines)}
    rows = list(csv.DictReader(io.StringIO(exported)))
    for row in rows:
        same = ("name", "cadence", "day", "time", "timezone", "status", "consent_source", "consent_at")
        assert [row[column] for column in same] == [asked[row["email"]][column] for column in same]
    code, again = desk.taken(*exported.splitlines(), update=True)
    assert (code, again["unchanged"], len(rows)) == (0, 25, 25)
    assert len(json.loads(desk.good("subscriber", "export", "--json"))["subscribers"]) == 25


def test_a_cell_that_a_spreadsheet_would_run_is_written_as_text(desk: Desk) -> None:
    desk.taken("email,name,councils", "eve@example.org,=1+1,stockport")
    assert desk.shown("eve@example.org")["name"] == "=1+1"
    (row,) = [
        r
        for r in csv.DictReader(io.StringIO(desk.good("subscriber", "export")))
        if r["email"] == "eve@example.org"
    ]
    assert row["name"] == "'=1+1"


@pytest.mark.parametrize("command", ["add", "import", "export", "show", "pause", "resume", "leave", "erase"])
def test_every_command_has_help_with_an_example(command: str, tmp_path: Path) -> None:
    assert f"Example: digest subscriber {command}" in Desk(tmp_path).good("subscriber", command, "--help")
