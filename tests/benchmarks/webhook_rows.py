"""The webhook row: signed posts of 1,000 events, verified and committed, beside the barest way to do that.

    python -m tests.benchmarks.webhook_rows [POSTS]

Floor: verify the signature, ``orjson.loads``, one ``executemany`` into SQLite, commit. Bar: 40 % of it.
Both are measured in turns, and the best turn of each counts.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from digest.deliver.events import SIGNATURE_HEADER, TIMESTAMP_HEADER, Verifier, events_of
from digest.deliver.fake_sendgrid import SignedPost, SigningKey
from digest.links import delivery_ids
from digest.pipeline.events import hear
from digest.store.database import Database

NOW = datetime(2030, 1, 6, 18, tzinfo=UTC)
SIZE = 1_000
_TABLE = "CREATE TABLE e (id TEXT UNIQUE, kind TEXT, delivery TEXT, at INTEGER, payload BLOB)"


def posts(n: int, key: SigningKey) -> list[SignedPost]:
    """Signed posts of delivered events, all of them new."""
    made = []
    for number in range(n):
        ids = delivery_ids(1, range(number * SIZE + 1, (number + 1) * SIZE + 1))
        found: list[dict[str, Any]] = [
            {"event": "delivered", "email": f"{one}@example.org", "timestamp": int(NOW.timestamp()),
             "dg_delivery_id": one, "sg_event_id": f"event{one}", "sg_message_id": "abc.recvd",
             "response": "250 OK", "category": ["digest"]}
            for one in ids
        ]  # fmt: skip
        made.append(key.post(found, NOW.timestamp()))
    return made


def _checked(verifier: Verifier, post: SignedPost) -> bytes:
    headers = post.headers
    verifier.check(
        post.body, signature=headers[SIGNATURE_HEADER], timestamp=headers[TIMESTAMP_HEADER], now=NOW
    )
    return post.body


def floor(found: list[SignedPost], verifier: Verifier, folder: Path) -> float:
    """Seconds of the barest loop."""
    connection = sqlite3.connect(folder / "floor.db")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(_TABLE)
    begun = time.perf_counter()
    for post in found:
        rows = [
            (e["sg_event_id"], e["event"], e["dg_delivery_id"], e["timestamp"], e["response"])
            for e in orjson.loads(_checked(verifier, post))
        ]
        connection.executemany("INSERT OR IGNORE INTO e VALUES (?, ?, ?, ?, ?)", rows)
        connection.commit()
    return time.perf_counter() - begun


def ours(found: list[SignedPost], verifier: Verifier, folder: Path) -> float:
    """Seconds of the product's way, without HTTP."""
    database = Database(f"sqlite:///{folder / 'digest.db'}")
    database.upgrade()
    begun = time.perf_counter()
    for post in found:
        hear(database, events_of(_checked(verifier, post)), suppression_key="k" * 40, now=NOW)
    seconds = time.perf_counter() - begun
    database.close()
    return seconds


def webhook(n: int = 50, *, turns: int = 5) -> dict[str, float]:
    """Events a second of both, and the share."""
    key = SigningKey()
    verifier, found = Verifier(key.public), posts(n, key)
    bare, real = [], []
    for _ in range(turns):
        with tempfile.TemporaryDirectory() as name:
            bare.append(floor(found, verifier, Path(name)))
            real.append(ours(found, verifier, Path(name)))
    each = n * SIZE
    return {
        "per_second": each / min(real),
        "floor_per_second": each / min(bare),
        "share": min(bare) / min(real),
    }


if __name__ == "__main__":
    print(json.dumps(webhook(*(int(word) for word in sys.argv[1:2]))))
