"""An operator looks at letters before they leave: previews, the lint, templates of their own."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from tests.acceptance.conftest import Operator
from tests.browser.conftest import chromium_path  # noqa: F401

SUNDAY = "2025-09-07T18:00:00+01:00"
SUMMARY = """---
council: aber
committee: Cabinet
starts_at: 2025-09-03T18:00
url: https://aber.example/meetings/1
questions: ["Will the library in Aber stay open?"]
topics: [Libraries]
origin: ai
---
The cabinet kept the library open until spring. {more}

## What it costs

- The roof needs £40,000.
- Two volunteers open the doors on Saturdays.
"""
QUIET = '<mj-text css-class="gutter"><p class="flush">{{ sentense }}</p></mj-text>\n'


@pytest.fixture
def with_readers(operator: Operator) -> Operator:
    """Aber with a published summary, a reader of HTML and one of plain text."""
    operator.write("cabinet.md", SUMMARY.format(more=""))
    assert operator.digest("summary", "import", "cabinet.md").code == 0
    operator.write(
        "people.csv",
        "email,name,councils,format,status\nann@example.org,Ann,aber,,active\nbob@example.org,Bob,aber,text,active\n",
    )
    assert operator.digest("subscriber", "import", "people.csv").code == 0
    return operator


def own(operator: Operator, file: str, content: str) -> None:
    """A template of the operator's own, named in digest.toml."""
    path = operator.folder / "own" / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    settings = operator.folder / "digest.toml"
    text = settings.read_text(encoding="utf-8").replace("# templates =", 'templates = "own"')
    settings.write_text(text, encoding="utf-8")


def preview(operator: Operator, address: str = "ann@example.org", *, form: str = "html") -> str:
    path = operator.folder / f"letter.{form}"
    done = operator.digest("preview", "--subscriber", address, "--format", form, "-o", str(path), now=SUNDAY)
    assert done.code == 0, done.said
    return path.read_text(encoding="utf-8")


def test_a_letter_is_tried_on_an_address_of_the_allow_list_and_moves_nothing(with_readers: Operator) -> None:
    asked = ("preview", "--subscriber", "ann@example.org", "--send-to", "me@example.org")
    refused = with_readers.digest(*asked, now=SUNDAY)
    assert (refused.code, "safety.allow_list" in refused.said) == (1, True)
    settings = with_readers.folder / "digest.toml"
    text = settings.read_text(encoding="utf-8")
    changed = text.replace("# allow_list = []", 'allow_list = ["me@example.org"]')
    assert changed != text, text
    settings.write_text(changed, encoding="utf-8")
    tried = with_readers.digest(*asked, now=SUNDAY)
    assert (tried.code, "A test letter to me@example.org" in tried.said) == (0, True)
    (letter,) = (with_readers.folder / "outbox").rglob("*.eml")
    assert "Subject: [test]" in letter.read_text(encoding="utf-8")
    assert with_readers.digest("run", "list", "--json", now=SUNDAY).document["runs"] == []
    audit = with_readers.digest("audit", "--json", now=SUNDAY)
    assert "me@example.org" not in audit.out
    assert [one["action"] for one in audit.document["audit"]].count("test letter") == 2


# --- templates of their own --------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["", "email/"], ids=["as templates/email", "as templates"])
def test_an_operators_own_template_is_laid_over_ours(with_readers: Operator, where: str) -> None:
    own(with_readers, f"{where}parts/section.txt", "\n*** {{ heading }} ***\n")
    assert "*** Decided ***" in preview(with_readers, form="text")
    assert "Will the library in Aber stay open?" in preview(with_readers)


@pytest.mark.parametrize(
    "words", [("run",), ("preview", "--subscriber", "ann@example.org"), ("lint",)], ids=lambda w: w[0]
)
def test_a_missing_variable_stops_at_start_with_its_place_and_mend(
    with_readers: Operator, words: tuple[str, ...]
) -> None:
    own(with_readers, "parts/quiet.mjml", "\n" + QUIET)
    done = with_readers.digest(*words, now=SUNDAY)
    assert done.code == 2
    assert "parts/quiet.mjml, line 2: no variable 'sentense'" in done.said
    assert "'sentences'" in done.said
    assert done.out == ""


