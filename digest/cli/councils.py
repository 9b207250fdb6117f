"""`digest council …`"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from digest.cli.entrance import Entrance, print_facts, print_json, print_table, say
from digest.errors import UsageError

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
    slug: Annotated[str, typer.Argument(help="Stable short name, as stockport.")],
    name: Annotated[str, typer.Option(help="Name as residents know it.")],
    support: Annotated[str, typer.Option(help="full, limited or paused.")] = "full",
    approval: Annotated[str, typer.Option(help="auto, approval or off.")] = "auto",
    timezone: Annotated[str, typer.Option(help="IANA time zone.")] = "Europe/London",
    website: Annotated[str | None, typer.Option(help="Web address of the council.")] = None,
    country: Annotated[str, typer.Option(help="Two letters; decides how dates are read.")] = "gb",
    languages: Annotated[str, typer.Option(help="Languages of its summaries, as en,cy.")] = "en",
) -> None:
    """Add a council.

    Example: digest council add stockport --name "Stockport" --website https://democracy.stockport.gov.uk
    """
    from digest.model import Council
    from digest.store import councils

    facts = _checked(
        {
            "support": support,
            "approval": approval,
            "timezone": timezone,
            "website": website,
            "country": country.lower(),
            "languages": languages,
        }
    )
    if not slug or slug != slug.lower() or not all(c.isalnum() or c in "-._" for c in slug):
        raise UsageError(f"the slug {slug!r} is not small letters, digits, - . or _: as great-harrow")
    entrance: Entrance = context.obj
    with entrance.hall() as hall, hall.database.write() as connection:
        is_new = councils.add_council(connection, Council(slug, name, **facts), now=hall.clock())
    say(f"{slug} added" if is_new else f"{slug} is there already, unchanged")


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
    from digest.store import councils

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
        councils.set_council(connection, slug, facts)
    say(f"{slug} changed")


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
