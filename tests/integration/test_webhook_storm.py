"""Mischievous posts to a real `digest serve`, many at once: in the end all is as if told once, in order."""

from __future__ import annotations

import http.client
import os
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from digest.deliver.events import events_of
from digest.deliver.fake_sendgrid import SignedPost, SigningKey, body_of
from digest.deliver.fake_sendgrid.events import SIGNATURE_HEADER
from digest.links import delivery_id
from digest.pipeline.events import hear, often_failing
from digest.store.database import Database
from digest.store.events import NewEvent, store
from tests.integration.ledger_town import SUNDAY, WEEK, Town

KEY = "x" * 40
READERS, WEEKS, POSTERS = 24, 3, 8
NOW = SUNDAY + 3 * WEEK
PATH = "/webhooks/sendgrid"
STRANGE = {
    "event": "invented_tomorrow",
    "timestamp": int(NOW.timestamp()),
    "sg_event_id": "u",
    "odd": [None],
}


# --- the story that is told -----------------------------------------------------------------------------


def town_with_letters(database: Database) -> Town:
    """Everybody has had three letters, one a week."""
    town = Town(database)
    town.subscribe(READERS)
    for week in range(WEEKS):
        town.publish(week + 1)
        town.at(SUNDAY + week * WEEK).run()
    assert all(len(said) == WEEKS for said in town.letters().values())
    return town