def test_with_a_wrong_template_nothing_is_planned_and_nothing_written(with_readers: Operator) -> None:
    own(with_readers, "parts/quiet.mjml", QUIET)
    assert with_readers.digest("run", now=SUNDAY).code == 2
    assert with_readers.digest("run", "list", "--json").document == {"runs": []}
    assert list(with_readers.folder.rglob("*.eml")) == []


def test_a_mended_template_lets_the_same_run_go(with_readers: Operator) -> None:
    own(with_readers, "parts/quiet.mjml", QUIET)
    assert with_readers.digest("run", now=SUNDAY).code == 2
    (with_readers.folder / "own" / "parts" / "quiet.mjml").unlink()
    done = with_readers.digest("run", "--json", now=SUNDAY)
    assert done.code == 0
    assert done.document["runs"][0]["handed_over"] == 2


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("parts/quite.mjml", QUIET, "parts/quite.mjml: no template has that name"),
        ("parts/quiet.mjml", "<mj-txt>x</mj-txt>", "parts/quiet.mjml, line 1: <mj-txt> is no MJML"),
        ("parts/quiet.txt", "{% if %}", "parts/quiet.txt, line 1"),
    ],
    ids=["an unknown file", "a wrong element", "a broken tag"],
)
def test_a_wrong_template_is_named(with_readers: Operator, file: str, content: str, says: str) -> None:
    own(with_readers, file, content)
    done = with_readers.digest("lint", now=SUNDAY)
    assert done.code == 2
    assert says in done.said


def test_a_template_that_is_not_utf_8_is_named(with_readers: Operator) -> None:
    own(with_readers, "parts/quiet.txt", "x")
    (with_readers.folder / "own" / "parts" / "quiet.txt").write_bytes(b"\xff\xfe\x00")
    done = with_readers.digest("lint", now=SUNDAY)
    assert done.code == 2
    assert "own/parts/quiet.txt cannot be read" in done.said


def test_a_folder_of_templates_that_is_not_there_is_wrong_usage(with_readers: Operator) -> None:
    own(with_readers, "parts/quiet.txt", "x")
    Path(with_readers.folder / "own").rename(with_readers.folder / "gone")
    done = with_readers.digest("run", now=SUNDAY)
    assert done.code == 2
    assert "templates: there is no folder own" in done.said


# --- the lint --------------------------------------------------------------------------------------------


def test_the_lint_reads_everybodys_letter_and_finds_nothing(with_readers: Operator) -> None:
    done = with_readers.digest("lint", "--json", now=SUNDAY)
    assert done.code == 0
    assert done.document == {"letters": 2, "errors": 0, "findings": []}


def test_equal_letters_are_read_once(with_readers: Operator) -> None:
    with_readers.digest("subscriber", "add", "eve@example.org", "--council", "aber", "--confirmed",
                        "--consent-source", "form")  # fmt: skip
    assert with_readers.digest("lint", "--json", now=SUNDAY).document["letters"] == 2


def test_the_letter_that_a_run_made_is_the_one_that_is_read(with_readers: Operator) -> None:
    assert with_readers.digest("run", now=SUNDAY).code == 0
    assert with_readers.digest("lint", "--json", now=SUNDAY).document["letters"] == 2


def test_at_an_earlier_instant_the_same_path_has_nothing_to_say(operator: Operator) -> None:
    operator.write("people.csv", "email,councils,status\nann@example.org,aber,active\n")
    operator.digest("subscriber", "import", "people.csv")
    done = operator.digest("lint", "--subscriber", "ann@example.org", "--at", SUNDAY, "--json")
    assert done.code == 0
    assert done.document["letters"] == 0


def test_an_own_template_without_a_way_out_is_an_error_with_its_mend(with_readers: Operator) -> None:
    packaged = Path(__file__).resolve().parents[2] / "templates" / "email" / "letter.txt"
    own(
        with_readers,
        "letter.txt",
        packaged.read_text(encoding="utf-8").replace("tags.unsubscribe", "tags.view"),
    )
    done = with_readers.digest("lint", "--json", now=SUNDAY)
    assert done.code == 1
    found = [f for f in done.document["findings"] if f["rule"] == "no-unsubscribe"]
    assert {(f["letter"], f["place"], f["error"]) for f in found} == {
        ("ann@example.org", "text", True),
        ("bob@example.org", "text", True),
    }
    assert all("unsubscribe" in f["mend"] for f in found)


