"""Every golden letter as a spam filter reads it: SpamAssassin's own rules, nothing asked of the network."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from digest.deliver.message import letter_bytes
from tests import golden
from tests.unit.deliver.letters import outgoing, reader

pytestmark = pytest.mark.xdist_group("filters")
TOO_MUCH = 1.0
_SCORE = re.compile(r"Content analysis details:\s+\((-?[\d.]+) points")


def as_mbox() -> bytes:
    """All golden letters in one file, so that the filter loads its rules once."""
    ann = reader(1, name="Anna")
    letters = (
        letter_bytes(outgoing(ann, page=golden.kept(name), kind=golden.kind_of(name)), ann)
        for name in golden.names()
    )
    quoted = (re.sub(rb"(?m)^From ", b">From ", letter.replace(b"\r\n", b"\n")) for letter in letters)
    return b"".join(b"From - Sun Sep  7 18:00:00 2025\n" + letter + b"\n" for letter in quoted)


@pytest.mark.slow
def test_a_filter_takes_every_golden_letter_for_what_it_is(spamassassin: Path, tmp_path: Path) -> None:
    told = subprocess.run(
        [spamassassin, "--local", "--test-mode", "--mbox"],
        input=as_mbox(),
        capture_output=True,
        check=True,
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "LC_ALL": "C"},
    ).stdout.decode("utf-8", "replace")
    scores = [float(score) for score in _SCORE.findall(told)]
    assert len(scores) == len(golden.names())
    assert {n: s for n, s in zip(golden.names(), scores, strict=True) if s >= TOO_MUCH} == {}
