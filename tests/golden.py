"""The golden letters: every kind of letter that there is, kept in samples/expected to be looked at.

`python -m tests.golden` says which differ, `python -m tests.golden --write` writes them anew. A letter is
`<name>.html` (none for readers of plain text) and `<name>.txt`, which begins with subject and preheader.
"""

from __future__ import annotations

import difflib
import io
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from functools import cache
from pathlib import Path

from digest.cli.demo import run_demo
from digest.cli.entrance import Entrance
from digest.model import Attendee, Detail, Edition, Format, MeetingStatus, Page, Profile, RunKind, Waiting
from digest.pipeline.preview import letter_for
from digest.render.notice import render_notice
from digest.render.page import render_page
from digest.render.tags import fill, values_for
from tests.unit.render.builders import (
    MARLOW,
    STOCKPORT,
    cancelled,
    coming_up,
    condensed,
    corrected,
    decided,
    edition,
    meeting,
    skeleton,
    whole_edition,
    withdrawn,
)
from tests.unit.render.test_notices import FACTS

FOLDER = Path(__file__).resolve().parents[1] / "samples" / "expected"
NOW = "2025-09-07T18:00:00+01:00"
URL = "https://digest.council.example"

READERS = {
    "demo-one-council": "ann.mellor@example.org",
    "demo-full-detail": "bertie.holm@example.org",
    "demo-headlines": "carys.vaughan@example.org",
    "demo-keywords": "farid.noor@example.org",
    "demo-busy-council": "ivo.petrov@example.org",
    "demo-two-councils": "harriet.osei@example.org",
    "demo-some-committees": "kofi.mensah@example.org",
    "demo-welsh": "lowri.bevan@example.org",
    "demo-welsh-text-only": "mali.gethin@example.org",
    "demo-limited-only": "oskar.blom@example.org",
    "demo-text-only": "priya.shah@example.org",
    "demo-professional": "policy@childrens-voice.example",
}
"""Letter -> the reader in samples/subscribers.csv who gets it."""

_PEOPLE = (
    Attendee("Councillor Holly McCormack", "Vice-Chair", "Independent", "Reddish North"),
    Attendee("Councillor Frankie Singleton", None, "Independent"),
    Attendee("Jane Roe", "Co-opted member"),
    Attendee("The Revd Sam Poole"),
)
_WELSH = Profile(councils=("stockport",), language="cy")
_TEXT = Profile(councils=("stockport",), format=Format.TEXT)
STATES: dict[str, Callable[[], Edition]] = {
    "state-one-of-everything": whole_edition,
    "state-no-topics": lambda: edition(decided(summary=condensed(topics=()))),
    "state-no-documents": lambda: edition(
        decided(meeting=meeting(documents=()), summary=condensed(documents=()))
    ),
    "state-no-video": lambda: edition(decided(meeting=meeting(video_url=None))),
    "state-independent-and-party-less": lambda: edition(
        decided(detail=Detail.FULL, summary=condensed(attendees=_PEOPLE))
    ),
    "state-least": lambda: edition(
        decided(
            meeting=meeting(documents=(), video_url=None, venue=None, starts_at=None, url=None),
            summary=condensed(topics=(), attendees=(), documents=(), decisions=(), headline=""),
            reasons=(),
        )
    ),
    "state-quiet-week": lambda: edition(is_quiet=True),
    "state-quiet-week-with-meetings": lambda: edition(coming_up(), is_quiet=True),
    "state-limited-only": lambda: edition(
        coming_up(council=MARLOW), councils=(MARLOW,), limited=(Waiting(MARLOW, 128),)
    ),
    "state-correction": lambda: edition(corrected()),
    "state-withdrawal": lambda: edition(withdrawn()),
    "state-cancelled-meeting": lambda: edition(
        cancelled(meeting=replace(coming_up().meeting, status=MeetingStatus.CANCELLED))
    ),
    "state-welsh": lambda: whole_edition(profile=_WELSH),
    "state-text-only": lambda: whole_edition(profile=_TEXT),
    "state-paused-council": lambda: edition(decided(), paused=(replace(STOCKPORT, name="Marple"),)),
}
NOTICES = {f"notice-{kind.replace('_', '-')}": kind for kind in RunKind if kind is not RunKind.DIGEST}


