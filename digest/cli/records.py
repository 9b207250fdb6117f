"""`digest letter …` and `digest audit`: one letter's whole story, and who did what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from digest.cli.entrance import Entrance, print_facts, print_json, print_table, say, zulu

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from digest.store.desk import LetterRow

letter = typer.Typer(
    help="Letters that were made: whose they are, and what became of each.", no_args_is_help=True
)
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Most = Annotated[int, typer.Option(min=1, help="How many of the newest.")]


def register(app: typer.Typer) -> None:
    """Hang the commands into the program."""
    app.add_typer(letter, name="letter")
    app.command("audit")(audit)


@letter.command("list")
def list_(
    context: typer.Context,
    address: Annotated[str, typer.Argument(help="A subscriber's address.")],
    most: Most = 50,
    as_json: Json = False,
) -> None:
    """The newest letters to one address, each with the id that `digest letter show` takes.

    Example: digest letter list ada@example.org
    """
    from digest.errors import NotFoundError
    from digest.store import desk, subscribers

    entrance: Entrance = context.obj
    with entrance.hall() as hall, hall.database.read() as connection:
        reader = subscribers.find_subscriber(connection, address)
        if reader is None:
            raise NotFoundError(f"there is no subscriber {address}")
        found = desk.letters_of_subscriber(connection, reader.id, most=most)
    if as_json:
        print_json({"letters": [_facts_of(one) for one in found]})
    elif found:
        shown = [[f["id"], f["kind"], f["slot_at"], f["standing"]] for f in map(_facts_of, found)]
        print_table(["id", "kind", "of", "standing"], shown)
    else:
        say(f"no letter to {address} yet")


@letter.command("show")
def show(
    context: typer.Context,
    delivery: Annotated[str, typer.Argument(metavar="ID", help="A delivery's id, as providers report it.")],
    as_json: Json = False,
) -> None:
    """The whole story of one letter: its run, what it said, each hand-over, what the provider told since.

    Example: digest letter show 01k5b0000000000000000000000000
    """
    from digest.errors import LinkError, NotFoundError, UsageError
    from digest.links import read_delivery_id
    from digest.store import desk

    try:
        run_id, subscriber_id = read_delivery_id(delivery)
    except LinkError as error:
        raise UsageError(f"{delivery!r} is no letter's id: `digest letter list ADDRESS` has them") from error
    entrance: Entrance = context.obj
    with entrance.hall() as hall, hall.database.read() as connection:
        found = desk.letter(connection, run_id, subscriber_id)
        if found is None:
            raise NotFoundError(f"there is no letter {delivery}")
        story = _facts_of(found) | _story(connection, found)
    if as_json:
        print_json(story)
        return
    tables = {name: story.pop(name) for name in ("items", "attempts", "events")}
    print_facts(story)
    for name, rows in tables.items():
        if rows:
            print_table(list(rows[0]), [list(row.values()) for row in rows], title=name)


def _facts_of(one: LetterRow) -> dict[str, Any]:
    from digest.links import delivery_id

    return {
        "id": delivery_id(one.run_id, one.subscriber_id),
        "address": one.address,
        "run": one.run_id,
        "kind": one.kind,
        "slot_at": zulu(one.slot_at),
        "standing": one.standing,
    }


def _story(connection: Connection, found: LetterRow) -> dict[str, Any]:
    from digest.store import desk, editions, pages

    page_id = desk.page_of_edition(connection, found.edition_id)
    page = None if page_id is None else pages.page_by_id(connection, page_id)
    attempts = desk.attempts_of(connection, found.batch_id) if found.batch_id else []
    return {
        "subject": None if page is None else page.subject,
        "items": [
            {"item": one.item, "version": one.version, "told": "counted" if one.is_folded else "named"}
            for one in editions.items_of(connection, found.edition_id)
        ],
        "attempts": [
            {
                "attempt": one.attempt,
                "state": one.state,
                "claimed_at": zulu(one.claimed_at),
                "recorded_at": zulu(one.recorded_at),
                "provider_id": one.provider_id,
                "why": one.why,
            }
            for one in attempts
        ],
        "events": [
            {"kind": one.kind, "happened_at": zulu(one.happened_at), "received_at": zulu(one.received_at)}
            for one in desk.events_of(connection, found.run_id, found.subscriber_id)
        ],
    }


def audit(
    context: typer.Context,
    subject: Annotated[
        str, typer.Option(help="Only about this, as run:7, council:stockport, subscriber:12.")
    ] = "",
    most: Most = 50,
    as_json: Json = False,
) -> None:
    """Who did what, the latest first. The audit is only ever added to, and has ids instead of addresses.

    Example: digest audit --subject run:7
    """
    import json

    from digest.store import desk

    entrance: Entrance = context.obj
    with entrance.hall() as hall, hall.database.read() as connection:
        found = desk.audit_lines(connection, subject=subject, most=most)
    if as_json:
        lines = [
            {
                "id": one.id,
                "happened_at": zulu(one.happened_at),
                "actor": one.actor,
                "action": one.action,
                "subject": one.subject,
                "facts": one.facts,
            }
            for one in found
        ]
        print_json({"audit": lines})
    elif found:
        shown = [
            [zulu(o.happened_at), o.actor, o.action, o.subject, json.dumps(o.facts) if o.facts else ""]
            for o in found
        ]
        print_table(["at", "who", "what", "of", "facts"], shown)
    else:
        say(f"nothing is noted of {subject}" if subject else "nothing is noted yet")
