"""What must always hold in the ledger (docs/flow.md), as queries that find whatever breaks it."""

from __future__ import annotations

from sqlalchemy import Connection, text

_BROKEN = {
    "subscribers have overlapping digest ranges": """
        SELECT count(*) FROM (
          SELECT d.from_seq, lag(d.upto_seq)
            OVER (PARTITION BY d.subscriber_id ORDER BY d.upto_seq, d.from_seq) AS last
          FROM delivery d JOIN run r ON r.id = d.run_id
          WHERE r.kind = 'digest' AND d.from_seq < d.upto_seq
            AND (d.ended IS NULL OR d.ended IN (1, 2, 3, 4, 5))) x
        WHERE last > from_seq""",
    "digest ranges run backwards": "SELECT count(*) FROM delivery WHERE from_seq > upto_seq",
    "marks are behind a range that was kept": """
        SELECT count(*) FROM subscriber s
        JOIN delivery d ON d.run_id = s.open_run_id AND d.subscriber_id = s.id
        WHERE d.from_seq < d.upto_seq AND s.covered_seq < d.upto_seq
          AND (d.ended IS NULL OR d.ended IN (1, 2, 3, 4, 5))""",
    "marks name a run that planned nothing for them": """
        SELECT count(*) FROM subscriber s JOIN run r ON r.id = s.open_run_id AND r.completed_at IS NULL
        LEFT JOIN delivery d ON d.run_id = s.open_run_id AND d.subscriber_id = s.id
        WHERE d.run_id IS NULL""",
    "deliveries name a run that is not there": """
        SELECT count(*) FROM delivery d LEFT JOIN run r ON r.id = d.run_id WHERE r.id IS NULL""",
    "digest deliveries name a subscriber who is not there": """
        SELECT count(*) FROM delivery d JOIN run r ON r.id = d.run_id
        LEFT JOIN subscriber s ON s.id = d.subscriber_id WHERE r.kind = 'digest' AND s.id IS NULL""",
    "deliveries name a batch of another run": """
        SELECT count(*) FROM delivery d JOIN batch b ON b.id = d.batch_id WHERE b.run_id <> d.run_id""",
    "deliveries are open in a batch that is closed, though there is a letter": """
        SELECT count(*) FROM delivery d JOIN batch b ON b.id = d.batch_id
        JOIN edition e ON e.id = d.edition_id
        WHERE d.ended IS NULL AND b.state IN ('closed', 'refused') AND e.page_id IS NOT NULL""",
    "deliveries name an edition that is not there": """
        SELECT count(*) FROM delivery d LEFT JOIN edition e ON e.id = d.edition_id WHERE e.id IS NULL""",
    "log lines name a first line that is not there": """
        SELECT count(*) FROM publication p LEFT JOIN publication f ON f.seq = p.first_seq
        WHERE f.seq IS NULL""",
    "marks are beyond the log": """
        SELECT count(*) FROM subscriber
        WHERE covered_seq > (SELECT coalesce(max(seq), 0) FROM publication)""",
}


def broken(connection: Connection) -> list[str]:
    """One sentence for each invariant that does not hold; empty when all do."""
    found = []
    for sentence, query in _BROKEN.items():
        n = connection.execute(text(query)).scalar_one()
        if n:
            found.append(f"{n} {sentence}")
    return found
