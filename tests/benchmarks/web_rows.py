"""The unsubscribe row: one-click posts, each committed, beside a bare FastAPI route with a one-row write.

    python -m tests.benchmarks.web_rows [POSTS]

Both are served by one uvicorn process of their own over loopback, one after the other and in turns, asked
over kept connections by the same client, with a write that is on disk when the answer leaves
(``synchronous=FULL``). Bar: 50 % of the bare route.
"""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

NOW = datetime(2030, 1, 6, 18, tzinfo=UTC)
KEY = "k" * 64
BODY = b"List-Unsubscribe=One-Click"
CONNECTIONS = (1, 4)
ROUNDS = 20
"""Short ones in turns, of which the best counts: what else the machine does hits both alike."""


def bare(folder: Path) -> object:
    """The floor: one route, one UPDATE, one commit."""
    from fastapi import FastAPI

    connection = sqlite3.connect(folder / "bare.db", check_same_thread=False, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    alone = threading.Lock()
    app = FastAPI()

    @app.post("/unsubscribe/{token}")
    def leave(token: str) -> dict[str, str]:
        with alone:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("UPDATE person SET state = 'left' WHERE token = ?", (token,))
            connection.execute("COMMIT")
        return {"status": "unsubscribed"}

    return app


def ours(folder: Path) -> object:
    """The product, with all that stands around its routes."""
    from digest.settings import load_settings
    from digest.web.app import create_app
    from digest.wiring import Hall

    return create_app(Hall(load_settings(None, settings(folder)), lambda: NOW))


def settings(folder: Path) -> dict[str, str]:
    return {
        "DIGEST_DATABASE_URL": f"sqlite:///{folder}/digest.db",
        "DIGEST_SECRET_KEY": KEY,
        "DIGEST_SUPPRESSION_KEY": KEY,
        "DIGEST_OUTBOX__DIRECTORY": f"{folder}/outbox",
    }


def prepare(folder: Path, n: int) -> list[bytes]:
    """Both databases with n readers, and a request for each of them."""
    from digest.compose.profile import profile_of
    from digest.links import Purpose, Signer
    from digest.model import Council, SubscriberState
    from digest.slots import schedule_of
    from digest.store import councils, profiles
    from digest.store.database import Database
    from digest.store.roster import Newcomer, add_many

    database = Database(f"sqlite:///{folder}/digest.db")
    database.upgrade()
    with database.write() as connection:
        councils.add_council(connection, Council("stockport", "Stockport"), now=NOW)
        wishes = profiles.profile_id(connection, profile_of(councils=["stockport"]))
        sundays = profiles.schedule_id(connection, schedule_of("weekly", "sunday", "18:00", "Europe/London"))
        everybody = [
            Newcomer(
                f"r{i}@example.org",
                f"r{i}@example.org",
                "",
                SubscriberState.ACTIVE,
                wishes,
                sundays,
                0,
                (1,),
                None,
            )
            for i in range(1, n + 1)
        ]
        add_many(connection, everybody, source="bench", now=NOW)
    database.close()
    tokens = Signer(KEY).tokens(Purpose.UNSUBSCRIBE, range(1, n + 1), on=NOW.date())
    with sqlite3.connect(folder / "bare.db") as plain:
        plain.execute("CREATE TABLE person (token TEXT PRIMARY KEY, state TEXT)")
        plain.executemany("INSERT INTO person VALUES (?, 'active')", [(one,) for one in tokens])
    head = b"POST /unsubscribe/%b HTTP/1.1\r\nHost: localhost\r\n"
    head += b"Content-Type: application/x-www-form-urlencoded\r\n"
    return [(head + b"Content-Length: %d\r\n\r\n%b") % (one.encode(), len(BODY), BODY) for one in tokens]


def ask(port: int, requests: list[bytes]) -> None:
    """Post these one after the other on one kept connection."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for request in requests:
            connection.sendall(request)
            answer = b""
            while b"unsubscribed" not in answer:
                part = connection.recv(4096)
                assert part, answer
                answer += part
            assert answer.startswith(b"HTTP/1.1 200"), answer


def per_second(port: int, requests: list[bytes], connections: int) -> float:
    shares = [requests[n::connections] for n in range(connections)]
    threads = [threading.Thread(target=ask, args=(port, share)) for share in shares]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(requests) / (time.perf_counter() - began)


def unsubscribe(n: int = 4_000) -> dict[str, float]:
    """Posts a second of both, by connections, and the shares."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        requests = prepare(folder, n)
        ports, servers = {}, []
        try:
            for which in ("bare", "ours"):
                with socket.create_server(("127.0.0.1", 0)) as free:
                    ports[which] = free.getsockname()[1]
                command = [sys.executable, "-m", "tests.benchmarks.web_rows", which, name, str(ports[which])]
                servers.append(subprocess.Popen(command))
                _wait_for(ports[which])
            pids = dict(zip(ports, (server.pid for server in servers), strict=True))
            return _measure(ports, pids, requests)
        finally:
            for server in servers:
                server.terminate()
                server.wait()


def _cpu_s(pid: int) -> float:
    """Seconds of processor that a process has used (proc(5), fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _measure(ports: dict[str, int], pids: dict[str, int], requests: list[bytes]) -> dict[str, float]:
    """Posts a second by connections; ``cpu_share`` compares the servers' own processor time instead."""
    found: dict[str, float] = {"bar": 0.5}
    for port in ports.values():
        ask(port, requests[:50])  # the first ones compile and connect
    before = {which: _cpu_s(pid) for which, pid in pids.items()}
    size = len(requests) // (ROUNDS * len(CONNECTIONS))
    parts = [requests[at : at + size] for at in range(0, len(requests), size)]
    for connections in CONNECTIONS:
        best = {"bare": 0.0, "ours": 0.0}
        for _ in range(ROUNDS):
            part = parts.pop()
            for which in best:
                best[which] = max(best[which], per_second(ports[which], part, connections))
        found |= {f"{which}_{connections}": round(speed) for which, speed in best.items()}
        found[f"share_{connections}"] = round(best["ours"] / best["bare"], 2)
    used = {which: _cpu_s(pid) - before[which] for which, pid in pids.items()}
    return found | {"cpu_share": round(used["bare"] / used["ours"], 2)}


def _wait_for(port: int) -> None:
    for _ in range(1200):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit("a server did not start")


def serve(which: str, folder: str, port: str) -> None:
    import uvicorn

    app = {"bare": bare, "ours": ours}[which](Path(folder))
    uvicorn.run(app, host="127.0.0.1", port=int(port), log_level="error", access_log=False)  # type: ignore[arg-type]


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in ("bare", "ours"):
        serve(*sys.argv[1:4])
    else:
        print(json.dumps(unsubscribe(*(int(word) for word in sys.argv[1:2]))))