def test_the_preview_says_what_the_lint_finds(with_readers: Operator) -> None:
    packaged = Path(__file__).resolve().parents[2] / "templates" / "email" / "letter.txt"
    own(
        with_readers,
        "letter.txt",
        packaged.read_text(encoding="utf-8").replace("tags.unsubscribe", "tags.view"),
    )
    done = with_readers.digest("preview", "--subscriber", "ann@example.org", "-o", "ann.html", now=SUNDAY)
    assert done.code == 0
    assert "no-unsubscribe: text: no unsubscribe link" in done.said


def test_a_previewed_file_is_read_as_mail_programs_do(with_readers: Operator) -> None:
    with_readers.digest("preview", "--subscriber", "ann@example.org", "-o", "ann.html", now=SUNDAY)
    assert with_readers.digest("lint", "ann.html").code == 0
    html = (with_readers.folder / "ann.html").read_text(encoding="utf-8")
    with_readers.write("bad.html", html.replace("</h1>", "</h1><a href='#gone'>here</a>"))
    done = with_readers.digest("lint", "bad.html", "--json")
    assert done.code == 1
    assert {f["rule"] for f in done.document["findings"]} == {"dead-fragment", "link-purpose"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("gone.html",), "gone.html cannot be read"),
        (("x.html", "--all"), "name one of them"),
        (("--subscriber", "ann@example.org", "--all"), "name one of them"),
    ],
)
def test_what_cannot_be_linted_is_wrong_usage(operator: Operator, words: tuple[str, ...], says: str) -> None:
    done = operator.digest("lint", *words)
    assert done.code == 2
    assert says in done.said


def test_an_unknown_reader_is_named(operator: Operator) -> None:
    done = operator.digest("lint", "--subscriber", "nobody@example.org")
    assert done.code == 1
    assert "nobody@example.org" in done.said


# --- pictures ----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("chromium_path")
def test_a_picture_of_the_letter_is_a_png_as_wide_as_a_letter(with_readers: Operator) -> None:
    done = with_readers.digest(
        "preview", "--subscriber", "ann@example.org", "--format", "png", "-o", "ann.png", now=SUNDAY
    )
    assert done.code == 0, done.said
    head = (with_readers.folder / "ann.png").read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    wide, tall = struct.unpack(">II", head[16:24])  # PNG, 11.2.2: IHDR
    assert wide == 700
    assert 900 < tall < 5000


def test_without_a_chromium_a_picture_is_refused_with_the_way_out(
    with_readers: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(with_readers.folder))
    done = with_readers.digest(
        "preview", "--subscriber", "ann@example.org", "--format", "png", "-o", "ann.png", now=SUNDAY
    )
    assert done.code == 2
    assert "needs Chromium" in done.said
    assert not (with_readers.folder / "ann.png").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--subscriber", "ann@example.org", "-o", "no/such/folder.html"), "no/such/folder.html cannot be"),
        (("--profile", "gone.json"), "gone.json cannot be read"),
        (("--subscriber", "ann@example.org", "--format", "pdf"), "--format 'pdf' is unknown"),
        (("--subscriber", "bob@example.org", "--format", "html"), "use --format text"),
    ],
)
def test_what_cannot_be_previewed_is_wrong_usage(
    with_readers: Operator, words: tuple[str, ...], says: str
) -> None:
    done = with_readers.digest("preview", *words, now=SUNDAY)
    assert done.code == 2
    assert says in done.said


# --- size ------------------------------------------------------------------------------------------------


