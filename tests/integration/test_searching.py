"""Search on both databases: words, beginnings, phrases, councils; what is withdrawn is not found."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, text

from digest.model import Council, MeetingStatus, Origin, Section, Summary
from digest.pipeline import publish
from digest.store import councils, meetings, searching
from digest.store.database import Database
from digest.store.meetings import MeetingFacts
from digest.store.searching import Question, question_of

NOW = datetime(2025, 9, 4, 9, 0, tzinfo=UTC)
Find = Callable[..., Any]


def told(database: Database, council: str, *, on: date, lead: str, committee: str = "Cabinet") -> int:
    """A published summary; the id of the summary."""
    summary = Summary(
        council=council,
        committee=committee,
        starts_at=None,
        starts_on=on,
        origin=Origin.AI,
        lead=lead,
        sections=(Section("More", "Nothing else was said."),),
    )
    return publish.take_in(database, summary, url_key=None, now=NOW, archive_after=timedelta(days=900)).id


@pytest.fixture
def town(database: Database) -> Database:
    with database.write() as connection:
        for slug in ("aber", "bury"):
            councils.add_council(connection, Council(slug, slug.title()), now=NOW)
    return database


def found(database: Database, asked: str, council: str | None = None) -> list[str]:
    with database.read() as connection:
        page = searching.find_told(connection, question_of(asked), council=council, limit=9)
    return [one.summaries[0].lead for one in page.told]


def test_all_words_must_occur_and_the_latest_comes_first(town: Database) -> None:
    told(town, "aber", on=date(2025, 9, 1), lead="The old library closes.")
    told(town, "aber", on=date(2025, 9, 3), lead="The library stays open.", committee="Council")
    assert found(town, "library") == ["The library stays open.", "The old library closes."]
    assert found(town, "LIBRARY closes") == ["The old library closes."]
    assert found(town, "library swimming") == []


def test_a_word_finds_what_begins_with_it_and_a_phrase_only_itself(town: Database) -> None:
    told(town, "aber", on=date(2025, 9, 1), lead="Parking charges rise; the park needs work.")
    assert found(town, "charge")
    assert found(town, '"parking charges"')
    assert not found(town, '"charges parking"')


def test_words_between_punctuation_and_letters_beyond_ascii_are_found(town: Database) -> None:
    told(town, "aber", on=date(2025, 9, 1), lead="Cyllideb 2025/26: the tŷ gwyn e-mail, £43 million.")
    for asked in ("2025/26", "e-mail", "tŷ gwyn", "£43", "cyllideb"):
        assert found(town, asked), asked


def test_a_council_narrows_the_search(town: Database) -> None:
    told(town, "aber", on=date(2025, 9, 1), lead="Aber mends its roads.")
    told(town, "bury", on=date(2025, 9, 1), lead="Bury mends its roads.")
    assert found(town, "roads", "bury") == ["Bury mends its roads."]


def test_a_withdrawn_summary_and_a_replaced_version_are_not_found(town: Database) -> None:
    id_ = told(town, "aber", on=date(2025, 9, 1), lead="The bridge opens in mauve.")
    told(town, "aber", on=date(2025, 9, 1), lead="The bridge opens in green.")
    assert found(town, "mauve") == []
    assert found(town, "green")
    publish.withdraw(town, id_, why="wrong", now=NOW)
    assert found(town, "green") == []


def facts(title: str, *, key: str = "a") -> MeetingFacts:
    day = date(2025, 9, 1)
    return MeetingFacts(key, "aber", "Licensing Panel", title, None, day, MeetingStatus.SCHEDULED, None)


def called(database: Database, asked: str) -> list[str]:
    with database.read() as connection:
        page = searching.find_meetings(connection, question_of(asked), limit=9)
    return [one.meeting.title for one in page.told]


def test_a_meeting_is_found_by_its_title_or_its_committee_and_follows_a_rename(town: Database) -> None:
    with town.write() as connection:
        meetings.save_meeting(connection, facts("Street traders"), now=NOW)
    assert called(town, "traders") == called(town, "licensing") == ["Street traders"]
    with town.write() as connection:
        meetings.save_meeting(connection, facts("Market stalls"), now=NOW)
    assert called(town, "traders") == []
    assert called(town, "stalls") == ["Market stalls"]


@pytest.mark.parametrize(
    "asked",
    ["", "   ", '"', "***", "a OR", "NEAR(a b)", "x' OR 1=1 --", "a:b", "& | !", "\0", "(" * 300, "^a"],
)
def test_no_question_breaks_the_search(town: Database, asked: str) -> None:
    assert found(town, asked) == []
    assert called(town, asked) == []


def test_what_was_typed_becomes_words_and_phrases() -> None:
    assert question_of('send "needs deficit" 2025/26') == Question(("send",), ("needs deficit", "2025 26"))


# A thousand times the meeting and summary of one day, the same words in none but the first of them.
_MANY = (
    "INSERT INTO meeting (council_id, committee_id, key, title, starts_on, status, documents, first_seen_at, "
    "changed_at) SELECT council_id, committee_id, key || n, 'Lorries ' || n, starts_on, status, documents, "
    "first_seen_at, changed_at FROM meeting, generate_series(1, 1000) n",
    "INSERT INTO summary (meeting_id, language, state, version) SELECT m.id, s.language, s.state, s.version "
    "FROM summary s, meeting m WHERE m.id <> s.meeting_id",
    "INSERT INTO summary_version (summary_id, version, fingerprint, state, content, condensed, created_at) "
    "SELECT s.id, s.version, s.id, v.state, v.content, "
    "convert_to(replace(convert_from(v.condensed, 'UTF8'), 'library', 'lorry'), 'UTF8'), v.created_at "
    "FROM summary_version v, summary s WHERE s.id <> v.summary_id",
    "ANALYZE",
)


@pytest.mark.parametrize("find", [searching.find_told, searching.find_meetings])
def test_postgresql_looks_words_up_in_their_index(postgres_url: str, find: Find) -> None:
    database = Database(postgres_url)
    with database.write() as connection:
        councils.add_council(connection, Council("aber", "Aber"), now=NOW)
    told(database, "aber", on=date(2025, 9, 1), lead="The old library closes.")
    asked: list[tuple[str, Any]] = []
    with database.rehearse() as connection:
        for statement in _MANY:
            connection.execute(text(statement))
        event.listen(connection, "before_cursor_execute", lambda *a: asked.append((a[2], a[3])))
        find(connection, question_of("library"), limit=3)
        statement, values = asked[0]
        plan = "\n".join(connection.exec_driver_sql(f"EXPLAIN {statement}", values).scalars())
    database.close()
    assert "Index Scan on summary_words" in plan or "Index Scan on meeting_words" in plan, plan
