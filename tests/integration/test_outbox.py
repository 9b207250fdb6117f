"""The outbox: a letter appears whole or not at all, and writing it again changes nothing."""

from __future__ import annotations

import os
import stat
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from digest.deliver.message import letter_bytes
from digest.deliver.outbox import Outbox
from digest.model import HandedOver, Refused
from tests.unit.deliver.letters import outgoing, reader

BATCH = outgoing(reader(1), reader(2))


def contents(directory: Path) -> dict[str, bytes]:
    files = [p for p in directory.rglob("*") if p.is_file()]
    return {str(p.relative_to(directory)): p.read_bytes() for p in files}


def expected() -> dict[str, bytes]:
    return {f"7/{r.delivery}.eml": letter_bytes(BATCH, r) for r in BATCH.recipients}


def test_each_reader_has_one_file_named_by_run_and_delivery(tmp_path: Path) -> None:
    assert Outbox(tmp_path / "out").send(BATCH) == HandedOver()
    assert contents(tmp_path / "out") == expected()


def test_twice_is_harmless(tmp_path: Path) -> None:
    for _ in range(2):
        assert Outbox(tmp_path).send(BATCH) == HandedOver()
    assert contents(tmp_path) == expected()
    assert Outbox.is_repeatable


def test_an_address_that_mail_cannot_carry_costs_one_letter_not_the_batch(tmp_path: Path) -> None:
    outcome = Outbox(tmp_path).send(outgoing(reader(1), reader(2, "two people@example.org")))
    assert isinstance(outcome, HandedOver)
    assert list(outcome.bad) == [2]
    assert "name@domain" in outcome.bad[2]
    assert list(contents(tmp_path)) == [f"7/{reader(1).delivery}.eml"]


def test_letters_are_for_the_owner_s_eyes(tmp_path: Path) -> None:
    Outbox(tmp_path).send(BATCH)
    modes = {stat.S_IMODE(p.stat().st_mode) for p in tmp_path.rglob("*.eml")}
    assert modes == {0o600}


def test_a_directory_that_cannot_be_made_refuses_and_pauses_with_the_mend(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file where the folder should be")
    outcome = Outbox(tmp_path / "out").send(BATCH)
    assert isinstance(outcome, Refused)
    assert outcome.pauses_run
    assert not outcome.is_final
    assert "out" in outcome.why
    assert "make room or mend" in outcome.why


def test_a_link_that_must_not_stand_in_html_pauses_and_leaves_no_letter(tmp_path: Path) -> None:
    outcome = Outbox(tmp_path).send(replace(BATCH, view_url='https://x.example/"'))
    assert isinstance(outcome, Refused)
    assert (outcome.pauses_run, outcome.is_final) == (True, False)
    assert "link" in outcome.why
    assert contents(tmp_path) == {}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_leaves_no_letter_and_no_part_of_one(tmp_path: Path) -> None:
    folder = tmp_path / "7"
    folder.mkdir()
    (folder / f".{reader(2).delivery}.{os.getpid()}.{threading.get_ident()}.part").symlink_to("/dev/full")
    outcome = Outbox(tmp_path).send(BATCH)
    assert isinstance(outcome, Refused)
    assert "No space left" in outcome.why
    assert contents(tmp_path) == {}
    assert Outbox(tmp_path).send(BATCH) == HandedOver()


def test_what_a_dead_process_left_is_swept_and_what_a_live_one_writes_is_not(tmp_path: Path) -> None:
    folder = tmp_path / "7"
    folder.mkdir()
    dead, live = folder / ".a.1.part", folder / ".b.2.part"
    dead.touch()
    live.touch()
    os.utime(dead, (0, 0))
    Outbox(tmp_path).send(BATCH)
    assert not dead.exists()
    assert live.exists()


def test_two_writers_of_one_batch_leave_one_whole_letter_each(tmp_path: Path) -> None:
    outboxes = [Outbox(tmp_path) for _ in range(4)]
    threads = [threading.Thread(target=box.send, args=(BATCH,)) for box in outboxes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert contents(tmp_path) == expected()
