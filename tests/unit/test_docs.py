"""The documents tell the truth: options, commands, states, words and links that they name are there."""

from __future__ import annotations

import ast
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

import digest.model
from digest.cli import app
from digest.model import BatchState, Ended, RunState
from digest.settings import settings_table

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "GLOSSARY.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    ROOT / "samples" / "README.md",
    ROOT / "tests" / "README.md",
]
MOST_PICTURE_BYTES = 300_000
FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")

pages = pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def rows_of(text: str) -> list[list[str]]:
    """The cells of every line of a Markdown table, heads and rules left out."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


# --- settings --------------------------------------------------------------------------------------------


def test_the_settings_page_has_every_option_with_its_type_and_default_and_no_other() -> None:
    told = {
        cells[0].strip("`"): tuple(cells[1:])
        for cells in rows_of(text_of(ROOT / "docs" / "settings.md"))
        if cells[0].startswith("`")
    }
    real = {}
    for row in settings_table():
        default = f"`{row.default}`" if row.default else "none"
        real[row.name] = (row.type, "secret" if row.is_secret else default, row.help)
    assert told == real


# --- commands --------------------------------------------------------------------------------------------


def commands_in(text: str) -> Iterator[str]:
    """Every `digest …` and `make …` of the shell blocks and of the running text."""
    for language, block in FENCED.findall(text):
        if language == "sh":
            joined = block.replace("\\\n", " ")
            lines = (line.strip().removeprefix("$ ") for line in joined.splitlines())
            yield from (line for line in lines if line.split(" ")[0] in ("digest", "make"))
    for code in INLINE.findall(FENCED.sub("", text)):
        if re.match(r"(digest|make) [a-z-]", code):
            yield code


def why_wrong(command: str) -> str | None:
    """What is wrong with a command line, by the registered commands and options; None when nothing is."""
    program, *words = shlex.split(command, comments=True)
    if program == "make":
        missing = [word for word in words if not re.search(rf"^{word}:", text_of(ROOT / "Makefile"), re.M)]
        return f"the Makefile has no word {missing[0]!r}" if missing else None
    here: Any = typer.main.get_command(app)
    is_value = False
    for word in (word for word in words if word != "…"):
        if is_value:
            is_value = False
        elif word in getattr(here, "commands", {}):
            here = here.commands[word]
        elif word.startswith("-"):
            if word in ("-h", "--help"):
                continue
            option = next((p for p in here.params if word in p.opts), None)
            if option is None:
                return f"{here.name} has no option {word}"
            is_value = not option.is_flag
        elif not any(p.param_type_name == "argument" for p in here.params):
            return f"{here.name} has no command {word!r}"
    return None


@pages
def test_every_command_that_a_page_names_is_there_with_its_options(page: Path) -> None:
    wrong = {command: why for command in commands_in(text_of(page)) if (why := why_wrong(command))}
    assert not wrong


def test_the_readme_shows_the_two_words_and_a_whole_first_evening() -> None:
    shown = " ".join(commands_in(text_of(README)))
    for word in ("make demo", "make test", "init", "council add", "feed add", "feed check", "summary import",
                 "subscriber import", "digest run", "digest preview"):  # fmt: skip
        assert word in shown, f"README.md shows no {word}"


@pytest.mark.parametrize(
    "command",
    ["digest fly", "digest council fly", "digest run --fly", "digest poll --councils stockport", "make fly"],
)
def test_a_command_that_is_not_there_would_be_found(command: str) -> None:
    assert why_wrong(command) is not None
    assert command in list(commands_in(f"see `{command}`"))
    assert command in list(commands_in(f"```sh\n{command}\n```\n"))


# --- states, words, links ----------------------------------------------------------------------------------


def test_the_flow_page_draws_every_state_of_a_delivery_and_a_run() -> None:
    drawings = [
        block for language, block in FENCED.findall(text_of(ROOT / "docs/flow.md")) if language == "mermaid"
    ]
    delivery, run = (set(re.findall(r"\b[a-z_]+(?= -->)|(?<=--> )[a-z_]+", drawing)) for drawing in drawings)
    assert {end.value for end in Ended} <= delivery
    assert delivery - {end.value for end in Ended} == {"planned", "ready", "claimed", "uncertain"}
    assert run - {"at_work"} == {state.value for state in RunState}


def test_the_flow_page_lists_every_state_of_a_batch_and_no_other() -> None:
    section = text_of(ROOT / "docs/flow.md").split("## A batch")[1].split("## A run")[0]
    named = {word for cells in rows_of(section) for cell in cells[:2] for word in INLINE.findall(cell)}
    assert named == {state.value for state in BatchState}


def test_the_flow_page_says_of_every_end_whether_it_keeps_the_range() -> None:
    rows = [cells for cells in rows_of(text_of(ROOT / "docs/flow.md")) if cells[1] in ("kept", "given back")]
    told = {word: cells[1] == "kept" for cells in rows for word in INLINE.findall(cells[0])}
    assert told == {end.value: end.keeps_range for end in Ended}


GLOSSARY_ROWS = [cells for cells in rows_of(text_of(ROOT / "GLOSSARY.md")) if cells[0].startswith("**")]
THE_WORDS = [
    "council", "committee", "meeting", "document", "attendee", "topic", "support level", "feed", "sighting",
    "summary", "log", "subscriber", "subscription", "profile", "schedule", "slot", "run", "notice", "edition",
    "page", "delivery", "batch", "handed over", "delivered", "suppression", "fingerprint", "digest",
]  # fmt: skip


@pytest.mark.parametrize("word", THE_WORDS)
def test_the_glossary_has_the_word(word: str) -> None:
    words = {w.strip() for cells in GLOSSARY_ROWS for w in cells[0].strip("*").split(",")}
    assert word in words


def test_what_the_glossary_points_at_is_there() -> None:
    places = [place for cells in GLOSSARY_ROWS for place in INLINE.findall(cells[-1])]
    assert len(places) > len(THE_WORDS)
    missing = [place for place in places if not is_there(place)]
    assert not missing


def is_there(place: str) -> bool:
    if place.startswith("model."):
        return hasattr(digest.model, place.removeprefix("model."))
    return any((room / place).exists() for room in (ROOT / "digest", ROOT))


@pages
def test_links_and_pictures_of_a_page_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)|\bsrc=\"([^\"]+)\"", FENCED.sub("", text_of(page)))
    local = [a or b for a, b in targets if not (a or b).startswith(("http:", "https:", "mailto:"))]
    assert not [target for target in local if not (page.parent / target).exists()]


def test_pictures_are_small() -> None:
    pictures = [path for path in (ROOT / "docs" / "pictures").rglob("*") if path.is_file()]
    assert pictures, "the README shows a letter"
    assert not [path.name for path in pictures if path.stat().st_size > MOST_PICTURE_BYTES]


def modules() -> list[Path]:
    found = [path for top in ("digest", "scheduler", "tests") for path in (ROOT / top).rglob("*.py")]
    return sorted(path for path in found if "versions" not in path.parts)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), "the module has no docstring"


# --- what the README says happens ------------------------------------------------------------------------


HEREDOC = re.compile(r"^cat > (\S+) <<'(\w+)'\n(.*?)^\2\n", re.MULTILINE | re.DOTALL)


def typed(*words: str) -> str:
    """What a command prints, run in this process; it must end well."""
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, f"{' '.join(words)}: {done.output} {done.exception!r}"
    return done.stdout


@pytest.mark.slow
def test_the_readme_s_five_things_work_as_they_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "samples").symlink_to(ROOT / "samples")
    section = text_of(README).split("## The next five things")[1].split("\n## ")[0]
    script = "".join(block for language, block in FENCED.findall(section) if language == "sh")
    for name, value in re.findall(r"^export (\w+)=(\S+)$", script, re.MULTILINE):
        monkeypatch.setenv(name, value)
    for name, _, content in HEREDOC.findall(script):
        (tmp_path / name).write_text(content, encoding="utf-8")
    for line in script.splitlines():
        if line.startswith("digest "):
            typed(*shlex.split(line)[1:])
    assert "Stockport" in text_of(tmp_path / "letter.html")
    assert len(list((tmp_path / "outbox").rglob("*.eml"))) == 3


@pytest.mark.slow
def test_the_demo_prints_the_figures_of_the_readme(tmp_path: Path) -> None:
    told = dict(re.findall(r"^│ ([a-z ]+?) +│ +(\d+) │$", text_of(README), re.MULTILINE))
    printed = json.loads(typed("demo", "--directory", str(tmp_path / "demo"), "--json"))
    assert {name.replace("_", " "): str(count) for name, count in printed.items()} == told
