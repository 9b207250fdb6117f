"""The rows, each run as `python -m tests.benchmarks.rows NAME ...`; prints one line of JSON."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

from tests.benchmarks import floors

BODY: dict[str, Any] = {
    "from": {"email": "digest@example.org"},
    "subject": "What will happen to the roads?",
    "content": [{"type": "text/plain", "value": "x" * 4_000}, {"type": "text/html", "value": "y" * 20_000}],
}


def f1(n: str) -> dict[str, float]:
    from tests.benchmarks.sink import sink

    with sink() as port:
        seconds = floors.f1(int(n), port, BODY)
    return {"seconds": seconds, "per_second": int(n) / seconds}


def f2(url: str, n: str) -> dict[str, float]:
    from digest.store.database import Database
    from tests.benchmarks.sink import sink

    with sink() as port:
        seconds = floors.f2(Database(url).url, int(n), port, BODY, profiles=400)
    return {"seconds": seconds, "per_second": int(n) / seconds}


def run(url: str, n: str) -> dict[str, float]:
    from tests.benchmarks import run_rows
    from tests.benchmarks.sink import sink

    with sink() as port:
        database = run_rows.prepare(url, int(n), distinct=min(400, int(n)))
        database.close()
        seconds, counts = run_rows.timed_run(database, port)
        assert counts["handed_over"] == int(n), counts
        memory = {"peak_mb": run_rows.peak_mb(), "helper_mb": run_rows.helper_mb()}
    return {"seconds": seconds, "per_second": int(n) / seconds} | memory


def distinct(url: str, n: str, how: str = "") -> dict[str, float]:
    """n readers with n different editions of at least 40 kB, beside posting ready bodies of that size.

    ``how`` "finds": their words occur in other items each, so that no two have the same news.
    """
    import http.client

    import orjson

    from tests.benchmarks import run_rows
    from tests.benchmarks.sink import sink

    count = int(n)
    with sink() as port:
        database = run_rows.prepare(url, count, distinct=count, items=12, finds=how == "finds")
        seconds, counts = run_rows.timed_run(database, port)
        assert counts["handed_over"] == count, counts
        connection = http.client.HTTPConnection("127.0.0.1", port)
        body = orjson.dumps({"content": "y" * run_rows.mean_page_bytes(database)})
        began = time.perf_counter()
        for _ in range(count):
            connection.request("POST", "/v3/mail/send", body, floors.HEAD)
            connection.getresponse().read()
        floor = time.perf_counter() - began
    return {"per_second": count / seconds, "floor_per_second": count / floor}


def letter() -> dict[str, float]:
    from tests.benchmarks import letter_rows

    return letter_rows.letter()


def webhook() -> dict[str, float]:
    """Signed posts of 1,000 events, stored and applied, beside the barest way to keep them."""
    from tests.benchmarks import webhook_rows

    return webhook_rows.webhook()


def unsubscribe() -> dict[str, float]:
    """One-click posts, beside a bare route with a one-row committed write."""
    from tests.benchmarks import web_rows

    return web_rows.unsubscribe()


def help_() -> dict[str, float]:
    def best(command: list[str]) -> float:
        times = []
        for _ in range(7):
            began = time.perf_counter()
            subprocess.run(command, capture_output=True, check=True)
            times.append(time.perf_counter() - began)
        return sorted(times)[3] * 1000

    floor = best([sys.executable, "-c", "import typer"])
    return {"ms": best([sys.executable, "-m", "digest", "--help"]), "floor_ms": floor}


def poll(url: str, n: str) -> dict[str, float]:
    """n feeds of 15 items, all news, through guard, child, decide and commit."""
    from tests.benchmarks import poll_rows

    return poll_rows.changed(url, int(n))


def poll_304(url: str, n: str) -> dict[str, float]:
    """n feeds that have not changed, beside as many bare GETs on a kept connection."""
    from tests.benchmarks import poll_rows

    return poll_rows.unchanged(url, int(n))


def hostile(url: str) -> dict[str, float]:
    """The hostile corpus and larger bombs among good feeds; every outcome and the memory are asserted."""
    from tests.benchmarks import hostile_rows

    return hostile_rows.hostile(url)


def feedparser_alone(n: str) -> dict[str, float]:
    """``feedparser.parse`` of the same n bodies on as many cores."""
    from tests.benchmarks import poll_rows

    return {"per_second": int(n) / poll_rows.feedparser_alone(int(n))}


def workers(url: str, n: str, profiles: str, count: str, answer_s: str) -> dict[str, float]:
    """A run of n readers with so many profiles by so many `digest worker` processes."""
    from tests.benchmarks import worker_rows

    return worker_rows.by_workers(
        url, int(n), profiles=int(profiles), workers=int(count), answer_s=float(answer_s)
    )


ROWS = {"f1": f1, "f2": f2, "run": run, "distinct": distinct, "letter": letter, "help": help_} | {
    "webhook": webhook,
    "unsubscribe": unsubscribe,
    "poll": poll,
    "poll_304": poll_304,
    "feedparser": feedparser_alone,
    "hostile": hostile,
    "workers": workers,
}


def main() -> None:
    name, *arguments = sys.argv[1:]
    print(json.dumps(ROWS[name](*arguments)))


if __name__ == "__main__":
    main()
