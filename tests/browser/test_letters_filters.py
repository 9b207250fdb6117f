"""Letters as a spam filter reads them: SpamAssassin 4 with its own rules, nothing asked of the network."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from digest.deliver.message import letter_bytes
from digest.model import Page, Profile, RunKind
from digest.render.notice import render_notice
from digest.render.page import render_page
from tests.unit.deliver.letters import outgoing, reader
from tests.unit.render.builders import coming_up, edition, skeleton, whole_edition
from tests.unit.render.test_notices import FACTS

pytestmark = pytest.mark.xdist_group("filters")
TOO_MUCH = 1.0
LETTERS = {
    "one of everything": (RunKind.DIGEST, render_page(whole_edition(), skeleton())),
    "in Welsh": (
        RunKind.DIGEST,
        render_page(whole_edition(profile=Profile(councils=("stockport",), language="cy")), skeleton()),
    ),
    "only coming up": (RunKind.DIGEST, render_page(edition(coming_up()), skeleton())),
    "confirm": (RunKind.CONFIRM, render_notice(RunKind.CONFIRM, FACTS, skeleton())),
}


@pytest.mark.parametrize(("kind", "page"), LETTERS.values(), ids=LETTERS)
def test_a_filter_takes_it_for_what_it_is(
    spamassassin: Path, tmp_path: Path, kind: RunKind, page: Page
) -> None:
    letter = letter_bytes(outgoing(reader(1, name="Ann"), page=page, kind=kind), reader(1, name="Ann"))
    told = subprocess.run(
        [spamassassin, "--local", "--test-mode"],
        input=letter,
        capture_output=True,
        check=True,
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "LC_ALL": "C"},
    ).stdout.decode("utf-8", "replace")
    score = re.search(r"Content analysis details:\s+\((-?[\d.]+) points", told)
    assert score, told[-2000:]
    assert float(score[1]) < TOO_MUCH, told[told.index("Content analysis") :]
