"""`digest feed …` and `digest poll`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from digest.cli.entrance import ACTOR, FAILED, Entrance, print_facts, print_json, print_table, say, zulu
from digest.errors import UsageError

if TYPE_CHECKING:
    from digest.model import RawFeed

feed = typer.Typer(help="Feeds: add, list, check.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
_COMMITTEES = (
    "Where councils share the address: 101;102 (only these are this council's) or 101=brent;Audit=harrow."
)


def register(app: typer.Typer) -> None:
    """Hang the commands into the program."""
    app.add_typer(feed, name="feed")
    app.command("poll")(poll)


@feed.command("add")
def add(
    context: typer.Context,
    slug: Annotated[str, typer.Argument(help="The council's slug.")],
    url: Annotated[str, typer.Argument(help="The feed's address.")],
    dialect: Annotated[str | None, typer.Option(help="Force a dialect instead of recognising it.")] = None,
    committees: Annotated[str | None, typer.Option(help=_COMMITTEES)] = None,
) -> None:
    """Poll an address for a council.

    Example: digest feed add stockport https://democracy.stockport.gov.uk/mgRss.aspx
    """
    from digest.intake.dialects.registry import named
    from digest.store import audit, feeds

    if not url.startswith(("https://", "http://")):
        raise UsageError(f"{url!r} is not a web address: begin it with https:// or http://")
    if dialect is not None:
        named(dialect)
    entrance: Entrance = context.obj
    with entrance.hall() as hall, hall.database.write() as connection:
        table = _table(committees, slug)
        now = hall.clock()
        is_new = feeds.add_feed(connection, slug, url, dialect=dialect, now=now, committees=table)
        if is_new:
            subject = f"council:{slug}"
            audit.note(connection, "feed added", subject=subject, actor=ACTOR, now=now, facts={"url": url})
    say(f"{url} added to {slug}" if is_new else f"{url} is there already, unchanged")


def _table(text: str | None, slug: str) -> dict[str, str]:
    """Committee -> council from ``101;102`` or ``101=brent``; a committee without a council is ``slug``'s."""
    found = {}
    for part in filter(None, (part.strip() for part in (text or "").split(";"))):
        committee, sign, whose = (word.strip() for word in part.partition("="))
        if not committee or (sign and not whose):
            raise UsageError(f"--committees {part!r} is not a committee, or committee=council: as 101=brent")
        found[committee] = whose or slug
    return found


@feed.command("set")
def set_(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="URL|ID", help="The feed's address or number.")],
    committees: Annotated[str, typer.Option(help=_COMMITTEES)],
) -> None:
    """Say whose a feed's committees are; "" for: all are its council's.

    Example: digest feed set https://shared.moderngov.co.uk/mgRss.aspx --committees "101=brent;102=harrow"
    """
    from digest.store import audit, feeds

    entrance: Entrance = context.obj
    with entrance.hall() as hall, hall.database.write() as connection:
        for one in feeds.feeds_named(connection, name):
            feeds.set_committees(connection, one.id, _table(committees, one.council))
            facts = {"url": one.url, "committees": committees}
            subject, now = f"council:{one.council}", hall.clock()
            audit.note(connection, "feed changed", subject=subject, actor=ACTOR, now=now, facts=facts)
    say(f"{name} changed: what was stored before stays where it is")


@feed.command("show")
def show(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="URL|ID", help="The feed's address or number.")],
    as_json: Json = False,
) -> None:
    """One feed: how it is, and what it told that is no meeting, with the reason.

    Example: digest feed show https://democracy.stockport.gov.uk/mgRss.aspx
    """
    from digest.store import feeds

    entrance: Entrance = context.obj
    with entrance.hall() as hall, hall.database.read() as connection:
        found = feeds.feeds_named(connection, name)
        left = {one.id: feeds.leftovers(connection, one.id) for one in found}
    if as_json:
        print_json({"feeds": [_shown(one, left[one.id]) for one in found]})
        return
    for one in found:
        print_facts(_document(one))
        rows = [[item.title, item.why, zulu(item.last_seen_at)] for item in left[one.id]]
        print_table(["item", "why it is no meeting", "last seen"], rows, title="Not meetings")


def _shown(one: Any, left: Any) -> dict[str, Any]:
    items = [
        {
            "guid": item.guid,
            "title": item.title,
            "why": item.why,
            "first_seen_at": zulu(item.first_seen_at),
            "last_seen_at": zulu(item.last_seen_at),
        }
        for item in left
    ]
    return _document(one) | {"not_meetings": items}


@feed.command("list")
def list_(
    context: typer.Context,
    council: Annotated[str | None, typer.Option(help="Only this council's.")] = None,
    as_json: Json = False,
) -> None:
    """All feeds and how they are.

    Example: digest feed list --council stockport
    """
    from digest.store import feeds

    entrance: Entrance = context.obj
    with entrance.hall() as hall, hall.database.read() as connection:
        found = feeds.all_feeds(connection, council=council)
        left = feeds.leftover_counts(connection)
    if as_json:
        documents = [_document(one) | {"not_meetings": left.get(one.id, 0)} for one in found]
        print_json({"feeds": documents})
        return
    print_table(
        ["id", "council", "feed", "dialect", "state", "last good", "next poll", "no meetings", "error"],
        [
            [
                f.id,
                f.council,
                f.url,
                f.dialect or f.found_dialect,
                f.state,
                zulu(f.last_good_at),
                zulu(f.next_poll_at),
                left.get(f.id, 0),
                f.last_error,
            ]
            for f in found
        ],
    )