def test_the_size_of_the_settings_is_the_most_that_a_letter_takes(
    with_readers: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(2, 30):
        text = SUMMARY.format(more="It heard a long report on the roof. " * 25)
        with_readers.write(
            f"{number}.md",
            text.replace("Cabinet", f"Cabinet {number}").replace("meetings/1", f"meetings/{number}"),
        )
    files = [f"{number}.md" for number in range(2, 30)]
    assert with_readers.digest("summary", "import", *files).code == 0
    large = len(preview(with_readers).encode())
    monkeypatch.setenv("DIGEST_DIGEST__SIZE_KB", "40")
    small = len(preview(with_readers).encode())
    assert small <= 40_000 < large <= 80_000
    assert with_readers.digest("lint", now=SUNDAY).code == 0


# --- tiers -----------------------------------------------------------------------------------------------

PEOPLE = """email,councils,topics,detail,tier,status
ann@example.org,aber;bryn,,full,,active
desk@herald.example,aber;bryn,roads;schools,full,professional,active
eve@example.org,aber,roads;schools,full,,active
kim@example.org,aber,roads,full,resident,active
"""


def test_what_a_tier_may_have_is_applied_when_readers_are_taken_in(operator: Operator) -> None:
    operator.digest("council", "add", "bryn", "--name", "Bryn")
    settings = (operator.folder / "digest.toml").read_text(encoding="utf-8")
    limits = '[tiers.resident]\nmax_councils = 1\nmax_words = 1\nmax_detail = "brief"\n'
    operator.write("digest.toml", settings.replace("[tiers.resident]\n", limits, 1))
    operator.write("people.csv", PEOPLE)
    done = operator.digest("subscriber", "import", "people.csv", "--json")
    assert done.code == 1
    assert {refused["line"]: refused["why"] for refused in done.document["refused"]} == {
        2: "councils: 2 are wished, tier 'resident' may have 1; choose 1 of them",
        4: "topics, keywords and wards: 2 are wished, tier 'resident' may have 1; choose 1 of them",
    }
    readers = operator.digest("subscriber", "export", "--json").document["subscribers"]
    assert {one["email"]: one["detail"] for one in readers} == {
        "desk@herald.example": "full",
        "kim@example.org": "brief",
    }


@pytest.mark.parametrize(
    ("limit", "said", "unsaid"),
    [
        ('max_detail = "headline"', "Will the library in Aber stay open?", "The roof needs"),
        ('kinds = ["coming_up", "papers"]', "", "Will the library in Aber stay open?"),
    ],
)
def test_a_limit_that_drops_holds_for_letters_to_who_wished_before(
    with_readers: Operator, limit: str, said: str, unsaid: str
) -> None:
    assert "The roof needs" in preview(with_readers, form="text")
    settings = (with_readers.folder / "digest.toml").read_text(encoding="utf-8")
    with_readers.write(
        "digest.toml", settings.replace("[tiers.resident]\n", f"[tiers.resident]\n{limit}\n", 1)
    )
    done = with_readers.digest("run", "--json", now=SUNDAY)
    assert done.document["runs"][0]["handed_over" if said else "empty"] == 2
    letters = [path.read_bytes().decode() for path in with_readers.folder.rglob("*.eml")]
    assert len(letters) == (2 if said else 0)
    assert all(said in letter and unsaid not in letter for letter in letters)


def test_the_preview_of_a_monthly_reader_reaches_as_far_back_as_their_letter(operator: Operator) -> None:
    """An item of 35 days ago is older than look_back (28 days), but within one and a half months."""
    operator.write("cabinet.md", SUMMARY.format(more=""))
    operator.write(
        "people.csv",
        "email,councils,cadence,day,status\nmo@example.org,aber,monthly,8,active\nwe@example.org,aber,weekly,sunday,active\n",
    )
    assert operator.digest("subscriber", "import", "people.csv", now="2025-09-03T12:00:00Z").code == 0
    assert operator.digest("summary", "import", "cabinet.md", now="2025-09-04T09:00:00Z").code == 0
    late = "2025-10-08T19:00:00+01:00"
    path = operator.folder / "letter.txt"
    for reader, is_told in (("mo@example.org", True), ("we@example.org", False)):
        done = operator.digest(
            "preview", "--subscriber", reader, "--format", "text", "-o", str(path), now=late
        )
        assert done.code == 0, done.said
        assert ("Will the library in Aber stay open?" in path.read_text(encoding="utf-8")) == is_told
