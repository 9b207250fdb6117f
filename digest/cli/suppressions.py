"""`digest suppression`: addresses that are never mailed again."""

from __future__ import annotations

from typing import Annotated

import typer

from digest.cli.entrance import ACTOR, Entrance, print_facts, print_json, print_table, say, zulu

suppression = typer.Typer(help="Addresses that are never mailed again.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
ADDED = "suppression added"


def register(app: typer.Typer) -> None:
    """Hang the commands into the program."""
    app.add_typer(suppression, name="suppression")


@suppression.command("sync")
def sync(context: typer.Context, as_json: Json = False) -> None:
    """Take over whom SendGrid will not mail: bounces, spam reports, invalid addresses, unsubscribes.

    Blocks are not taken over: they pass. Twice is harmless; `digest run` does it when it is an hour ago.

    Example: digest suppression sync
    """
    from digest.pipeline import suppress

    entrance: Entrance = context.obj
    with entrance.hall() as hall:
        done = suppress.sync(
            hall.database, hall.lists, suppression_key=hall.suppression_key, now=hall.clock()
        )
    facts = {"seen": done.seen, "new": done.new, "since": zulu(done.since), "until": zulu(done.until)}
    (print_json if as_json else print_facts)(facts)


@suppression.command("list")
def list_(
    context: typer.Context,
    address: Annotated[str | None, typer.Argument(help="Only what stands against this address.")] = None,
    reason: Annotated[str | None, typer.Option(help="Only these, as bounce or spam.")] = None,
    most: Annotated[int, typer.Option(min=1, help="How many of the newest.")] = 50,
    as_json: Json = False,
) -> None:
    """The newest suppressions and how many there are. The list knows fingerprints only, no addresses.

    Example: digest suppression list ann@example.org
    """
    from digest.links import address_fingerprint
    from digest.store import suppressions

    entrance: Entrance = context.obj
    with entrance.hall() as hall:
        wanted = None if address is None else address_fingerprint(address, hall.suppression_key)
        with hall.database.read() as connection:
            found = suppressions.newest(connection, reason=reason, most=most, fingerprint=wanted)
            counts = suppressions.count_by_reason(connection)
    lines = [
        {"fingerprint": s.fingerprint, "reason": s.reason, "since": zulu(s.since), "evidence": s.evidence}
        for s in found
    ]
    if as_json:
        print_json({"suppressions": lines, "counts": counts})
        return
    if lines:
        shown = [[s["reason"], s["since"], str(s["fingerprint"])[:12], s["evidence"]] for s in lines]
        print_table(["reason", "since", "fingerprint", "evidence"], shown)
    elif address is not None:
        say(f"nothing stands against {address}")
    say("in all: " + (", ".join(f"{n} {name}" for name, n in counts.items()) or "none"))


@suppression.command("add")
def add(
    context: typer.Context,
    address: Annotated[str, typer.Argument()],
    why: Annotated[str, typer.Option(help="Kept as evidence.")],
) -> None:
    """Never mail an address again, whether a subscriber has it or not. Twice is harmless.

    Example: digest suppression add ann@example.org --why "asked by letter"
    """
    from digest.links import address_fingerprint
    from digest.store import audit, suppressions

    entrance: Entrance = context.obj
    with entrance.hall() as hall:
        key, now = hall.suppression_key, hall.clock()
        subject = f"fingerprint:{address_fingerprint(address, key)}"
        with hall.database.write() as connection:
            was = suppressions.is_suppressed(connection, address, key=key)
            suppressions.suppress(connection, address, key=key, reason="operator", evidence=why, now=now)
            audit.note(connection, ADDED, subject=subject, actor=ACTOR, now=now, facts={"why": why})
    say(f"suppressed before ({was}), now until a later consent" if was else "suppressed")


@suppression.command("remove")
def remove(
    context: typer.Context,
    address: Annotated[str, typer.Argument()],
    why: Annotated[str, typer.Option(help="Kept in the audit, as the reader's new consent.")],
) -> None:
    """Let an address subscribe again; who had it stays suppressed until they do. Twice is harmless.

    Example: digest suppression remove ann@example.org --why "asked for it by telephone"
    """
    from digest.store import suppressions

    entrance: Entrance = context.obj
    with entrance.hall() as hall:
        with hall.database.write() as connection:
            done = suppressions.lift(
                connection,
                address,
                key=hall.suppression_key,
                evidence=why,
                now=hall.clock(),
                actor=ACTOR,
            )
        is_sendgrid = hall.settings.sender == "sendgrid"
    say("may subscribe again" if done else f"nothing stands against {address}")
    if done and is_sendgrid:
        say("take it off SendGrid's own lists too: while it is on one, letters to it are dropped there")