def names() -> tuple[str, ...]:
    """Every golden letter."""
    return (*READERS, *STATES, *NOTICES)


def kind_of(name: str) -> RunKind:
    """What kind of run hands the letter out."""
    return NOTICES.get(name, RunKind.DIGEST)


@cache
def letters() -> dict[str, Page]:
    """Every golden letter as it comes out now, filled with the links of an invented reader."""
    found = dict(_of_the_demo())
    found |= {name: render_page(made(), skeleton()) for name, made in STATES.items()}
    found |= {name: render_notice(kind, FACTS, skeleton()) for name, kind in NOTICES.items()}
    values = values_for(
        unsubscribe_url=f"{URL}/unsubscribe/u",
        preferences_url=f"{URL}/preferences/p",
        view_url=f"{URL}/view/v",
        action_url=f"{URL}/confirm/c",
        name="Anna",
    )
    return {name: fill(page, values) for name, page in found.items()}


def _of_the_demo() -> Iterator[tuple[str, Page]]:
    with tempfile.TemporaryDirectory(prefix="digest-golden-") as folder:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            run_demo(Path(folder), as_json=True)
        with Entrance(f"{folder}/digest.toml", NOW).hall() as hall:
            for name, address in READERS.items():
                letter = letter_for(hall.works, address=address, wishes=None)
                assert letter is not None, f"{address} gets no letter in the demo"
                yield name, letter.page


def files_of(name: str, page: Page) -> dict[str, str]:
    """The letter's files: name -> content."""
    text = f"Subject: {page.subject}\nPreheader: {page.preheader}\n\n{page.text}"
    return {f"{name}.txt": text} | ({} if page.html is None else {f"{name}.html": page.html})


def kept(name: str) -> Page:
    """The golden letter as it lies in samples/expected."""
    head, _, text = (FOLDER / f"{name}.txt").read_text(encoding="utf-8").partition("\n\n")
    subject, preheader = (line.partition(": ")[2] for line in head.split("\n"))
    html = FOLDER / f"{name}.html"
    whole = html.read_text(encoding="utf-8") if html.exists() else None
    return Page(subject, preheader, whole, text)


def difference(file: str, content: str) -> str:
    """What would change in the file, in lines that can be read; "" when nothing would."""
    path = FOLDER / file
    old = path.read_text(encoding="utf-8") if path.exists() else ""
    if old == content:
        return ""
    lines = difflib.unified_diff(_lines(old), _lines(content), f"{file} kept", f"{file} now", "", "", 1, "")
    return "\n".join(line[:300] for line in list(lines)[:60])


def _lines(text: str) -> list[str]:
    """HTML with a line for every closing tag of a block, so that a change is found in it."""
    return re.sub(r"(</(?:p|td|tr|li|h\d|div|table|ul|style)>)(?!\n)", r"\1\n", text).splitlines()


def main() -> int:
    """Write the golden letters, or say how they differ; 1 when they do."""
    made = {file: text for name, page in letters().items() for file, text in files_of(name, page).items()}
    if "--write" in sys.argv[1:]:
        FOLDER.mkdir(exist_ok=True)
        for path in FOLDER.iterdir():
            if path.name not in made:
                path.unlink()
        for file, text in made.items():
            (FOLDER / file).write_text(text, encoding="utf-8")
        print(f"{len(made)} files written to {FOLDER.name}")
        return 0
    differing = [shown for file, text in made.items() if (shown := difference(file, text))]
    print("\n".join(differing) or "all letters are as they were")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
