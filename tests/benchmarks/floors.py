"""The floors: honest bare loops that do the least that must be done. Never to be made slower.

F1: the same personalizations (address, token, headers, ids) as JSON with orjson, posted over keep-alive,
1,000 a request. F2: F1 plus the least SQL that is as durable: one INSERT...SELECT of deliveries, one UPDATE
of marks, one ordered read.
"""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterable, Iterator
from typing import Any

import orjson
from sqlalchemy import Connection, create_engine, text

TOKEN = "A" * 37
HEAD = {"Content-Type": "application/json", "Authorization": "Bearer x"}
BATCH = 1_000


def personalization(id_: int, address: str) -> dict[str, Any]:
    leave = f"https://digest.example.org/unsubscribe/{TOKEN}"
    return {
        "to": [{"email": address}],
        "headers": {
            "List-Unsubscribe": f"<{leave}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        },
        "substitutions": {
            "-dgUnsub-": leave,
            "-dgPrefs-": f"https://digest.example.org/preferences/{TOKEN}",
        },
        "custom_args": {"dg_delivery_id": f"{id_:030d}"},
    }


def post_all(readers: Iterable[tuple[int, str]], port: int, body: dict[str, Any]) -> int:
    """Post everybody's letter; returns how many."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    n = 0
    for batch in _batches(readers):
        request = body | {"personalizations": [personalization(i, a) for i, a in batch]}
        connection.request("POST", "/v3/mail/send", orjson.dumps(request), HEAD)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 202
        n += len(batch)
    connection.close()
    return n


def _batches(readers: Iterable[tuple[int, str]]) -> Iterator[list[tuple[int, str]]]:
    batch: list[tuple[int, str]] = []
    for one in readers:
        batch.append(one)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def f1(n: int, port: int, body: dict[str, Any]) -> float:
    """Seconds for n letters."""
    began = time.perf_counter()
    post_all(((i, f"reader{i}@example.org") for i in range(1, n + 1)), port, body)
    return time.perf_counter() - began


def f2(url: str, n: int, port: int, body: dict[str, Any], *, profiles: int) -> float:
    """Seconds for n letters with the least durable ledger, in tables of its own in that database."""
    engine = create_engine(url)
    with engine.connect() as connection:
        _prepare(connection, n, profiles)
        began = time.perf_counter()
        if url.startswith("sqlite"):
            connection.exec_driver_sql("PRAGMA synchronous=FULL")
        connection.execute(
            text(
                "INSERT INTO floor_delivery SELECT 1, id, profile_id, covered_seq, 500 FROM floor_subscriber"
            )
        )
        connection.execute(text("UPDATE floor_subscriber SET covered_seq = 500"))
        connection.commit()
        rows = connection.execution_options(stream_results=True, yield_per=10_000).execute(
            text(
                "SELECT s.id, s.address FROM floor_delivery d JOIN floor_subscriber s "
                "ON s.id = d.subscriber_id ORDER BY d.edition_id"
            )
        )
        sent = post_all(((i, a) for i, a in rows), port, body)
        seconds = time.perf_counter() - began
        assert sent == n
    engine.dispose()
    return seconds


def _prepare(connection: Connection, n: int, profiles: int) -> None:
    is_sqlite = connection.dialect.name == "sqlite"
    if is_sqlite:
        connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        connection.exec_driver_sql("PRAGMA cache_size=-65536")
    for statement in (
        "DROP TABLE IF EXISTS floor_subscriber",
        "DROP TABLE IF EXISTS floor_delivery",
        "CREATE TABLE floor_subscriber "
        "(id INTEGER PRIMARY KEY, address TEXT, profile_id INT, covered_seq INT)",
        "CREATE TABLE floor_delivery (run_id INT, subscriber_id INT, edition_id INT, "
        "from_seq INT, upto_seq INT, PRIMARY KEY (run_id, subscriber_id))",
    ):
        connection.execute(text(statement))
    numbers = (
        "WITH RECURSIVE g(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < :n)"
        if is_sqlite
        else "WITH g AS (SELECT generate_series(1, :n) AS i)"
    )
    connection.execute(
        text(
            f"INSERT INTO floor_subscriber {numbers} "  # noqa: S608
            "SELECT i, 'reader' || i || '@example.org', CAST(i AS bigint) * 7919 % :p + 1, 100 FROM g"
        ),
        {"n": n, "p": profiles},
    )
    connection.commit()
