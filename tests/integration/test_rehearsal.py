"""A rehearsal says beforehand what a run then does, and leaves no trace."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, table, text

from digest.cli.demo import run_demo
from digest.pipeline import publish, rehearsal, studio
from digest.pipeline.rehearsal import Bounds, Rehearsal
from digest.pipeline.run import run_due
from digest.settings import load_settings
from digest.store import pages, summaries
from digest.wiring import Hall

ALL = Bounds()
NEXT_WEEK = datetime(2025, 9, 14, 17, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    run_demo(folder, as_json=True)
    return folder


@pytest.fixture
def hall(samples: Path, tmp_path: Path) -> Iterator[Hall]:
    """A week after the demo's run: a draft was approved, and every third reader missed the first letter."""
    shutil.copytree(samples, tmp_path / "demo")
    settings = load_settings(str(tmp_path / "demo" / "digest.toml"), {})
    made = Hall(settings, lambda: NEXT_WEEK)
    with made.database.write() as connection:
        connection.execute(text("UPDATE subscriber SET covered_seq = 0 WHERE id % 3 = 0"))
        drafts = [one for one in summaries.stored_summaries(connection) if one.state == "draft"]
    for one in drafts:
        publish.approve(made.database, one.id, now=NEXT_WEEK, archive_after=timedelta(days=90))
    yield made
    made.close()


def rehearsed(hall: Hall, bounds: Bounds = ALL) -> list[Rehearsal]:
    _, due = rehearsal.next_due(hall.works)
    return rehearsal.rehearse(hall.works, due, at=NEXT_WEEK, bounds=bounds, max_bytes=hall.max_bytes)


def test_its_numbers_are_those_of_the_run(hall: Hall) -> None:
    found = rehearsed(hall)
    reports = run_due(hall.works, patience=timedelta(seconds=1))
    told = {one.due.slot_at: (one.readers, one.editions, one.empty) for one in found}
    done = {one.run.slot_at: tuple(one.counts[n] for n in ("due", "editions", "empty")) for one in reports}
    assert told == done
    assert sum(one.editions for one in found) > 5
    assert sum(one.empty for one in found) > 0


def test_the_editions_readers_and_subjects_are_those_of_the_run(hall: Hall) -> None:
    told = sorted((part.readers, part.subject) for one in rehearsed(hall) for part in one.largest)
    reports = run_due(hall.works, patience=timedelta(seconds=1))
    first = min(one.run.id for one in reports)
    query = text(
        "SELECT count(*), e.page_id FROM delivery d JOIN edition e ON e.id = d.edition_id "
        "WHERE d.run_id >= :first AND e.page_id IS NOT NULL GROUP BY e.id, e.page_id"
    )
    with hall.database.read() as connection:
        rows = connection.execute(query, {"first": first}).all()
        assert told == sorted((n, pages.page_by_id(connection, page).subject) for n, page in rows)


def test_nothing_is_written(hall: Hall) -> None:
    def everything() -> list[object]:
        with hall.database.read() as connection:
            tables = ("run", "edition", "delivery", "batch", "page", "audit")
            rows = [
                connection.execute(select(func.count()).select_from(table(name))).all() for name in tables
            ]
            return [*rows, *connection.execute(text("SELECT id, covered_seq FROM subscriber")).all()]

    before = everything()
    assert rehearsed(hall)
    assert everything() == before


def test_an_empty_edition_says_why(hall: Hall) -> None:
    whys = [part.why for one in rehearsed(hall) for part in one.empties]
    assert whys
    assert all(whys)


def test_a_council_is_quiet_when_nobody_due_has_anything_new_of_it(hall: Hall) -> None:
    assert not any("stockport" in one.quiet_councils for one in rehearsed(hall))
    with hall.database.write() as connection:
        connection.execute(text("UPDATE subscriber SET covered_seq = (SELECT max(seq) FROM publication)"))
    assert any("stockport" in one.quiet_councils for one in rehearsed(hall))


def test_beyond_the_bound_editions_are_counted_as_not_looked_at(hall: Hall) -> None:
    every = max(rehearsed(hall), key=lambda one: one.readers)
    some = max(rehearsed(hall, Bounds(most_composed=3, most_linted=2)), key=lambda one: one.readers)
    assert some.readers == every.readers
    assert some.unknown > 0
    assert some.linted <= 2
    sizes = [part.readers for part in every.largest]
    assert sizes == sorted(sizes, reverse=True)


def test_an_edition_opened_in_the_studio_has_the_rehearsed_subject(hall: Hall) -> None:
    one = max(rehearsed(hall), key=lambda each: each.editions)
    for part in one.largest:
        shown = studio.letter_of_edition(
            hall.works,
            part.profile_id,
            from_seq=part.from_seq,
            schedule_id=one.due.schedule_id,
            max_bytes=hall.max_bytes,
        )
        assert shown.letter is not None
        assert shown.letter.subject == part.subject


def test_with_nothing_due_the_next_slot_is_the_moment(hall: Hall) -> None:
    assert rehearsal.next_due(hall.works)[0] == NEXT_WEEK
    run_due(hall.works, patience=timedelta(seconds=1))
    later, due = rehearsal.next_due(hall.works)
    assert later is not None
    assert later > NEXT_WEEK
    assert rehearsal.rehearse(hall.works, due, at=later, bounds=Bounds(), max_bytes=hall.max_bytes)