def _document(one: Any) -> dict[str, Any]:
    return {
        "id": one.id,
        "council": one.council,
        "url": one.url,
        "dialect": one.dialect or one.found_dialect,
        "state": one.state,
        "last_good_at": zulu(one.last_good_at),
        "last_checked_at": zulu(one.last_checked_at),
        "last_change_at": zulu(one.last_change_at),
        "next_poll_at": zulu(one.next_poll_at),
        "failing_since": zulu(one.failing_since),
        "failures": one.failures,
        "error": one.last_error,
        "committees": dict(one.committees),
    }


@feed.command("check")
def check(
    context: typer.Context,
    source: Annotated[str, typer.Argument(metavar="URL_OR_FILE", help="What to read.")],
    feed_url: Annotated[str | None, typer.Option(help="Read a file as if fetched from there.")] = None,
    content_type: Annotated[str | None, typer.Option(help="Its Content-Type header.")] = None,
    content_encoding: Annotated[str | None, typer.Option(help="gzip, if the file is.")] = None,
    as_of: Annotated[str | None, typer.Option(help="When it was fetched (ISO 8601).")] = None,
    timezone: Annotated[str, typer.Option(help="The council's zone.")] = "Europe/London",
    country: Annotated[str, typer.Option(help="Decides how 08/12/2026 is read.")] = "gb",
    dialect: Annotated[str | None, typer.Option(help="Force a dialect.")] = None,
    as_json: Json = False,
) -> None:
    """Read one feed and say what was understood. Needs no database.

    Example: digest feed check https://democracy.stockport.gov.uk/mgRss.aspx --json
    """
    from digest.cli.entrance import instant
    from digest.errors import IntakeError
    from digest.intake.check import error_document, parsed_document
    from digest.intake.child import ParserPool
    from digest.slots import zone_of

    zone_of(timezone)
    entrance: Entrance = context.obj
    at = instant(as_of, option="--as-of") if as_of else entrance.clock()()
    try:
        raw = _read(entrance, source, feed_url, content_type, content_encoding, at)
        # In a bounded child, as polling does: whoever looks at a hostile file must not come to harm.
        with ParserPool(1) as pool:
            parsed = pool.parse(raw, timezone=timezone, country=country.lower(), as_of=at, dialect=dialect)
        document = parsed_document(parsed, timezone=timezone)
    except IntakeError as error:
        document = error_document(error)
    if as_json:
        print_json(document)
    else:
        _print_check(document)
    if document["error"] is not None:
        raise SystemExit(FAILED)


def _read(
    entrance: Entrance,
    source: str,
    feed_url: str | None,
    content_type: str | None,
    content_encoding: str | None,
    at: Any,
) -> RawFeed:
    from digest.intake.fetch import FeedRequest, NotModified, unpacked_body
    from digest.model import RawFeed

    if source.startswith(("http://", "https://")):
        with entrance.hall() as hall:
            raw = hall.fetcher.fetch(FeedRequest(source))
        if isinstance(raw, NotModified):
            raise UsageError(f"{source} answered 304 to an unconditional request")
        return raw
    path = Path(source)
    try:
        body = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{source} cannot be read: {error.strerror}") from error
    if content_encoding is not None:
        body = unpacked_body([body], encoding=content_encoding, url=source)
    url = feed_url or f"https://example.org/{path.name}"
    headers = {"content-type": content_type} if content_type else {}
    return RawFeed(url=url, final_url=url, status=200, headers=headers, body=body, fetched_at=at)


def _print_check(document: dict[str, Any]) -> None:
    if document["error"]:
        say(f"{document['error']['kind']}: {document['error']['message']}")
        return
    typer.echo(f"dialect: {document['dialect']}")
    print_table(
        ["committee", "start", "status", "address", "papers"],
        [
            [m["committee"], m["starts_at"] or m.get("starts_on"), m["status"], m["url"], len(m["documents"])]
            for m in document["meetings"]
        ],
        title="Meetings",
    )
    if document["not_meetings"]:
        print_table(
            ["item", "why it is no meeting"],
            [[n["title"], n["why"]] for n in document["not_meetings"]],
            title="Not meetings",
        )


def poll(
    context: typer.Context,
    council: Annotated[str | None, typer.Option(help="Only this council's feeds.")] = None,
    is_all: Annotated[bool, typer.Option("--all", help="All feeds now, not only those due.")] = False,
    as_json: Json = False,
) -> None:
    """Ask the feeds that are due for new and changed meetings.

    Example: digest poll --council stockport --all
    """
    from rich.console import Console
    from rich.progress import Progress

    from digest.pipeline import poll as polling

    entrance: Entrance = context.obj
    with (
        entrance.hall() as hall,
        Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar,
    ):
        task = bar.add_task("Polling", total=None)
        counts = polling.poll(
            hall.database,
            hall.fetcher,
            hall.parser,
            clock=hall.clock,
            council=council,
            is_all=is_all,
            concurrency=hall.settings.feeds.concurrency,
            intervals=hall.intervals,
            each=lambda done, total: bar.update(task, completed=done, total=total),
        )
    names = ("feeds", "unchanged", "failed", "new", "changed", "cancelled")
    numbers = {name: getattr(counts, name) for name in names}
    for slug, url, why in counts.failures:
        say(f"{slug}: {why}" if url in why else f"{slug}: {url}: {why}")
    if as_json:
        print_json(numbers)
    else:
        print_table(list(numbers), [list(numbers.values())])
    if counts.failed:
        raise SystemExit(FAILED)
