"""What is not needed any more, in small ranges: counted where a count is wanted, then deleted.

Every function does one transaction's worth and returns how many rows that was; 0 means nothing is left.
A run's own row stays for ever with its counts, the log stays with its lines, the audit stays whole.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, text

from digest.store import runs
from digest.store.spans import Range
from digest.store.types import from_stored, to_stored

_OLD_RUNS = """
SELECT r.id FROM run r WHERE r.completed_at < :before AND r.id > :after
  AND EXISTS (SELECT 1 FROM {table} x WHERE x.run_id = r.id) ORDER BY r.id LIMIT 1
"""


def next_run(connection: Connection, table: str, *, before: datetime, after: int = 0) -> int | None:
    """The first run, completed before then and above ``after``, that still has rows in ``table``."""
    values = {"before": to_stored(before), "after": after}
    found = connection.execute(text(_OLD_RUNS.format(table=table)), values).scalar()
    return None if found is None else int(found)


def fold_deliveries(connection: Connection, run_id: int, *, most: int) -> int:
    """Delete deliveries of a completed run; its row keeps the counts. The caller holds ``LOCK_PLAN``."""
    if not runs.has_counts(connection, run_id):
        runs.keep_counts(connection, run_id)
    query = text(
        "DELETE FROM delivery WHERE run_id = :run AND subscriber_id IN "
        "(SELECT subscriber_id FROM delivery WHERE run_id = :run ORDER BY subscriber_id LIMIT :most)"
    )
    return connection.execute(query, {"run": run_id, "most": most}).rowcount


def drop_batches(connection: Connection, run_id: int) -> int:
    """Delete the batches of a run without deliveries, and its troubles."""
    none_left = "AND NOT EXISTS (SELECT 1 FROM delivery WHERE run_id = :run)"
    connection.execute(text(f"DELETE FROM trouble WHERE run_id = :run {none_left}"), {"run": run_id})
    return connection.execute(
        text(f"DELETE FROM batch WHERE run_id = :run {none_left}"), {"run": run_id}
    ).rowcount


def drop_editions(connection: Connection, run_id: int, *, most: int) -> int:
    """Delete editions of a run that has no deliveries and no batches left."""
    ids = (
        "(SELECT id FROM edition WHERE run_id = :run AND NOT EXISTS "
        "(SELECT 1 FROM delivery WHERE run_id = :run) AND NOT EXISTS "
        "(SELECT 1 FROM batch WHERE run_id = :run) ORDER BY id LIMIT :most)"
    )
    values = {"run": run_id, "most": most}
    return connection.execute(text(f"DELETE FROM edition WHERE id IN {ids}"), values).rowcount


def drop_news(connection: Connection, first: int, last: int) -> int:
    """Delete news of that range of ids that no edition tells any more, with what it named."""
    which = "BETWEEN :first AND :last AND NOT EXISTS (SELECT 1 FROM edition e WHERE e.news_id = {})"
    values = {"first": first, "last": last}
    item = which.format("news_item.news_id")
    connection.execute(text(f"DELETE FROM news_item WHERE news_id {item}"), values)
    news = which.format("news.id")
    return connection.execute(text(f"DELETE FROM news WHERE id {news}"), values).rowcount


def drop_pages(connection: Connection, first: int, last: int, *, before: datetime) -> int:
    """Delete pages of that range of ids, stored before then, that no edition shows any more."""
    query = text(
        "DELETE FROM page WHERE id BETWEEN :first AND :last AND created_at < :before "
        "AND NOT EXISTS (SELECT 1 FROM edition e WHERE e.page_id = page.id)"
    )
    return connection.execute(query, {"first": first, "last": last, "before": to_stored(before)}).rowcount


def drop_forms(connection: Connection, first: int, last: int) -> int:
    """Delete forms of that range of ids that no page has any more."""
    query = text(
        "DELETE FROM form WHERE id BETWEEN :first AND :last "
        "AND NOT EXISTS (SELECT 1 FROM page WHERE page.form_id = form.id)"
    )
    return connection.execute(query, {"first": first, "last": last}).rowcount


def page_span(connection: Connection, *, before: datetime) -> Range | None:
    """The smallest and largest id of pages stored before then; None when there are none."""
    query = text("SELECT min(id), max(id) FROM page WHERE created_at < :before")
    first, last = connection.execute(query, {"before": to_stored(before)}).one()
    return None if first is None else Range(first, last)


_OLD_EVENTS = """
SELECT v.id FROM event v LEFT JOIN run r ON r.id = v.run_id
WHERE v.id BETWEEN :first AND :last AND v.received_at < :before AND v.applied_at IS NOT NULL
  AND (v.run_id IS NULL OR v.run_id <> 0) AND (r.id IS NULL OR r.completed_at IS NOT NULL)
"""


def next_event(connection: Connection, *, after: int, before: datetime) -> int | None:
    """The next event's id, unless that came since: events come in the order of their ids, or nearly so."""
    query = text("SELECT id, received_at FROM event WHERE id > :after ORDER BY id LIMIT 1")
    row = connection.execute(query, {"after": after}).one_or_none()
    return None if row is None or row.received_at >= to_stored(before) else int(row.id)


def fold_events(connection: Connection, first: int, last: int, *, before: datetime) -> int:
    """Count applied events of that range of ids by run and kind, and delete them.

    Kept: what may still prove something (of unfinished runs), and what was said of the account itself.
    """
    values = {"before": to_stored(before), "first": first, "last": last}
    connection.execute(
        text(
            "INSERT INTO event_count (run_id, kind, n) "
            f"SELECT coalesce(run_id, 0), kind, count(*) FROM event WHERE id IN ({_OLD_EVENTS}) "
            "GROUP BY 1, 2 ON CONFLICT (run_id, kind) DO UPDATE SET n = event_count.n + excluded.n"
        ),
        values,
    )
    return connection.execute(text(f"DELETE FROM event WHERE id IN ({_OLD_EVENTS})"), values).rowcount


def who_left(connection: Connection, *, before: datetime, most: int) -> list[tuple[int, str, datetime]]:
    """(id, address, when) of people who left before then and have no letter on its way."""
    query = text(
        "SELECT s.id, s.address, s.ended_at FROM subscriber s "
        "WHERE s.state = 'left' AND s.ended_at < :before "
        "AND NOT EXISTS (SELECT 1 FROM delivery d JOIN run r ON r.id = d.run_id "
        "WHERE d.run_id = s.open_run_id AND d.subscriber_id = s.id AND d.ended IS NULL "
        "AND r.completed_at IS NULL) "
        "ORDER BY s.ended_at LIMIT :most"
    )
    rows = connection.execute(query, {"before": to_stored(before), "most": most})
    return [(id_, address, from_stored(at)) for id_, address, at in rows]


def drop_leftovers(connection: Connection, *, before: datetime, most: int) -> int:
    """Delete items that were no meetings and that no poll has seen since then."""
    query = text(
        "DELETE FROM leftover WHERE (feed_id, fingerprint) IN (SELECT feed_id, fingerprint FROM leftover "
        "WHERE last_seen_at < :before LIMIT :most)"
    )
    return connection.execute(query, {"before": to_stored(before), "most": most}).rowcount
