"""`digest council …`"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from digest.cli.entrance import ACTOR, Entrance, counted, print_facts, print_json, print_table, say
from digest.errors import UsageError

if TYPE_CHECKING:
    from digest.intake.discover import FoundFeed
    from digest.model import Council, ParsedFeed, RawFeed

council = typer.Typer(help="Councils: add, list, show, set.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


def register(app: typer.Typer) -> None:
    """Hang the commands into the program."""
    app.add_typer(council, name="council")


def _checked(facts: dict[str, Any]) -> dict[str, Any]:
    """Words of closed lists as their types, the others checked. Raises: UsageError that names the nearest."""
    from digest.model import Approval, Support
    from digest.slots import zone_of

    found = {name: value for name, value in facts.items() if value is not None}
    for name, words in (("support", Support), ("approval", Approval)):
        if name in found:
            found[name] = _word(found[name], words, option=f"--{name}")
    if "timezone" in found:
        zone_of(found["timezone"])
    if "languages" in found:
        found["languages"] = tuple(x.strip() for x in found["languages"].split(",") if x.strip())
    website = found.get("website")
    if website is not None and not website.startswith(("https://", "http://")):
        raise UsageError(f"--website {website!r} is not a web address: begin it with https://")
    return found


def _word(given: str, words: Any, *, option: str) -> Any:
    try:
        return words(given)
    except ValueError as error:
        raise UsageError(f"{option} {given!r} is unknown: use one of {', '.join(words)}") from error


@council.command("add")
def add(
    context: typer.Context,
    slug: Annotated[str | None, typer.Argument(help="Stable short name, as stockport.")] = None,
    name: Annotated[str | None, typer.Option(help="Name as residents know it.")] = None,
    known: Annotated[str | None, typer.Option(help="Name, site and feed from the directory.")] = None,
    support: Annotated[str, typer.Option(help="full, limited or paused.")] = "full",
    approval: Annotated[str, typer.Option(help="auto, approval or off.")] = "auto",
    timezone: Annotated[str, typer.Option(help="IANA time zone.")] = "Europe/London",
    website: Annotated[str | None, typer.Option(help="Web address of the council.")] = None,
    country: Annotated[str, typer.Option(help="Two letters; decides how dates are read.")] = "gb",
    languages: Annotated[str | None, typer.Option(help="Languages of its summaries, as en,cy.")] = None,
) -> None:
    """Add a council, or one that is known with its feed: --known stockport.

    Example: digest council add stockport --name "Stockport" --website https://democracy.stockport.gov.uk
    """
    from digest.model import Council
    from digest.store import audit, councils, feeds

    facts = {
        "support": support,
        "approval": approval,
        "timezone": timezone,
        "website": website,
        "country": country.lower(),
        "languages": languages,
    }
    feed = None
    if known is not None:
        slug, name, feed, facts = _from_directory(known, slug, name, facts)
    if not slug or not name:
        raise UsageError("a council needs a SLUG and --name, or --known with its name in the directory")
    if slug != slug.lower() or not all(c.isalnum() or c in "-._" for c in slug):
        raise UsageError(f"the slug {slug!r} is not small letters, digits, - . or _: as great-harrow")
    one = Council(slug, name, **_checked(facts))
    entrance: Entrance = context.obj
    with entrance.hall() as hall, hall.database.write() as connection:
        is_new, now = councils.add_council(connection, one, now=hall.clock()), hall.clock()
        if is_new:
            told = {"support": one.support.value, "feed": feed}
            audit.note(
                connection, "council added", subject=f"council:{slug}", actor=ACTOR, now=now, facts=told
            )
        if feed is not None:
            feeds.add_feed(connection, slug, feed, dialect=None, now=now)
    say(f"{slug} added" if is_new else f"{slug} is there already, unchanged")
    if feed is not None:
        say(f"its feed is {feed}")
    elif known is not None:
        say(f"no feed of it is known: find one with `digest council discover {one.website or 'URL'}`")


def _from_directory(
    known: str, slug: str | None, name: str | None, facts: dict[str, Any]
) -> tuple[str, str, str | None, dict[str, Any]]:
    """Slug, name, feed and facts of a known council; what is said on the command line goes first."""
    from digest.intake.directory import known_council

    found = known_council(known)
    facts["website"] = facts["website"] or found.website
    facts["languages"] = facts["languages"] or ",".join(found.languages)
    return slug or found.slug, name or found.name, found.feed, facts


@council.command("discover")
def discover(
    context: typer.Context,
    url: Annotated[str, typer.Argument(help="The council's web address.")],
    timezone: Annotated[str, typer.Option(help="The council's zone.")] = "Europe/London",
    country: Annotated[str, typer.Option(help="Two letters; decides how dates are read.")] = "gb",
    as_json: Json = False,
) -> None:
    """Find the feeds of a council's site; stdout gets lines that are ready to be run.

    Example: digest council discover https://www.stockport.gov.uk
    """
    from digest.errors import NotFoundError
    from digest.intake.discover import discover as find
    from digest.slots import zone_of

    zone_of(timezone)
    if not url.startswith(("https://", "http://")):
        raise UsageError(f"{url!r} is not a web address: begin it with https://")
    entrance: Entrance = context.obj
    with entrance.hall() as hall:

        def parse(raw: RawFeed) -> ParsedFeed:
            return hall.parser.parse(raw, timezone=timezone, country=country.lower(), as_of=raw.fetched_at)

        found = find(url, hall.fetcher, parse=parse)
    if not found:
        raise NotFoundError(f"no feed was found at {url}: try the address of its committee pages")
    if as_json:
        print_json({"feeds": [_found_document(one) for one in found]})
        return
    for line in _ready_lines(url, found, timezone=timezone, country=country.lower()):
        typer.echo(line)
    for one in found:
        say(f"{one.url}: {one.source}; {one.dialect}, {one.meetings} meetings")


def _found_document(one: FoundFeed) -> dict[str, Any]:
    return {
        "url": one.url,
        "title": one.title,
        "source": one.source,
        "dialect": one.dialect,
        "meetings": one.meetings,
    }


def _ready_lines(url: str, found: tuple[FoundFeed, ...], *, timezone: str, country: str) -> list[str]:
    """Commands for a shell; what a site calls itself is quoted, whatever is in it."""
    import shlex

    from digest.cli.entrance import one_line
    from digest.intake.links import host_of

    labels = [label for label in host_of(url).split(".") if label not in ("www", "democracy", "moderngov")]
    slug = "".join(c for c in (labels or ["council"])[0].lower() if c.isalnum() or c == "-") or "council"
    name = one_line(found[0].title).strip() or slug.title()
    words = ["digest", "council", "add", slug, "--name", name, "--website", url]
    words += ["--timezone", timezone] if timezone != "Europe/London" else []
    words += ["--country", country] if country != "gb" else []
    return [shlex.join(words), *(shlex.join(["digest", "feed", "add", slug, one.url]) for one in found)]


@council.command("set")
def set_(
    context: typer.Context,
    slug: str,
    name: Annotated[str | None, typer.Option()] = None,
    support: Annotated[str | None, typer.Option(help="full, limited or paused.")] = None,
    approval: Annotated[str | None, typer.Option(help="auto, approval or off.")] = None,
    timezone: Annotated[str | None, typer.Option()] = None,
    website: Annotated[str | None, typer.Option()] = None,
    country: Annotated[str | None, typer.Option()] = None,
    languages: Annotated[str | None, typer.Option()] = None,
) -> None:
    """Change facts of a council.

    Example: digest council set stockport --approval approval
    """
    from digest.store import audit, councils

    given = {
        "name": name,
        "support": support,
        "approval": approval,
        "timezone": timezone,
        "website": website,
        "country": country,
        "languages": languages,
    }
    facts = _checked(given)
    if not facts:
        raise UsageError("nothing to set: name at least one option, see `digest council set --help`")
    entrance: Entrance = context.obj
    with entrance.hall() as hall, hall.database.write() as connection:
        before = councils.council_by_slug(connection, slug)
        after = councils.set_council(connection, slug, facts)
        if after != before:
            audit.note(
                connection,
                "council changed",
                subject=f"council:{slug}",
                actor=ACTOR,
                now=hall.clock(),
                facts={"before": _of(before, facts), "after": _of(after, facts)},
            )
    say(f"{slug} changed")


def _of(council: Council, names: Iterable[str]) -> dict[str, Any]:
    """These fields of a council as the audit keeps them."""
    found = {name: getattr(council, name) for name in names}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}


@council.command("enable")
def enable(
    context: typer.Context,
    slug: str,
    back: Annotated[
        int | None, typer.Option(help="Days back that readers get of it (digest.enable_back).")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say who would get what, do nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    for_: Annotated[
        str | None, typer.Option("--for", help="Address of one professional: only they get its summaries.")
    ] = None,
    off: Annotated[bool, typer.Option("--off", help="With --for: take it back.")] = False,
    as_json: Json = False,
) -> None:
    """Give a council full support: its news of the last days is mailed, and who waited is told.

    With --for, support stays limited and one professional gets its summaries.

    Example: digest council enable marlow-vale --back 14 --dry-run
    Example: digest council enable marlow-vale --for press@example.org
    """
    from datetime import timedelta
    from functools import partial

    from digest.pipeline import enabling

    if off:
        _disable(context.obj, slug, for_, dry_run=dry_run, as_json=as_json)
        return
    entrance: Entrance = context.obj
    with entrance.hall() as hall:
        span = hall.settings.digest.enable_back if back is None else timedelta(days=back)
        if for_ is None:
            rehearse = partial(enabling.rehearse, hall.works, slug, back=span)
            act = partial(enabling.enable, hall.works, slug, back=span, actor=ACTOR)
        else:
            rehearse = partial(enabling.rehearse_one, hall.works, slug, for_, back=span)
            act = partial(enabling.enable_one, hall.works, slug, for_, back=span, actor=ACTOR)
        found = rehearse()
        is_wanted = not dry_run and not found.is_done
        if is_wanted and not as_json:
            _say_enabling(found, who=for_, done=False)
        if is_wanted and not yes and not typer.confirm("Enable it?", err=True):
            raise UsageError(f"{slug} is as it was")
        if is_wanted:
            found = act()
    if as_json:
        document = {"council": slug, "enabled": is_wanted, "readers": found.readers, "waiting": found.waiting}
        document |= {"drafts": found.drafts, "summaries": [one.headline for one in found.summaries]}
        print_json(document)
    elif found.is_done:
        say(f"{slug} has full support already" if for_ is None else f"{slug} is enabled for {for_} already")
    else:
        _say_enabling(found, who=for_, done=is_wanted)


def _disable(entrance: Entrance, slug: str, address: str | None, *, dry_run: bool, as_json: bool) -> None:
    from digest.pipeline import enabling
    from digest.store import subscribers

    if address is None:
        raise UsageError(
            f"--off needs --for ADDRESS; for all readers: digest council set {slug} --support limited"
        )
    with entrance.hall() as hall:
        if dry_run:
            with hall.database.read() as connection:
                is_enabled = slug in subscribers.subscriber_by_address(connection, address).profile.enabled
        else:
            is_enabled = enabling.disable_one(hall.database, slug, address, actor=ACTOR, now=hall.clock())
    if as_json:
        print_json({"council": slug, "disabled": is_enabled and not dry_run})
    elif not is_enabled:
        say(f"{slug} was not enabled for {address}")
    elif dry_run:
        say(f"summaries of {slug} would not be mailed to {address} any more")
    else:
        say(f"{slug} is enabled for {address} no more")


def _say_enabling(found: Any, *, who: str | None, done: bool) -> None:
    would, are = ("get", "are") if done else ("would get", "would be")
    since = found.since.date()
    readers = f"{who} alone" if who is not None else counted(found.readers, "active reader")
    if who is not None and done:
        would, are = "gets", "is"
    n = counted(len(found.summaries), "summary", "summaries")
    say(f"{readers} {would} {n} of meetings since {since} in the next letter")
    for one in found.summaries:
        say(f"  {one.starts_on}  {one.committee}: {one.headline}")
    if found.said:
        say(f"{found.said} of those days were mailed before and are not mailed again; they are on the web")
    if found.drafts:
        say(f"{found.drafts} more wait for approval")
    if who is None:
        say(f"{found.waiting} who waited {are} told by a notice, with the next `digest run`")
    elif found.waiting:
        say(f"{who} {are} told by a notice, with the next `digest run`")


def _document(council: Any, counts: dict[str, int] | None = None) -> dict[str, Any]:
    return {
        "slug": council.slug,
        "name": council.name,
        "support": council.support,
        "approval": council.approval,
        "timezone": council.timezone,
        "country": council.country,
        "website": council.website,
        "languages": list(council.languages),
    } | (counts or {})


@council.command("list")
def list_(context: typer.Context, as_json: Json = False) -> None:
    """All councils, with how many people follow each.

    Example: digest council list --json
    """
    from digest.store import councils

    entrance: Entrance = context.obj
    with entrance.hall() as hall, hall.database.read() as connection:
        found = councils.all_councils(connection)
        followers = councils.waiting_counts(connection)
    if as_json:
        documents = [_document(one, {"followers": followers.get(one.slug, 0)}) for one in found]
        print_json({"councils": documents})
        return
    print_table(
        ["slug", "name", "support", "approval", "followers"],
        [[c.slug, c.name, c.support, c.approval, followers.get(c.slug, 0)] for c in found],
    )


@council.command("show")
def show(context: typer.Context, slug: str, as_json: Json = False) -> None:
    """One council with its counts.

    Example: digest council show stockport
    """
    from digest.store import councils

    entrance: Entrance = context.obj
    with entrance.hall() as hall, hall.database.read() as connection:
        found = councils.council_by_slug(connection, slug)
        counts = councils.council_counts(connection, slug)
    (print_json if as_json else print_facts)(_document(found, counts))
