"""Search in what was said and decided, and in the names of meetings and committees.

The words are indexed by the database itself: SQLite keeps two FTS5 tables by triggers, PostgreSQL two GIN
indexes on expressions. So whatever writes a summary or a meeting is found at once, and nothing has to think
of it. All words must occur; a word of three letters or more also finds what begins with it; a phrase is
found as it stands. Accents are folded by SQLite alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, bindparam, select, text, union

from digest.model import SummaryState, name_key
from digest.store.councils import council_by_slug, council_ids
from digest.store.reading import Mark, Page, before, told_of
from digest.store.tables import CommitteeNameRow, MeetingRow, SummaryRow, SummaryVersionRow, table_of

MAX_WORDS = 8
MAX_LENGTH = 200  # characters of a question that are read
_SHORTEST_BEGINNING = 3
_PARTS = re.compile(r'"([^"]*)"?|(\S+)')

_M = table_of(MeetingRow)
_S = table_of(SummaryRow)
_V = table_of(SummaryVersionRow)
_N = table_of(CommitteeNameRow)

# ASCII punctuation and the dashes and quotes of typesetting: words are what stands between them, whatever
# PostgreSQL's parser would make of "2025/26" or "e-mail". Not a class like [:punct:]: those depend on locale.
_BETWEEN = r"[\x01-\x1f!-/:-@\[-`{-~\u2010-\u2015\u2018-\u201f\u2026\u00a3\u20ac]+"


def _pg_function(name: str, takes: str, words: str) -> str:
    between = f"regexp_replace({words}, '{_BETWEEN}', ' ', 'g')"
    body = f"SELECT to_tsvector('simple', {between})"
    return f"CREATE FUNCTION {name}({takes}) RETURNS tsvector LANGUAGE sql IMMUTABLE AS $${body}$$"


_KEY = "({row}.summary_id * 65536 + {row}.version)"  # one number for a version, as FTS5 wants
_TEXT = "json_extract(CAST({row}.condensed AS TEXT), '$.search_text')"

# Functions, because an index may only be on what is declared immutable: UTF-8 and JSON are, for one text.
POSTGRESQL = (
    _pg_function("words_said", "bytea", "convert_from($1, 'UTF8')::json ->> 'search_text'"),
    _pg_function("words_called", "text", "$1"),
    "CREATE INDEX summary_words ON summary_version USING gin (words_said(condensed))",
    "CREATE INDEX meeting_words ON meeting USING gin (words_called(title))",
)


def _sqlite() -> tuple[str, ...]:
    new, old = ((_KEY.format(row=row), _TEXT.format(row=row)) for row in ("new", "old"))
    add_version = f"INSERT INTO summary_words (rowid, words) VALUES ({new[0]}, {new[1]});"
    drop_version = (
        f"INSERT INTO summary_words (summary_words, rowid, words) VALUES ('delete', {old[0]}, {old[1]});"
    )
    add_meeting = "INSERT INTO meeting_words (rowid, title) VALUES (new.id, new.title);"
    drop_meeting = (
        "INSERT INTO meeting_words (meeting_words, rowid, title) VALUES ('delete', old.id, old.title);"
    )
    how = "tokenize = 'unicode61 remove_diacritics 2', columnsize = 0"
    return (
        f"CREATE VIRTUAL TABLE summary_words USING fts5 (words, content = '', {how})",
        "CREATE VIRTUAL TABLE meeting_words "
        f"USING fts5 (title, content = 'meeting', content_rowid = 'id', {how})",
        f"CREATE TRIGGER summary_said AFTER INSERT ON summary_version BEGIN {add_version} END",
        "CREATE TRIGGER summary_resaid AFTER UPDATE OF condensed ON summary_version "
        f"BEGIN {drop_version} {add_version} END",
        f"CREATE TRIGGER summary_unsaid AFTER DELETE ON summary_version BEGIN {drop_version} END",
        f"CREATE TRIGGER meeting_named AFTER INSERT ON meeting BEGIN {add_meeting} END",
        "CREATE TRIGGER meeting_renamed AFTER UPDATE OF title ON meeting WHEN old.title <> new.title "
        f"BEGIN {drop_meeting} {add_meeting} END",
        f"CREATE TRIGGER meeting_unnamed AFTER DELETE ON meeting BEGIN {drop_meeting} END",
    )


SQLITE = _sqlite()


@dataclass(frozen=True, slots=True)
class Question:
    """What is searched for: words and phrases, folded as ``name_key`` does. Empty finds nothing."""

    words: tuple[str, ...] = ()
    phrases: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.words or self.phrases)


def question_of(asked: str) -> Question:
    """The words of what somebody typed; quotes make phrases, so do hyphens inside a word.

    >>> question_of('special "needs deficit" 2025/26')
    Question(words=('special',), phrases=('needs deficit', '2025 26'))
    """
    words: list[str] = []
    phrases: list[str] = []
    for phrase, word in _PARTS.findall(asked[:MAX_LENGTH].replace("\0", " ")):
        folded = name_key((phrase or word).replace("_", " "))
        if folded:
            (phrases if " " in folded else words).append(folded)
    return Question(tuple(dict.fromkeys(words))[:MAX_WORDS], tuple(dict.fromkeys(phrases))[:MAX_WORDS])


def find_told(
    connection: Connection,
    question: Question,
    *,
    council: str | None = None,
    after: Mark | None = None,
    limit: int,
) -> Page:
    """Meetings whose public summary has all the words, the latest first. Raises: NotFoundError."""
    told = (
        select(_S.c.meeting_id)
        .join(_V, _V.c.summary_id == _S.c.id)
        .where(_V.c.state == SummaryState.PUBLISHED.value, _summary_has(connection, question))
    )
    return _found(connection, _M.c.id.in_(told), question, council, after, limit)


def find_meetings(
    connection: Connection,
    question: Question,
    *,
    council: str | None = None,
    after: Mark | None = None,
    limit: int,
) -> Page:
    """Meetings called so, or whose committee is, the latest first. Raises: NotFoundError."""
    called = [_N.c.name_key.contains(part, autoescape=True) for part in (*question.words, *question.phrases)]
    committees = select(_N.c.committee_id).where(and_(True, *called))
    # Two questions, not one with OR: each has an index, and PostgreSQL would use neither for both.
    by_title = select(_M.c.id).where(_meeting_has(connection, question)).correlate(None)
    by_committee = select(_M.c.id).where(_M.c.committee_id.in_(committees)).correlate(None)
    return _found(connection, _M.c.id.in_(union(by_title, by_committee)), question, council, after, limit)


def _found(
    connection: Connection,
    which: Any,
    question: Question,
    council: str | None,
    after: Mark | None,
    limit: int,
) -> Page:
    query = select(_M.c.id, _M.c.starts_on).where(_M.c.starts_on.is_not(None), which)
    if council is not None:
        council_by_slug(connection, council)
        query = query.where(_M.c.council_id == council_ids(connection)[council])
    if not question:
        return Page(())
    query = before(query, after).order_by(_M.c.starts_on.desc(), _M.c.id.desc())
    rows = connection.execute(query.limit(limit + 1)).all()
    more = Mark(rows[limit - 1].starts_on, rows[limit - 1].id) if len(rows) > limit else None
    return Page(told_of(connection, [row.id for row in rows[:limit]]), more)


def _summary_has(connection: Connection, question: Question) -> Any:
    if connection.dialect.name == "sqlite":
        key = text("summary_version.summary_id * 65536 + summary_version.version")
        return _in_words(key, "summary_words", question)
    return text("words_said(condensed) @@ to_tsquery('simple', :asked)").bindparams(asked=_pg(question))


def _meeting_has(connection: Connection, question: Question) -> Any:
    if connection.dialect.name == "sqlite":
        return _in_words(text("meeting.id"), "meeting_words", question)
    return text("words_called(title) @@ to_tsquery('simple', :called)").bindparams(called=_pg(question))


def _in_words(key: Any, table: str, question: Question) -> Any:
    return text(f"{key} IN (SELECT rowid FROM {table} WHERE {table} MATCH :{table})").bindparams(
        bindparam(table, _fts5(question))
    )


def _fts5(question: Question) -> str:
    """The question in FTS5's language (sqlite.org/fts5.html, 3): every part is a quoted string."""
    words = [f'"{word}"{"*" if len(word) >= _SHORTEST_BEGINNING else ""}' for word in question.words]
    return " AND ".join([*words, *(f'"{phrase}"' for phrase in question.phrases)])


def _pg(question: Question) -> str:
    """The question in the language of ``to_tsquery``: quoted lexemes, ``<->`` between those of a phrase."""
    words = [f"'{word}'{':*' if len(word) >= _SHORTEST_BEGINNING else ''}" for word in question.words]
    phrases = ["(" + " <-> ".join(f"'{w}'" for w in p.split()) + ")" for p in question.phrases]
    return " & ".join([*words, *phrases])


def keep_words(connection: Connection, statements: Sequence[str] | None = None) -> None:
    """Make the indexes of words, for the migration that first has them."""
    own = SQLITE if connection.dialect.name == "sqlite" else POSTGRESQL
    for statement in statements or own:
        connection.exec_driver_sql(statement)
