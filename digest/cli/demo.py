"""The demo: samples served over loopback, and every step of the pipe on them, in a folder of its own."""

from __future__ import annotations

import functools
import http.server
import os
import sys
import threading
import tomllib
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from digest.cli.entrance import Entrance, print_json, print_table, say
from digest.cli.setup import write_settings
from digest.cli.summaries import import_files
from digest.errors import ConflictError, DigestError
from digest.model import Approval, Council, Support
from digest.resources import resource_dir
from digest.wiring import Hall

SHOWN = "ann.mellor@example.org"


def run_demo(directory: Path, *, as_json: bool) -> None:
    """Everything from feed to letter at the samples' own date; prints what was done and how to look."""
    samples = resource_dir("samples")
    plan = tomllib.loads((samples / "councils.toml").read_text(encoding="utf-8"))
    config = directory / "digest.toml"
    if not config.exists():
        write_settings(config, _facts())
    with (
        _served(samples / "feeds", directory / "port") as port,
        Entrance(str(config), plan["now"].isoformat()).hall() as hall,
    ):
        counts = _whole_pipe(hall, samples, plan, port)
        _write_page(hall, directory / "letter.html")
    if as_json:
        print_json(counts)
        return
    print_table(
        ["what", "how many"],
        [[k.replace("_", " "), v] for k, v in counts.items()],
        title="Council Digest demo",
    )
    _say_how_to_look(directory, config, plan["now"].isoformat())


def _facts() -> dict[str, Any]:
    return {
        "publication__name": "Council Digest",
        "publication__from": "digest@council-digest.example",
        "publication__postal_address": "1 Sample Street, Stockport SK1 0XX",
        "publication__support_line": "Council Digest is run by volunteers.",
        "publication__contact": "hello@council-digest.example",
        "base_url": "http://localhost:8000",
        "feeds__allow_private_addresses": True,
        "feeds__host_pause_s": 0,
        "outbox__directory": "outbox",
        "database_url": "sqlite:///digest.db",
    }


def _whole_pipe(hall: Hall, samples: Path, plan: dict[str, Any], port: int) -> dict[str, int]:

    from digest.pipeline.poll import poll
    from digest.pipeline.run import run_due

    hall.database.upgrade()
    _add_councils(hall, plan, port)
    polled = poll(
        hall.database, hall.fetcher, hall.parser, clock=hall.clock, is_all=True, intervals=hall.intervals
    )
    for slug, url, why in polled.failures:
        say(f"{slug}: {why}" if url in why else f"{slug}: {url}: {why}")
    files = sorted(p for p in (samples / "summaries").iterdir() if p.suffix in (".md", ".json"))
    taken = import_files(hall, files)
    for refused in taken["refused"]:
        say(f"{refused['path']}:{refused['line']}: {refused['why']}")
    _add_subscribers(hall, samples)
    reports = run_due(hall.works, patience=timedelta(minutes=1))
    if polled.failed or taken["refused"]:
        raise DigestError("the demo is incomplete: see the lines above")
    return _counted(hall, polled.feeds, reports)


def _add_councils(hall: Hall, plan: dict[str, Any], port: int) -> None:
    from digest.store import councils, feeds

    with hall.database.write() as connection:
        for one in plan["council"]:
            council = Council(
                slug=one["slug"],
                name=one["name"],
                support=Support(one["support"]),
                approval=Approval(one["approval"]),
                timezone=one["timezone"],
                website=one["website"],
                languages=tuple(one["languages"]),
            )
            councils.add_council(connection, council, now=hall.clock())
            for feed in one["feed"]:
                url = f"http://127.0.0.1:{port}/{feed['file']}"
                feeds.add_feed(connection, one["slug"], url, dialect=feed.get("dialect"), now=hall.clock())


def _add_subscribers(hall: Hall, samples: Path) -> None:
    from digest.cli.subscribers import import_file

    for refused in import_file(hall, samples / "subscribers.csv", update=False).refused:
        say(f"subscribers.csv:{refused.line}: {refused.why}")


def _counted(hall: Hall, polled: int, reports: Any) -> dict[str, int]:
    """What stands after all runs so far, so that a second demo prints the same figures."""
    from digest.pipeline.run import report
    from digest.store import meetings, runs, summaries

    with hall.database.read() as connection:
        every = [one.id for one in runs.all_runs(connection)]
        found, published = meetings.count_meetings(connection), summaries.count_published(connection)
    counts = [report(hall.database, run_id).counts for run_id in every]
    total = {name: sum(one[name] for one in counts) for name in ("due", "editions", "handed_over", "empty")}
    return {
        "feeds_polled": polled,
        "meetings_found": found,
        "summaries_published": published,
        "subscribers_due": total["due"],
        "editions_rendered": total["editions"],
        "letters_written": total["handed_over"],
        "empty_ones": total["empty"],
    }


def _write_page(hall: Hall, path: Path) -> None:
    """One of the letters as a page, by the same path as its run."""
    from digest.pipeline.preview import letter_for

    letter = letter_for(hall.works, address=SHOWN, wishes=None)
    if letter is not None and letter.html is not None:
        path.write_bytes(letter.html)


def _say_how_to_look(directory: Path, config: Path, now: str) -> None:
    """Shows the letter at once to who sits at a screen, and names what else there is to see."""
    page = (directory / "letter.html").absolute()
    program = os.path.relpath(sys.argv[0]) if "/" in sys.argv[0] else "digest"
    command = f"{program} --config {config} --now {now}"
    letters = sum(1 for _ in (directory / "outbox").rglob("*.eml"))
    say(f"A letter about Stockport, for your browser: {page.as_uri()}")
    say(f"All {letters} letters: {directory / 'outbox'} (any mail program opens them)")
    say("Any letter of any week, in the studio:")
    say(f"  {command} preview")
    say("What residents see, at http://localhost:8000 until Ctrl-C:")
    say(f"  {command} serve")
    if sys.stdout.isatty() and page.exists():
        webbrowser.open(page.as_uri())


@contextmanager
def _served(folder: Path, port_file: Path) -> Iterator[int]:
    """The folder over HTTP on loopback, on the same port as last time: feeds keep their addresses."""
    handler = functools.partial(_Quiet, directory=str(folder))
    wanted = int(port_file.read_text()) if port_file.exists() else 0
    try:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", wanted), handler)
    except OSError as error:
        raise ConflictError(
            f"port {wanted} of this machine is in use: end the other demo, or remove {port_file.parent}"
        ) from error
    port_file.write_text(str(server.server_port))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """The demo's own table says what was fetched."""