def story(dice: random.Random) -> list[dict[str, Any]]:
    """What truly happened, in order: most letters arrive, some mailboxes end, some are often busy."""
    told = []
    for week in range(WEEKS):
        at = int((SUNDAY + week * WEEK).timestamp()) + 60
        for reader in range(1, READERS + 1):
            words: list[tuple[str, dict[str, str]]] = [("processed", {})]
            if reader % 6 == 0:
                words += [("bounce", {"type": "blocked", "reason": "421 busy"})]
            elif reader % 6 == 1:
                words += [("deferred", {"response": "450 later"})]
            elif reader % 6 == 2 and week == 2:
                ends = ("bounce", "spamreport", "unsubscribe", "dropped")
                words += [(ends[reader // 6], {"type": "bounce", "reason": "Invalid"})]
            else:
                words += [("deferred", {}), ("delivered", {"response": "250 OK"})]
            told += [
                event(week + 1, reader, word, at + n, dice, **more) for n, (word, more) in enumerate(words)
            ]
    return told


def event(run: int, reader: int, word: str, at: int, dice: random.Random, **more: str) -> dict[str, Any]:
    found = {"event": word, "email": f"reader{reader - 1}@test.example", "timestamp": at}
    found |= {"dg_delivery_id": delivery_id(run, reader), "sg_event_id": dice.randbytes(12).hex()}
    return found | {"sg_message_id": "abc.recvd"} | more


def posts(told: list[dict[str, Any]], key: SigningKey, dice: random.Random) -> list[tuple[SignedPost, int]]:
    """The story in overlapping posts out of order, some events under new ids, with what else may come."""
    at = NOW.timestamp()
    events = told + [one | {"sg_event_id": dice.randbytes(12).hex()} for one in dice.sample(told, 60)]
    events += dice.sample(told, 60)
    events += [STRANGE] * 3
    dice.shuffle(events)
    good = [key.post(events[n : n + 20], at) for n in range(0, len(events), 17)]
    found = [(post, 200) for post in good] + [(post, 200) for post in good[:3]]
    false = body_of([one | {"event": "bounce", "type": "bounce"} for one in told[:20]])
    stranger = SigningKey()
    for post in good[:4]:
        found += [
            (SignedPost(false, post.headers), 401),
            (SignedPost(post.body.rstrip(), post.headers), 401),
            (SignedPost(post.body, {}), 401),
            (SignedPost(post.body, post.headers | {SIGNATURE_HEADER: "no base64"}), 401),
            (stranger.post([{"event": "spamreport", "email": "reader0@test.example"}], at), 401),
            (key.post([{"event": "spamreport", "email": "reader0@test.example"}], at - 5 * 86_400), 401),
        ]
    found += [(key.sign(b"[{", at), 400), (key.sign(b'{"event": "bounce"}', at), 400)]
    found += [(key.sign(b"[1, null, []]", at), 200), (SignedPost(b"x" * 17_000_000, {}), 413)]
    dice.shuffle(found)
    return found


# --- the server -------------------------------------------------------------------------------------------


@dataclass
class Server:
    """`digest serve` as a process of its own."""

    port: int

    def post(self, post: SignedPost, is_slow: bool) -> int:
        """The status that one post gets; a slow one comes in pieces."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.putrequest("POST", PATH)
            for name, value in (post.headers | {"Content-Length": str(len(post.body))}).items():
                connection.putheader(name, value)
            connection.endheaders()
            third = len(post.body) // 3 + 1
            for n in range(0, len(post.body), third):
                connection.send(post.body[n : n + third])
                time.sleep(0.02 if is_slow else 0)
            return connection.getresponse().status
        except (ConnectionError, BrokenPipeError):
            return 413 if len(post.body) > 16_000_000 else 0  # it hangs up on who goes on and on
        finally:
            connection.close()


@contextmanager
def serving(url: str, public_key: str, folder: Path) -> Iterator[Server]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    kept = {k: v for k, v in os.environ.items() if not k.startswith("DIGEST_")}
    settings = {
        "DIGEST_DATABASE_URL": url,
        "DIGEST_SUPPRESSION_KEY": KEY,
        "DIGEST_SECRET_KEY": KEY,
        "DIGEST_SENDGRID__WEBHOOK_PUBLIC_KEY": public_key,
        "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
    }
    command = [sys.executable, "-m", "digest", "--now", NOW.isoformat(), "serve", "--port", str(port)]
    with (folder / "said.txt").open("wb") as said:
        process = subprocess.Popen(command, cwd=folder, env=kept | settings, stdout=said, stderr=said)
    try:
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None, (folder / "said.txt").read_text()
            time.sleep(0.1)
        yield Server(port)
    finally:
        process.terminate()
        process.wait(timeout=60)


# --- what is known in the end ----------------------------------------------------------------------------


def known(town: Town) -> dict[str, Any]:
    """Everything that events may have changed, without the times at which they were heard."""
    with town.database.read() as connection:
        failing = sorted(often_failing(connection, now=NOW))
    return {
        "readers": town.rows("SELECT id, state, ended_reason FROM subscriber ORDER BY id"),
        "suppressed": town.rows("SELECT fingerprint, reason, created_at FROM suppression ORDER BY 1"),
        "events": town.rows(
            "SELECT event_id, kind, run_id, subscriber_id, happened_at FROM event ORDER BY 1"
        ),
        "waiting": town.rows("SELECT count(*) FROM event WHERE applied_at IS NULL"),
        "runs": town.rows("SELECT id, state, completed_at IS NOT NULL FROM run ORDER BY id"),
        "failing": failing,
    }


def test_parallel_mischief_ends_as_the_story_told_once_in_order(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    dice = random.Random(seed)
    key, town, told = SigningKey(), town_with_letters(database), story(dice)
    wanted = posts(told, key, dice)
    slow = [dice.random() < 0.1 for _ in wanted]
    with serving(database_url, key.public, tmp_path) as server, ThreadPoolExecutor(POSTERS) as posters:
        got = list(posters.map(server.post, [post for post, _ in wanted], slow))
    assert got == [status for _, status in wanted]
    assert known(town) == known(told_in_order(told, tmp_path))


def test_two_posts_of_the_same_events_in_opposite_orders_are_both_taken(database: Database) -> None:
    """Whoever stores them row by row as they come would wait for the other, who waits for them."""
    start = threading.Barrier(2)

    def hear_all(is_backwards: bool) -> int:
        heard = 0
        for turn in range(8):
            told = [
                NewEvent(f"{turn}.{n:05}", "delivered", 1, n, NOW, is_applied=True, payload=b"{}")
                for n in range(1_500)
            ]
            start.wait(timeout=60)
            with database.write() as connection:
                heard += store(connection, told[::-1] if is_backwards else told, now=NOW)
        return heard

    with ThreadPoolExecutor(2) as threads:
        both = [threads.submit(hear_all, is_backwards) for is_backwards in (False, True)]
        assert sum(one.result() for one in both) == 8 * 1_500


def told_in_order(told: list[dict[str, Any]], folder: Path) -> Town:
    """The same town on a database of its own, told each thing once."""
    serial = Database(f"sqlite:///{folder / 'serial.db'}")
    serial.upgrade()
    town = town_with_letters(serial)
    for one in [*told, STRANGE, {}]:
        hear(serial, events_of(body_of([one])), suppression_key=KEY, now=NOW)
    return town
